"""The stage ``pairs``: every issue becomes a pair, ready where the log holds a reply that may be used."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from miner.pair_sides import Timeline, fill_sides, find_neighbours, find_reply
from miner.pair_windows import PairsConfig, bound_recorded, cut_windows
from schemas.clock import array_to_s, frame_to_seconds, ms_expr, to_ms, window_start_frame
from schemas.dialogues import DIALOGUES
from schemas.ids import context_id, pair_id, unit_draw
from schemas.pairs import PAIRS
from schemas.reasons import Reason
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.words import WORDS
from store.stage import Batch, Quarantined, Stage, StageOutput

__all__ = ["Pairs", "PairsConfig"]


class Pairs(Stage):
    """B and C issues to pairs, without a language model: the logged reply delayed (B) or moved to its place (C late).

    Whatever has no usable reply in the log stays as a row with status ``needs_rewrite``.
    """

    name = "pairs"
    version = 1
    reads = (DIALOGUES, TURNS, TIMING_EVENTS)
    optional_reads = (WORDS,)
    writes = PAIRS
    batch_size = 2000

    def __init__(self, config: PairsConfig | None = None) -> None:
        self._config = config or PairsConfig()
        super().__init__(self._config)

    def process(self, batch: Batch) -> StageOutput:
        """One row per issue; a dialogue whose issues name turns that are not there is quarantined."""
        issues = batch[TIMING_EVENTS].filter(pl.col("issue_type").is_not_null())
        if issues.is_empty():
            return StageOutput(PAIRS.empty())
        owners = batch[DIALOGUES].join(issues, on="dialogue_id", how="semi").with_row_index("owner")
        timeline = Timeline.of(owners, batch[TURNS], batch.tables.get(WORDS.name, WORDS.empty()))
        located = _locate(issues, owners, timeline.turns).pipe(_name, self._config)
        good, quarantined = _set_aside_broken(located)
        windows = good.pipe(find_neighbours, timeline).pipe(bound_recorded).pipe(find_reply, timeline)
        filled = windows.pipe(cut_windows, self._config).pipe(fill_sides, timeline, self._config)
        pairs = _in_seconds(filled, self._config)
        found_by = pl.lit(batch.variants.get(TIMING_EVENTS.name), dtype=pl.String())
        return StageOutput(pairs.with_columns(detect_variant=found_by), quarantined)


def _locate(issues: pl.DataFrame, owners: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Beside each issue its dialogue, the user's turn and the model's turn; their columns are null if not found."""
    is_b, is_late = pl.col("issue_type") == "B", pl.col("subtype") == "late"

    def side(channel: str) -> pl.DataFrame:
        return turns.filter(pl.col("channel") == channel).select(
            "owner",
            pl.col("turn_index").alias(f"{channel}_index"),
            *(pl.col(column).alias(f"{channel}_{column}") for column in ("turn", "start", "end")),
        )

    return (
        issues.select(
            "dialogue_id",
            "event_id",
            "issue_type",
            "subtype",
            "rank",
            "turn_index",
            "t_s",
            ms_expr("t_s").alias("t0"),
            user_index=pl.when(is_b).then("other_turn_index").otherwise("turn_index"),
            model_index=pl.when(is_b).then("turn_index").when(is_late).then("other_turn_index"),
        )
        .join(
            owners.select(
                "dialogue_id", "owner", ms_expr("duration_s").alias("duration"), "model_id", "voice", "language"
            ),
            on="dialogue_id",
        )
        .join(side("user"), on=["owner", "user_index"], how="left")
        .join(side("model"), on=["owner", "model_index"], how="left")
        .with_columns(user_end=pl.when(is_b).then(pl.max_horizontal("t0", "user_end")).otherwise("t0"))
    )


def _name(issues: pl.DataFrame, config: PairsConfig) -> pl.DataFrame:
    """Ids, the first scored frame, and the response gap that the id draws."""
    shortest, longest = to_ms(config.response_gap_min_s), to_ms(config.response_gap_max_s)
    places = list(issues.select("dialogue_id", "issue_type", "t_s").iter_rows())
    ids = [pair_id(dialogue, issue_type, t0_s) for dialogue, issue_type, t0_s in places]
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
    )


def _set_aside_broken(issues: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[Quarantined]]:
    """Dialogues whose events and turns contradict each other, which only a defect upstream can make."""
    needs_model = (pl.col("issue_type") == "B") | (pl.col("subtype") == "late")
    problem = (
        pl.when(pl.col("user_turn").is_null())
        .then(pl.format("issue {}: turns has no user turn {}", "event_id", pl.col("user_index").fill_null(-1)))
        .when(needs_model & pl.col("model_turn").is_null())
        .then(pl.format("issue {}: turns has no model turn {}", "event_id", pl.col("model_index").fill_null(-1)))
        .when(pl.col("pair_id").is_duplicated())
        .then(pl.format("issue {}: another {} begins in the same 80 ms", "event_id", "issue_type"))
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


def _in_seconds(filled: pl.DataFrame, config: PairsConfig) -> pl.DataFrame:
    """The columns of ``pairs`` from issues with their windows and sides."""
    is_b, is_ready = pl.col("issue_type") == "B", pl.col("status_reason").is_null()
    times = {
        "t0_s": "t0",
        "response_gap_s": "gap",
        "user_end_s": "user_end",
        "chosen_end_s": "chosen_end",
        "chosen_log_start_s": "log_start",
        "chosen_log_end_s": "log_end",
        "chosen_tail_s": "chosen_tail",
        "rejected_end_s": "rejected_end",
        "rejected_tail_s": "rejected_tail",
    }
    return filled.select(
        "pair_id",
        "dialogue_id",
        "subtype",
        "status_reason",
        "rank",
        "context_id",
        "t0_frame",
        "context_start_s",
        "user_speech",
        "chosen_speech",
        "chosen_words",
        "rejected_speech",
        "rejected_words",
        "model_id",
        "voice",
        "language",
        *(_seconds(filled[ms]).alias(name) for name, ms in times.items()),
        issue_id="event_id",
        pair_type="issue_type",
        timing="issue_type",
        has_content=pl.lit(False),
        status=pl.when(is_ready).then(pl.lit("ready")).otherwise(pl.lit("needs_rewrite")),
        reply_check=pl.when(is_ready).then(pl.lit("unchecked")),
        chosen_source=pl.when(is_ready & is_b)
        .then(pl.lit("logged_delayed"))
        .when(is_ready)
        .then(pl.lit("logged_moved")),
        window_kind=pl.when(is_b).then(pl.lit(config.window_b)).otherwise(pl.lit(config.window_c)),
    )


def _seconds(ms: pl.Series) -> pl.Series:
    return pl.Series(array_to_s(ms.fill_null(0).to_numpy())).set(ms.is_null(), None)
