"""What the rules of doubt look at: the words of a batch as arrays, in order, with the stretches they form."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

from audio.words.channels import Mask, neighbours_differ, on_axis
from audio.words.language import letters, plain
from schemas.clock import IntMs, Seconds

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """Words sorted by channel and time; arrays of equal length."""

    row: Index
    """Row of the frame they come from."""
    group: Index
    start: IntMs
    end: IntMs
    """On the axis of ``channels``."""
    token: Index
    """Words of the same letters, whatever their case and punctuation, have the same number."""
    letters: Seconds

    @classmethod
    def of(cls, words: pl.DataFrame) -> Said:
        """Words of a frame with ``group``, sorted by (group, start_s)."""
        group = words["group"].to_numpy()
        start, end = on_axis(group, words["start_s"]), on_axis(group, words["end_s"])
        return cls(np.arange(len(words)), group, start, end, _tokens(words["text"]), letters(words["text"]))

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: Mask | Index) -> Said:
        """Some of the words, in their order."""
        return Said(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def stretches(self, apart_ms: int) -> Stretches:
        """Runs of words of a channel with gaps of at most ``apart_ms``."""
        opens, _ = neighbours_differ(self.group)
        opens[1:] |= self.start[1:] - self.end[:-1] > apart_ms
        return Stretches(np.cumsum(opens) - 1, np.flatnonzero(opens), self)


@dataclass(frozen=True)
class Stretches:
    """Words that run together."""

    of_word: Index
    """Number of each word's stretch, (words,)."""
    first: Index
    """First word of each stretch, (stretches,)."""
    said: Said

    @property
    def start(self) -> IntMs:
        """Start of each."""
        return self.said.start[self.first]

    @property
    def end(self) -> IntMs:
        """End of each."""
        return np.asarray(np.maximum.reduceat(self.said.end, self.first), dtype=np.int64)

    @property
    def count(self) -> Index:
        """Words of each."""
        return np.diff(np.append(self.first, len(self.said)))

    def total(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sum of the words' values in each."""
        return np.asarray(np.add.reduceat(values, self.first), dtype=np.float64)

    def most(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Largest of the words' values in each."""
        return np.asarray(np.maximum.reduceat(values, self.first), dtype=np.float64)


def _tokens(text: pl.Series) -> Index:
    once = pl.DataFrame({"text": text.unique()}).with_columns(plain(pl.col("text")).rank("dense").alias("token"))
    joined = text.to_frame("text").join(once, on="text", how="left", maintain_order="left")
    return np.asarray(joined["token"].cast(pl.Int64).to_numpy(), dtype=np.int64)
