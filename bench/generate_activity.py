"""Random but plausible dialogues as activity and words, for benchmarks: no audio, any number, fixed by the seed.

A dialogue is a row of exchanges of 1-2 minutes in all. Gaps, pauses and overlaps are drawn around Switchboard's
figures, and a share of the exchanges holds an interruption, a pause that the model takes, a backchannel or no answer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.activity import ACTIVITY
from schemas.clock import array_to_s
from schemas.dialogues import DIALOGUES
from schemas.words import WORDS

EXCHANGES = 12
"""User and model turns a dialogue, of each."""
PIECE_MS = 1200
"""A turn is a row of segments of this length; 12 x 2 turns make about 40 of them."""
WORD_MS = 250
VOCABULARY = (  # noqa: SIM905 - a hundred quoted words would hide what they are
    "the a to of and I you it is that in what how can do for on with my me have are so was this be your not could one "
    "know when like would just there about day time good water house night train little book music garden kitchen "
    "morning people question answer mountain river language children weather summer coffee dinner letter number"
).split()

Ints = npt.NDArray[np.int64]
Ids = npt.NDArray[np.str_]


def generate(n: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """``n`` dialogues as frames (activity, words, dialogues) that conform to their schemas."""
    draw = np.random.default_rng(seed)
    ids: Ids = np.array([f"gen-{seed}-{i:07d}" for i in range(n)])
    shape = (n, EXCHANGES)
    user_ms = np.clip(draw.lognormal(7.7, 0.5, shape), 400, 9000).astype(np.int64)
    model_ms = np.clip(draw.lognormal(7.9, 0.5, shape), 400, 12000).astype(np.int64)
    answer_gap = np.clip(draw.normal(350, 450, shape), -400, 2600).astype(np.int64)
    user_gap = np.clip(draw.normal(700, 500, shape), -300, 2500).astype(np.int64)
    kind = draw.random(shape)
    cut_in = kind < 0.04
    silent = (kind >= 0.04) & (kind < 0.08)
    takeover = (kind >= 0.08) & (kind < 0.11)
    late = (kind >= 0.11) & (kind < 0.13)
    answer_gap = np.where(cut_in, -np.minimum(user_ms * 6 // 10, user_ms - 300), answer_gap)
    answer_gap = np.where(takeover, 250, answer_gap)
    model_ms = np.where(silent, 0, model_ms)
    answer_gap = np.where(silent | late, draw.integers(3500, 8000, shape), answer_gap)

    # The next user turn waits for both sides to end.
    user_after = np.maximum(user_ms, user_ms + answer_gap + model_ms) + np.where(silent, 0, user_gap)
    user_start = 400 + np.concatenate([np.zeros((n, 1), np.int64), np.cumsum(np.maximum(user_after, 0), 1)[:, :-1]], 1)
    model_start = user_start + user_ms + answer_gap
    length = user_start[:, -1] + user_after[:, -1] + draw.integers(500, 5000, n)

    dialogue = np.broadcast_to(np.arange(n)[:, None], shape)
    spoken = ~silent
    heard = (draw.random(shape) < 0.25) & spoken & (model_ms > 2500)
    turns = [
        (dialogue.ravel(), 1, user_start.ravel(), user_ms.ravel(), True),
        (dialogue[takeover], 1, (model_start + 450)[takeover], np.full(int(takeover.sum()), 1500), True),
        (dialogue[heard], 1, (model_start + model_ms // 2)[heard], draw.integers(250, 700, int(heard.sum())), False),
        (dialogue[spoken], 0, model_start[spoken], model_ms[spoken], True),
    ]
    segments = pl.concat([_pieces(draw, turn) for turn in turns]).sort("dialogue", "channel", "start")
    # Segments of one side never touch: what would overlap is cut short or left out.
    log_end = pl.Series("log_end", length[segments["dialogue"].to_numpy()])
    following = pl.col("start").shift(-1).over("dialogue", "channel")
    segments = segments.with_columns(pl.min_horizontal("end", following - 40, log_end)).filter(
        pl.col("end") - pl.col("start") >= 60
    )
    return _activity(segments, ids, length), _words(draw, segments, ids), _dialogues(ids, length)


def _pieces(draw: np.random.Generator, turns: tuple[Ints, int, Ints, Ints, bool]) -> pl.DataFrame:
    """Segments of turns: every ``PIECE_MS`` of one is a segment, with a pause of 150-700 ms before the next.

    ``turns`` are (dialogue, channel, start, length in ms, whether they have pauses).
    """
    dialogue, channel, start, length, pauses = turns
    count = np.clip(length // PIECE_MS, 1, 4) if pauses else np.ones(len(length), dtype=np.int64)
    turn = np.repeat(np.arange(len(length)), count)
    nth = np.arange(len(turn)) - np.repeat(np.cumsum(count) - count, count)
    share = length[turn] // count[turn]
    pause = np.where(nth + 1 < count[turn], draw.integers(150, 700, len(turn)), 0)
    begin = start[turn] + nth * share
    stop = begin + np.maximum(share - pause, 100)
    return pl.DataFrame(
        {"dialogue": dialogue[turn], "channel": np.full(len(turn), channel), "start": begin, "end": stop}
    )


def _activity(segments: pl.DataFrame, ids: Ids, length: Ints) -> pl.DataFrame:
    n = len(ids)
    spans = segments.select(
        "dialogue",
        "channel",
        pl.struct(
            (pl.col("start") / 1000).alias("start_s"),
            (pl.col("end") / 1000).alias("end_s"),
            pl.lit(-24.0).alias("level_db"),
        ).alias("speech"),
    )
    sides = pl.DataFrame({"dialogue": np.repeat(np.arange(n), 2), "channel": np.tile([0, 1], n)})
    lists = spans.group_by("dialogue", "channel", maintain_order=True).agg("speech")
    frame = sides.join(lists, on=["dialogue", "channel"], how="left", maintain_order="left")
    owner = frame["dialogue"].to_numpy()
    return ACTIVITY.conform(
        frame.select(
            pl.Series("dialogue_id", ids[owner]),
            pl.when(pl.col("channel") == 0).then(pl.lit("model")).otherwise(pl.lit("user")).alias("channel"),
            pl.Series("duration_s", array_to_s(length[owner])),
            pl.col("speech").fill_null([]),
            pl.lit([], dtype=ACTIVITY.schema["leak"]).alias("leak"),
            pl.lit(-24.0).alias("level_db"),
            pl.lit("generated").alias("vad"),
        )
    )


def _words(draw: np.random.Generator, segments: pl.DataFrame, ids: Ids) -> pl.DataFrame:
    """Words that fill the segments, about three a second; a segment's last one ends a sentence two times in three."""
    start, end = segments["start"].to_numpy(), segments["end"].to_numpy()
    count = np.maximum((end - start) // WORD_MS, 1)
    segment = np.repeat(np.arange(len(start)), count)
    nth = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    step = (end - start) // count
    begin = start[segment] + nth * step[segment]
    last = nth + 1 == count[segment]
    mark = np.where(last, draw.choice(["", ".", "?"], len(segment), p=[0.33, 0.47, 0.2]), "")
    text = pl.Series(VOCABULARY).gather(draw.integers(0, len(VOCABULARY), len(segment))) + pl.Series(mark)
    frame = pl.DataFrame(
        {
            "dialogue_id": ids[segments["dialogue"].to_numpy()][segment],
            "channel": np.array(["model", "user"])[segments["channel"].to_numpy()][segment],
            "text": text,
            "start_s": array_to_s(begin),
            "end_s": array_to_s(begin + step[segment]),
        }
    )
    return WORDS.conform(
        frame.with_columns(
            pl.int_range(pl.len()).over("dialogue_id", "channel").alias("word_index"),
            pl.lit("given").alias("timing_source"),
            pl.lit("generated").alias("asr"),
        )
    )


def _dialogues(ids: Ids, length: Ints) -> pl.DataFrame:
    return DIALOGUES.conform(
        pl.DataFrame({"dialogue_id": ids, "duration_s": array_to_s(length)}).with_columns(
            pl.lit("generated").alias("source_id"),
            pl.lit("manifest").alias("source_kind"),
            (pl.col("dialogue_id") + ".wav").alias("model_path"),
            pl.lit(0).alias("model_channel"),
            (pl.col("dialogue_id") + ".wav").alias("user_path"),
            pl.lit(1).alias("user_channel"),
            pl.lit("0" * 16).alias("audio_hash"),
            pl.lit(24000).alias("sample_rate_hz"),
            pl.lit(-24.0).alias("model_level_db"),
            pl.lit(-24.0).alias("user_level_db"),
            pl.lit(0.0).alias("channel_correlation"),
            pl.lit([], dtype=pl.List(pl.String)).alias("warnings"),
        )
    )
