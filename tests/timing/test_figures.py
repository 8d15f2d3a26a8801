"""Figures per dialogue and over a corpus: they add up, agree with the ledger, and clamp nothing."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from schemas.clock import ms_expr
from schemas.figures import BETWEEN, FIGURES, SIDES
from tests.timing.timelines import Log, activity_of, batches, events_of, turns_of
from timing.corpus import CORPUS_FIGURES, corpus_figures
from timing.figures import dialogue_figures

few = settings(max_examples=15, deadline=None)


def figures_of(logs: list[Log]) -> pl.DataFrame:
    return FIGURES.conform(
        dialogue_figures(activity_of(logs), turns_of(logs), events_of(logs), [log.name for log in logs])
    )


def corpus_of(logs: list[Log], group: str = "all") -> dict[str, Any]:
    figures = figures_of(logs).with_columns(pl.lit(group).alias("group"))
    transfers = turns_of(logs).filter(pl.col("fto_s").is_not_null())
    barge_ins = events_of(logs).filter(pl.col("event") == "barge_in")
    return corpus_figures(
        figures,
        transfers.select(pl.lit(group).alias("group"), "channel", "fto_s"),
        barge_ins.select(pl.lit(group).alias("group"), (pl.col("end_s") - pl.col("t_s")).alias("yield_s")),
    ).row(0, named=True)


def test_a_dialogue_counted_by_hand() -> None:
    log = Log(
        model=[(3.5, 6, "hi there"), (7, 12), (20, 22)],
        user=[(1, 4, "so what is new?"), (9, 9.4, "yeah"), (14, 15)],
        duration=30.0,
    )
    row = figures_of([log]).row(0, named=True)
    assert row["duration_s"] == 30.0
    assert (row["model_speech_s"], row["user_speech_s"], row["both_speech_s"]) == (9.5, 4.4, 0.9)
    assert row["silence_s"] == 17.0
    assert (row["model_utterances"], row["user_utterances"], row["user_backchannels"]) == (2, 2, 1)
    assert (row["model_transfers_in_overlap"], row["model_transfers_after_gap"]) == (1, 1)
    assert (row["user_transfers_in_overlap"], row["user_transfers_after_gap"]) == (0, 1)
    assert (row["model_pauses"], row["model_pause_s"]) == (1, 1.0)
    assert (row["model_gaps"], row["model_gap_s"]) == (1, 5.0)
    assert (row["user_gaps"], row["user_gap_s"]) == (1, 2.0)
    assert (row["model_overlaps_between"], row["model_overlap_between_s"]) == (1, 0.5)
    assert (row["user_overlaps_within"], row["user_overlap_within_s"]) == (1, 0.4)
    assert (row["model_words"], row["user_words"]) == (2, 5)
    assert row["late_answers"] == 1
    assert row["cut_ins"] == row["no_responses"] == 0


def test_a_silent_log_has_a_row_and_its_words_are_not_known() -> None:
    rows = figures_of([Log([], [], 8.0, "a"), Log([(1, 2)], [], 5.0, "b")])
    assert rows.select("silence_s", "model_words", "user_words").rows() == [(8.0, None, None), (4.0, None, None)]
    assert len(figures_of([])) == 0


@few
@given(batches())
def test_what_adds_up_adds_up(batch: list[Log]) -> None:
    rows, turns, events = figures_of(batch), turns_of(batch), events_of(batch)
    assert rows["dialogue_id"].to_list() == sorted(log.name for log in batch)
    ms = rows.with_columns(ms_expr(c) for c in rows.columns if c.endswith("_s"))
    total = pl.col("model_speech_s") + pl.col("user_speech_s") + pl.col("silence_s") - pl.col("both_speech_s")
    assert ms.select((total == pl.col("duration_s")).all()).item()
    transfers = [f"{side}_transfers_{how}" for side in SIDES for how in ("after_gap", "in_overlap")]
    assert rows.select(pl.sum_horizontal(transfers).sum()).item() == turns["fto_s"].count()
    floor_turns = turns.select("dialogue_id", "floor_turn").drop_nulls().n_unique()
    assert rows.select(pl.sum_horizontal("model_floor_turns", "user_floor_turns").sum()).item() == floor_turns
    for event, (count, length) in BETWEEN.items():
        found = events.filter(pl.col("event") == event.value).select((ms_expr("end_s") - ms_expr("t_s")).alias("ms"))
        assert ms.select(pl.sum_horizontal(f"{s}_{count}" for s in SIDES).sum()).item() == len(found)
        assert ms.select(pl.sum_horizontal(f"{s}_{length}" for s in SIDES).sum()).item() == found["ms"].sum()
    overlap = pl.sum_horizontal(f"{s}_{BETWEEN[e][1]}" for s in SIDES for e in BETWEEN if "overlap" in e.value)
    assert ms.select((overlap <= pl.col("both_speech_s")).all()).item()
    faults = ["cut_ins", "pause_takeovers", "cut_offs", "no_responses", "late_answers"]
    assert rows.select(pl.sum_horizontal(faults).sum()).item() == events["issue_type"].count()
    numbers = rows.drop("dialogue_id").fill_null(0)
    assert numbers.select(pl.min_horizontal(pl.all()).min()).item() >= 0


@few
@given(batches())
def test_neither_order_nor_company_changes_a_row(batch: list[Log]) -> None:
    alone = pl.concat([figures_of([log]) for log in sorted(batch, key=lambda log: log.name)])
    assert figures_of(batch[::-1]).equals(alone)


@few
@given(batches())
def test_a_corpus_said_twice_has_the_same_figures(batch: list[Log]) -> None:
    twice = [*batch, *(Log(log.model, log.user, log.duration, f"{log.name}-again") for log in batch)]
    once, again = corpus_of(batch), corpus_of(twice)
    assert again["dialogues"] == 2 * once["dialogues"]
    for name in once:
        if name.endswith(("_share", "_per_min", "_per_user_turn", "_mean_s", "fto_p50_s")):
            assert again[name] == (None if once[name] is None else pytest.approx(once[name]))
    shares = [once["model_talk_share"], once["user_talk_share"]]
    assert shares == [None, None] or sum(shares) == pytest.approx(1)


def test_corpus_figures_by_hand() -> None:
    user = [(0, 2), (10, 12), (20, 22), (30, 32)]
    model = [(1.5, 6), (12.5, 15), (23, 25), (34.5, 36)]
    row = corpus_of([Log(model, user, 60.0)])
    assert row["dialogues"] == 1
    assert row["minutes"] == 1.0
    assert row["model_fto_n"] == 4
    assert row["model_fto_p50_s"] == pytest.approx(0.75)
    assert row["model_fto_p5_s"] == pytest.approx(-0.35)
    assert row["model_fto_negative_share"] == 0.25
    assert row["model_fto_over_2s_share"] == 0.25
    assert row["model_gaps_per_min"] == 3
    assert row["model_gap_mean_s"] == pytest.approx((0.5 + 1 + 2.5) / 3)
    assert row["model_talk_share"] == pytest.approx(10.5 / 18.5)
    assert row["model_words_per_min"] is None
    assert row["model_yield_p50_s"] is None


def test_a_negative_offset_is_never_clamped() -> None:
    row = corpus_of([Log([(3, 11)], [(1, 8), (10.5, 12)])])
    assert row["model_fto_p50_s"] == pytest.approx(-5.0)
    assert row["user_fto_p50_s"] == pytest.approx(-0.5)


def test_rates_are_per_user_turn_and_words_per_minute_of_own_speech() -> None:
    spoken = Log([(4, 8)], [(1, 6), (20, 22, "where are you from then?"), (30, 31)], 60.0)
    row = corpus_of([spoken, Log([(1, 31, "word " * 90)], [], 60.0, "e")])
    assert row["model_interruptions_per_user_turn"] == pytest.approx(1 / 3)
    assert row["model_no_response_per_user_turn"] == pytest.approx(2 / 3)
    assert row["model_words_per_min"] == pytest.approx(180)
    assert {f"model_{f.name}" for f in CORPUS_FIGURES} <= row.keys()


def test_a_barge_in_is_timed_until_the_model_is_silent() -> None:
    row = corpus_of([Log([(1, 5), (20, 28)], [(3, 6), (22, 29)], 60.0)])
    assert row["model_barge_ins_per_min"] == 2
    assert row["model_yield_p50_s"] == pytest.approx(4.0)
    assert row["model_ignored_barge_in_share"] == 0.5
