"""From a log that goes by to the words of its channels: one decoding, clips in batches, times on the log's clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from audio.asr import HEARD, Recogniser
from audio.asr.clips import Clip, ClipConfig, Cutter, to_log
from audio.frames import RATE_HZ, Samples
from schemas.clock import Seconds

BATCH_S = 300.0
"""Speech handed to a backend at once: what a channel's level and tone are taken from, and all that memory holds."""


class RecogniserFailedError(RuntimeError):
    """A backend raised on a log's clips. The message says what it raised."""


def hear_words(
    pieces: Iterable[tuple[Samples, Samples]],
    speech_s: Mapping[str, Seconds],
    recogniser: Recogniser,
    language: str | None,
    config: ClipConfig,
) -> pl.DataFrame:
    """Words of a log, columns ``HEARD``, in order per channel.

    ``pieces``: the log as pairs of (model, user) samples, float32 (n,) at 16 kHz. ``speech_s``: own speech (n, 2) of
    the channels to be heard. Raises DecodeError as ``pieces`` does, RecogniserFailedError.
    """
    channels = [
        _Channel(name, Cutter(spans, recogniser.max_clip_s, recogniser.apart_s, config), recogniser, language)
        for name, spans in speech_s.items()
    ]
    for model, user in pieces:
        block = {"model": model, "user": user}
        for channel in channels:
            channel.take(channel.cutter.add(block[channel.name]))
    for channel in channels:
        channel.take(channel.cutter.finish())
        channel.flush()
    return pl.concat([HEARD.to_frame(), *(words for channel in channels for words in channel.words)])


class _Channel:
    """A channel on its way: clips that wait for the backend, and the words heard so far."""

    def __init__(self, name: str, cutter: Cutter, recogniser: Recogniser, language: str | None) -> None:
        self.name = name
        self.cutter = cutter
        self.words: list[pl.DataFrame] = []
        self._recogniser = recogniser
        self._language = language
        self._waiting: list[Clip] = []
        self._waiting_s = 0.0

    def take(self, clips: Iterable[Clip]) -> None:
        """More clips; a full batch goes to the backend."""
        for clip in clips:
            self._waiting.append(clip)
            self._waiting_s += len(clip.samples) / RATE_HZ
            if self._waiting_s >= BATCH_S:
                self.flush()

    def flush(self) -> None:
        """Hear what waits."""
        if not self._waiting:
            return
        try:
            words = self._recogniser.words([clip.samples for clip in self._waiting], self._language)
        except Exception as error:  # a backend's own faults are of any kind
            raise RecogniserFailedError(f"{self._recogniser.name}: {type(error).__name__}: {error}") from error
        heard = to_log(words, self._waiting).with_columns(
            pl.lit(self.name).alias("channel"),
            pl.lit("asr").alias("timing_source"),
            pl.col("text").str.strip_chars(),
            pl.col("confidence").round(4),
        )
        self.words.append(heard.select(HEARD.names()))
        self._waiting, self._waiting_s = [], 0.0


def speech_of(activity: pl.DataFrame) -> dict[str, Seconds]:
    """Own speech by channel, each (n, 2) in order, from a dialogue's rows of table ``activity``."""
    return {
        channel: np.array([[span["start_s"], span["end_s"]] for span in speech], dtype=np.float64).reshape(-1, 2)
        for channel, speech in activity.select("channel", "speech").iter_rows()
    }
