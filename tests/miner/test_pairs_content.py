"""Pairs of content faults, rewritten replies and checked ones on hand-made timelines. Times here are in ms."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from miner.pairs import Pairs, PairsConfig
from schemas.content_issues import CONTENT_ISSUES
from schemas.ids import context_id, issue_id, pair_id
from schemas.pairs import PAIRS
from schemas.reasons import NoPair
from schemas.rewrites import REWRITES, NoRewrite
from schemas.timing_events import TIMING_EVENTS
from schemas.verdicts import VERDICTS
from store.stage import Batch
from tests.miner.pair_logs import FIXED_GAP, Fault, Flaw, Log, Rewrite, Row, Say, batch_of, ms, pairs_of, said, spans

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "data" / "pairs_of_timing"
GOOD = (3, 4, -1, 3, 2)


def test_without_judge_and_rewriter_the_rows_are_what_they_were() -> None:
    """Twelve dialogues and their 49 pairs, kept from before the stage knew of content."""
    tables = {name: pl.read_parquet(GOLDEN / f"{name}.parquet") for name in ("dialogues", "turns", "words")}
    tables["timing_events"] = pl.read_parquet(GOLDEN / "timing_events.parquet")
    before = pl.read_parquet(GOLDEN / "pairs.parquet")
    ids = tables["dialogues"]["dialogue_id"].to_list()
    assert len(before) == 49
    empty = {table.name: table.empty() for table in (CONTENT_ISSUES, VERDICTS, REWRITES)}
    for given in (tables, {**tables, **empty}):
        rows = PAIRS.conform(Pairs().process(Batch(ids, given)).rows)
        assert rows.select(before.columns).equals(before)
        others = set(rows.columns) - set(before.columns) - {"user_turn_index", "model_turn_index"}
        assert all(rows[column].is_null().all() for column in others)


def wrong_answer(reply: str | None = "Rome it is. Shall I go on?", language: str | None = "en") -> Log:
    """The user asks 1.0-3.0; the model answers wrongly 4.0-6.0 and 6.3-10.3; the user speaks again at 12.0.

    Its 12 words have 90 characters, its speech lasts 6.0 s: 15 characters a second.
    """
    asked, again = Say("user", [(1_000, 3_000)]), Say("user", [(12_000, 13_000)])
    texts = ["abcdefg"] * 6 + ["abcdefgh"] * 6
    spoken = [(text, 4_000 + 300 * i, 4_300 + 300 * i) for i, text in enumerate(texts)]
    model = Say("model", [(4_000, 6_000), (6_300, 10_300)], spoken)
    flaw = Flaw(model, asked, "factual_accuracy")
    log = Log([asked, model, again], [], flaws=[flaw], language=language)
    log.rewrites = [] if reply is None else [Rewrite(flaw, reply=reply)]
    return log


def test_content_fault_parts_at_the_onset_of_the_faulty_turn() -> None:
    (row,) = pairs_of(wrong_answer())
    assert (row["pair_type"], row["timing"], row["has_content"]) == ("A", None, True)
    assert row["subtype"] == row["axis"] == "factual_accuracy"
    assert (row["status"], row["chosen_source"], row["reply_check"]) == ("ready", "rewritten", "rewritten")
    assert row["issue_id"] == row["content_issue_id"] == issue_id("d", "A", 4.0)
    assert (row["pair_id"], row["context_id"]) == (pair_id("d", "A", 4.0), context_id("d", 4.0))
    assert (ms(row["t0_s"]), row["response_gap_s"], ms(row["user_end_s"])) == (4_000, 0.0, 4_000)
    assert (row["user_turn_index"], row["model_turn_index"], row["rank"]) == (0, 1, 0)
    assert row["user_speech"] == []
    assert spans(row, "rejected_speech") == [(4_000, 6_000), (6_300, 10_300)]
    assert len(row["rejected_words"]) == 12
    # Fifteen characters a second; 0.3 s after the first sentence.
    assert said(row, "chosen_words") == [
        ("Rome", 4_000, 4_267),
        ("it", 4_267, 4_400),
        ("is.", 4_400, 4_600),
        ("Shall", 4_900, 5_233),
        ("I", 5_233, 5_300),
        ("go", 5_300, 5_433),
        ("on?", 5_433, 5_633),
    ]
    assert {word["timing_source"] for word in row["chosen_words"]} == {"planned"}
    assert spans(row, "chosen_speech") == [(4_000, 4_600), (4_900, 5_633)]
    # Natural windows: each side ends 0.4 s after its own reply.
    assert (row["window_kind"], ms(row["chosen_end_s"]), ms(row["rejected_end_s"])) == ("natural", 6_033, 10_700)
    assert (row["chosen_log_start_s"], row["chosen_log_end_s"]) == (None, None)
    assert (row["rewrite_status"], row["rewriter"], row["rewriter_model"]) == ("rewritten", "mock", "w")


def test_content_pairs_end_together_when_asked() -> None:
    (row,) = pairs_of(wrong_answer(), config=FIXED_GAP.model_copy(update={"window_a": "equal"}))
    assert (row["window_kind"], ms(row["chosen_end_s"]), ms(row["rejected_end_s"])) == ("equal", 10_700, 10_700)


def test_content_fault_that_nobody_rewrote_waits() -> None:
    (row,) = pairs_of(wrong_answer(reply=None))
    assert (row["status"], row["status_reason"]) == ("needs_rewrite", "content_fault")
    assert row["has_content"] is True
    assert row["chosen_speech"] == row["chosen_words"] == []
    assert row["chosen_end_s"] is row["reply_check"] is row["chosen_source"] is None
    assert spans(row, "rejected_speech") == [(4_000, 6_000), (6_300, 10_300)]


def test_faulty_turn_is_cut_where_the_user_barges_in() -> None:
    log = wrong_answer()
    log.turns[2] = Say("user", [(7_000, 9_000)])
    (row,) = pairs_of(log)
    assert spans(row, "rejected_speech") == [(4_000, 6_000), (6_300, 7_000)]
    assert ms(row["rejected_end_s"]) == 7_400
    assert row["user_speech"] == []


def test_user_still_speaking_at_the_onset_ends_the_utterance_on_both_sides() -> None:
    log = wrong_answer()
    asked = Say("user", [(1_000, 3_000), (3_500, 4_250)])
    log.turns[0] = log.flaws[0].answers = asked
    (row,) = pairs_of(log)
    assert spans(row, "user_speech") == [(4_000, 4_250)]
    assert ms(row["user_end_s"]) == 4_250
    assert said(row, "chosen_words")[0] == ("Rome", 4_000, 4_267)


def test_model_that_speaks_first_can_be_at_fault() -> None:
    greeting = Say("model", [(0, 2_000)])
    flaw = Flaw(greeting, None, "tone")
    (row,) = pairs_of(Log([greeting], [], flaws=[flaw], rewrites=[Rewrite(flaw, reply="Hello there.")]))
    assert row["user_turn_index"] is None
    assert row["user_speech"] == []
    # No words in the log: 15 characters a second, as English is spoken.
    assert said(row, "chosen_words") == [("Hello", 0, 333), ("there.", 333, 733)]


def cut_in(subtype: str = "cut_in") -> tuple[Log, Fault, Say]:
    """The user speaks 10.0-15.0, the model cuts in 12.0-14.5, and the log has nothing after."""
    user = Say("user", [(10_000, 13_000), (13_400, 15_000)])
    model = Say("model", [(12_000, 13_000), (13_300, 14_500)])
    fault = Fault("B", subtype, model, user)
    return Log([user, model], [fault]), fault, model


def test_intrusion_with_a_content_fault_is_one_pair_with_both_ids() -> None:
    log, fault, model = cut_in()
    log.flaws = [Flaw(model, log.turns[0], "tone")]
    log.rewrites = [Rewrite(fault, reply="Of course.")]
    (row,) = pairs_of(log)
    assert (row["pair_type"], row["timing"], row["has_content"]) == ("A+B", "B", True)
    assert (row["subtype"], row["axis"]) == ("cut_in", "tone")
    assert row["issue_id"] == issue_id("d", "B", 12.0)
    assert row["content_issue_id"] == issue_id("d", "A", 12.0)
    assert row["pair_id"] == pair_id("d", "A+B", 12.0)
    assert said(row, "chosen_words") == [("Of", 15_300, 15_433), ("course.", 15_433, 15_900)]
    assert spans(row, "rejected_speech") == [(12_000, 13_000), (13_300, 14_500)]
    assert (row["window_kind"], ms(row["chosen_end_s"]), ms(row["rejected_end_s"])) == ("equal", 16_300, 16_300)


def test_intrusion_with_a_content_fault_cannot_keep_its_words() -> None:
    log, fault, model = cut_in()
    log.flaws = [Flaw(model, log.turns[0])]
    for rewrites in ([], [Rewrite(fault, "adequate")]):
        log.rewrites = rewrites
        (row,) = pairs_of(log)
        assert (row["status"], row["status_reason"], row["reply_check"]) == ("needs_rewrite", "content_fault", None)


def test_late_answer_with_a_content_fault_is_one_pair() -> None:
    user, model = Say("user", [(10_000, 12_000)]), Say("model", [(16_000, 18_000)])
    fault = Fault("C", "late", user, model)
    log = Log([user, model], [fault], flaws=[Flaw(model, user)], rewrites=[Rewrite(fault, reply="Paris.")])
    (row,) = pairs_of(log)
    assert (row["pair_type"], row["timing"], row["has_content"]) == ("A+C", "C", True)
    assert said(row, "chosen_words") == [("Paris.", 12_300, 12_700)]
    assert row["rejected_speech"] == row["user_speech"] == []
    assert ms(row["chosen_end_s"]) == ms(row["rejected_end_s"]) == 16_000


def test_new_reply_makes_ready_what_the_log_could_not_answer() -> None:
    log, fault, _ = cut_in("cut_off")
    log.rewrites = [Rewrite(fault, reply="Sorry, go on.")]
    (row,) = pairs_of(log)
    assert (row["pair_type"], row["status"], row["has_content"]) == ("B", "ready", True)
    assert spans(row, "chosen_speech") == [(15_300, 16_033)]
    user = Say("user", [(10_000, 12_000)])
    silence = Fault("C", "no_response", user)
    (row,) = pairs_of(Log([user], [silence], 20_000, rewrites=[Rewrite(silence, reply="It is noon.")]))
    assert (row["pair_type"], row["status"], row["chosen_source"]) == ("C", "ready", "rewritten")
    # There is nothing in the log that this could say otherwise.
    assert row["has_content"] is False
    assert said(row, "chosen_words")[0] == ("It", 12_300, 12_433)
    assert (ms(row["chosen_end_s"]), ms(row["rejected_end_s"])) == (20_000, 20_000)


@pytest.mark.parametrize(
    ("scores", "rewrite", "check"),
    [
        (None, None, "unchecked"),
        (GOOD, None, "adequate"),
        ((3, 4, -1, None, 2), None, "unchecked"),
        ((3, 1, 3, 3, 3), None, "unchecked"),
        ((-1, -1, -1, -1, -1), None, "unchecked"),
        (None, Rewrite(Flaw(Say("model", [(0, 1)])), "adequate"), "adequate"),
    ],
)
def test_logged_reply_is_adequate_if_the_judge_or_the_rewriter_found_it_so(
    scores: tuple[int | None, ...] | None, rewrite: Rewrite | None, check: str
) -> None:
    log, fault, model = cut_in()
    log.judged = {} if scores is None else {model: scores}
    log.rewrites = [] if rewrite is None else [Rewrite(fault, rewrite.status)]
    (row,) = pairs_of(log)
    assert (row["status"], row["chosen_source"], row["has_content"]) == ("ready", "logged_delayed", False)
    assert row["reply_check"] == check
    assert row["judge"] == (None if scores is None else "mock")


def test_part_of_a_judged_reply_is_unchecked() -> None:
    log, fault, model = cut_in()
    model.ipus = [*model.ipus, (15_300, 19_000)]
    log.turns.append(Say("user", [(17_000, 18_000)]))
    log.judged, log.rewrites = {model: GOOD}, [Rewrite(fault, "adequate")]
    (row,) = pairs_of(log)
    assert (ms(row["chosen_log_end_s"]), row["reply_check"]) == (14_500, "unchecked")


def test_what_the_rewriter_could_not_mend_says_why() -> None:
    log, fault, model = cut_in()
    log.judged = {model: GOOD}
    log.rewrites = [Rewrite(fault, "rejected", reason="same_as_original")]
    (row,) = pairs_of(log)
    assert (row["status"], row["status_reason"]) == ("needs_rewrite", "same_as_original")
    assert (row["reply_check"], row["rewrite_status"], row["chosen_log_start_s"]) == (None, "rejected", None)


@pytest.mark.parametrize("status", ["failed", "over_budget"])
def test_what_the_rewriter_never_looked_at_keeps_its_logged_reply(status: str) -> None:
    log, fault, _ = cut_in()
    log.rewrites = [Rewrite(fault, status, reason="request_failed")]
    (row,) = pairs_of(log)
    assert (row["status"], row["reply_check"], row["rewrite_status"]) == ("ready", "unchecked", status)


def test_rewrite_without_words_is_no_reply() -> None:
    (row,) = pairs_of(wrong_answer(reply=" "))
    assert (row["status"], row["status_reason"]) == ("needs_rewrite", "empty")


def test_every_reason_of_the_rewriter_is_a_reason_of_pairs() -> None:
    assert {reason.value for reason in NoRewrite} <= {reason.value for reason in NoPair}


def last_word(row: Row) -> int:
    return said(row, "chosen_words")[-1][2] - ms(row["t0_s"])


def test_reply_is_planned_at_the_rate_of_the_log_as_far_as_that_is_believed() -> None:
    reply = "abcdefghij" * 3
    slow = wrong_answer(reply)
    slow.turns[1].words = [(text[:5], a, b) for text, a, b in slow.turns[1].words]
    garbled = wrong_answer(reply)
    garbled.turns[1].words = garbled.turns[1].words[:1]
    assert last_word(pairs_of(wrong_answer(reply))[0]) == 2_000
    assert last_word(pairs_of(slow)[0]) == 3_000
    assert last_word(pairs_of(garbled)[0]) == 4_000
    much = FIXED_GAP.model_copy(update={"rate_from_s": 6.1})
    assert last_word(pairs_of(slow, config=much)[0]) == 2_000
    assert last_word(pairs_of(wrong_answer(reply, language=None), with_words=False)[0]) == 2_000
    assert last_word(pairs_of(wrong_answer(reply, language="tlh"), with_words=False)[0]) == 2_000
    assert last_word(pairs_of(wrong_answer(reply, language="ko-KR"), with_words=False)[0]) == 5_000


def test_sentences_without_spaces_are_planned_one_by_one() -> None:
    (row,) = pairs_of(wrong_answer("はい。そうです、ええ。"), with_words=False)
    assert [text for text, _, _ in said(row, "chosen_words")] == ["はい。", "そうです、", "ええ。"]
    assert spans(row, "chosen_speech") == [(4_000, 4_200), (4_500, 5_033)]


def test_pairs_of_a_dialogue_have_one_order_whoever_found_the_fault() -> None:
    log = wrong_answer()
    user, model = Say("user", [(20_000, 25_000)]), Say("model", [(22_000, 24_000)])
    silent = Say("user", [(50_000, 51_000)])
    log.turns += [user, model, silent]
    log.faults = [Fault("B", "cut_in", model, user), Fault("C", "no_response", silent)]
    rows = sorted(pairs_of(log), key=lambda row: row["t0_s"])
    assert [row["pair_type"] for row in rows] == ["A", "B", "C"]
    assert rows[0]["rank"] == 0
    assert sorted(row["rank"] for row in rows) == [0, 1, 2]


def test_dialogue_whose_content_issue_names_no_turn_is_quarantined() -> None:
    batch = batch_of(wrong_answer())
    for column, detail in (("turn_index", "no model turn 9"), ("other_turn_index", "no user turn 9")):
        content = batch[CONTENT_ISSUES].with_columns(pl.lit(9, dtype=pl.Int64()).alias(column))
        output = Pairs().process(Batch(batch.dialogue_ids, {**batch.tables, "content_issues": content}))
        assert output.rows.is_empty()
        (quarantined,) = output.quarantined
        assert detail in quarantined.detail


def test_lineage_names_the_stages_whose_rows_went_in() -> None:
    log, fault, model = cut_in()
    log.judged, log.rewrites = {model: GOOD}, [Rewrite(fault, "adequate")]
    batch = batch_of(log)
    names = {table.name: f"v_{table.name}" for table in (TIMING_EVENTS, CONTENT_ISSUES, VERDICTS, REWRITES)}
    (row,) = PAIRS.conform(Pairs().process(Batch(batch.dialogue_ids, batch.tables, names)).rows).to_dicts()
    assert (row["detect_variant"], row["judge_variant"]) == ("v_timing_events", "v_verdicts")
    assert (row["rewrite_variant"], row["flag_variant"]) == ("v_rewrites", None)


def test_pause_below_the_gap_of_ipus_is_refused() -> None:
    with pytest.raises(ValueError, match="sentence_pause_s"):
        PairsConfig(sentence_pause_s=0.1)


def sample(name: str) -> dict[str, list[tuple[str, int, int]]]:
    """Words of a sample log by channel."""
    given = json.loads((ROOT / "data_samples" / f"{name}.words.json").read_text())["words"]
    return {
        channel: [(w["text"], ms(w["start"]), ms(w["end"])) for w in given if w["channel"] == channel]
        for channel in ("model", "user")
    }


def test_the_example_in_the_docs_is_what_the_stage_makes() -> None:
    asked = Say("user", [(6_230, 8_440)])
    first, wrong = Say("model", [(2_150, 5_670)], sample("off-topic")["model"]), Say("model", [(8_760, 10_590)])
    flaw = Flaw(wrong, asked)
    bye = Say("user", [(11_100, 11_690), (11_900, 12_900), (13_170, 13_460)])
    off_topic = Log([first, asked, wrong, bye], [], 19_027, "off-topic", flaws=[flaw])
    soap = "Wash them with a drop of dish soap. The thin film it leaves keeps the fog off."
    off_topic.rewrites = [Rewrite(flaw, reply=soap)]
    user, model = Say("user", [(7_730, 11_000)]), Say("model", [(10_750, 13_550)])
    others = [
        Say("model", [(3_380, 6_760)], sample("cut-off")["model"]),
        Say("model", [(20_780, 22_230), (22_580, 25_440)]),
    ]
    fault = Fault("B", "cut_off", model, user)
    later = Say("user", [(14_120, 18_410), (19_140, 20_350)])
    cut_off = Log([user, model, later, *others], [fault], 26_438, "cut-off")
    cut_off.rewrites = [Rewrite(fault, reply="Sure, go on. What does he not like?")]
    a, b = sorted(pairs_of(off_topic, cut_off, config=PairsConfig()), key=lambda row: row["pair_type"])

    def shown(row: Row, column: str) -> str:
        value = row[column]
        if isinstance(value, list):
            return ", ".join(f"{span['start_s']:.3f}-{span['end_s']:.3f}" for span in value) or "-"
        if isinstance(value, float):
            return "0" if value == 0 else f"{value:.3f}"
        return "-" if value is None else str(value)

    lines = (ROOT / "docs" / "pairs.md").read_text().splitlines()
    table = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith("| `") and line.count("|") == 4
    ]
    assert len(table) == 14
    for label, *cells in table:
        columns = [column.strip("` ") for column in label.split(",")]
        if columns[0].endswith("_words"):
            for cell, row in zip(cells, (a, b), strict=True):
                words = [f"{word['text']} {word['start_s']:.3f}" for word in row[columns[0]]]
                parts = [part.removeprefix("... ") for part in cell.replace("Sure, ", "Sure,_").split(", ")]
                assert {part.replace("Sure,_", "Sure, ") for part in parts} <= set(words), label
        else:
            assert cells == [", ".join(shown(row, column) for column in columns) for row in (a, b)], label
