"""Where a dialogue went wrong: faults of timing and of content put together, one row per place."""

from __future__ import annotations

import polars as pl

from schemas.clock import ms_expr
from timing.found import ranked


def places(timing_events: pl.DataFrame, content_issues: pl.DataFrame) -> pl.DataFrame:
    """One row per place that a pair can be made of, from rows of ``timing_events`` and ``content_issues``.

    A content fault of the turn that intrudes (B) or comes too late (C ``late``) is no place of its own: the two make
    one of type A+B or A+C. Columns: ``dialogue_id, issue_id`` (the timing fault's where there is one),
    ``content_issue_id, pair_type, subtype`` (of the issue), ``t0_s, turn_index`` (the model's turn; null for a
    silence), ``user_turn_index, rank`` (over all places of the dialogue).
    """
    is_b, is_late = pl.col("issue_type") == "B", pl.col("subtype") == "late"
    content = content_issues.select(
        "dialogue_id", "turn_index", "t_s", "subtype", "other_turn_index", content_issue_id="issue_id"
    )
    timing = (
        timing_events.filter(pl.col("issue_type").is_not_null())
        .select(
            "dialogue_id",
            "issue_type",
            "subtype",
            issue_id="event_id",
            t0_s="t_s",
            turn_index=pl.when(is_b).then("turn_index").when(is_late).then("other_turn_index"),
            user_turn_index=pl.when(is_b).then("other_turn_index").otherwise("turn_index"),
        )
        .join(content.select("dialogue_id", "turn_index", "content_issue_id"), ["dialogue_id", "turn_index"], "left")
        .with_columns(
            pair_type=pl.when(pl.col("content_issue_id").is_null())
            .then("issue_type")
            .otherwise(pl.concat_str(pl.lit("A+"), "issue_type"))
        )
        .drop("issue_type")
    )
    alone = content.join(timing, ["dialogue_id", "turn_index"], "anti").select(
        "dialogue_id",
        "subtype",
        pl.col("content_issue_id").alias("issue_id"),
        pl.col("t_s").alias("t0_s"),
        "turn_index",
        pl.col("other_turn_index").alias("user_turn_index"),
        "content_issue_id",
        pl.lit("A").alias("pair_type"),
    )
    found = pl.concat([timing, alone.select(timing.columns)])
    columns = found.select(dialogue="dialogue_id", t=ms_expr("t0_s"), event_id="issue_id", issue_type="pair_type")
    return found.with_columns(ranked(columns).sort("row")["rank"]).sort("dialogue_id", "rank")
