"""The counterfactual rule: where the two sides of a pair end, and where the reply of the chosen one lies.

What the user did after the sides part is a reaction to the rejected side. So a side holds logged material only up to
the user's next act; where it must last longer, it goes on with silence. All times are integer milliseconds.
"""

from __future__ import annotations

from typing import Literal, Self

import polars as pl
from pydantic import Field, PositiveFloat, model_validator

from schemas.clock import to_ms
from store.stage import StageConfig

Window = Literal["equal", "natural"]


class PairsConfig(StageConfig):
    """How pairs are cut. Defaults: spec of pairs, after Moshi's frame clock."""

    response_gap_min_s: float = Field(0.2, ge=0)
    """Shortest silence between the user's end and the chosen reply."""
    response_gap_max_s: float = Field(0.5, ge=0)
    """Longest such silence; each pair draws its own from the hash of its id."""
    after_reply_s: float = Field(0.4, ge=0)
    """Silence a window goes on with after the reply that ends it."""
    window_a: Window = "natural"
    """How the sides of an A pair end: `natural`, each with its own reply; `equal`, both with the longer one."""
    window_b: Window = "equal"
    """The same for B pairs, A+B among them."""
    window_c: Window = "equal"
    """The same for C pairs, A+C among them."""
    max_silence_s: float = Field(30.0, gt=0)
    """Longest logged silence a rejected C side holds: a log that ran on after the user left says nothing more."""
    max_context_frames: int = Field(3000, ge=0)
    """Frames of context kept before the first scored one (Moshi: 3,000)."""

    sentence_pause_s: float = Field(0.3, ge=0.2)
    """Pause after each sentence of a rewritten reply; below 0.2 s it would be none between two IPUs."""
    characters_per_s: dict[str, PositiveFloat] = Field(
        {"en": 15.0, "fr": 16.0, "ja": 7.0, "ko": 6.0, "zh": 5.0}, min_length=1
    )
    """How fast languages are spoken: characters of a word a second of speech, punctuation counted. A language that is
    not named is taken for the first."""
    rate_from_s: float = Field(5.0, ge=0)
    """Seconds of the model's speech a log must hold for its speaking rate to be taken; with less, its language's is."""
    rate_spread: float = Field(2.0, ge=1)
    """A log's rate is believed up to this factor above and below its language's."""

    @model_validator(mode="after")
    def _gap_is_a_range(self) -> Self:
        if self.response_gap_min_s > self.response_gap_max_s:
            raise ValueError(
                f"response_gap_min_s = {self.response_gap_min_s} is above response_gap_max_s = "
                f"{self.response_gap_max_s}: give the shorter gap first"
            )
        return self


def bound_recorded(issues: pl.DataFrame) -> pl.DataFrame:
    """How far the log may be used on each side.

    Takes ``t0, duration, model_end, next_user, next_model`` (ms): length of the log (a turn may pass it by a rounding),
    end of the model's turn, and the next utterance of each side after t0 (null: none).
    Adds ``user_bound``, where the user's next act or the log's end stops logged material, and ``rejected_bound``, where
    the fault is over because the model begins another utterance (a late answer, or its next try).
    """
    return issues.with_columns(
        user_bound=pl.min_horizontal("next_user", pl.max_horizontal("t0", "duration", "model_end"))
    ).with_columns(rejected_bound=pl.min_horizontal("user_bound", "next_model"))


def cut_windows(issues: pl.DataFrame, config: PairsConfig) -> pl.DataFrame:
    """Where each side ends.

    Takes one row per issue with ``timing`` (B, C or null), ``t0, gap, user_end, fault_end`` (A, B: how far the
    utterance at fault is heard), ``user_bound, rejected_bound`` and ``reply_length`` (null: no reply). Adds

    - ``window_kind``;
    - ``reply_start, reply_end``: the reply on the pair's clock (null without one);
    - ``chosen_end, rejected_end``: ends of the windows; ``chosen_end`` is null without a reply;
    - ``rejected_recorded``: the rejected side is as logged up to here and silent from here on;
    - ``chosen_tail, rejected_tail``: silence at the end of a window, past everything that was recorded.
    """
    after_reply, silence = to_ms(config.after_reply_s), to_ms(config.max_silence_s)
    is_a, is_b = pl.col("timing").is_null(), pl.col("timing").eq_missing("B")
    kind = (
        pl.when(is_a)
        .then(pl.lit(config.window_a))
        .when(is_b)
        .then(pl.lit(config.window_b))
        .otherwise(pl.lit(config.window_c))
    )
    equal = pl.col("window_kind") == "equal"
    begins = pl.when(is_a).then("t0").otherwise(pl.col("user_end") + pl.col("gap"))
    natural = issues.with_columns(
        window_kind=kind, reply_start=pl.when(pl.col("reply_length").is_not_null()).then(begins)
    ).with_columns(
        reply_end=pl.col("reply_start") + pl.col("reply_length"),
        rejected_end=pl.when(is_a | is_b)
        .then(pl.col("fault_end") + after_reply)
        .otherwise(pl.min_horizontal("rejected_bound", pl.col("t0") + silence)),
    )
    longer = pl.max_horizontal("chosen_end", "rejected_end")
    return (
        natural.with_columns(chosen_end=pl.col("reply_end") + after_reply)
        .with_columns(
            rejected_end=pl.when(equal).then(longer).otherwise("rejected_end"),
            chosen_end=pl.when(equal & pl.col("reply_end").is_not_null()).then(longer).otherwise("chosen_end"),
        )
        .with_columns(
            rejected_recorded=pl.min_horizontal("rejected_end", "rejected_bound"),
            chosen_tail=(pl.col("chosen_end") - pl.max_horizontal("user_bound", "reply_end")).clip(lower_bound=0),
            rejected_tail=(pl.col("rejected_end") - pl.col("rejected_bound")).clip(lower_bound=0),
        )
    )
