"""What must hold of pairs on any timeline: the invariants, on random ones. Times here are in ms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.pairs import Pairs, PairsConfig
from schemas.ids import issue_id
from schemas.pairs import PAIRS
from store.stage import Batch
from tests.miner.pair_logs import Fault, Log, Row, Say, Span, batch_of, ms, pairs_of, said, spans, times


@st.composite
def channel_turns(draw: st.DrawFn, channel: str) -> list[Say]:
    """Utterances of 1-4 IPUs with pauses of 0.2-1.0 s, 1 ms to 5 s apart beyond that, and some backchannels."""
    at, turns = draw(st.integers(0, 4_000)), []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["utterance", "utterance", "utterance", "backchannel"]))
        ipus, words = [], []
        for _ in range(1 if kind == "backchannel" else draw(st.integers(1, 4))):
            length = draw(st.integers(80, 1_000 if kind == "backchannel" else 4_000))
            ipus.append((at, at + length))
            early, over = draw(st.integers(-60, 60)), draw(st.integers(-60, 60))
            edges = [
                at + early,
                *sorted(draw(st.lists(st.integers(at + 61, at + length), max_size=4))),
                at + length + over,
            ]
            words += [(f"w{a}", max(0, a), max(0, a, b)) for a, b in itertools.pairwise(edges)]
            at += length + draw(st.integers(200, 1_000))
        turns.append(Say(channel, ipus, words, kind))
        at = ipus[-1][1] + draw(st.integers(1_001, 6_000))
    return turns


@st.composite
def logs(draw: st.DrawFn, dialogue_id: str = "d") -> Log:
    """Two channels and every issue they could hold, by the definitions of B and C without their thresholds."""
    model, user = draw(channel_turns("model")), draw(channel_turns("user"))
    log = Log(user + model, [], dialogue_id=dialogue_id)
    log.duration = max(say.end for say in log.turns) + draw(st.integers(0, 5_000))
    user_utterances = [say for say in user if say.kind == "utterance"]
    model_utterances = [say for say in model if say.kind == "utterance"]
    for intruder in model_utterances:
        for say in user_utterances:
            if say.start < intruder.start < say.end:
                in_pause = not any(a <= intruder.start < b for a, b in say.ipus)
                near_end = say.end - intruder.start <= 500
                subtype = "cut_off" if near_end else "pause_takeover" if in_pause else "cut_in"
                log.faults.append(Fault("B", subtype, intruder, say))
    for say in user_utterances:
        if any(other.start <= say.end <= other.end for other in model_utterances):
            continue
        after = [other for other in user_utterances + model_utterances if other.start > say.end]
        following = min(after, key=lambda other: other.start, default=None)
        is_late = following is not None and following.channel == "model"
        log.faults.append(Fault("C", "late" if is_late else "no_response", say, following))
    return log


def sides(row: Row) -> Iterator[tuple[str, int | None]]:
    for side in ("chosen", "rejected"):
        yield side, None if row[f"{side}_end_s"] is None else ms(row[f"{side}_end_s"])


def by_t0(log: Log, rows: Sequence[Row]) -> Iterator[tuple[Fault, Row]]:
    found = {row["issue_id"]: row for row in rows if row["dialogue_id"] == log.dialogue_id}
    assert len(found) == len(log.faults)
    for fault in log.faults:
        yield fault, found[issue_id(log.dialogue_id, fault.issue_type, fault.t0 / 1000)]


def next_start(log: Log, channel: str, t: int) -> float:
    return min(
        (s.start for s in log.turns if (s.channel, s.kind) == (channel, "utterance") and s.start > t), default=1e9
    )


def cut(ipus: Sequence[Span], lo: int, hi: int) -> list[Span]:
    return [(max(a, lo), min(b, hi)) for a, b in sorted(ipus) if b > lo and a < hi]


PROPERTY = settings(max_examples=60, deadline=None)


@PROPERTY
@given(logs())
def test_every_issue_makes_one_row_that_says_its_state(log: Log) -> None:
    for fault, row in by_t0(log, pairs_of(log, config=PairsConfig())):
        assert (row["pair_type"], row["subtype"], ms(row["t0_s"])) == (fault.issue_type, fault.subtype, fault.t0)
        ready = row["status"] == "ready"
        assert (
            ready == bool(row["chosen_speech"]) == (row["status_reason"] is None) == (row["chosen_end_s"] is not None)
        )
        if fault.subtype in ("cut_off", "no_response"):
            assert not ready
        assert fault.issue_type == "C" or row["rejected_speech"]


@PROPERTY
@given(logs())
def test_chosen_reply_comes_a_gap_after_the_user(log: Log) -> None:
    for fault, row in by_t0(log, pairs_of(log, config=PairsConfig())):
        user = fault.other if fault.issue_type == "B" else fault.turn
        assert user is not None
        gap, user_end = ms(row["response_gap_s"]), ms(row["user_end_s"])
        assert 200 <= gap <= 500
        assert user_end == user.end
        assert spans(row, "user_speech") == cut(user.ipus, fault.t0, user_end)
        for start, _ in spans(row, "chosen_speech")[:1]:
            assert start == user_end + gap
        assert all(start >= user_end + gap for _, start, _ in said(row, "chosen_words"))


@PROPERTY
@given(logs())
def test_nothing_lies_outside_its_window_or_before_t0(log: Log) -> None:
    for fault, row in by_t0(log, pairs_of(log, config=PairsConfig())):
        for side, end in sides(row):
            inside = spans(row, f"{side}_speech") + [(a, b) for _, a, b in said(row, f"{side}_words")]
            assert all(fault.t0 <= a <= b and end is not None and b <= end for a, b in inside)
            starts = [a for _, a, _ in said(row, f"{side}_words")]
            assert starts == sorted(starts)
            if end is not None:
                assert 0 <= ms(row[f"{side}_tail_s"]) <= end - fault.t0


@PROPERTY
@given(logs())
def test_logged_material_ends_before_the_users_next_act(log: Log) -> None:
    for fault, row in by_t0(log, pairs_of(log, config=PairsConfig())):
        act = next_start(log, "user", fault.t0)
        recorded = ms(row["rejected_end_s"]) - ms(row["rejected_tail_s"])
        assert recorded <= min(act, log.duration, next_start(log, "model", fault.t0))
        model_ipus = [ipu for say in log.turns if say.channel == "model" for ipu in say.ipus]
        assert spans(row, "rejected_speech") == cut(model_ipus, fault.t0, recorded)
        assert all(end <= recorded for _, _, end in said(row, "rejected_words"))
        if row["status"] == "ready":
            reply = fault.turn if fault.issue_type == "B" else fault.other
            assert reply is not None
            log_start, log_end = ms(row["chosen_log_start_s"]), ms(row["chosen_log_end_s"])
            assert log_end <= act
            moved = ms(row["user_end_s"]) + ms(row["response_gap_s"]) - log_start
            whole = [(a + moved, b + moved) for a, b in reply.ipus if b <= min(act, log.duration)]
            assert spans(row, "chosen_speech") == whole
            logged = {(text, a + moved) for text, a, _ in reply.words if a >= log_start}
            assert {(text, a) for text, a, _ in said(row, "chosen_words") if a > log_start + moved} <= logged


@PROPERTY
@given(logs(), st.sampled_from(["equal", "natural"]))
def test_windows_end_as_configured(log: Log, window: str) -> None:
    config = PairsConfig.model_validate({"window_b": window, "window_c": window})
    for fault, row in by_t0(log, pairs_of(log, config=config)):
        if row["status"] != "ready":
            continue
        reply_end = spans(row, "chosen_speech")[-1][1]
        if window == "equal":
            assert row["chosen_end_s"] == row["rejected_end_s"]
            assert ms(row["chosen_end_s"]) >= reply_end + 400
        else:
            assert ms(row["chosen_end_s"]) == reply_end + 400
            if fault.issue_type == "B":
                assert ms(row["rejected_end_s"]) == spans(row, "rejected_speech")[-1][1] + 400


@settings(max_examples=40, deadline=None)
@given(logs("a"), logs("b"), logs("c"), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_batching_or_row_order(first: Log, second: Log, third: Log, random: Any) -> None:
    stage = Pairs()
    batch = batch_of(first, second, third)
    together = PAIRS.conform(stage.process(batch).rows)
    shuffled = {
        name: table.sample(fraction=1, shuffle=True, seed=random.getrandbits(32))
        for name, table in batch.tables.items()
    }
    assert PAIRS.conform(stage.process(Batch(batch.dialogue_ids, shuffled)).rows).equals(together)
    alone = [PAIRS.conform(stage.process(batch_of(log)).rows) for log in (first, second, third)]
    assert pl.concat(alone).equals(together)


@PROPERTY
@given(logs(), st.integers(1, 500))
def test_a_shift_by_whole_frames_keeps_relative_times(log: Log, frames: int) -> None:
    shift = 80 * frames

    def relative(row: Row, moved: int) -> Row:
        at = ("t0_s", "user_end_s", "chosen_end_s", "chosen_log_start_s", "chosen_log_end_s", "rejected_end_s")
        lasting = ("response_gap_s", "chosen_tail_s", "rejected_tail_s")
        texts = {
            f"{side}_words": [(w, a - moved, b - moved) for w, a, b in said(row, f"{side}_words")]
            for side, _ in sides(row)
        }
        speech = {
            name: [(a - moved, b - moved) for a, b in spans(row, name)]
            for name in ("user_speech", "chosen_speech", "rejected_speech")
        }
        moments = {name: None if t is None else t - moved for name, t in times(row, *at).items()}
        return {**texts, **speech, **moments, **times(row, *lasting), "status": row["status"]}

    here, there = pairs_of(log), pairs_of(log, shift=shift)
    by_time = [sorted(rows, key=lambda row: (row["t0_s"], row["pair_type"])) for rows in (here, there)]
    assert [relative(row, 0) for row in by_time[0]] == [relative(row, shift) for row in by_time[1]]
