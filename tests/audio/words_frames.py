"""Words and activity as frames, written by hand."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from audio.asr import HEARD
from schemas.activity import ACTIVITY

Spans = list[tuple[float, float]]
LOG_S = 120.0


def activity(
    speech: Mapping[tuple[str, str], Spans],
    *,
    level_db: float = -20.0,
    segment_db: Mapping[tuple[float, float], float] | None = None,
    leak_db: float | None = None,
    duration_s: float = LOG_S,
) -> pl.DataFrame:
    """Rows of ``activity``: speech by (dialogue, channel). ``segment_db`` gives some segments a level of their own."""
    levels = segment_db or {}
    rows = [
        {
            "dialogue_id": name,
            "channel": channel,
            "duration_s": duration_s,
            "speech": [{"start_s": a, "end_s": b, "level_db": levels.get((a, b), level_db)} for a, b in spans],
            "leak": [],
            "level_db": level_db,
            "leak_db": leak_db if channel == "user" else None,
            "vad": "silero",
        }
        for (name, channel), spans in speech.items()
    ]
    overrides = {name: ACTIVITY.schema[name] for name in ("speech", "leak", "leak_db")}
    return ACTIVITY.conform(pl.DataFrame(rows, schema_overrides=overrides))


def heard(
    *words: tuple[str, float | None, float | None], channel: str = "model", name: str = "d", source: str = "given"
) -> pl.DataFrame:
    """Words of one channel: (text, start, end)."""
    rows = [(name, channel, text, start, end, source, None) for text, start, end in words]
    return pl.DataFrame(rows, schema={"dialogue_id": pl.String(), **HEARD}, orient="row")


def language(tag: str | None = "en", *names: str) -> pl.DataFrame:
    """dialogue_id and language of dialogues, of ``d`` unless named."""
    return pl.DataFrame({"dialogue_id": names or ("d",)}).with_columns(pl.lit(tag, pl.String()).alias("language"))
