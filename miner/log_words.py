"""The words of one log, before they are held against its speech: read from its files, aligned, heard, and whose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl

from audio.asr import HEARD, Recogniser, open_recogniser
from audio.asr.choose import Choice
from audio.asr.clips import ClipConfig
from audio.asr.given import given_words
from audio.asr.listening import hear_words, speech_of
from audio.asr.options import HowToRun
from audio.decode import DecodeError, blocks, channel_blocks
from audio.diarize import open_diarizer
from audio.diarize.assign import assign_speakers
from audio.frames import RATE_HZ, Samples
from miner.ingest.tree import join
from schemas.clock import Seconds, array_to_ms
from schemas.reasons import Reason
from store.stage import StageConfig

if TYPE_CHECKING:
    from audio.align import Aligner
    from audio.diarize import Diarizer

Channel = Literal["model", "user"]

BLOCK_S = 3.0
"""Blocks this long stay in the processor's cache on their way through the resampler."""
ALIGNER: Final = "pocketsphinx"
ALIGNED_LANGUAGES: Final = ("en",)


class DiarizeConfig(StageConfig):
    """Who of several people on one channel speaks (pyannote.audio)."""

    channels: tuple[Channel, ...] = ()
    """Channels that hold more than one person; empty: none is looked at."""
    model: str | None = None
    """Folder of a pipeline or its name on the Hugging Face Hub; without one pyannote's community pipeline."""
    max_speakers: int | None = None
    """At most this many people at a time, where known."""


@dataclass
class FoundWords:
    """Words of a log, columns ``HEARD``: ``given`` came with it, ``heard`` a recogniser heard.

    ``unread``: channels in a language that the recogniser does not know, with the start and end of their speech.
    ``speakers``: turns of the people of a channel (``audio.diarize.SPEAKER_TURNS``).
    """

    given: pl.DataFrame
    heard: pl.DataFrame = field(default_factory=HEARD.to_frame)
    unread: dict[Channel, tuple[float, float]] = field(default_factory=dict)
    speakers: dict[Channel, pl.DataFrame] = field(default_factory=dict)


class LogWords:
    """Finds the words of one log after the other. Backends are loaded here, the aligner when a log first needs it."""

    def __init__(
        self,
        choice: Choice,
        options: Mapping[str, object],
        how: HowToRun,
        clips: ClipConfig,
        diarize: DiarizeConfig,
        sources: Mapping[str, str],
        *,
        language: str | None,
        align: bool,
    ) -> None:
        self.sources = sources
        self.clips = clips
        self.diarize = diarize
        self.language = language
        self.align = align
        self._aligner: Aligner | None = None
        self._recogniser: Recogniser | None = None
        self._diarizer: Diarizer | None = None
        if choice.name != "given":
            self._recogniser = open_recogniser(choice.name, choice.model, dict(options) | how.model_dump())
        if diarize.channels:
            people = {"max_speakers": diarize.max_speakers, "device": how.device, "download": how.download}
            self._diarizer = open_diarizer(diarize.model, people)

    def of(
        self, row: Mapping[str, Any], activity: pl.DataFrame, *, known: Sequence[Channel], use_given: bool
    ) -> FoundWords:
        """The words of a row of ``dialogues`` with its rows of ``activity``, but for channels ``known`` already.

        Raises WordsError, DecodeError, RecogniserFailedError.
        """
        speech_s = {channel: spans for channel, spans in speech_of(activity).items() if len(spans)}
        words_path = row["words_path"] if use_given else None
        given = given_words(None if words_path is None else join(self._root(row), words_path))
        found = FoundWords(self._aligned(row, given.filter(~pl.col("channel").is_in(list(known))), speech_s))
        have = {*known, *given["channel"]}
        to_hear = {channel: spans for channel, spans in speech_s.items() if channel not in have}
        if self._recogniser is not None and to_hear:
            language = row["language"] or self.language
            if self._recogniser.knows(language):
                both = self._both(row)
                found.heard = hear_words(both, to_hear, self._recogniser, language, self.clips)
            else:
                found.unread = {
                    _channel(name): (float(spans[0, 0]), float(spans[-1, 1])) for name, spans in to_hear.items()
                }
        if self._diarizer is not None:
            found.speakers = {
                channel: self._diarizer.speakers(self._one(row, channel), speech_s[channel])
                for channel in self.diarize.channels
                if channel in speech_s
            }
        return found

    def with_speakers(self, words: pl.DataFrame, speakers: Sequence[tuple[str, Channel, pl.DataFrame]]) -> pl.DataFrame:
        """Rows of ``words`` with the column ``speaker``: null on channels that were not looked at."""
        words = words.with_columns(pl.lit(None, dtype=pl.String()).alias("speaker"))
        for dialogue_id, channel, turns in speakers:
            own = (pl.col("dialogue_id") == dialogue_id) & (pl.col("channel") == channel)
            rest = words.filter(~own)
            words = pl.concat([rest, assign_speakers(words.filter(own), turns).select(rest.columns)])
        return words

    def _aligned(self, row: Mapping[str, Any], given: pl.DataFrame, speech_s: Mapping[str, Seconds]) -> pl.DataFrame:
        """Given words, those of whole sentences or without times put in time; one by one where there is no aligner."""
        sentences = pl.col("text").str.strip_chars().str.contains(r"\s")
        # A number without a time between timed words needs no aligner: mending puts it between its neighbours.
        untimed = pl.col("start_s").is_null().all()
        loose = given.group_by("channel").agg(loose=sentences.any() | untimed).filter("loose")
        channels = loose["channel"].sort().to_list()
        if not channels:
            return given
        from audio.align.channel import align_channel, split_segments
        from audio.align.reader import BlockReader

        language = row["language"] or self.language
        parts = [given.filter(~pl.col("channel").is_in(channels))]
        for channel in channels:
            segments = split_segments(given.filter(pl.col("channel") == channel))
            spans = array_to_ms(speech_s[channel]).reshape(-1, 2) if channel in speech_s else np.zeros((0, 2), np.int64)
            if self.align and len(spans) and (language or "en").split("-")[0].lower() in ALIGNED_LANGUAGES:
                read = BlockReader(self._one(row, _channel(channel)))
                segments = align_channel(read, spans, segments, self._open_aligner(), language=language).words
            parts.append(segments.select(HEARD.names()))
        return pl.concat(parts)

    def _open_aligner(self) -> Aligner:
        from audio.align import open_aligner

        self._aligner = self._aligner or open_aligner(ALIGNER)
        return self._aligner

    def _root(self, row: Mapping[str, Any]) -> str:
        root = self.sources.get(row["source_id"])
        if root is None:
            raise DecodeError(Reason.AUDIO_MISSING, f"no folder is known for source '{row['source_id']}'")
        return root

    def _both(self, row: Mapping[str, Any]) -> Iterator[tuple[Samples, Samples]]:
        root = self._root(row)
        model_path, user_path = (join(root, row[f"{side}_path"]) for side in ("model", "user"))
        return channel_blocks(
            model_path, row["model_channel"], user_path, row["user_channel"], rate_hz=RATE_HZ, block_s=BLOCK_S
        )

    def _one(self, row: Mapping[str, Any], channel: Channel) -> Iterator[Samples]:
        path = join(self._root(row), row[f"{channel}_path"])
        found = blocks(path, BLOCK_S, channels=(row[f"{channel}_channel"],), rate_hz=RATE_HZ)
        return (np.ascontiguousarray(block[:, 0]) for block in found)


def _channel(name: str) -> Channel:
    return "model" if name == "model" else "user"
