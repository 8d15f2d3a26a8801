"""Which reply the chosen side gets: the logged one, checked or not, or a rewritten one laid out on a clock.

A rewritten reply has no audio yet. Its words are planned at the rate at which the model spoke in that log, one after
another, with a pause after each sentence. All times are integer milliseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.pair_sides import Timeline
from miner.pair_tracks import Track, int_column
from miner.pair_windows import PairsConfig
from schemas.clock import IntMs, to_ms
from schemas.reasons import NoPair
from schemas.verdicts import CONTENT_AXES, DOES_NOT_APPLY

# Scripts without spaces are cut after their own punctuation, so that a pause can follow a sentence.
_WORD = r"[^\s。！？、]+[。！？、]*[\"'”’」』)]*|[。！？、]+"
_SENTENCE_END = r"[.?!…。！？][\"'”’」』)\]]*$"
_NOT_WRITTEN = ("failed", "over_budget")


@dataclass(frozen=True)
class PlannedReplies:
    """Words and IPUs of rewritten replies, from 0 on; the owner of a span is the row of its issue."""

    speech: Track
    words: Track
    texts: pl.Series


def choose_replies(issues: pl.DataFrame, rewrites: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """Settles what is said on the chosen side, from rows of ``rewrites`` and ``verdicts``.

    Takes issues with the log's own reply (``log_start, log_end``, null where there is none to use) and why there is
    none (``status_reason``). A new reply takes its place; an issue the rewriter could not mend has no reply at all.
    Adds ``rewrite`` (its status), ``reply_text`` (null: not rewritten), ``reply_check``, and the names of who judged
    and rewrote.
    """
    written = rewrites.select(
        "dialogue_id",
        "issue_id",
        "pair_type",
        "rewriter",
        "rewriter_model",
        rewrite="status",
        no_rewrite="reason",
        reply_text=pl.when(pl.col("status") == "rewritten").then("improved_response"),
    )
    status_reason = (
        pl.when(pl.col("reply_text").str.contains(_WORD))
        .then(None)
        .when(pl.col("rewrite") == "rewritten")
        .then(pl.lit(NoPair.EMPTY.value))
        .when(pl.col("rewrite") == "rejected")
        .then("no_rewrite")
        # Nobody looked at these: a reply that the log holds is still one, unchecked.
        .when(pl.col("rewrite").is_in(_NOT_WRITTEN) & pl.col("status_reason").is_not_null())
        .then("no_rewrite")
        .otherwise("status_reason")
    )
    is_logged = pl.col("status_reason").is_null() & pl.col("reply_text").is_null()
    # What was judged is the whole turn, so a part of it is as good as unchecked.
    is_whole = pl.col("log_end") == pl.col("model_end")
    nobody_looked = pl.col("rewrite").is_null() | pl.col("rewrite").is_in(_NOT_WRITTEN)
    is_sound = pl.when(nobody_looked).then(pl.col("is_sound").fill_null(value=False))
    is_adequate = is_sound.otherwise(pl.col("rewrite") == "adequate") & is_whole
    return (
        issues.join(written, on=["dialogue_id", "issue_id", "pair_type"], how="left", maintain_order="left")
        .join(_judged(verdicts, issues), on=["dialogue_id", "model_index"], how="left", maintain_order="left")
        .with_columns(status_reason=status_reason)
        .with_columns(reply_text=pl.when(pl.col("status_reason").is_null()).then("reply_text"))
        .with_columns(
            log_start=pl.when(is_logged).then("log_start"),
            log_end=pl.when(is_logged).then("log_end"),
            reply_check=pl.when(pl.col("reply_text").is_not_null())
            .then(pl.lit("rewritten"))
            .when(is_logged & is_adequate)
            .then(pl.lit("adequate"))
            .when(is_logged)
            .then(pl.lit("unchecked")),
        )
    )


def _judged(verdicts: pl.DataFrame, issues: pl.DataFrame) -> pl.DataFrame:
    """``is_sound`` of the model's turns: every content axis has an answer, one at least a score, none a fault."""
    content = [axis.value for axis in CONTENT_AXES]
    fine = pl.col("score").is_not_null() & ~pl.col("problematic").fill_null(value=True)
    applies = (pl.col("score") > DOES_NOT_APPLY).fill_null(value=False)
    return (
        verdicts.filter(pl.col("axis").is_in(content))
        .select("dialogue_id", "judge", "judge_model", fine=fine, applies=applies, model_index="turn_index")
        .join(issues, on=["dialogue_id", "model_index"], how="semi")
        .group_by("dialogue_id", "model_index")
        .agg(
            pl.col("judge").min(),
            pl.col("judge_model").min(),
            is_sound=pl.col("fine").all() & pl.col("applies").any(),
        )
    )


def plan_replies(issues: pl.DataFrame, timeline: Timeline, config: PairsConfig) -> tuple[pl.DataFrame, PlannedReplies]:
    """Lays out the rewritten replies. Adds ``reply_length``: ms of the chosen reply, logged or planned; null: none."""
    rows = issues.with_row_index("row")
    written = rows.filter(pl.col("reply_text").is_not_null())
    pace = _us_per_character(written, timeline, config)
    words = (
        written.select("row", pl.Series("pace", pace), word=pl.col("reply_text").str.extract_all(_WORD))
        .explode("word")
        .with_columns(
            pl.col("word").str.len_chars().cast(pl.Int64).alias("chars"),
            pl.col("word").str.contains(_SENTENCE_END).cast(pl.Int64).alias("ends"),
        )
        .with_columns(
            said=pl.col("chars").cum_sum().over("row"),
            sentence=(pl.col("ends").cum_sum().over("row") - pl.col("ends")),
        )
        .with_columns(pause=pl.col("sentence") * to_ms(config.sentence_pause_s))
        .with_columns(
            # In whole numbers, so that the same reply gets the same times in any batch.
            start=((pl.col("said") - pl.col("chars")) * pl.col("pace") + 500) // 1000 + pl.col("pause"),
            end=(pl.col("said") * pl.col("pace") + 500) // 1000 + pl.col("pause"),
        )
    )
    speech = words.group_by("row", "sentence", maintain_order=True).agg(pl.col("start").min(), pl.col("end").max())
    planned = speech.group_by("row").agg(pl.col("end").max().alias("planned"))
    logged = pl.col("log_end") - pl.col("log_start")
    lengths = rows.join(planned, on="row", how="left", maintain_order="left").with_columns(
        reply_length=pl.coalesce("planned", logged)
    )
    replies = PlannedReplies(Track.of(speech, "row"), Track.of(words, "row"), words["word"])
    return lengths.drop("row", "planned"), replies


def say_planned(windows: pl.DataFrame, replies: PlannedReplies) -> pl.DataFrame:
    """Puts the planned replies on the chosen side (``chosen_speech``, ``chosen_words``) where there is one."""
    row, whole = np.arange(len(windows)), int_column(windows, "reply_length")
    nothing, shift = np.zeros_like(whole), int_column(windows, "reply_start")
    speech = replies.speech.touching(row, nothing, whole)
    words = replies.words.touching(row, nothing, whole)
    source = pl.repeat("planned", len(words.index), dtype=pl.String(), eager=True)
    fields = {**replies.words.cut(words, nothing, whole, shift), "timing_source": source}
    is_planned = pl.col("reply_text").is_not_null()
    return windows.with_columns(
        planned_speech=speech.to_list(replies.speech.cut(speech, nothing, whole, shift)),
        planned_words=words.to_list({"text": replies.texts[words.index], **fields}),
    ).with_columns(
        chosen_speech=pl.when(is_planned).then("planned_speech").otherwise("chosen_speech"),
        chosen_words=pl.when(is_planned).then("planned_words").otherwise("chosen_words"),
    )


def _us_per_character(written: pl.DataFrame, timeline: Timeline, config: PairsConfig) -> IntMs:
    """Microseconds of speech a character takes the model in the log of each issue.

    From its words over its IPUs, pauses left out; its language's pace where the log holds too little.
    """
    owner = int_column(written, "owner")
    n_owners = int(owner.max(initial=-1)) + 1
    words, ipus = timeline.model_words, timeline.model_ipus
    chars = timeline.word_texts["text"].str.len_chars().to_numpy()
    said = np.bincount(words.owner, weights=chars, minlength=n_owners)
    spoken_ms = np.bincount(ipus.owner, weights=ipus.end - ipus.start, minlength=n_owners)
    usual = np.array([_usual_rate(language, config) for language in written["language"].to_list()], dtype=np.float64)
    heard = said[owner] * 1000 / np.maximum(spoken_ms[owner], 1)
    enough = (said[owner] > 0) & (spoken_ms[owner] >= to_ms(config.rate_from_s))
    spread = config.rate_spread
    rate = np.where(enough, np.clip(heard, usual / spread, usual * spread), usual)
    return np.asarray(np.rint(1_000_000 / rate), dtype=np.int64)


def _usual_rate(language: str | None, config: PairsConfig) -> float:
    first = next(iter(config.characters_per_s.values()))
    return config.characters_per_s.get(re.split("[-_]", language or "")[0].lower(), first)
