"""Stage ``flag``: which verdicts make content faults (type A)."""

from __future__ import annotations

import json

import polars as pl

from judges.settings import FlagConfig
from schemas.clock import array_to_ms
from schemas.content_issues import CONTENT_ISSUES
from schemas.ids import issue_id
from schemas.turns import TURNS
from schemas.verdicts import CONTENT_AXES, VERDICTS
from store.stage import Batch, Stage, StageOutput
from timing.found import ranked

TYPE = "A"


class Flag(Stage):
    """Marks the replies that the judge's content verdicts call faults, and gathers its reasons."""

    name = "flag"
    version = 1
    reads = (VERDICTS, TURNS)
    writes = CONTENT_ISSUES

    config: FlagConfig

    def process(self, batch: Batch) -> StageOutput:
        """The content faults of a batch."""
        return StageOutput(content_issues(batch[VERDICTS], batch[TURNS], self.config))


def content_issues(verdicts: pl.DataFrame, turns: pl.DataFrame, config: FlagConfig) -> pl.DataFrame:
    """Rows of ``content_issues``: one per reply that some axis flags. Unscored verdicts flag nothing."""
    order = {axis.value: number for number, axis in enumerate(CONTENT_AXES)}
    axes = [axis.value for axis in config.axes]
    flagged = verdicts.filter(
        pl.col("axis").is_in(axes)
        & (pl.col("score") >= 0)
        & (pl.col("problematic") | (pl.col("score") <= config.max_score))
    ).sort(
        "dialogue_id", "turn_index", "score", pl.col("axis").replace_strict(order, default=None, return_dtype=pl.Int64)
    )
    issues = flagged.group_by("dialogue_id", "turn_index", maintain_order=True).agg(
        pl.col("axis").first().alias("subtype"),
        pl.col("axis").alias("axes"),
        pl.col("score").first(),
        pl.col("t_s").first(),
        pl.col("end_s").first(),
        pl.struct("axis", "score", "problematic", "justification").alias("reasons"),
    )
    if issues.is_empty():
        return CONTENT_ISSUES.empty()
    ids = [issue_id(dialogue, TYPE, t_s) for dialogue, t_s in issues.select("dialogue_id", "t_s").iter_rows()]
    issues = issues.with_columns(
        pl.lit(TYPE).alias("issue_type"),
        pl.Series("issue_id", ids, dtype=pl.String),
        pl.Series("evidence", [_evidence(reasons) for reasons in issues["reasons"].to_list()], dtype=pl.String),
    )
    return _with_ranks(_with_answered(issues, turns)).select(CONTENT_ISSUES.schema.names())


def _evidence(reasons: list[dict[str, object]]) -> str:
    return json.dumps({str(one.pop("axis")): one for one in map(dict, reasons)}, ensure_ascii=False)


def _with_answered(issues: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Add ``other_turn_index``: the user's last utterance that began before the reply."""
    asked = turns.filter((pl.col("channel") == "user") & (pl.col("kind") == "utterance")).select(
        "dialogue_id", pl.col("start_s").alias("t_s"), pl.col("turn_index").alias("other_turn_index")
    )
    return issues.sort("t_s").join_asof(
        asked.sort("t_s"), on="t_s", by="dialogue_id", strategy="backward", check_sortedness=False
    )


def _with_ranks(issues: pl.DataFrame) -> pl.DataFrame:
    """Add ``rank`` as issues of timing have it."""
    columns = issues.select(
        pl.col("dialogue_id").alias("dialogue"),
        pl.Series("t", array_to_ms(issues["t_s"].to_numpy())),
        pl.col("issue_id").alias("event_id"),
        "issue_type",
    )
    return issues.with_columns(ranked(columns).sort("row")["rank"])
