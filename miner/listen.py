"""Stage ``listen``: the audio of each dialogue to table ``activity``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from audio.config import HearConfig
from audio.decode import DecodeError, channel_blocks
from audio.frames import RATE_HZ
from audio.vad import Vad, VadName, open_vad
from schemas.activity import ACTIVITY, SEGMENT
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.table import Table
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput

if TYPE_CHECKING:
    from audio.hear import ChannelActivity, Segments

BLOCK_S = 3.0
"""Blocks this long stay in the processor's cache on their way through the resampler."""
DURATION_SLACK_S = 0.25
"""A file whose length differs by more than this from what ingest saw was changed since."""


class ListenConfig(StageConfig):
    """What can change a row of ``activity``."""

    vad: VadName = "silero"
    """VAD backend: silero, or webrtc (faster, easier to fool by noise)."""
    hear: HearConfig = HearConfig()
    """Thresholds of hearing."""


class Listen(Stage):
    """Decodes a dialogue's two channels and writes when each side speaks.

    ``sources`` maps a dialogue's ``source_id`` to the folder or URL that its paths start from.
    """

    name: ClassVar[str] = "listen"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[Table, ...]] = (DIALOGUES,)
    writes: ClassVar[Table] = ACTIVITY
    batch_size: int = 8

    def __init__(self, config: ListenConfig, *, sources: Mapping[str, str]) -> None:
        super().__init__(config)
        self.settings = config
        self.sources = dict(sources)
        self._vad: Vad | None = None

    def open(self) -> None:
        """Load the VAD."""
        self._vad = open_vad(self.settings.vad)

    def process(self, batch: Batch) -> StageOutput:
        """Two rows per dialogue; a file that gives no audio quarantines its dialogue."""
        if self._vad is None:
            self.open()
        frames, quarantined = [], []
        for row in batch[DIALOGUES].iter_rows(named=True):
            try:
                frames.append(self._listen(row))
            except DecodeError as error:
                quarantined.append(Quarantined(row["dialogue_id"], error.reason, error.detail))
        return StageOutput(pl.concat(frames) if frames else ACTIVITY.empty(), tuple(quarantined))

    def _listen(self, row: Mapping[str, Any]) -> pl.DataFrame:
        from audio.hear import hear_stream  # numerics that commands with nothing to hear do without

        assert self._vad is not None
        root = self.sources.get(row["source_id"])
        if root is None:
            raise DecodeError(Reason.AUDIO_MISSING, f"no folder is known for source '{row['source_id']}'")
        model_path, user_path = (f"{root.rstrip('/')}/{row[f'{side}_path']}" for side in ("model", "user"))
        channels = channel_blocks(
            model_path, row["model_channel"], user_path, row["user_channel"], rate_hz=RATE_HZ, block_s=BLOCK_S
        )
        model, user = hear_stream(channels, self._vad, self.settings.hear)
        found_s, known_s = model.duration_s, row["duration_s"]
        longer_is_fine = (
            model_path != user_path
        )  # of two files the table holds the shorter, decoding pads to the longer
        if found_s < known_s - DURATION_SLACK_S or (not longer_is_fine and found_s > known_s + DURATION_SLACK_S):
            raise DecodeError(Reason.AUDIO_CHANGED, f"{found_s:.3f} s of audio, {known_s:.3f} s when it was ingested")
        return activity_rows(row["dialogue_id"], model, user, vad=self._vad.name)


def activity_rows(dialogue_id: str, model: ChannelActivity, user: ChannelActivity, *, vad: str) -> pl.DataFrame:
    """The two rows of a dialogue. Levels are rounded to 0.01 dB, so that rows are equal wherever they are made."""
    sides = (model, user)
    return pl.DataFrame(
        {
            "dialogue_id": [dialogue_id] * 2,
            "channel": ["model", "user"],
            "duration_s": [side.duration_s for side in sides],
            "speech": pl.Series([_segments(side.speech) for side in sides], dtype=pl.List(SEGMENT)),
            "leak": pl.Series([_segments(side.leak) for side in sides], dtype=pl.List(SEGMENT)),
            "level_db": pl.Series([side.level_db for side in sides], dtype=pl.Float64),
            "noise_db": pl.Series([side.noise_db for side in sides], dtype=pl.Float64),
            "leak_db": pl.Series([side.leak_db for side in sides], dtype=pl.Float64),
            "leak_delay_ms": pl.Series([side.leak_delay_ms for side in sides], dtype=pl.Float64),
            "vad": [vad] * 2,
        }
    ).with_columns(pl.col("level_db", "noise_db", "leak_db", "leak_delay_ms").round(2))


def _segments(segments: Segments) -> pl.Series:
    columns = {"start_s": segments.start_s, "end_s": segments.end_s, "level_db": segments.level_db.round(2)}
    return pl.DataFrame(columns).to_struct()
