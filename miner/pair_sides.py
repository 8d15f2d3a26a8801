"""What is said on the two sides of a pair: the logged reply, and the IPUs and words inside the windows.

Frames of issues hold one row per issue with times in integer milliseconds; ``owner`` numbers a batch's dialogues and
``turn`` its turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from miner.pair_tracks import NEVER, NOWHERE, Track, int_column
from miner.pair_windows import PairsConfig
from schemas.clock import IntMs, ms_expr, to_ms
from schemas.reasons import NoPair

_SPAN_MS = (ms_expr("start_s").alias("start"), ms_expr("end_s").alias("end"))


@dataclass(frozen=True)
class Timeline:
    """The turns of a batch and the tracks that are searched in them. A track's owner is the dialogue, or the turn."""

    turns: pl.DataFrame
    turn_ipus: Track
    model_ipus: Track
    model_utterances: Track
    user_utterances: Track
    model_words: Track
    word_texts: pl.DataFrame

    @classmethod
    def of(cls, owners: pl.DataFrame, turns: pl.DataFrame, words: pl.DataFrame) -> Self:
        """From tables ``turns`` and ``words``; ``owners`` (dialogue_id, owner) names the dialogues that are wanted."""
        turns = (
            turns.select("dialogue_id", "turn_index", "channel", "kind", *_SPAN_MS, "ipus")
            .join(owners.select("dialogue_id", "owner"), on="dialogue_id")
            .sort("owner", "start")
            .with_row_index("turn")
        )
        ipus = (
            turns.select("owner", "turn", "channel", "ipus")
            .explode("ipus")
            .drop_nulls("ipus")
            .unnest("ipus")
            .select("owner", "turn", "channel", *_SPAN_MS)
        )
        said = (
            words.filter((pl.col("channel") == "model") & pl.col("dropped").is_null())
            .select("dialogue_id", "text", "timing_source", *_SPAN_MS)
            .join(owners.select("dialogue_id", "owner"), on="dialogue_id")
            .sort("owner", "start", "end")
        )
        utterances = turns.filter(pl.col("kind") == "utterance")
        return cls(
            turns=turns.drop("dialogue_id", "ipus"),
            turn_ipus=Track.of(ipus.sort("turn", "start"), "turn"),
            model_ipus=Track.of(ipus.filter(pl.col("channel") == "model").sort("owner", "start"), "owner"),
            model_utterances=Track.of(utterances.filter(pl.col("channel") == "model"), "owner"),
            user_utterances=Track.of(utterances.filter(pl.col("channel") == "user"), "owner"),
            model_words=Track.of(said, "owner"),
            word_texts=said.select("text", "timing_source"),
        )


def find_neighbours(issues: pl.DataFrame, timeline: Timeline) -> pl.DataFrame:
    """Adds ``next_user, next_model``: start of the next utterance of each side after t0, null if there is none."""
    owner, t0 = int_column(issues, "owner"), int_column(issues, "t0")
    return issues.with_columns(
        next_user=_times(timeline.user_utterances.next_start(owner, t0)),
        next_model=_times(timeline.model_utterances.next_start(owner, t0)),
    )


def find_reply(issues: pl.DataFrame, timeline: Timeline) -> pl.DataFrame:
    """The logged reply: the whole IPUs of the model's turn that end before the user's next act.

    Adds ``log_start, log_end`` (ms), null where the log has no reply to use, and ``status_reason``, which says why.
    A reply to a request that the user never finished (``cut_off``) is none, and neither is one whose content is at
    fault. Also adds ``fault_end``: how far the model's turn is heard on the rejected side.
    """
    turn = int_column(issues, "model_turn", missing=len(timeline.turns))
    log_end = _times(timeline.turn_ipus.last_end(turn, int_column(issues, "user_bound")))
    fault_end = _times(timeline.turn_ipus.heard_until(turn, int_column(issues, "rejected_bound")))
    reason = (
        pl.when(pl.col("subtype") == "cut_off")
        .then(pl.lit(NoPair.UNFINISHED_REQUEST.value))
        .when(pl.col("content_issue_id").is_not_null())
        .then(pl.lit(NoPair.CONTENT_FAULT.value))
        .when(pl.col("log_end").is_null())
        .then(pl.lit(NoPair.NEEDS_REPLY.value))
    )
    is_ready = pl.col("status_reason").is_null()
    return (
        issues.with_columns(log_end=log_end, fault_end=fault_end)
        .with_columns(status_reason=reason)
        .with_columns(log_start=pl.when(is_ready).then("model_start"), log_end=pl.when(is_ready).then("log_end"))
    )


def fill_sides(windows: pl.DataFrame, timeline: Timeline, config: PairsConfig) -> pl.DataFrame:
    """Adds the lists of spans and words (seconds): ``user_speech``, and speech and words of both sides.

    The user's speech is the rest of the utterance under way. The rejected side is cut out of the log; the chosen side
    is the reply, moved as a whole, so its inner pauses are the log's. A word belongs where its middle lies.
    """
    owner, t0, recorded = (int_column(windows, name) for name in ("owner", "t0", "rejected_recorded"))
    log_start, log_end = int_column(windows, "log_start"), int_column(windows, "log_end")
    shift = int_column(windows, "reply_start") - log_start
    # The last word may be timed past its IPU: it belongs to the reply as far as its side goes on after it.
    after = np.minimum(log_end + to_ms(config.after_reply_s), int_column(windows, "user_bound"))
    words_end = np.minimum(after, timeline.model_ipus.next_start(owner, log_end))
    words_end = np.where(log_end > log_start, words_end, log_start)
    nobody = len(timeline.turns)
    user_turn, model_turn = (int_column(windows, name, missing=nobody) for name in ("user_turn", "model_turn"))
    user_end = int_column(windows, "user_end")
    return windows.with_columns(
        user_speech=_speech(timeline.turn_ipus, user_turn, t0, user_end),
        chosen_speech=_speech(timeline.turn_ipus, model_turn, log_start, log_end, shift),
        chosen_words=_words(timeline, owner, log_start, words_end, shift),
        rejected_speech=_speech(timeline.model_ipus, owner, t0, recorded),
        rejected_words=_words(timeline, owner, t0, recorded),
    )


def _speech(track: Track, owner: IntMs, lo: IntMs, hi: IntMs, shift: IntMs | None = None) -> pl.Series:
    picks = track.touching(owner, lo, hi)
    return picks.to_list(track.cut(picks, lo, hi, shift))


def _words(timeline: Timeline, owner: IntMs, lo: IntMs, hi: IntMs, shift: IntMs | None = None) -> pl.Series:
    track = timeline.model_words
    picks = track.centred(owner, lo, hi)
    texts = timeline.word_texts[picks.index]
    return picks.to_list(
        {"text": texts["text"], **track.cut(picks, lo, hi, shift), "timing_source": texts["timing_source"]}
    )


def _times(ms: IntMs) -> pl.Series:
    """Times of a search as a column: null where nothing was found."""
    times = pl.Series("ms", ms)
    return times.set((times == NOWHERE) | (times == NEVER), None)
