"""Pairs on hand-made timelines, one per kind of issue, with the values spelled out. Times here are in ms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from miner.pairs import Pairs, PairsConfig
from schemas.clock import window_start_frame
from schemas.ids import context_id, issue_id, pair_id
from schemas.pairs import PAIRS
from schemas.reasons import Reason
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from store.stage import Batch
from tests.miner.pair_logs import FIXED_GAP, Fault, Log, Row, Say, Span, batch_of, ms, pairs_of, said, spans, times


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
    assert (row["pair_type"], row["timing"], row["subtype"], row["window_kind"]) == ("B", "B", "cut_in", "equal")
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
    assert row["window_kind"] == "natural"
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


def test_rejected_side_cut_in_a_pause_of_the_model_ends_with_what_was_heard() -> None:
    user, model = Say("user", [(10_000, 13_000)]), Say("model", [(12_000, 14_000), (14_900, 18_000)])
    log = Log([user, model, Say("user", [(14_700, 16_000)])], [Fault("B", "cut_in", model, user)])
    (row,) = pairs_of(log, config=FIXED_GAP.model_copy(update={"window_b": "natural"}))
    assert spans(row, "rejected_speech") == [(12_000, 14_000)]
    assert (ms(row["rejected_end_s"]), ms(row["rejected_tail_s"])) == (14_400, 0)


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
