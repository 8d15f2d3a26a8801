"""What must hold of any dialogues whatever: random timelines, with and without words."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import array_to_ms, ms_expr
from tests.timing.timelines import Log, Segment, activity_of, batches, events_of, logs, turns_of
from timing.batch import by_side, number, speech
from timing.config import TurnRules

few = settings(max_examples=40, deadline=None)


def moved(log: Log, by_s: float) -> Log:
    def shift(segments: list[Segment]) -> list[Segment]:
        return [(round(s[0] + by_s, 3), round(s[1] + by_s, 3), *s[2:]) for s in segments]

    return Log(shift(list(log.model)), shift(list(log.user)), round(log.duration + by_s, 3), log.name)


@few
@given(batches(), st.randoms(use_true_random=False))
def test_neither_order_nor_company_changes_a_dialogues_rows(batch: list[Log], chance: object) -> None:
    alone = [(turns_of([log]), events_of([log])) for log in batch]
    shuffled = list(batch)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    turns, events = turns_of(shuffled), events_of(shuffled)
    assert turns.equals(pl.concat([t for t, _ in alone]))
    assert events.equals(pl.concat([e for _, e in alone]))


@few
@given(logs(), st.integers(1, 100_000))
def test_a_shift_in_time_shifts_every_row(log: Log, by_ms: int) -> None:
    later = moved(log, by_ms / 1000)

    def in_ms(rows: pl.DataFrame, columns: list[str], less: int) -> pl.DataFrame:
        return rows.with_columns((ms_expr(c) - less).alias(c) for c in columns)

    before, after = turns_of([log]), turns_of([later])
    plain = [c for c in before.columns if c not in ("start_s", "end_s", "ipus")]
    assert after.select(plain).equals(before.select(plain))
    times = ["start_s", "end_s"]
    assert in_ms(after, times, by_ms).select(times).equals(in_ms(before, times, 0).select(times))
    # Ids and ranks hash the frame, so they move.
    order = ["t_s", "event", "subtype", "turn_index"]
    drop = ["event_id", "rank"]
    old = in_ms(events_of([log]), ["t_s", "end_s"], 0).drop(drop).sort(order)
    new = in_ms(events_of([later]), ["t_s", "end_s"], by_ms).drop(drop).sort(order)
    assert new.equals(old)


@few
@given(batches())
def test_turns_cover_the_ipus_exactly(batch: list[Log]) -> None:
    names = [log.name for log in batch]
    rules = TurnRules()
    ipus = speech(by_side(number(activity_of(batch), names)), rules.ipu_bridge_ms - 1)
    turns = by_side(number(turns_of(batch), names))
    kept = (
        turns.select("group", "kind", "start_s", "end_s", "turn_index", "ipus")
        .explode("ipus")
        .unnest("ipus", separator="_")
    )
    start, end = array_to_ms(kept["ipus_start_s"].to_numpy()), array_to_ms(kept["ipus_end_s"].to_numpy())
    all_ipus = set(zip(ipus.group.tolist(), ipus.start.tolist(), ipus.end.tolist(), strict=True))
    in_turns = list(zip(kept["group"].to_list(), start.tolist(), end.tolist(), strict=True))
    assert len(in_turns) == len(set(in_turns))
    assert set(in_turns) <= all_ipus
    assert all(e - s < rules.blip_max_ms for _, s, e in all_ipus - set(in_turns))
    edges = kept.group_by("group", "turn_index").agg(
        (pl.col("ipus_start_s").min() == pl.col("start_s").first()).alias("start"),
        (pl.col("ipus_end_s").max() == pl.col("end_s").first()).alias("end"),
    )
    assert edges.select(pl.all_horizontal("start", "end").all()).item()
    # Utterances of one side stand further apart than the pause that would merge them.
    own = turns.filter(kind="utterance").sort("group", "start_s")
    pause = ms_expr("start_s") - ms_expr("end_s").shift(1).over("group")
    pauses = own.select(pause.alias("pause")).drop_nulls()["pause"].to_numpy()
    assert np.all(pauses > rules.utterance_pause_ms + 2 * rules.vad_tolerance_ms)


@few
@given(batches())
def test_every_fault_touches_the_turns_it_names(batch: list[Log]) -> None:
    turns = turns_of(batch).select("dialogue_id", "turn_index", "channel", "start_s", "end_s", "kind")
    issues = events_of(batch).filter(pl.col("issue_type").is_not_null()).join(turns, on=["dialogue_id", "turn_index"])
    assert (issues["kind"] == "utterance").all()
    interruptions, silences = issues.filter(event="B"), issues.filter(event="C")
    assert (interruptions["channel"] == "model").all()
    assert (interruptions["t_s"] == interruptions["start_s"]).all()
    assert (silences["channel"] == "user").all()
    assert (silences["t_s"] == silences["end_s_right"]).all()
    assert (silences["end_s"] - silences["t_s"] > 2.999).all()


def test_nothing_at_all() -> None:
    assert len(turns_of([])) == 0
    assert len(events_of([])) == 0
    assert len(events_of([Log([], [])])) == 0
