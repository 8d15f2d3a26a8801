"""The invariants of pairs on random timelines with random verdicts, content faults and rewrites. Times in ms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.pairs import Pairs, PairsConfig
from schemas.clock import window_start_frame
from schemas.ids import issue_id
from schemas.pairs import PAIRS
from store.stage import Batch
from tests.miner.pair_logs import Fault, Flaw, Log, Rewrite, Row, Say, batch_of, issue_t0, ms, pairs_of, said, spans
from tests.miner.test_pairs_random import cut, logs, next_start

PROPERTY = settings(max_examples=40, deadline=None)
NATURAL = PairsConfig(window_a="natural", window_b="natural", window_c="natural")
EQUAL = PairsConfig(window_a="equal", window_b="equal", window_c="equal")
SENTENCES = st.lists(
    st.lists(st.sampled_from(["a", "well", "I", "it's", "extraordinary", "ten"]), min_size=1, max_size=6),
    min_size=1,
    max_size=3,
)
REASONS = ("no_improvement", "unspeakable", "rank_over_budget", "request_failed")


@st.composite
def rewrites(draw: st.DrawFn, issue: Fault | Flaw) -> Rewrite:
    status = draw(st.sampled_from(["rewritten", "rewritten", "adequate", "rejected", "failed", "over_budget"]))
    if status == "rewritten":
        marks = [" ".join(sentence) + draw(st.sampled_from([".", "?", "!"])) for sentence in draw(SENTENCES)]
        return Rewrite(issue, reply=" ".join(marks))
    reason = None if status == "adequate" else draw(st.sampled_from(REASONS))
    return Rewrite(issue, status, reason=reason)


@st.composite
def judged_logs(draw: st.DrawFn, dialogue_id: str = "d") -> Log:
    """A random log, some of its replies judged, some of those at fault, some of the faults rewritten."""
    log = draw(logs(dialogue_id))
    users = [say for say in log.turns if (say.channel, say.kind) == ("user", "utterance")]
    for say in log.turns:
        if (say.channel, say.kind) != ("model", "utterance"):
            continue
        state = draw(st.sampled_from(["unjudged", "good", "good", "unscored", "fault", "fault"]))
        if state == "fault":
            asked = max((u for u in users if u.start <= say.start), key=lambda u: u.start, default=None)
            log.flaws.append(Flaw(say, asked, draw(st.sampled_from(["safety", "tone"]))))
        if state != "unjudged":
            first = {"good": 3, "unscored": None, "fault": 0}[state]
            log.judged[say] = [first, *(draw(st.sampled_from([-1, 2, 3, 4])) for _ in range(4))]
    for issue in issues(log):
        if draw(st.booleans()):
            log.rewrites.append(draw(rewrites(issue)))
    return log


def reply_of(issue: Fault | Flaw) -> Say | None:
    """The model's turn an issue is about."""
    if isinstance(issue, Flaw) or issue.issue_type == "B":
        return issue.turn
    return issue.other if issue.subtype == "late" else None


def issues(log: Log) -> list[Fault | Flaw]:
    """What makes a pair of its own: every fault of timing, and flaws of other turns."""
    timed = {id(reply_of(fault)) for fault in log.faults}
    return [*log.faults, *(flaw for flaw in log.flaws if id(flaw.turn) not in timed)]


def by_issue(log: Log, rows: list[Row]) -> Iterator[tuple[Fault | Flaw, Row]]:
    found = {row["issue_id"]: row for row in rows}
    assert len(found) == len(rows) == len(issues(log))
    for issue in issues(log):
        yield issue, found[issue_id(log.dialogue_id, getattr(issue, "issue_type", "A"), issue_t0(issue) / 1000)]


@PROPERTY
@given(judged_logs())
def test_every_fault_is_in_one_pair_that_names_it(log: Log) -> None:
    rows = pairs_of(log, config=PairsConfig())
    for issue, row in by_issue(log, rows):
        assert row["pair_type"] == log.pair_type(issue)
        flawed = next((flaw for flaw in log.flaws if flaw.turn is reply_of(issue)), None)
        assert row["axis"] == (flawed and flawed.axis)
        assert row["content_issue_id"] == (flawed and issue_id("d", "A", flawed.turn.start / 1000))
        assert row["timing"] == getattr(issue, "issue_type", None)
        assert ms(row["t0_s"]) == issue_t0(issue)
    named = [row["content_issue_id"] for row in rows if row["content_issue_id"]]
    assert len(set(named)) == len(log.flaws)
    if any(row["pair_type"] == "A" for row in rows):
        assert sorted(row["rank"] for row in rows) == list(range(len(rows)))
        first = min(row["t0_s"] for row in rows)
        assert [row["t0_s"] for row in rows if row["rank"] == 0] == [first]


@PROPERTY
@given(judged_logs())
def test_a_pair_is_ready_where_a_reply_may_be_used(log: Log) -> None:
    for issue, row in by_issue(log, pairs_of(log, config=PairsConfig())):
        rewrite = next((rewrite for rewrite in log.rewrites if rewrite.of is issue), None)
        reply, is_ready = reply_of(issue), row["status"] == "ready"
        assert (
            is_ready == bool(row["chosen_speech"]) == (row["status_reason"] is None) == (row["reply_check"] is not None)
        )
        assert row["rewrite_status"] == (rewrite and rewrite.status)
        if rewrite is not None and rewrite.status == "rewritten":
            assert (row["reply_check"], row["chosen_source"]) == ("rewritten", "rewritten")
            assert row["has_content"] == (reply is not None)
            assert " ".join(text for text, _, _ in said(row, "chosen_words")) == rewrite.reply
            assert (row["chosen_log_start_s"], row["chosen_log_end_s"]) == (None, None)
            continue
        assert row["has_content"] == (row["content_issue_id"] is not None)
        if rewrite is not None and rewrite.status == "rejected":
            assert (row["status"], row["status_reason"]) == ("needs_rewrite", rewrite.reason)
        elif rewrite is not None and rewrite.status != "adequate" and not is_ready:
            assert row["status_reason"] == rewrite.reason
        elif row["content_issue_id"]:
            assert row["status_reason"] in ("content_fault", "unfinished_request")
        elif is_ready:
            assert reply is not None
            judged = log.judged.get(reply, (None,))
            vouched = (rewrite is not None and rewrite.status == "adequate") or None not in judged
            is_whole = ms(row["chosen_log_end_s"]) == reply.end
            assert row["reply_check"] == ("adequate" if vouched and is_whole else "unchecked")


@PROPERTY
@given(judged_logs())
def test_chosen_reply_begins_at_the_fault_or_a_gap_after_the_user(log: Log) -> None:
    for issue, row in by_issue(log, pairs_of(log, config=PairsConfig())):
        t0, gap, user_end = issue_t0(issue), ms(row["response_gap_s"]), ms(row["user_end_s"])
        starts = [start for start, _ in spans(row, "chosen_speech")] + [a for _, a, _ in said(row, "chosen_words")]
        if isinstance(issue, Flaw):
            under_way, begins = issue.answers, t0
            assert gap == 0
        else:
            under_way, begins = (issue.other if issue.issue_type == "B" else issue.turn), user_end + gap
            assert 200 <= gap <= 500
        # The rest of the utterance under way, and then silence.
        assert user_end == max(t0, under_way.end if under_way else t0)
        assert spans(row, "user_speech") == (cut(under_way.ipus, t0, user_end) if under_way else [])
        if starts:
            assert min(starts) == begins == spans(row, "chosen_speech")[0][0]
        if row["timing"] == "B":
            assert all(start >= user_end + gap for start in starts)


@PROPERTY
@given(judged_logs(), st.sampled_from([NATURAL, EQUAL]))
def test_words_and_speech_are_in_order_and_inside_their_windows(log: Log, config: PairsConfig) -> None:
    for issue, row in by_issue(log, pairs_of(log, config=config)):
        for side in ("chosen", "rejected"):
            end = row[f"{side}_end_s"]
            words = said(row, f"{side}_words")
            inside = spans(row, f"{side}_speech") + [(a, b) for _, a, b in words]
            assert all(issue_t0(issue) <= a <= b <= ms(end) for a, b in inside)
            assert [a for _, a, _ in words] == sorted(a for _, a, _ in words)
        if row["chosen_source"] == "rewritten":
            planned = said(row, "chosen_words")
            assert {word["timing_source"] for word in row["chosen_words"]} == {"planned"}
            assert all(a < b for _, a, b in planned)
            sentences = spans(row, "chosen_speech")
            for (_, _, end_of_one), (_, start_of_next, _) in itertools.pairwise(planned):
                assert start_of_next - end_of_one in (0, 300)
            assert [a for a, _ in sentences] == [
                a for i, (_, a, _) in enumerate(planned) if i == 0 or planned[i - 1][0][-1] in ".?!"
            ]
            assert [b for _, b in sentences] == [b for text, _, b in planned if text[-1] in ".?!"]


@PROPERTY
@given(judged_logs(), st.sampled_from([NATURAL, EQUAL]))
def test_rejected_side_is_the_log_up_to_the_next_act_of_anyone(log: Log, config: PairsConfig) -> None:
    model_ipus = [ipu for say in log.turns if say.channel == "model" for ipu in say.ipus]
    for issue, row in by_issue(log, pairs_of(log, config=config)):
        t0 = issue_t0(issue)
        recorded = ms(row["rejected_end_s"]) - ms(row["rejected_tail_s"])
        assert recorded <= min(next_start(log, "user", t0), log.duration, next_start(log, "model", t0))
        assert spans(row, "rejected_speech") == cut(model_ipus, t0, recorded)
        assert row["rejected_speech"] or row["timing"] == "C"
        if row["status"] != "ready":
            continue
        reply_end = spans(row, "chosen_speech")[-1][1]
        if config is EQUAL:
            assert row["chosen_end_s"] == row["rejected_end_s"]
            assert ms(row["chosen_end_s"]) >= reply_end + 400
        else:
            assert ms(row["chosen_end_s"]) == reply_end + 400
            if row["timing"] != "C":
                assert ms(row["rejected_end_s"]) == spans(row, "rejected_speech")[-1][1] + 400


@PROPERTY
@given(judged_logs())
def test_context_and_rejected_side_do_not_depend_on_who_judged_or_rewrote(log: Log) -> None:
    shared = ("t0_s", "t0_frame", "context_start_s", "context_id", "user_speech", "user_end_s")
    kept = (*shared, "rejected_speech", "rejected_words", "rejected_end_s", "rejected_tail_s")
    with_all = {row["issue_id"]: row for row in pairs_of(log, config=NATURAL)}
    log.flaws, log.rewrites, log.judged = [], [], {}
    for row in pairs_of(log, config=NATURAL):
        other = with_all[row["issue_id"]]
        assert [row[column] for column in kept] == [other[column] for column in kept]
    for row in with_all.values():
        assert row["t0_frame"] == window_start_frame(row["t0_s"])


@settings(max_examples=20, deadline=None)
@given(judged_logs("a"), judged_logs("b"), judged_logs("c"), st.randoms(use_true_random=False))
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
@given(judged_logs(), st.integers(1, 500))
def test_a_shift_by_whole_frames_keeps_relative_times(log: Log, frames: int) -> None:
    def relative(row: Row, moved: int) -> Row:
        sides = {
            name: [(text, a - moved, b - moved) for text, a, b in said(row, name)]
            for name in ("chosen_words", "rejected_words")
        }
        speech = {
            name: [(a - moved, b - moved) for a, b in spans(row, name)] for name in ("user_speech", "chosen_speech")
        }
        ends = {name: row[name] and ms(row[name]) - moved for name in ("t0_s", "chosen_end_s", "rejected_end_s")}
        return {**sides, **speech, **ends, "status": row["status"], "check": row["reply_check"]}

    # Gaps are drawn from ids, and ids from places: a fixed one compares.
    config = PairsConfig(response_gap_min_s=0.3, response_gap_max_s=0.3)
    moved = 80 * frames
    here, there = pairs_of(log, config=config), pairs_of(log, config=config, shift=moved)
    by_time = [sorted(rows, key=lambda row: (row["t0_s"], row["pair_type"])) for rows in (here, there)]
    assert [relative(row, 0) for row in by_time[0]] == [relative(row, moved) for row in by_time[1]]
