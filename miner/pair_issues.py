"""What becomes a pair: the places where a dialogue went wrong, each with its turns, its ids and its response gap.

All times are integer milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from miner.pair_windows import PairsConfig
from schemas.clock import frame_to_seconds, ms_expr, to_ms, window_start_frame
from schemas.ids import context_id, pair_id, unit_draw
from schemas.reasons import Reason
from store.stage import Quarantined
from timing.places import places

_IS_A, _IS_B = pl.col("timing").is_null(), pl.col("timing").eq_missing("B")


def gather(timing_events: pl.DataFrame, content: pl.DataFrame) -> pl.DataFrame:
    """One row per pair to be, from the rows of ``timing_events`` and ``content_issues``.

    Columns ``dialogue_id, issue_id, content_issue_id, pair_type, timing`` (null: content only), ``subtype, axis, rank,
    t0_s, user_index, model_index`` (the user's turn that is spoken into or answered, the model's at fault; null: none).
    """
    axes = content.select("dialogue_id", content_issue_id="issue_id", axis="subtype")
    alone = pl.col("pair_type") == "A"
    return (
        places(timing_events, content)
        .join(axes, on=["dialogue_id", "content_issue_id"], how="left", maintain_order="left")
        .rename({"user_turn_index": "user_index", "turn_index": "model_index"})
        .with_columns(timing=pl.when(~alone).then(pl.col("pair_type").str.strip_prefix("A+")))
    )


def locate(issues: pl.DataFrame, owners: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Beside each issue its dialogue, the user's turn and the model's turn; their columns are null if not found.

    Adds ``t0`` and ``user_end``: where the user utterance under way at t0 ends, t0 itself where none is.
    """

    def side(channel: str) -> pl.DataFrame:
        return turns.filter(pl.col("channel") == channel).select(
            "owner",
            pl.col("turn_index").alias(f"{channel}_index"),
            *(pl.col(column).alias(f"{channel}_{column}") for column in ("turn", "start", "end")),
        )

    is_c = pl.col("timing").eq_missing("C")
    return (
        issues.with_columns(ms_expr("t0_s").alias("t0"))
        .join(
            owners.select(
                "dialogue_id", "owner", ms_expr("duration_s").alias("duration"), "model_id", "voice", "language"
            ),
            on="dialogue_id",
        )
        .join(side("user"), on=["owner", "user_index"], how="left")
        .join(side("model"), on=["owner", "model_index"], how="left")
        .with_columns(user_end=pl.when(is_c).then("t0").otherwise(pl.max_horizontal("t0", "user_end")))
    )


def name_pairs(issues: pl.DataFrame, config: PairsConfig) -> pl.DataFrame:
    """Ids, the first scored frame, and the response gap that the id draws (0 where only the content is at fault)."""
    shortest, longest = to_ms(config.response_gap_min_s), to_ms(config.response_gap_max_s)
    places = list(issues.select("dialogue_id", "pair_type", "t0_s").iter_rows())
    ids = [pair_id(dialogue, pair_type, t0_s) for dialogue, pair_type, t0_s in places]
    draws = [unit_draw("response_gap", identity) for identity in ids]
    frames = [window_start_frame(t0_s) for _, _, t0_s in places]
    return issues.with_columns(
        pair_id=pl.Series(ids, dtype=pl.String()),
        context_id=pl.Series([context_id(dialogue, t0_s) for dialogue, _, t0_s in places], dtype=pl.String()),
        gap=pl.Series([shortest + int(draw * (longest - shortest + 1)) for draw in draws], dtype=pl.Int64()),
        t0_frame=pl.Series(frames, dtype=pl.Int64()),
        context_start_s=pl.Series(
            [frame_to_seconds(max(0, frame - config.max_context_frames)) for frame in frames], dtype=pl.Float64()
        ),
    ).with_columns(gap=pl.when(_IS_A).then(0).otherwise("gap"))


def set_aside_broken(issues: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[Quarantined]]:
    """Dialogues whose issues and turns contradict each other, which only a defect upstream can make."""
    needs_model = _IS_A | _IS_B | (pl.col("subtype") == "late")
    needs_user = ~_IS_A | pl.col("user_index").is_not_null()
    problem = (
        pl.when(needs_user & pl.col("user_turn").is_null())
        .then(pl.format("issue {}: turns has no user turn {}", "issue_id", pl.col("user_index").fill_null(-1)))
        .when(needs_model & pl.col("model_turn").is_null())
        .then(pl.format("issue {}: turns has no model turn {}", "issue_id", pl.col("model_index").fill_null(-1)))
        .when(_IS_A & (pl.col("model_start") != pl.col("t0")))
        .then(pl.format("issue {}: model turn {} does not begin there", "issue_id", "model_index"))
        .when(pl.col("pair_id").is_duplicated())
        .then(pl.format("issue {}: another {} begins in the same 80 ms", "issue_id", "pair_type"))
    )
    broken = issues.with_columns(problem=problem).filter(pl.col("problem").is_not_null())
    if broken.is_empty():
        return issues, ()
    first = broken.sort("dialogue_id", "t0").unique("dialogue_id", keep="first", maintain_order=True)
    quarantined = tuple(
        Quarantined(dialogue, Reason.INTERNAL_ERROR, detail)
        for dialogue, detail in first.select("dialogue_id", "problem").iter_rows()
    )
    return issues.join(broken, on="dialogue_id", how="anti"), quarantined
