"""Table ``rewrites``: what the model should have said at an issue."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from schemas.table import SECONDS, Column, Table


class NoRewrite(StrEnum):
    """Why an issue has no usable new reply."""

    NO_IMPROVEMENT = "no_improvement"
    UNSPEAKABLE = "unspeakable"
    SAME_AS_ORIGINAL = "same_as_original"
    EMPTY = "empty"
    RANK_OVER_BUDGET = "rank_over_budget"
    UNPARSABLE = "unparsable"
    REQUEST_FAILED = "request_failed"
    NO_USER_WORDS = "no_user_words"
    TOO_LONG = "too_long"


STATUS = ("rewritten", "adequate", "rejected", "failed", "over_budget")

REWRITES = Table(
    name="rewrites",
    doc="One row per place that was looked at for a new reply. `adequate`: the logged reply may stay (B, C late). Only `rewritten` and "
    "`adequate` rows make pairs; the others say why not.",
    writer="rewrite",
    key=("t0_s", "pair_type"),
    columns=(
        Column("issue_id", pl.String(), "Issue it mends: the timing issue where there is one, else the content issue"),
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("pair_type", pl.String(), "A | B | C | A+B | A+C"),
        Column("t0_s", SECONDS, "Where the sides of the pair part"),
        Column("turn_index", pl.Int64(), "The model's turn that is replaced; null for a silence", nullable=True),
        Column(
            "user_turn_index",
            pl.Int64(),
            "The user's turn that is answered; null where the model speaks first",
            nullable=True,
        ),
        Column("status", pl.String(), "rewritten | adequate | rejected | failed | over_budget"),
        Column("reason", pl.String(), "Why there is no new reply (schemas/rewrites.py, `NoRewrite`)", nullable=True),
        Column(
            "detail",
            pl.String(),
            "What exactly was found: the rule of speakability it breaks, the error",
            nullable=True,
        ),
        Column("original", pl.String(), "What the model said; null for a silence", nullable=True),
        Column("improved_response", pl.String(), "The new reply", nullable=True),
        Column("explanation", pl.String(), "What it changes and why, in the rewriter's words", nullable=True),
        Column("improvement", pl.Int64(), "0 none .. 3 large, in the rewriter's opinion", nullable=True),
        Column(
            "edit_share",
            pl.Float64(),
            "How much was changed: 0 no word of the original, 1 every word; null for a silence",
            nullable=True,
        ),
        Column("rewriter", pl.String(), "Client that wrote it", lineage=True),
        Column("rewriter_model", pl.String(), "Model behind it", lineage=True, nullable=True),
        Column("prompt_tokens", pl.Int64(), "Tokens of the request", lineage=True, nullable=True),
        Column("completion_tokens", pl.Int64(), "Tokens of its answer", lineage=True, nullable=True),
        Column("latency_s", pl.Float64(), "Time the request took", lineage=True, nullable=True),
        Column("cached", pl.Boolean(), "The answer came from the request cache", lineage=True, nullable=True),
    ),
    checks={
        "status is known": pl.col("status").is_in(STATUS),
        "a rewrite has a reply": (pl.col("status") != "rewritten") | pl.col("improved_response").is_not_null(),
        "no reply, but a reason": pl.col("status").is_in(["rewritten", "adequate"]) | pl.col("reason").is_not_null(),
    },
)
