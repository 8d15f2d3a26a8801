"""The known text of a whole channel put in time: each segment inside its own speech, or text without any times.

A text without times is spread over the channel's speech by windows: some 20 s of speech, silence left out, are aligned
with the words that come next; what lies before the last stretch of the window is firm, the next window starts there.
Memory holds one window, whatever the length of the channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audio.align import Aligner, Alignment, shared_out
from audio.align.reader import Read
from audio.asr import HEARD
from audio.frames import RATE_HZ, Mask, Samples
from schemas.clock import IntMs, array_to_ms, array_to_s

KNOWN = pl.Schema({**HEARD, "segment": pl.Int64()})
"""Words in spoken order and the segment of text that each came in; times are null where the text has none."""

NO_OWN_SPEECH: Final = "no_own_speech"
NOT_REACHED: Final = "not_reached"
_MS: Final = RATE_HZ // 1000


class ChannelConfig(BaseModel):
    """How the text of a channel is laid against its speech."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    slack_ms: int = 500
    """A segment's speech may start this much earlier and end this much later than its text says."""
    pad_ms: int = 100
    """Audio kept before and after speech."""
    window_ms: int = 20_000
    """Speech that is looked at in one go."""
    words_per_s: float = 5.0
    """Words offered per second of a window whose share of the text is not known."""
    most_passed: int = 8
    """Stretches of speech that are passed over at once, at most, where the text that comes next is not found."""
    held_back: int = 3
    """Words at the end of a window that are not firm, where speech goes on without a gap."""


@dataclass(frozen=True)
class AlignedChannel:
    """``words`` with the columns of ``HEARD``, in the order of the text, each `aligned`, `interpolated` or as given.

    ``failures`` (segment, reason) has a row per segment none of whose words could be aligned: a
    ``audio.align.Failure``, no_own_speech, or not_reached for text that is left over when the speech is.
    """

    words: pl.DataFrame
    failures: pl.DataFrame


def split_segments(heard: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``HEARD`` whose text may be several words, as ``KNOWN``: one row per word.

    Words of a longer text share its time by their letters (`interpolated`); one-word rows stay as they are; rows
    without any word vanish. ``start_s`` and ``end_s`` may be null.
    """
    words = (
        heard.with_row_index("segment")
        .with_columns(pl.col("segment").cast(pl.Int64), pl.col("text").str.extract_all(r"\S+"))
        .filter(pl.col("text").list.len() > 0)
        .with_columns((pl.col("text").list.len() > 1).alias("several"))
        .explode("text")
        .with_columns(pl.col("text").str.count_matches(r"\w").clip(1).cast(pl.Float64).alias("letters"))
    )
    share = pl.col("letters").cum_sum().over("segment") / pl.col("letters").sum().over("segment")
    before = share - pl.col("letters") / pl.col("letters").sum().over("segment")
    length = pl.col("end_s") - pl.col("start_s")
    return words.with_columns(
        pl.when("several").then((pl.col("start_s") + length * before).round(3)).otherwise("start_s").alias("start_s"),
        pl.when("several").then((pl.col("start_s") + length * share).round(3)).otherwise("end_s").alias("end_s"),
        pl.when("several").then(pl.lit("interpolated")).otherwise("timing_source").alias("timing_source"),
    ).select(KNOWN.names())


def align_channel(
    read: Read,
    speech_ms: IntMs,
    known: pl.DataFrame,
    aligner: Aligner,
    *,
    language: str | None,
    config: ChannelConfig | None = None,
) -> AlignedChannel:
    """Give the words of one channel their times.

    ``speech_ms`` (m, 2) is the channel's own speech, half-open, in order and apart. ``known`` has the columns of
    ``KNOWN``, in spoken order. A segment whose words all have times of their own is left as it is; one with times
    around it is aligned inside them; segments without any are spread over all of the speech. ``read`` is asked for
    places that move forward, up to a window back.
    """
    work = _Channel(read, speech_ms, known, aligner, language, config or ChannelConfig())
    bounds = np.append(np.flatnonzero(np.diff(known["segment"].to_numpy(), prepend=-1)), len(known))
    timed = known["start_s"].is_not_null().to_numpy() & known["end_s"].is_not_null().to_numpy()
    settled = (known["timing_source"] != "interpolated").to_numpy() & timed
    untimed: list[tuple[int, int]] = []
    last_end = 0
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if settled[first:last].all():
            last_end = int(work.end[last - 1])
        elif timed[first:last].all():
            following = int(work.start[last]) if last < len(known) and timed[last] else None
            work.place_segment(first, last, last_end, following)
            last_end = int(work.end[last - 1])
        else:
            untimed.append((first, last))
    if untimed:
        work.spread(np.concatenate([np.arange(first, last) for first, last in untimed]), speech_ms)
    words = known.with_columns(
        pl.Series("start_s", array_to_s(work.start)),
        pl.Series("end_s", array_to_s(work.end)),
        pl.Series("timing_source", work.source, dtype=pl.String()),
    )
    unplaced = words.group_by("segment", maintain_order=True).agg(
        (pl.col("timing_source") == "interpolated").all().alias("none")
    )
    reasons = pl.Series("reason", [work.reasons.get(int(segment)) for segment in unplaced["segment"]], pl.String())
    failures = unplaced.with_columns(reasons).filter(pl.col("none") & pl.col("reason").is_not_null())
    return AlignedChannel(words.select(HEARD.names()), failures.select("segment", "reason"))


@dataclass(frozen=True)
class _Stretch:
    """Pieces of a channel laid end to end, and the way back: all times in ms, arrays of shape ``(n_pieces,)``."""

    start: IntMs
    laid: IntMs
    end: IntMs

    @classmethod
    def of(cls, spans: IntMs) -> _Stretch:
        """``spans`` (n, 2) in order and apart."""
        lengths = spans[:, 1] - spans[:, 0]
        return cls(spans[:, 0], np.cumsum(lengths) - lengths, spans[:, 1])

    @property
    def length(self) -> int:
        return int(self.laid[-1] + self.end[-1] - self.start[-1]) if len(self.start) else 0

    def samples(self, read: Read) -> Samples:
        spans = zip(self.start.tolist(), self.end.tolist(), strict=True)
        return np.concatenate([read(start * _MS, end * _MS) for start, end in spans])

    def place(self, start: IntMs, end: IntMs) -> tuple[IntMs, IntMs]:
        """Channel times of words; one across a seam belongs to the piece that holds its middle."""
        piece = np.clip(np.searchsorted(self.laid, (start + end) // 2, side="right") - 1, 0, None)
        shift, low, high = self.start[piece] - self.laid[piece], self.start[piece], self.end[piece]
        return np.clip(start + shift, low, high), np.clip(end + shift, low, high)


class _Channel:
    """The words of one channel while they get their times."""

    def __init__(
        self, read: Read, speech: IntMs, known: pl.DataFrame, aligner: Aligner, language: str | None, c: ChannelConfig
    ) -> None:
        self.read, self.aligner, self.language, self.config = read, aligner, language, c
        self.speech = speech.reshape(-1, 2)
        self.text = known["text"].to_list()
        self.segment = known["segment"].to_numpy()
        self.start = array_to_ms(known["start_s"].fill_null(0.0).to_numpy())
        self.end = np.maximum(array_to_ms(known["end_s"].fill_null(0.0).to_numpy()), self.start)
        self.source: NDArray[np.object_] = known["timing_source"].to_numpy().astype(object)
        self.reasons: dict[int, str] = {}

    def place_segment(self, first: int, last: int, after_ms: int, before_ms: int | None) -> None:
        """Align words ``[first, last)`` inside the speech around their times, between the neighbours."""
        low, high = int(self.start[first]), int(self.end[last - 1])
        low = max(low - self.config.slack_ms, min(after_ms, low))
        limit = high + self.config.slack_ms
        high = limit if before_ms is None else min(limit, max(before_ms, high))
        inside = np.clip(self.speech, low, high)
        inside = inside[inside[:, 1] > inside[:, 0]]
        words = np.arange(first, last)
        if not len(inside):
            self._fail(words, NO_OWN_SPEECH)
            return
        if int((inside[:, 1] - inside[:, 0]).sum()) > 2 * self.config.window_ms:
            self.spread(words, inside)
            return
        stretch = _Stretch.of(self._padded(inside, low, high))
        result = self._align(stretch, words, open_end=False)
        if result is not None:
            self._write(words, stretch, result)
            return
        start, end = shared_out([self.text[index] for index in words], 0, stretch.length)
        self.start[words], self.end[words] = stretch.place(start, end)
        self.source[words] = "interpolated"

    def spread(self, words: NDArray[np.int64], speech: IntMs) -> None:
        """Align ``words`` (indices, in order) over ``speech``, window by window."""
        rest = speech.reshape(-1, 2)
        most, passed = len(rest), 1
        while len(words) and len(rest):
            taken = 1 + int(np.searchsorted(np.cumsum(rest[:, 1] - rest[:, 0]), self.config.window_ms))
            window = rest[: min(taken, most)].copy()
            window[-1, 1] = min(window[-1, 1], window[-1, 0] + 2 * self.config.window_ms)
            final = len(window) == len(rest) and window[-1, 1] == rest[-1, 1]
            stretch = _Stretch.of(self._padded(window, int(window[0, 0]) - self.config.pad_ms, int(window[-1, 1])))
            offered = words[: max(int(stretch.length / 1000 * self.config.words_per_s), 1)]
            result = self._align(stretch, offered, open_end=not (final and len(offered) == len(words)))
            if result is None and len(window) > 1:
                # Perhaps only the later part of it holds other speech than the text.
                most = len(window) // 2
                continue
            most = len(rest)
            if result is None:
                rest = rest[passed:]
                passed = min(2 * passed, self.config.most_passed)
                continue
            passed = 1
            firm, cut = self._firm(stretch, window, result, final=final)
            self._write(offered[:firm], stretch, _head(result, firm))
            words = words[firm:]
            rest = np.clip(rest, cut, None)
            rest = rest[rest[:, 1] > rest[:, 0]]
        if len(words):
            self._leave(words, rest if len(rest) else speech.reshape(-1, 2)[-1:])

    def _firm(self, stretch: _Stretch, window: IntMs, result: Alignment, *, final: bool) -> tuple[int, int]:
        """How many words of a window are firm, and the channel time at which the next window starts."""
        heard = np.flatnonzero(result.aligned)
        if final:
            return int(heard[-1]) + 1, int(window[-1, 1])
        starts, ends = stretch.place(result.start_ms, result.end_ms)
        cut = int(window[-1, 0])
        firm = heard[starts[heard] < cut]
        if len(window) > 1 and len(firm):
            return int(firm[-1]) + 1, cut
        if len(heard) > self.config.held_back:
            at = int(heard[-1 - self.config.held_back])
            return at + 1, max(int(ends[at]), int(window[0, 0]) + 1)
        return int(heard[-1]) + 1, int(window[-1, 1])

    def _align(self, stretch: _Stretch, words: NDArray[np.int64], *, open_end: bool) -> Alignment | None:
        """None where nothing fits; the reason is then noted."""
        text = [self.text[index] for index in words]
        result = self.aligner.align(stretch.samples(self.read), text, language=self.language, open_end=open_end)
        if result.failure is None and result.aligned.any():
            return result
        self._fail(words, result.failure or "text_does_not_fit")
        return None

    def _write(self, words: NDArray[np.int64], stretch: _Stretch, result: Alignment) -> None:
        self.start[words], self.end[words] = stretch.place(result.start_ms, result.end_ms)
        self.source[words] = np.where(result.aligned, "aligned", "interpolated")

    def _leave(self, words: NDArray[np.int64], speech: IntMs) -> None:
        """Words for which no place was found share the speech that is left."""
        self._fail(words, NOT_REACHED)
        self.source[words] = "interpolated"
        if not len(speech):
            return
        stretch = _Stretch.of(speech)
        start, end = shared_out([self.text[index] for index in words], 0, stretch.length)
        self.start[words], self.end[words] = stretch.place(start, end)

    def _fail(self, words: NDArray[np.int64], reason: str) -> None:
        for segment in np.unique(self.segment[words]).tolist():
            self.reasons.setdefault(int(segment), reason)

    def _padded(self, speech: IntMs, low: int, high: int) -> IntMs:
        """Speech with a little of the silence around it; gaps too short for two pads stay whole. Inside low..high."""
        wide = np.clip(speech + np.array([-self.config.pad_ms, self.config.pad_ms]), max(low, 0), max(high, 0))
        joins: Mask = wide[1:, 0] <= wide[:-1, 1]
        return np.stack([wide[np.append(True, ~joins), 0], wide[np.append(~joins, True), 1]], axis=1)


def _head(result: Alignment, n: int) -> Alignment:
    return Alignment(result.start_ms[:n], result.end_ms[:n], result.score[:n], result.aligned[:n])
