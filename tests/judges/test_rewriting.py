"""What becomes of a fault: every outcome, once, with its reason, and nothing paid for that need not be."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.clients import Answer, Request
from judges.clients.too_long import TOO_LONG
from judges.faults import Fault
from judges.rewriting import Rewritten, edit_share, left_to_pairs, rewrite
from schemas.rewrites import STATUS, NoRewrite
from tests.judges.faults import BETTER, REPLY, fault, in_turn, rewriter, written
from tests.judges.talks import Scripted

LIST = "You need:\n- soap\n- a cloth"


def result(one: Fault, *answers: Answer | str, **config: object) -> tuple[Rewritten, list[Request]]:
    """What becomes of a fault with these answers, all of which must be asked for."""
    client = Scripted(in_turn(*answers))
    found = asyncio.run(rewrite(client, rewriter(**config), [one]))
    assert len(client.asked) == len(answers)
    return found[0], client.asked


@pytest.mark.parametrize(
    ("pair_type", "subtype"), [("A", ""), ("A+B", ""), ("B", ""), ("B", "cut_off"), ("C", ""), ("A+C", "late")]
)
def test_a_good_reply_is_taken(pair_type: str, subtype: str) -> None:
    found, _ = result(fault(pair_type, subtype), written())
    assert (found.status, found.reason) == ("rewritten", None)
    assert found.written is not None
    assert found.written.improved_response == BETTER
    assert found.written.explanation == "It answers the question."
    assert (found.edit_share is None) == (pair_type == "C")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (written(improvement=0), NoRewrite.NO_IMPROVEMENT),
        (written("teens need about Nine hours of sleep,\n a night"), NoRewrite.SAME_AS_ORIGINAL),
        (written(REPLY, improvement=0), NoRewrite.SAME_AS_ORIGINAL),
        (written(""), NoRewrite.EMPTY),
        (written(" ... "), NoRewrite.EMPTY),
        (written("\u200b"), NoRewrite.EMPTY),
    ],
)
def test_a_reply_that_mends_nothing_is_rejected(answer: str, reason: NoRewrite) -> None:
    found, _ = result(fault("A"), answer)
    assert (found.status, found.reason) == ("rejected", reason)


def test_quotation_marks_around_the_reply_are_no_part_of_it() -> None:
    found, _ = result(fault("A"), written(f' "{BETTER}" '))
    assert found.written is not None
    assert found.written.improved_response == BETTER
    kept = '"Sure" is what I say to "yes"'
    found, _ = result(fault("A"), written(kept))
    assert found.written is not None
    assert found.written.improved_response == kept


def test_an_unspeakable_reply_is_asked_for_once_more_with_the_rule() -> None:
    found, asked = result(fault("A"), written(LIST), written())
    assert found.status == "rewritten"
    assert found.written is not None
    assert found.written.improved_response == BETTER
    roles = [message.role for message in asked[1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert json.loads(asked[1].messages[2].text)["improved_response"] == LIST
    assert "list" in asked[1].messages[3].text
    assert "without bullets" in asked[1].messages[3].text
    assert len(found.tries) == 2


def test_unspeakable_twice_is_rejected_and_names_the_rules_of_the_second() -> None:
    found, _ = result(fault("A"), written(LIST), written("Sure \U0001f600"))
    assert (found.status, found.reason) == ("rejected", NoRewrite.UNSPEAKABLE)
    assert found.detail == "emoji: \U0001f600"
    found, _ = result(fault("A"), written("word " * 61), written("word " * 62))
    assert found.detail == "too_many_words: 62 words, at most 60"
    found, _ = result(fault("A"), written("One. Two. Three."), written("One. Two. Three."), max_sentences=2)
    assert found.detail == "too_many_sentences: 3 sentences, at most 2"


@pytest.mark.parametrize("second", [Answer(None, error="503"), "never mind"])
def test_a_second_try_that_fails_leaves_the_first_unspeakable(second: Answer | str) -> None:
    answers = [second] if isinstance(second, Answer) else [second, second]
    found, _ = result(fault("A"), written(LIST), *answers)
    assert (found.status, found.reason) == ("rejected", NoRewrite.UNSPEAKABLE)
    assert (found.detail or "").startswith("line_break: ")
    assert len(found.tries) == 2


def test_the_second_try_may_find_that_nothing_can_be_mended() -> None:
    found, _ = result(fault("A"), written(LIST), written(improvement=0))
    assert (found.status, found.reason) == ("rejected", NoRewrite.NO_IMPROVEMENT)


def test_a_failed_request_says_why() -> None:
    found, _ = result(fault("A"), Answer(None, error="503 after 5 retries"))
    assert (found.status, found.reason, found.detail) == ("failed", NoRewrite.REQUEST_FAILED, "503 after 5 retries")


def test_a_request_that_does_not_fit_the_model_says_so() -> None:
    found, _ = result(fault("A"), Answer(None, TOO_LONG, "prompt is too long"))
    assert (found.status, found.reason, found.detail) == ("failed", NoRewrite.TOO_LONG, "prompt is too long")


@pytest.mark.parametrize(
    "bad",
    [
        "I would say: use soap.",
        '{"improved_response": "Use soap."}',
        written(improvement=4),
        written(improvement="much"),
        written(improvement=True),
        written("Sure \ud83d"),
        written()[:-20],
    ],
)
def test_an_unreadable_answer_is_repaired_once_and_then_fails(bad: str) -> None:
    found, asked = result(fault("A"), bad, written())
    assert found.status == "rewritten"
    assert "could not be used" in asked[1].messages[-1].text
    found, _ = result(fault("A"), bad, bad)
    assert (found.status, found.reason) == ("failed", NoRewrite.UNPARSABLE)
    assert found.detail


def test_an_answer_cut_off_gets_more_tokens() -> None:
    found, asked = result(fault("A"), Answer(written()[:30], "length"), written())
    assert found.status == "rewritten"
    assert asked[1].max_tokens == 4 * asked[0].max_tokens


def test_over_budget_costs_nothing() -> None:
    for pair_type in ("A", "B", "C", "A+B"):
        found, _ = result(fault(pair_type, rank=2))
        assert (found.status, found.reason) == ("over_budget", NoRewrite.RANK_OVER_BUDGET)
    assert result(fault(rank=2), written(), budget=3)[0].status == "rewritten"
    assert result(fault(rank=0), budget=0)[0].status == "over_budget"


def test_a_reply_judged_fine_and_whole_stays_and_costs_nothing() -> None:
    for one in (
        fault("B", judged_fine=True),
        fault("B", "pause_takeover", judged_fine=True),
        fault("C", "late", judged_fine=True),
        fault("B", judged_fine=True, rank=9),
    ):
        assert result(one)[0].status == "adequate"


@pytest.mark.parametrize(
    "one",
    [
        fault("B"),
        fault("B", judged_fine=True, whole=False),
        fault("B", "cut_off", judged_fine=True),
        fault("A+B", judged_fine=True),
    ],
    ids=["not judged", "broken off", "unfinished request", "content at fault"],
)
def test_any_other_reply_of_b_is_asked_about(one: Fault) -> None:
    assert result(one, written())[0].status == "rewritten"


def test_a_rewriter_that_leaves_a_whole_reply_as_it_is_finds_it_adequate() -> None:
    for answer in (written(REPLY, improvement=0), written(REPLY), written(improvement=0)):
        found, _ = result(fault("B"), answer)
        assert (found.status, found.reason) == ("adequate", None)
    for one in (fault("B", whole=False), fault("B", "cut_off"), fault("A+B")):
        found, _ = result(one, written(REPLY))
        assert (found.status, found.reason) == ("rejected", NoRewrite.SAME_AS_ORIGINAL)


def test_a_reply_without_words_is_not_taken_for_an_adequate_one() -> None:
    found, _ = result(fault("B", reply=""), written(improvement=0))
    assert (found.status, found.reason) == ("rejected", NoRewrite.NO_IMPROVEMENT)


@pytest.mark.parametrize(
    "one", [fault("A", asked=""), fault("C", asked=" "), fault("A+B", asked=""), fault("B", "cut_off", asked="")]
)
def test_where_a_new_reply_is_needed_and_nobody_knows_what_was_asked_nothing_is_asked(one: Fault) -> None:
    found, _ = result(one)
    assert (found.status, found.reason) == ("rejected", NoRewrite.NO_USER_WORDS)


def test_what_pairs_mends_from_the_log_alone_is_left_to_it() -> None:
    for one in (fault("C", "late"), fault("B", asked=""), fault("C", "late", judged_fine=True, whole=False)):
        assert left_to_pairs(one)
        assert asyncio.run(rewrite(Scripted(in_turn()), rewriter(), [one])) == []


def test_tokens_are_counted_over_all_tries() -> None:
    first = Answer(written(LIST), prompt_tokens=100, completion_tokens=10, latency_s=0.5)
    second = Answer(written(), prompt_tokens=150, completion_tokens=8, latency_s=0.25, cached=True)
    found, _ = result(fault("A"), first, second)
    assert [one.prompt_tokens for one in found.tries] == [100, 150]


def test_edit_share_counts_words_and_in_japanese_characters() -> None:
    assert edit_share("It is Paris.", "it is  paris", "en") == 0
    assert edit_share("It is Rome.", "It is Paris.", "en") == pytest.approx(1 / 3, abs=0.001)
    assert edit_share("yes", "never ever", "en") == 1
    assert edit_share("東京です", "京都です", "ja") == pytest.approx(0.25)
    assert edit_share("na " * 100_000, BETTER, "en") == 1


def wild(seed: int) -> Callable[[Request], Answer]:
    """A rewriter that goes wrong at random."""
    draw = random.Random(seed)

    def script(request: Request) -> Answer:
        del request
        kinds = [
            Answer(written()),
            Answer(written(improvement=0)),
            Answer(written(LIST)),
            Answer(written("")),
            Answer(written(REPLY)),
            Answer(None, error="503"),
            Answer("Sure, here it is"),
            Answer(written()[:20], "length"),
            Answer(written(improvement=7)),
            Answer("[" * 5000),
        ]
        return draw.choice(kinds)

    return script


FAULTS = st.builds(
    lambda kind, rank, fine, whole, asked, reply: fault(
        *kind, rank=rank, judged_fine=fine, whole=whole, asked=asked, reply=reply
    ),
    st.sampled_from(
        [
            ("A", ""),
            ("B", "cut_in"),
            ("B", "cut_off"),
            ("C", "no_response"),
            ("C", "late"),
            ("A+B", "cut_in"),
            ("A+C", "late"),
        ]
    ),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["What time is it?", ""]),
    st.sampled_from([REPLY, ""]),
)


@given(st.lists(FAULTS, max_size=8), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_fault_that_is_not_left_to_pairs_ends_in_exactly_one_result(faults: list[Fault], seed: int) -> None:
    client = Scripted(wild(seed))
    found = asyncio.run(rewrite(client, rewriter(), faults))
    assert [id(one.fault) for one in found] == [id(one) for one in faults if not left_to_pairs(one)]
    for one in found:
        assert one.status in STATUS
        assert (one.reason is None) == (one.status in ("rewritten", "adequate"))
        assert one.status != "rewritten" or (
            one.written is not None and one.written.improved_response in (BETTER, REPLY)
        )
        assert one.fault.rank < 2 or one.status in ("over_budget", "adequate")
    paid = [one for one in found if one.tries]
    assert len(paid) <= len(client.asked) <= 6 * len(paid)
