"""Table ``content_issues``: model turns that the verdicts flag (type A)."""

from __future__ import annotations

import polars as pl

from schemas.table import SECONDS, Column, Table
from schemas.verdicts import CONTENT_AXES

CONTENT_ISSUES = Table(
    name="content_issues",
    doc="One row per model turn with a content fault (type A), with the axes that flag it and the judge's reasons.",
    writer="flag",
    key=("t_s", "turn_index"),
    columns=(
        Column("issue_id", pl.String(), "Hash of dialogue, type and the 80 ms frame of t_s"),
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("issue_type", pl.String(), "A"),
        Column("subtype", pl.String(), "The axis it fails worst: lowest score, then the order of the rubric"),
        Column("axes", pl.List(pl.String()), "Every axis that flags it, worst first"),
        Column("score", pl.Int64(), "Lowest score, 0..4"),
        Column("t_s", SECONDS, "Onset of the faulty model turn"),
        Column("end_s", SECONDS, "Its end"),
        Column("turn_index", pl.Int64(), "The model's faulty turn"),
        Column(
            "other_turn_index", pl.Int64(), "The user turn it answers; null where the model speaks first", nullable=True
        ),
        Column(
            "rank",
            pl.Int64(),
            "Order in which a dialogue's content issues are spent; 0 = first in time, the rest in hash order",
        ),
        Column("evidence", pl.String(), "Score, problematic and justification of every flagging axis, as JSON"),
    ),
    checks={
        "type is A": pl.col("issue_type") == "A",
        "subtype is a content axis": pl.col("subtype").is_in([axis.value for axis in CONTENT_AXES]),
        "t_s <= end_s": pl.col("t_s") <= pl.col("end_s"),
    },
)
