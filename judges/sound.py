"""The sound that goes along with a request, for judges that hear: cut from the source log each time, never stored.

Redaction reaches words only, so a clip holds whatever was said, in the speaker's own voice.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import soundfile

from audio.decode import DecodeError, Samples, channel_blocks
from judges.dialogue import Dialogue
from judges.settings import JudgeConfig
from schemas.clock import samples_to_seconds, seconds_to_samples
from schemas.reasons import Reason

RATE_HZ = 16_000
BLOCK_S = 3.0
SLACK_S = 0.25
"""A log that ends so much sooner than it did when it was taken in was changed since."""
_HEADER = (
    "dialogue_id",
    "source_id",
    "model_path",
    "model_channel",
    "user_path",
    "user_channel",
    "duration_s",
)

Span = tuple[float, float]


@dataclass(frozen=True)
class Clip:
    """A WAV of the talk from ``start_s`` to ``end_s``: 16 kHz, 16 bit, the model on the left and the user on the right.

    ``turns``: indices of the turns it is cut for.
    """

    turns: tuple[int, ...]
    start_s: float
    end_s: float
    wav: bytes


class Sound:
    """Cuts clips for the dialogues of a batch: ``headers``, its rows of ``dialogues``.

    ``sources``: where the source of each ``source_id`` lies.
    """

    def __init__(self, headers: pl.DataFrame, sources: Mapping[str, str], config: JudgeConfig) -> None:
        self._rows = {row["dialogue_id"]: row for row in headers.select(_HEADER).iter_rows(named=True)}
        self._sources = sources
        self._config = config

    def clips(self, dialogue: Dialogue, ask: Sequence[int]) -> list[Clip]:
        """The clips for judging turns ``ask``: each with its own, or all with one. The log is decoded once.

        Raises DecodeError or OSError where the log cannot be read any more.
        """
        row = self._rows[dialogue.dialogue_id]
        root = self._sources.get(row["source_id"])
        if root is None:
            raise DecodeError(Reason.AUDIO_MISSING, f"no folder is known for source '{row['source_id']}'")
        wanted = spans(dialogue, ask, row["duration_s"], self._config)
        model_path, user_path = (f"{root.rstrip('/')}/{row[f'{side}_path']}" for side in ("model", "user"))
        sounds = _cut(model_path, row["model_channel"], user_path, row["user_channel"], list(wanted.values()))
        clips = []
        for (turns, (start_s, end_s)), sound in zip(wanted.items(), sounds, strict=True):
            found_s = samples_to_seconds(len(sound), RATE_HZ)
            if not len(sound) or found_s < end_s - start_s - SLACK_S:
                detail = f"{found_s:.3f} s of sound from {start_s:.3f} s on, {end_s - start_s:.3f} s were there"
                raise DecodeError(Reason.AUDIO_CHANGED, detail)
            clips.append(Clip(turns, start_s, end_s, _wav(sound)))
        return clips


def spans(
    dialogue: Dialogue, ask: Sequence[int], duration_s: float, config: JudgeConfig
) -> dict[tuple[int, ...], Span]:
    """Which seconds of the log go along with a request about which turns, as ``judge.audio`` says.

    A long turn gets less around it, and one that is too long alone loses its end.
    """
    most_s = config.audio_max_s
    if config.audio == "dialogue":
        return {tuple(ask): (0.0, min(duration_s, most_s))}
    turns = {turn.index: turn for turn in dialogue.turns}
    found: dict[tuple[int, ...], Span] = {}
    for index in ask:
        turn = turns[index]
        around_s = min(config.audio_around_s, max(0.0, most_s - (turn.end_s - turn.start_s)) / 2)
        start_s = max(0.0, turn.start_s - around_s)
        end_s = min(duration_s, turn.end_s + around_s, start_s + most_s)
        found[index,] = (start_s, end_s)
    return found


def _cut(
    model_path: str, model_channel: int, user_path: str, user_channel: int, wanted: Sequence[Span]
) -> list[Samples]:
    """Stretches of a log, float32 (n, 2): model, user. Decodes to the end of the last one, once."""
    bounds = [tuple(seconds_to_samples(time_s, RATE_HZ) for time_s in span) for span in wanted]
    parts: list[list[Samples]] = [[np.zeros((0, 2), dtype=np.float32)] for _ in wanted]
    last = max(end for _, end in bounds)
    at = 0
    for sides in channel_blocks(model_path, model_channel, user_path, user_channel, rate_hz=RATE_HZ, block_s=BLOCK_S):
        block = np.stack(sides, axis=1)
        for part, (start, end) in zip(parts, bounds, strict=True):
            if start < at + len(block) and end > at:
                part.append(block[max(0, start - at) : end - at])
        at += len(block)
        if at >= last:
            break
    return [np.concatenate(part) for part in parts]


def _wav(sound: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()
