"""Table ``verdicts``: what a judge said of every model turn, axis by axis."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from schemas.table import SECONDS, Column, Table


class Axis(StrEnum):
    """What a turn is judged on. The first five are content, the last two timing."""

    HELPFULNESS = "helpfulness"
    SAFETY = "safety"
    FACTUAL_ACCURACY = "factual_accuracy"
    INSTRUCTION_ADHERENCE = "instruction_adherence"
    TONE = "tone"
    INTERRUPTION = "interruption"
    UNRESPONSIVENESS = "unresponsiveness"


CONTENT_AXES = (
    Axis.HELPFULNESS,
    Axis.SAFETY,
    Axis.FACTUAL_ACCURACY,
    Axis.INSTRUCTION_ADHERENCE,
    Axis.TONE,
)
TIMING_AXES = (Axis.INTERRUPTION, Axis.UNRESPONSIVENESS)
DOES_NOT_APPLY = -1
BEST = 4


class Unscored(StrEnum):
    """Why a judge gave no score. A turn without a score is in no average and makes no issue."""

    CUT_OFF = "cut_off"
    UNPARSABLE = "unparsable"
    NOT_IN_SCHEMA = "not_in_schema"
    MISSING_TURN = "missing_turn"
    REQUEST_FAILED = "request_failed"
    TOO_LONG = "too_long"
    ABSTAINED = "abstained"
    NO_WORDS = "no_words"
    AUDIO_MISSING = "audio_missing"


VERDICTS = Table(
    name="verdicts",
    doc="One row per utterance of the model and axis (its backchannels are not judged). A row without a score says why; it is never taken for a bad or a good one.",
    writer="judge",
    key=("turn_index", "axis"),
    columns=(
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("turn_index", pl.Int64(), "The judged model turn (table turns)"),
        Column(
            "axis",
            pl.String(),
            "helpfulness | safety | factual_accuracy | instruction_adherence | tone | interruption | unresponsiveness",
        ),
        Column("t_s", SECONDS, "Start of the turn"),
        Column("end_s", SECONDS, "End of the turn"),
        Column(
            "score", pl.Int64(), "0 very low .. 4 very high; -1 the axis does not apply; null unscored", nullable=True
        ),
        Column(
            "problematic", pl.Boolean(), "The judge's own word that this turn is a fault; null unscored", nullable=True
        ),
        Column("justification", pl.String(), "Why, in the judge's words, written before the score", nullable=True),
        Column(
            "unscored",
            pl.String(),
            "Why there is no score (schemas/verdicts.py, `Unscored`); null for a score",
            nullable=True,
        ),
        Column("raw_text", pl.String(), "What the judge wrote, where it could not be read", nullable=True),
        Column("confidence", pl.Float64(), "The judge's confidence, 0..1, when it gives one", nullable=True),
        Column("judge", pl.String(), "Client that judged: openai, vllm, recorded, heuristic, mock", lineage=True),
        Column("judge_model", pl.String(), "Model behind it", lineage=True, nullable=True),
        Column(
            "note",
            pl.String(),
            "What was odd about the answer: turns it made up, doubles, errors",
            lineage=True,
            nullable=True,
        ),
        Column(
            "request",
            pl.String(),
            "Hash of the request; the rows of one answer share it and its tokens",
            lineage=True,
            nullable=True,
        ),
        Column(
            "prompt_tokens",
            pl.Int64(),
            "Tokens of the request this row came from, its repairs counted",
            lineage=True,
            nullable=True,
        ),
        Column("completion_tokens", pl.Int64(), "Tokens of its answers", lineage=True, nullable=True),
        Column("latency_s", pl.Float64(), "Time the request took", lineage=True, nullable=True),
        Column("cached", pl.Boolean(), "The answer came from the request cache", lineage=True, nullable=True),
    ),
    checks={
        "axis is known": pl.col("axis").is_in([axis.value for axis in Axis]),
        "score is -1..4": pl.col("score").is_null() | pl.col("score").is_between(DOES_NOT_APPLY, BEST),
        "scored or said why not": pl.col("score").is_null() == pl.col("unscored").is_not_null(),
        "problematic goes with a score": pl.col("score").is_null() == pl.col("problematic").is_null(),
    },
)
