"""Stage ``transcribe``: the words of a log, heard or brought along, held against the speech of their own channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from pydantic import NonNegativeFloat

from audio.asr import HEARD, Recogniser, WordsError, open_recogniser
from audio.asr.choose import AsrName, Choice
from audio.asr.clips import ClipConfig
from audio.asr.given import given_words
from audio.asr.listening import RecogniserFailedError, hear_words, speech_of
from audio.asr.options import FasterWhisperOptions, HowToRun, PocketsphinxOptions, WhisperOptions
from audio.decode import DecodeError, channel_blocks
from audio.frames import RATE_HZ
from miner.ingest.tree import join
from schemas.activity import ACTIVITY
from schemas.clock import IntMs, Seconds, array_to_ms, array_to_s, to_ms
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.words import WORDS
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput

BLOCK_S = 3.0
"""Blocks this long stay in the processor's cache on their way through the resampler."""
GIVEN = "given"
NO_OWN_SPEECH = "no_own_speech"
EMPTY_TEXT = "empty_text"
LANGUAGE_UNKNOWN = "language_unknown"
APART_MS = 10**10
"""Distance put between two channels so that one search serves a whole batch: longer than any log."""

SAID = pl.Schema({"dialogue_id": pl.String(), **HEARD, "asr": pl.String()})
UNREAD = pl.Schema(
    {name: dtype for name, dtype in WORDS.schema.items() if name not in ("confidence", "speaker", "asr")}
)


class TranscribeConfig(StageConfig):
    """Who hears the words, which are taken and which are believed."""

    asr: AsrName = "auto"
    """Recogniser: `auto` takes the best that works here (faster-whisper or openai-whisper with weights on this machine,
    else pocketsphinx); `given` hears nothing and takes only words that came with the log."""
    model: str | None = None
    """Weights for Whisper: a name (small, large-v3-turbo, ...), a folder or a file; without one `small`."""
    use_given: bool = True
    """Words that came with a log are taken for the channels they are of; false hears those channels as well."""
    language: str | None = None
    """Language (BCP-47) of logs that do not name theirs; without one Whisper finds out, pocketsphinx reads English."""
    speech_tolerance_s: NonNegativeFloat = 0.25
    """A word this close to own-channel speech belongs to it, seconds; one further away was not said there."""
    clips: ClipConfig = ClipConfig()
    """How own speech is cut into clips for the recogniser."""
    whisper: WhisperOptions = WhisperOptions()
    """Decoding of both Whisper backends."""
    faster_whisper: FasterWhisperOptions = FasterWhisperOptions()
    """What only faster-whisper has."""
    pocketsphinx: PocketsphinxOptions = PocketsphinxOptions()
    """Decoding of PocketSphinx."""


class HeardBy(TranscribeConfig):
    """The settings once the recogniser is chosen: what was asked for gives way to what it came to."""

    weights: str | None = None
    """Identity of the recogniser's weights: a revision or a hash of the content."""
    package: str | None = None
    """Version of the recogniser's package."""


class Transcribe(Stage):
    """Writes the words of each channel: those that came with the log, else those that a recogniser hears in its speech.

    ``choice``: the recogniser (``audio.asr.choose``). ``sources`` says where the source of each ``source_id`` lies now.
    """

    name = "transcribe"
    version = 2
    reads = (DIALOGUES, ACTIVITY)
    writes = WORDS
    batch_size = 4

    config: HeardBy

    def __init__(
        self,
        config: TranscribeConfig,
        *,
        choice: Choice,
        sources: Mapping[str, str],
        how: HowToRun | None = None,
    ) -> None:
        chosen = {"asr": choice.name, "model": None, "weights": choice.identity, "package": choice.package_version}
        super().__init__(HeardBy.model_validate(config.model_dump(include=_matters(config, choice)) | chosen))
        self.choice = choice
        self.sources = dict(sources)
        self.how = how or HowToRun()
        if choice.name == GIVEN:
            self.batch_size = 256
        self._recogniser: Recogniser | None = None

    def open(self) -> None:
        """Load the recogniser."""
        if self.choice.name == "given":
            return
        options = self.config.whisper, self.config.faster_whisper, self.config.pocketsphinx, self.how
        merged = {key: value for part in options for key, value in part.model_dump().items()}
        self._recogniser = open_recogniser(self.choice.name, self.choice.model, merged)

    def process(self, batch: Batch) -> StageOutput:
        """The words of every dialogue. One that cannot be heard, or whose own words are broken, is quarantined.

        A channel in a language that the recogniser does not know gets one row without text, dropped for that reason.
        """
        if self._recogniser is None:
            self.open()
        activity = batch[ACTIVITY].partition_by("dialogue_id", as_dict=True)
        said, unread = [SAID.to_frame()], [UNREAD.to_frame()]
        quarantined: list[Quarantined] = []
        for row in batch[DIALOGUES].iter_rows(named=True):
            dialogue_id = row["dialogue_id"]
            try:
                given = self._given(row)
                to_hear = {
                    channel: speech_s
                    for channel, speech_s in speech_of(activity[dialogue_id,]).items()
                    if len(speech_s) and channel not in given["channel"]
                }
                if self._reads(row):
                    heard = self._hear(row, to_hear)
                else:
                    heard = HEARD.to_frame()
                    unread.append(_unread(dialogue_id, to_hear))
            except WordsError as error:
                quarantined.append(Quarantined(dialogue_id, Reason.BAD_WORDS_FILE, str(error)))
            except DecodeError as error:
                quarantined.append(Quarantined(dialogue_id, error.reason, error.detail))
            except RecogniserFailedError as error:
                quarantined.append(Quarantined(dialogue_id, Reason.ASR_FAILED, str(error)))
            else:
                said += [_said(dialogue_id, given, GIVEN), _said(dialogue_id, heard, self.choice.label)]
        words = hold_to_speech(pl.concat(said), batch[ACTIVITY], self.config.speech_tolerance_s)
        nobody = pl.concat(unread).with_columns(pl.lit(self.choice.label).alias("asr"))
        return StageOutput(pl.concat([words, nobody], how="diagonal"), quarantined)

    def _given(self, row: Mapping[str, Any]) -> pl.DataFrame:
        """Words that came with the log, columns ``HEARD``; none where they are not wanted. Raises WordsError."""
        wanted = self.config.use_given or self.choice.name == GIVEN
        return given_words(self._words_path(row) if wanted else None)

    def _language(self, row: Mapping[str, Any]) -> str | None:
        return row["language"] or self.config.language

    def _reads(self, row: Mapping[str, Any]) -> bool:
        return self._recogniser is None or self._recogniser.knows(self._language(row))

    def _hear(self, row: Mapping[str, Any], speech_s: Mapping[str, Seconds]) -> pl.DataFrame:
        """Words heard on some channels of a log, columns ``HEARD``. Raises DecodeError, RecogniserFailedError."""
        if self._recogniser is None or not speech_s:
            return HEARD.to_frame()
        root = self.sources.get(row["source_id"])
        if root is None:
            raise DecodeError(Reason.AUDIO_MISSING, f"no folder is known for source '{row['source_id']}'")
        paths = [join(root, row[f"{side}_path"]) for side in ("model", "user")]
        pieces = channel_blocks(
            paths[0], row["model_channel"], paths[1], row["user_channel"], rate_hz=RATE_HZ, block_s=BLOCK_S
        )
        return hear_words(pieces, speech_s, self._recogniser, self._language(row), self.config.clips)

    def _words_path(self, row: Mapping[str, Any]) -> str | None:
        return None if row["words_path"] is None else join(self.sources[row["source_id"]], row["words_path"])


def _matters(config: TranscribeConfig, choice: Choice) -> set[str]:
    """The settings that can change a word with this recogniser."""
    always = {"speech_tolerance_s"}
    if choice.name == GIVEN:
        return always
    own = {
        "faster-whisper": {"whisper", "faster_whisper"},
        "openai-whisper": {"whisper"},
        "pocketsphinx": {"pocketsphinx"},
    }
    return always | {"use_given", "language", "clips"} | own[choice.name]


def _said(dialogue_id: str, words: pl.DataFrame, asr: str) -> pl.DataFrame:
    """Words of a log (``HEARD``) with whose they are and who heard them, columns ``SAID``."""
    return words.select(pl.lit(dialogue_id).alias("dialogue_id"), pl.all(), pl.lit(asr).alias("asr"))


def _unread(dialogue_id: str, speech_s: Mapping[str, Seconds]) -> pl.DataFrame:
    """A row for each channel whose language the recogniser does not know, from its first speech to its last."""
    rows = [
        (dialogue_id, channel, 0, "", spans[0, 0], spans[-1, 1], "asr", LANGUAGE_UNKNOWN)
        for channel, spans in speech_s.items()
    ]
    return pl.DataFrame(rows, schema=UNREAD, orient="row")


def hold_to_speech(words: pl.DataFrame, activity: pl.DataFrame, tolerance_s: float) -> pl.DataFrame:
    """Words (``HEARD`` and dialogue_id) with their place on the channel, snapped to its speech or marked as dropped.

    A word belongs to the own-channel speech it overlaps most, else to the one at most ``tolerance_s`` away. It may not
    start before that speech; one that lies before it altogether is moved there whole. Recognisers start the first word
    after a silence seconds early, so its end is the better time.
    """
    words = words.sort("dialogue_id", "channel", "start_s", "end_s", maintain_order=True)
    groups = activity.select("dialogue_id", "channel").with_row_index("group")
    has_speech = activity.with_row_index("group").filter(pl.col("speech").list.len() > 0)
    speech = has_speech.select("group", "speech").explode("speech").unnest("speech")
    offset = speech["group"].to_numpy().astype(np.int64) * APART_MS
    order = words.join(groups, on=["dialogue_id", "channel"], how="left", maintain_order="left")["group"]
    # A channel without activity has no speech: its words lie a whole log away from anything.
    word_offset = order.fill_null(len(groups)).to_numpy().astype(np.int64) * APART_MS
    start_ms, end_ms, held = _snap(
        array_to_ms(words["start_s"].to_numpy()) + word_offset,
        array_to_ms(words["end_s"].to_numpy()) + word_offset,
        array_to_ms(speech["start_s"].to_numpy()) + offset,
        array_to_ms(speech["end_s"].to_numpy()) + offset,
        to_ms(tolerance_s),
    )
    moved = pl.Series(start_ms - word_offset != array_to_ms(words["start_s"].to_numpy()))
    dropped = pl.when(pl.col("text") == "").then(pl.lit(EMPTY_TEXT)).when(~pl.Series(held)).then(pl.lit(NO_OWN_SPEECH))
    held_words = words.with_columns(
        pl.Series("start_s", array_to_s(start_ms - word_offset)),
        pl.Series("end_s", array_to_s(end_ms - word_offset)),
        pl.when(moved).then(pl.lit("snapped")).otherwise("timing_source").alias("timing_source"),
        dropped.otherwise(None).alias("dropped"),
    )
    held_words = held_words.sort("dialogue_id", "channel", "start_s", "end_s", maintain_order=True)
    position = pl.int_range(pl.len(), dtype=pl.Int64).over("dialogue_id", "channel")
    return held_words.with_columns(position.alias("word_index"))


def _snap(
    start: IntMs, end: IntMs, speech_start: IntMs, speech_end: IntMs, tolerance: int
) -> tuple[IntMs, IntMs, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """New starts and ends of words (n,), and whether any speech holds them. Speech (m,) is in order, apart."""
    if len(speech_start) == 0:
        return start, end, np.zeros(len(start), dtype=np.bool_)
    far = np.int64(2 * APART_MS)
    first = np.searchsorted(speech_end, start, side="right")

    def overlap(index: IntMs) -> IntMs:
        """Milliseconds shared with that speech; negative: the distance to it."""
        inside = np.clip(index, 0, len(speech_start) - 1)
        shared = np.minimum(end, speech_end[inside]) - np.maximum(start, speech_start[inside])
        return np.where(inside == index, shared, -far)

    candidates = np.stack([first - 1, first, first + 1])
    shared = np.stack([overlap(index) for index in candidates])
    best = np.argmax(shared, axis=0)
    which = np.take_along_axis(candidates, best[None], axis=0)[0].clip(0, len(speech_start) - 1)
    held = np.take_along_axis(shared, best[None], axis=0)[0] >= -tolerance
    new_start = np.where(held, np.maximum(start, speech_start[which]), start)
    before = held & (end <= speech_start[which])
    moved_end = np.minimum(new_start + end - start, speech_end[which])
    return new_start, np.where(before, moved_end, np.maximum(end, new_start)), held
