"""The stage ``pairs``: every fault becomes a pair, ready where a reply may be used, logged or rewritten."""

from __future__ import annotations

import polars as pl

from miner.pair_issues import gather, locate, name_pairs, set_aside_broken
from miner.pair_replies import choose_replies, plan_replies, say_planned
from miner.pair_sides import Timeline, fill_sides, find_neighbours, find_reply
from miner.pair_windows import PairsConfig, bound_recorded, cut_windows
from schemas.clock import array_to_s
from schemas.content_issues import CONTENT_ISSUES
from schemas.dialogues import DIALOGUES
from schemas.pairs import PAIRS
from schemas.rewrites import REWRITES
from schemas.table import Table
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.verdicts import VERDICTS
from schemas.words import WORDS
from store.stage import Batch, Stage, StageOutput

__all__ = ["Pairs", "PairsConfig"]


class Pairs(Stage):
    """A, B and C faults to pairs, without a language model of its own.

    The chosen reply is the rewritten one where the table ``rewrites`` has it; else the logged one, delayed (B) or moved
    to its place (C late). Whatever has no usable reply stays as a row with status ``needs_rewrite``.
    """

    name = "pairs"
    version = 2
    reads = (DIALOGUES, TURNS, TIMING_EVENTS)
    optional_reads = (WORDS, CONTENT_ISSUES, VERDICTS, REWRITES)
    writes = PAIRS
    batch_size = 2000

    def __init__(self, config: PairsConfig | None = None) -> None:
        self._config = config or PairsConfig()
        super().__init__(self._config)

    def process(self, batch: Batch) -> StageOutput:
        """One row per pair; a dialogue whose issues name turns that are not there is quarantined."""
        issues = gather(batch[TIMING_EVENTS], _optional(batch, CONTENT_ISSUES))
        if issues.is_empty():
            return StageOutput(PAIRS.empty())
        owners = batch[DIALOGUES].join(issues, on="dialogue_id", how="semi").with_row_index("owner")
        timeline = Timeline.of(owners, batch[TURNS], _optional(batch, WORDS))
        located = locate(issues, owners, timeline.turns).pipe(name_pairs, self._config)
        good, quarantined = set_aside_broken(located)
        logged = good.pipe(find_neighbours, timeline).pipe(bound_recorded).pipe(find_reply, timeline)
        chosen = choose_replies(logged, _optional(batch, REWRITES), _optional(batch, VERDICTS))
        lengths, planned = plan_replies(chosen, timeline, self._config)
        sides = cut_windows(lengths, self._config).pipe(fill_sides, timeline, self._config).pipe(say_planned, planned)
        return StageOutput(_in_seconds(sides).with_columns(_made_by(batch)), quarantined)


def _optional(batch: Batch, table: Table) -> pl.DataFrame:
    return batch.tables.get(table.name, table.empty())


def _in_seconds(filled: pl.DataFrame) -> pl.DataFrame:
    """The columns of ``pairs`` from issues with their windows and sides."""
    is_b, is_ready = pl.col("timing").eq_missing("B"), pl.col("status_reason").is_null()
    is_rewritten, has_logged = pl.col("reply_text").is_not_null(), pl.col("model_index").is_not_null()
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
        "issue_id",
        "content_issue_id",
        "pair_type",
        "timing",
        "subtype",
        "axis",
        "status_reason",
        "reply_check",
        "rank",
        "context_id",
        "t0_frame",
        "context_start_s",
        "window_kind",
        "user_speech",
        "chosen_speech",
        "chosen_words",
        "rejected_speech",
        "rejected_words",
        "model_id",
        "voice",
        "language",
        "judge",
        "judge_model",
        "rewriter",
        "rewriter_model",
        *(_seconds(filled[ms]).alias(column) for column, ms in times.items()),
        user_turn_index="user_index",
        model_turn_index="model_index",
        rewrite_status="rewrite",
        has_content=pl.col("content_issue_id").is_not_null() | (is_rewritten & has_logged),
        status=pl.when(is_ready).then(pl.lit("ready")).otherwise(pl.lit("needs_rewrite")),
        chosen_source=pl.when(is_rewritten)
        .then(pl.lit("rewritten"))
        .when(is_ready & is_b)
        .then(pl.lit("logged_delayed"))
        .when(is_ready)
        .then(pl.lit("logged_moved")),
    )


def _seconds(ms: pl.Series) -> pl.Series:
    return pl.Series(array_to_s(ms.fill_null(0).to_numpy())).set(ms.is_null(), None)


def _made_by(batch: Batch) -> list[pl.Expr]:
    """The lineage columns: fingerprints of the stages whose rows went into a pair."""
    used = {
        "detect_variant": (TIMING_EVENTS, "timing"),
        "flag_variant": (CONTENT_ISSUES, "content_issue_id"),
        "judge_variant": (VERDICTS, "judge"),
        "rewrite_variant": (REWRITES, "rewrite_status"),
    }
    return [
        pl.when(pl.col(part).is_not_null())
        .then(pl.lit(batch.variants.get(table.name), dtype=pl.String()))
        .alias(column)
        for column, (table, part) in used.items()
    ]
