"""Table ``pairs``: a shared context and two continuations of the model's stream, on one clock."""

from __future__ import annotations

import polars as pl

from schemas.table import SECONDS, SPAN, WORD, Column, Table, ordered_spans

PAIRS = Table(
    name="pairs",
    doc="One row per preference pair. `ready` pairs have both sides; `needs_rewrite` ones wait for a reply.",
    writer="pairs",
    key=("pair_id",),
    columns=(
        Column("pair_id", pl.String(), "Hash of dialogue, type and the frame of t0"),
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("issue_id", pl.String(), "Issue it mends: the timing issue where there is one, else the content issue"),
        Column("content_issue_id", pl.String(), "Content issue it mends (A, A+B, A+C)", nullable=True),
        Column("pair_type", pl.String(), "A | B | C | A+B | A+C"),
        Column("subtype", pl.String(), "Subtype of the issue `issue_id`"),
        Column("axis", pl.String(), "Subtype of the content issue: the axis it fails worst", nullable=True),
        Column("timing", pl.String(), "B | C, null for content only", nullable=True),
        Column(
            "has_content",
            pl.Boolean(),
            "The chosen side says something else than the model's reply in the log; false where the log has none",
        ),
        Column(
            "user_turn_index",
            pl.Int64(),
            "The user's turn that is spoken into (B) or answered; null where the model speaks first",
            nullable=True,
        ),
        Column(
            "model_turn_index",
            pl.Int64(),
            "The model's turn at fault, whose `verdicts` these are; null for no_response",
            nullable=True,
        ),
        Column("status", pl.String(), "ready | needs_rewrite"),
        Column("status_reason", pl.String(), "Why it is not ready (schemas/reasons.py, `NoPair`)", nullable=True),
        Column(
            "reply_check",
            pl.String(),
            "adequate | unchecked | rewritten: what is known of the chosen reply",
            nullable=True,
        ),
        Column(
            "rewrite_status",
            pl.String(),
            "What the rewriter made of it (`rewrites.status`; same issue_id and pair_type); null: not asked",
            nullable=True,
        ),
        Column(
            "rank", pl.Int64(), "Order in which a dialogue's pairs are spent; 0 = first in time, the rest in hash order"
        ),
        Column("context_id", pl.String(), "Equal for pairs that part at the same place"),
        Column(
            "t0_s",
            SECONDS,
            "Where the sides part; A: onset of the faulty turn, B: onset of the intrusion, C: end of the unanswered turn",
        ),
        Column("t0_frame", pl.Int64(), "First scored frame f0 = max(0, floor(12.5 t0) - 1)"),
        Column("context_start_s", SECONDS, "Where the kept context begins (at most 3,000 frames before f0)"),
        Column("window_kind", pl.String(), "equal | natural: how the sides end"),
        Column(
            "response_gap_s",
            SECONDS,
            "Silence between the user's end and the chosen reply, 0.2-0.5, drawn from pair_id; A: 0, for it begins at t0",
        ),
        Column("user_end_s", SECONDS, "End of the user utterance under way at t0 (C: t0 itself)"),
        Column("user_speech", pl.List(SPAN), "User IPUs in [t0, user_end], the same on both sides; silence after"),
        Column("chosen_speech", pl.List(SPAN), "Model IPUs on the chosen side after t0"),
        Column("chosen_words", pl.List(WORD), "Model words on the chosen side; empty when the log has no words"),
        Column("chosen_end_s", SECONDS, "End of the chosen window; null until there is a reply", nullable=True),
        Column("chosen_source", pl.String(), "logged_delayed | logged_moved | rewritten", nullable=True),
        Column("chosen_log_start_s", SECONDS, "Where the moved reply lies in the log", nullable=True),
        Column("chosen_log_end_s", SECONDS, "Its end in the log", nullable=True),
        Column(
            "chosen_tail_s",
            SECONDS,
            "synthetic_tail_s of the chosen side: silence past what was recorded",
            nullable=True,
        ),
        Column("rejected_speech", pl.List(SPAN), "Model IPUs on the rejected side after t0, as logged"),
        Column("rejected_words", pl.List(WORD), "Model words on the rejected side"),
        Column("rejected_end_s", SECONDS, "End of the rejected window", nullable=True),
        Column("rejected_tail_s", SECONDS, "synthetic_tail_s of the rejected side", nullable=True),
        Column("model_id", pl.String(), "Model that made the log", nullable=True),
        Column("voice", pl.String(), "Its voice", nullable=True),
        Column("language", pl.String(), "Language of the log", nullable=True),
        Column(
            "detect_variant",
            pl.String(),
            "Fingerprint of the stage that found the timing issue",
            lineage=True,
            nullable=True,
        ),
        Column("flag_variant", pl.String(), "The same for the content issue", lineage=True, nullable=True),
        Column(
            "judge_variant", pl.String(), "The same for the verdicts on the model's turn", lineage=True, nullable=True
        ),
        Column("rewrite_variant", pl.String(), "The same for the rewrite", lineage=True, nullable=True),
        Column("judge", pl.String(), "Client that judged the model's turn", lineage=True, nullable=True),
        Column("judge_model", pl.String(), "Model behind it", lineage=True, nullable=True),
        Column("rewriter", pl.String(), "Client that rewrote the reply", lineage=True, nullable=True),
        Column("rewriter_model", pl.String(), "Model behind it", lineage=True, nullable=True),
    ),
    checks={
        "status is known": pl.col("status").is_in(["ready", "needs_rewrite"]),
        "a ready pair has a reply": (pl.col("status") != "ready") | (pl.col("chosen_speech").list.len() > 0),
        "type agrees with timing": pl.col("pair_type").str.strip_prefix("A+") == pl.col("timing").fill_null("A"),
        "content pairs name their issue": pl.col("pair_type").str.starts_with("A")
        == pl.col("content_issue_id").is_not_null(),
        "a ready A pair says something else": (pl.col("status") != "ready")
        | pl.col("content_issue_id").is_null()
        | (pl.col("chosen_source") == "rewritten"),
        "context lies before t0": pl.col("context_start_s") <= pl.col("t0_s"),
        "user speech is ordered": ordered_spans("user_speech"),
        "chosen speech is ordered": ordered_spans("chosen_speech"),
        "rejected speech is ordered": ordered_spans("rejected_speech"),
    },
)
