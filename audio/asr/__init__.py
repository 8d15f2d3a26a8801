"""Who hears the words of a log: one file per backend, chosen by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl

HEARD = pl.Schema(
    {
        "channel": pl.String(),
        "text": pl.String(),
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "timing_source": pl.String(),
        "confidence": pl.Float64(),
    }
)
"""Words as a backend gives them: in any order, not yet held against the speech. ``channel`` is model or user."""


@dataclass(frozen=True)
class LogFiles:
    """Where a log lies, as paths or URLs that open."""

    model_path: str
    model_channel: int
    user_path: str
    user_channel: int
    words_path: str | None = None
    language: str | None = None


class WordsError(ValueError):
    """A log whose words cannot be had. The message says what was found."""


class Recogniser(Protocol):
    """A backend."""

    name: str

    def words(self, log: LogFiles) -> pl.DataFrame:
        """The words of both channels with the columns of ``HEARD``; none for a log without any. Raises WordsError."""
        ...


def open_recogniser(name: str) -> Recogniser:
    """The backend of that name. Raises ValueError for a name that is none."""
    if name == "given":
        from audio.asr.given import Given

        return Given()
    raise ValueError(f"There is no recogniser called {name!r}. Choose: given.")
