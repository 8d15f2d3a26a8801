"""Pairs: hand-made timelines, one per kind of issue, and the invariants on random ones. Times here are in ms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from miner.pairs import Pairs, PairsConfig
from schemas.clock import window_start_frame
from schemas.dialogues import DIALOGUES
from schemas.ids import context_id, issue_id, pair_id
from schemas.pairs import PAIRS
from schemas.reasons import Reason
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.words import WORDS
from store.stage import Batch

Span = tuple[int, int]
Row = dict[str, Any]
FIXED_GAP = PairsConfig(response_gap_min_s=0.3, response_gap_max_s=0.3)


@dataclass(eq=False)
class Say:
    """One turn. Words are (text, start, end)."""

    channel: str
    ipus: Sequence[Span]
    words: Sequence[tuple[str, int, int]] = ()
    kind: str = "utterance"

    @property
    def start(self) -> int:
        return self.ipus[0][0]

    @property
    def end(self) -> int:
        return self.ipus[-1][1]


@dataclass(eq=False)
class Fault:
    """An issue of a log: type, subtype, the turn at fault and the one it touches."""

    issue_type: str
    subtype: str
    turn: Say
    other: Say | None = None

    @property
    def t0(self) -> int:
        return self.turn.start if self.issue_type == "B" else self.turn.end


@dataclass
class Log:
    turns: list[Say]
    faults: list[Fault]
    duration: int = 60_000
    dialogue_id: str = "d"
    extra_words: list[Row] = field(default_factory=list)

    def ordered(self) -> list[Say]:
        return sorted(self.turns, key=lambda say: (say.start, say.channel))

    def index(self, say: Say | None) -> int | None:
        return None if say is None else next(i for i, other in enumerate(self.ordered()) if other is say)


def batch_of(*logs: Log, shift: int = 0, with_words: bool = True) -> Batch:
    def s(ms: int) -> float:
        return (ms + shift) / 1000

    dialogues = [
        {
            "dialogue_id": log.dialogue_id,
            "duration_s": s(log.duration),
            "model_id": "m1",
            "voice": "v1",
            "language": "en",
        }
        for log in logs
    ]
    turns = [
        {
            "dialogue_id": log.dialogue_id,
            "turn_index": i,
            "channel": say.channel,
            "kind": say.kind,
            "start_s": s(say.start),
            "end_s": s(say.end),
            "ipus": [{"start_s": s(a), "end_s": s(b)} for a, b in say.ipus],
        }
        for log in logs
        for i, say in enumerate(log.ordered())
    ]
    events = [
        {
            "event_id": issue_id(log.dialogue_id, fault.issue_type, s(fault.t0)),
            "dialogue_id": log.dialogue_id,
            "event": fault.issue_type,
            "issue_type": fault.issue_type,
            "subtype": fault.subtype,
            "t_s": s(fault.t0),
            "end_s": s(fault.t0 + 100),
            "turn_index": log.index(fault.turn),
            "other_turn_index": log.index(fault.other),
            "rank": rank,
            "evidence": "{}",
        }
        for log in logs
        for rank, fault in enumerate(log.faults)
    ]
    words = [
        {
            "dialogue_id": log.dialogue_id,
            "channel": say.channel,
            "word_index": 1000 * log.ordered().index(say) + k,
            "text": text,
            "start_s": s(a),
            "end_s": s(b),
            "timing_source": "given",
            "asr": "given",
        }
        for log in logs
        for say in log.turns
        for k, (text, a, b) in enumerate(say.words)
    ] + [{"dialogue_id": log.dialogue_id, **row} for log in logs for row in log.extra_words]
    tables = {
        "dialogues": pl.DataFrame(dialogues, schema={c: t for c, t in DIALOGUES.schema.items() if c in dialogues[0]}),
        "turns": TURNS.conform(pl.DataFrame(turns, schema=TURNS.schema)),
        "timing_events": TIMING_EVENTS.conform(pl.DataFrame(events, schema=TIMING_EVENTS.schema)),
        "words": WORDS.conform(pl.DataFrame(words if with_words else [], schema=WORDS.schema)),
    }
    return Batch([log.dialogue_id for log in logs], tables)


def pairs_of(*logs: Log, config: PairsConfig = FIXED_GAP, shift: int = 0, with_words: bool = True) -> list[Row]:
    output = Pairs(config).process(batch_of(*logs, shift=shift, with_words=with_words))
    assert output.quarantined == ()
    return PAIRS.conform(output.rows).to_dicts()


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def spans(row: Row, column: str) -> list[Span]:
    return [(ms(span["start_s"]), ms(span["end_s"])) for span in row[column]]


def said(row: Row, column: str) -> list[tuple[str, int, int]]:
    return [(word["text"], ms(word["start_s"]), ms(word["end_s"])) for word in row[column]]


def times(row: Row, *columns: str) -> dict[str, int | None]:
    return {column: None if row[column] is None else ms(row[column]) for column in columns}


# One timeline per kind of issue


def cut_in() -> Log:
    """The user speaks 10.0-15.0; the model cuts in 12.0-14.5; the user speaks again at 20.0."""
    user = Say("user", [(10_000, 13_000), (13_400, 15_000)])
    model = Say("model", [(12_000, 13_000), (13_300, 14_500)], [("Well,", 12_000, 12_400), ("no.", 13_300, 14_400)])
    later = Say("user", [(20_000, 21_000)])
    return Log([user, model, later], [Fault("B", "cut_in", model, user)])


def test_cut_in_is_the_same_reply_after_the_user_has_ended() -> None:
    (row,) = pairs_of(cut_in())
    assert row["status"] == "ready"
    assert row["status_reason"] is None
    assert row["reply_check"] == "unchecked"
    assert row["chosen_source"] == "logged_delayed"
    assert row["has_content"] is False
    assert (row["pair_type"], row["timing"], row["subtype"], row["window"]) == ("B", "B", "cut_in", "equal")
    assert (row["model_id"], row["voice"], row["language"]) == ("m1", "v1", "en")
    assert spans(row, "user_speech") == [(12_000, 13_000), (13_400, 15_000)]
    assert spans(row, "chosen_speech") == [(15_300, 16_300), (16_600, 17_800)]
    assert said(row, "chosen_words") == [("Well,", 15_300, 15_700), ("no.", 16_600, 17_700)]
    assert spans(row, "rejected_speech") == [(12_000, 13_000), (13_300, 14_500)]
    assert said(row, "rejected_words") == [("Well,", 12_000, 12_400), ("no.", 13_300, 14_400)]
    assert {word["timing_source"] for word in row["chosen_words"]} == {"given"}
    assert times(row, "t0_s", "user_end_s", "response_gap_s", "chosen_log_start_s", "chosen_log_end_s") == {
        "t0_s": 12_000,
        "user_end_s": 15_000,
        "response_gap_s": 300,
        "chosen_log_start_s": 12_000,
        "chosen_log_end_s": 14_500,
    }
    assert times(row, "chosen_end_s", "rejected_end_s", "chosen_tail_s", "rejected_tail_s") == {
        "chosen_end_s": 18_200,
        "rejected_end_s": 18_200,
        "chosen_tail_s": 0,
        "rejected_tail_s": 0,
    }
    assert row["t0_frame"] == window_start_frame(12.0) == 149
    assert row["context_start_s"] == 0.0
    assert row["pair_id"] == pair_id("d", "B", 12.0)
    assert row["context_id"] == context_id("d", 12.0)
    assert row["issue_id"] == issue_id("d", "B", 12.0)


def test_natural_windows_end_with_their_own_reply() -> None:
    (row,) = pairs_of(cut_in(), config=FIXED_GAP.model_copy(update={"window_b": "natural"}))
    assert row["window"] == "natural"
    assert (ms(row["rejected_end_s"]), ms(row["chosen_end_s"])) == (14_900, 18_200)


def test_pause_takeover_waits_for_the_rest_of_the_utterance() -> None:
    user = Say("user", [(10_000, 12_000), (12_900, 14_000)])
    model = Say("model", [(12_400, 15_000)])
    (row,) = pairs_of(Log([user, model], [Fault("B", "pause_takeover", model, user)]))
    assert row["status"] == "ready"
    assert spans(row, "user_speech") == [(12_900, 14_000)]
    assert spans(row, "chosen_speech") == [(14_300, 16_900)]
    assert spans(row, "rejected_speech") == [(12_400, 15_000)]
    assert ms(row["chosen_end_s"]) == ms(row["rejected_end_s"]) == 17_300


def test_cut_off_has_no_reply_because_the_request_was_never_finished() -> None:
    user = Say("user", [(10_000, 12_300)])
    model = Say("model", [(12_000, 14_000)], [("Sure.", 12_000, 12_500)])
    (row,) = pairs_of(Log([user, model], [Fault("B", "cut_off", model, user)]))
    assert (row["status"], row["status_reason"]) == ("needs_rewrite", "unfinished_request")
    assert row["chosen_speech"] == row["chosen_words"] == []
    empty = ("chosen_end_s", "chosen_source", "chosen_log_start_s", "chosen_log_end_s", "chosen_tail_s", "reply_check")
    assert [row[column] for column in empty] == [None] * len(empty)
    assert spans(row, "user_speech") == [(12_000, 12_300)]
    assert said(row, "rejected_words") == [("Sure.", 12_000, 12_500)]
    assert (ms(row["rejected_end_s"]), ms(row["response_gap_s"])) == (14_400, 300)


def late(answer: Span = (16_000, 18_000), then: Span = (20_000, 21_000)) -> Log:
    user = Say("user", [(10_000, 12_000)])
    model = Say("model", [answer], [("Paris.", *answer)])
    later = Say("user", [then])
    return Log([user, model, later], [Fault("C", "late", user, model)])


def test_late_answer_moves_to_where_it_belonged() -> None:
    (row,) = pairs_of(late())
    assert (row["status"], row["chosen_source"], row["reply_check"]) == ("ready", "logged_moved", "unchecked")
    assert times(row, "t0_s", "user_end_s", "chosen_log_start_s", "chosen_log_end_s") == {
        "t0_s": 12_000,
        "user_end_s": 12_000,
        "chosen_log_start_s": 16_000,
        "chosen_log_end_s": 18_000,
    }
    assert row["user_speech"] == row["rejected_speech"] == row["rejected_words"] == []
    assert spans(row, "chosen_speech") == [(12_300, 14_300)]
    assert said(row, "chosen_words") == [("Paris.", 12_300, 14_300)]
    # The silence lasts until the late answer, longer than the moved answer: both windows end there.
    assert ms(row["chosen_end_s"]) == ms(row["rejected_end_s"]) == 16_000
    assert row["chosen_tail_s"] == row["rejected_tail_s"] == 0


def test_rejected_silence_goes_on_past_a_late_answer_where_the_chosen_reply_is_longer() -> None:
    (row,) = pairs_of(late(answer=(15_500, 19_500)))
    assert ms(row["chosen_end_s"]) == ms(row["rejected_end_s"]) == 16_700
    assert row["rejected_speech"] == []
    assert ms(row["rejected_tail_s"]) == 1_200
    assert row["chosen_tail_s"] == 0


def test_no_response_is_logged_silence_until_the_user_speaks_again() -> None:
    user, later = Say("user", [(10_000, 12_000)]), Say("user", [(17_500, 18_000)])
    answer = Say("model", [(19_000, 21_000)])
    (row,) = pairs_of(Log([user, later, answer], [Fault("C", "no_response", user, later)]))
    # An answer to the second try may be an answer to the second try only: nothing in the tables can tell.
    assert (row["status"], row["status_reason"]) == ("needs_rewrite", "no_reply_in_log")
    assert row["chosen_speech"] == row["rejected_speech"] == []
    assert (ms(row["t0_s"]), ms(row["rejected_end_s"]), row["rejected_tail_s"]) == (12_000, 17_500, 0)


def test_no_response_at_the_end_of_the_log_ends_with_the_log_or_the_longest_silence() -> None:
    user = Say("user", [(10_000, 12_000)])
    fault = Fault("C", "no_response", user)
    (short,) = pairs_of(Log([user], [fault], duration=17_000))
    (long,) = pairs_of(Log([user], [fault], duration=600_000))
    assert ms(short["rejected_end_s"]) == 17_000
    assert ms(long["rejected_end_s"]) == 42_000


# The counterfactual rule


def test_logged_material_of_both_sides_stops_at_the_users_next_act() -> None:
    log = cut_in()
    user, model, _ = log.turns
    model = Say(
        "model", [*model.ipus, (14_700, 18_000)], [*model.words, ("But", 14_700, 14_900), ("we", 17_000, 17_700)]
    )
    log = Log([user, model, Say("user", [(17_200, 21_000)])], [Fault("B", "cut_in", model, user)])
    (row,) = pairs_of(log)
    # Chosen: the third IPU was spoken on past the user's next act, so the reply is the first two.
    assert ms(row["chosen_log_end_s"]) == 14_500
    assert spans(row, "chosen_speech") == [(15_300, 16_300), (16_600, 17_800)]
    assert said(row, "chosen_words") == [("Well,", 15_300, 15_700), ("no.", 16_600, 17_700)]
    # Rejected: as logged up to that act, then silence.
    assert spans(row, "rejected_speech") == [(12_000, 13_000), (13_300, 14_500), (14_700, 17_200)]
    assert said(row, "rejected_words")[2:] == [("But", 14_700, 14_900)]
    assert ms(row["rejected_end_s"]) == ms(row["chosen_end_s"]) == 18_200
    assert ms(row["rejected_tail_s"]) == 1_000
    assert ms(row["chosen_tail_s"]) == 400


def test_reply_without_one_whole_ipu_before_the_users_next_act_needs_a_rewrite() -> None:
    user, model = Say("user", [(10_000, 13_000)]), Say("model", [(12_000, 18_000)])
    log = Log([user, model, Say("user", [(15_000, 16_000)])], [Fault("B", "cut_in", model, user)])
    (row,) = pairs_of(log)
    assert (row["status"], row["status_reason"]) == ("needs_rewrite", "no_reply_in_log")
    assert spans(row, "rejected_speech") == [(12_000, 15_000)]
    assert (ms(row["rejected_end_s"]), ms(row["rejected_tail_s"])) == (15_400, 400)


def test_user_backchannels_after_t0_are_reactions_and_left_out() -> None:
    log = cut_in()
    log.turns.append(Say("user", [(16_400, 16_700)], kind="backchannel"))
    (with_one,), (without,) = pairs_of(log), pairs_of(cut_in())
    assert with_one == without


def test_two_intrusions_into_one_utterance_are_two_pairs() -> None:
    user = Say("user", [(10_000, 20_000)])
    first, second = Say("model", [(12_000, 13_000)]), Say("model", [(15_000, 16_500)])
    faults = [Fault("B", "cut_in", first, user), Fault("B", "cut_in", second, user)]
    rows = {ms(row["t0_s"]): row for row in pairs_of(Log([user, first, second], faults))}
    assert spans(rows[12_000], "chosen_speech") == [(20_300, 21_300)]
    assert spans(rows[15_000], "chosen_speech") == [(20_300, 21_800)]
    # The fault of the first pair is the first intrusion: its rejected side is silent from the second one on.
    assert spans(rows[12_000], "rejected_speech") == [(12_000, 13_000)]
    assert ms(rows[12_000]["rejected_tail_s"]) == 21_700 - 15_000
    assert spans(rows[15_000], "rejected_speech") == [(15_000, 16_500)]
    assert rows[12_000]["context_id"] != rows[15_000]["context_id"]


def test_model_backchannel_stays_on_the_rejected_side_as_logged() -> None:
    log = late()
    log.turns.append(Say("model", [(13_500, 13_800)], kind="backchannel"))
    (row,) = pairs_of(log)
    assert spans(row, "rejected_speech") == [(13_500, 13_800)]
    assert spans(row, "chosen_speech") == [(12_300, 14_300)]


# Words, context, bad rows


def test_dropped_words_and_the_users_words_stay_out() -> None:
    log = cut_in()
    log.turns[0].words = [("Hey", 12_100, 12_300)]
    ghost = {"channel": "model", "word_index": 9, "text": "ghost", "start_s": 12.5, "end_s": 12.7}
    log.extra_words = [{**ghost, "timing_source": "asr", "dropped": "no_own_speech", "asr": "x"}]
    (row,) = pairs_of(log)
    assert [text for text, _, _ in said(row, "rejected_words")] == ["Well,", "no."]


def test_words_timed_over_the_edge_of_their_speech_are_kept_and_cut_to_the_sides() -> None:
    log = cut_in()
    log.turns[1].words = [("Well,", 11_900, 12_400), ("no.", 14_300, 14_800)]
    (row,) = pairs_of(log)
    assert said(row, "rejected_words") == [("Well,", 12_000, 12_400), ("no.", 14_300, 14_800)]
    assert said(row, "chosen_words") == [("Well,", 15_300, 15_700), ("no.", 17_600, 18_100)]


def test_a_log_without_words_makes_the_same_pair_without_words() -> None:
    (with_words,), (without,) = pairs_of(cut_in()), pairs_of(cut_in(), with_words=False)
    assert without["chosen_words"] == without["rejected_words"] == []
    assert {**without, "chosen_words": 0, "rejected_words": 0} == {**with_words, "chosen_words": 0, "rejected_words": 0}


def test_context_is_cropped_to_whole_frames_before_the_first_scored_one() -> None:
    (row,) = pairs_of(cut_in(), shift=400_000)
    assert row["t0_frame"] == window_start_frame(412.0) == 5_149
    assert ms(row["context_start_s"]) == (5_149 - 3_000) * 80


def test_dialogue_whose_issue_names_a_missing_turn_is_quarantined_alone() -> None:
    good, bad = replace(cut_in(), dialogue_id="good"), replace(late(), dialogue_id="bad")
    batch = batch_of(good, bad)
    turns = batch[TURNS].filter((pl.col("dialogue_id") != "bad") | (pl.col("channel") == "user"))
    output = Pairs().process(Batch(batch.dialogue_ids, {**batch.tables, "turns": turns}))
    assert output.rows["dialogue_id"].to_list() == ["good"]
    (quarantined,) = output.quarantined
    assert (quarantined.dialogue_id, quarantined.reason) == ("bad", Reason.INTERNAL_ERROR)
    assert "no model turn 1" in quarantined.detail


def test_other_events_make_no_pairs() -> None:
    batch = batch_of(cut_in())
    events = batch[TIMING_EVENTS].with_columns(
        event=pl.lit("barge_in"), issue_type=pl.lit(None, dtype=pl.String()), rank=pl.lit(None, dtype=pl.Int64())
    )
    output = Pairs().process(Batch(batch.dialogue_ids, {**batch.tables, "timing_events": events}))
    assert PAIRS.conform(output.rows).is_empty()
    assert output.quarantined == ()


def test_gap_range_must_not_run_backwards() -> None:
    with pytest.raises(ValidationError, match=r"response_gap_min_s = 0\.5 is above response_gap_max_s = 0\.2"):
        PairsConfig(response_gap_min_s=0.5, response_gap_max_s=0.2)


# Random timelines


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


def test_the_example_in_the_docs_is_what_the_stage_makes() -> None:
    cut, intruder = Say("user", [(42_514, 46_115)]), Say("model", [(45_209, 48_374)], [("At", 45_209, 45_366)])
    asked, answer = Say("user", [(17_707, 20_609)]), Say("model", [(28_444, 30_142)])
    last = Say("user", [(57_454, 60_379)])
    faults = [Fault("B", "cut_in", intruder, cut), Fault("C", "late", asked, answer), Fault("C", "no_response", last)]
    log = Log([cut, intruder, Say("user", [(49_180, 52_516)]), asked, answer, last], faults, 67_588, "d03dbebdf9e")
    rows = {row["subtype"]: row for row in pairs_of(log, config=PairsConfig())}
    order = [rows[subtype] for subtype in ("cut_in", "late", "no_response")]

    def shown(row: Row, column: str) -> str:
        value = row[column]
        if isinstance(value, list):
            return ", ".join(f"{span['start_s']:.3f}-{span['end_s']:.3f}" for span in value) or "-"
        if isinstance(value, float):
            return "0" if value == 0 else f"{value:.3f}"
        return "-" if value is None else str(value)

    lines = (Path(__file__).parents[2] / "docs" / "pairs.md").read_text().splitlines()
    table = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith("| `") and line.count("|") == 5
    ]
    compared = [cells for cells in table if "_words" not in cells[0]]
    assert len(compared) == 14
    for label, *cells in compared:
        columns = [name.strip("` ") for name in label.split(",")]
        assert cells == [", ".join(shown(row, column) for column in columns) for row in order], label
