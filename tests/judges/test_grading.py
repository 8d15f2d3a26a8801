"""The repair ladder, and that every (reply, axis) ends with a grade or a reason: none lost, none twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.clients import Answer, Request, ServerGoneError
from judges.clients.too_long import TOO_LONG
from judges.dialogue import Dialogue
from judges.grading import Verdict, grade
from schemas.verdicts import Axis, Unscored
from tests.judges.talks import Scripted, faulty, good_answer, rubric, talk

TALK = talk("d", "hi", "hello", "what time is it", "noon", "thanks", "bye")


def judged(
    answers: Sequence[Answer | Callable[[Request], Answer]], dialogues: Sequence[Dialogue] = (TALK,), **config: object
) -> tuple[list[Verdict], list[Request]]:
    """What comes of scripted answers, one after another, on one axis."""
    left = iter(answers)

    def script(request: Request) -> Answer:
        answer = next(left)
        return answer(request) if callable(answer) else answer

    client = Scripted(script)
    verdicts = asyncio.run(grade(client, rubric(**{"axes": ["tone"], **config}), dialogues))
    assert next(left, None) is None, "asked less than expected"
    return verdicts, client.asked


def good(request: Request) -> Answer:
    return Answer(good_answer(request))


def scores(verdicts: Sequence[Verdict]) -> dict[int, int | Unscored | None]:
    return {v.turn_index: v.unscored if v.given is None else v.given.score for v in verdicts}


def test_a_good_answer_is_asked_for_once() -> None:
    verdicts, asked = judged([good])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}
    assert len(asked) == 1


@pytest.mark.parametrize("text", ['{"verdicts": [{"tu', '{"verdicts": [' + " \n" * 5000, ""])
def test_an_answer_cut_off_gets_more_tokens_once(text: str) -> None:
    verdicts, asked = judged([Answer(text, "length"), good])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}
    assert asked[1].max_tokens == 4 * asked[0].max_tokens
    assert asked[1].messages == asked[0].messages
    verdicts, asked = judged([Answer(text, "length")] * 2)
    assert set(scores(verdicts).values()) == {Unscored.CUT_OFF}
    assert verdicts[0].outcome is not None
    assert verdicts[0].outcome.raw_text == text[:4000]


def test_a_whole_answer_counts_even_if_space_after_it_ran_into_the_limit() -> None:
    verdicts, _ = judged([lambda request: Answer(good_answer(request) + "\n" * 3000, "length")])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}


@pytest.mark.parametrize(
    ("text", "why"), [("Rating: high", Unscored.UNPARSABLE), ('{"rating": 4}', Unscored.NOT_IN_SCHEMA)]
)
def test_an_unreadable_answer_is_shown_to_its_writer_once(text: str, why: Unscored) -> None:
    verdicts, asked = judged([Answer(text), good])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}
    assert asked[1].messages[:2] == asked[0].messages
    assert [message.role for message in asked[1].messages[2:]] == ["assistant", "user"]
    assert asked[1].messages[2].text == text
    assert "it is not" in asked[1].messages[3].text
    assert '"justification"' in asked[1].messages[3].text
    verdicts, _ = judged([Answer(text), Answer(text)])
    assert set(scores(verdicts).values()) == {why}
    assert {v.outcome.raw_text for v in verdicts if v.outcome is not None} == {text}


@pytest.mark.parametrize(
    "text", ["\ud800", '{"verdicts": [{"turn": 1, "justification": "\\ud800", "score": 3, "problematic": false}]}']
)
def test_half_a_character_can_be_stored_and_sent(text: str) -> None:
    verdicts, asked = judged([Answer(text), Answer(text)])
    assert all(v.unscored is not None for v in verdicts)
    assert all(v.outcome is not None and (v.outcome.raw_text or "").encode() for v in verdicts)
    assert asked[1].messages[2].text.encode()


def test_each_rung_is_used_once() -> None:
    verdicts, _ = judged([Answer("{", "length"), Answer("no"), Answer("{", "length")])
    assert set(scores(verdicts).values()) == {Unscored.CUT_OFF}


def test_a_request_that_fails_for_good_leaves_its_rows_unscored() -> None:
    verdicts, _ = judged([Answer(None, "error", "500 after 5 retries")])
    assert set(scores(verdicts).values()) == {Unscored.REQUEST_FAILED}
    assert verdicts[0].outcome is not None
    assert verdicts[0].outcome.notes == ["500 after 5 retries"]


def test_a_request_that_does_not_fit_the_model_says_so() -> None:
    verdicts, _ = judged([Answer(None, TOO_LONG, "maximum context length is 100 tokens")])
    assert set(scores(verdicts).values()) == {Unscored.TOO_LONG}
    assert verdicts[0].outcome is not None
    assert verdicts[0].outcome.notes == ["maximum context length is 100 tokens"]


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (Answer('{"verdicts": [{"tu', "length"), Unscored.CUT_OFF),
        (Answer("Rating: high"), Unscored.UNPARSABLE),
        (Answer('{"rating": 4}'), Unscored.NOT_IN_SCHEMA),
    ],
)
def test_where_only_the_longer_second_request_does_not_fit_the_first_answer_stands(
    first: Answer, why: Unscored
) -> None:
    verdicts, asked = judged([first, Answer(None, TOO_LONG, "too many tokens")])
    assert len(asked) == 2
    assert set(scores(verdicts).values()) == {why}
    outcome = verdicts[0].outcome
    assert outcome is not None
    assert (outcome.raw_text, outcome.notes) == (first.text, ["too many tokens"])


def test_a_second_request_that_fails_otherwise_says_that_it_failed() -> None:
    verdicts, _ = judged([Answer("{", "length"), Answer(None, "error", "500")])
    assert set(scores(verdicts).values()) == {Unscored.REQUEST_FAILED}


def only(*turns: int) -> Callable[[Request], Answer]:
    def script(request: Request) -> Answer:
        graded = json.loads(good_answer(request))["verdicts"]
        return Answer(json.dumps({"verdicts": [one for one in graded if one["turn"] in turns]}))

    return script


def test_missing_turns_are_asked_for_once_more_and_alone() -> None:
    verdicts, asked = judged([only(1), good])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}
    assert "to evaluate: 3, 5." in asked[1].messages[1].text
    assert "MODEL (turn 1): hello" in asked[1].messages[1].text, "the rest of the dialogue stays"
    verdicts, _ = judged([only(1), only(3)])
    assert scores(verdicts) == {1: 3, 3: 3, 5: Unscored.MISSING_TURN}


def test_turns_graded_twice_and_differently_are_asked_for_again() -> None:
    def contradicting(request: Request) -> Answer:
        graded = json.loads(good_answer(request))["verdicts"]
        return Answer(json.dumps({"verdicts": [*graded, graded[0] | {"score": 0}]}))

    verdicts, asked = judged([contradicting, good])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}
    assert "to evaluate: 1." in asked[1].messages[1].text
    verdicts, _ = judged([contradicting, contradicting])
    assert scores(verdicts) == {1: Unscored.MISSING_TURN, 3: 3, 5: 3}


def contradict_all(request: Request) -> Answer:
    graded = json.loads(good_answer(request))["verdicts"]
    return Answer(json.dumps({"verdicts": [*graded, *(one | {"score": 0} for one in graded)]}))


@pytest.mark.parametrize(
    ("answer", "says"), [(only(), "It says nothing of turn 3."), (contradict_all, "It grades turn 3 twice")]
)
def test_the_second_request_is_never_the_first_one_over_again(answer: Callable[[Request], Answer], says: str) -> None:
    _, (first, second) = judged([answer, good])
    assert first.key("m") != second.key("m")
    assert (first.purpose, second.purpose) == ("judge", "judge_again")
    assert second.messages[0] == first.messages[0]
    before, after = first.messages[1].text, second.messages[1].text
    assert after.startswith(before + "\n\n"), "they share their prefix"
    assert says in after.removeprefix(before)
    assert "each of the turns 1, 3, 5 exactly once" in after


def test_of_several_axes_the_second_request_names_those_that_were_missing() -> None:
    def without_tone_of_3(request: Request) -> Answer:
        graded = json.loads(good_answer(request))["verdicts"]
        return Answer(json.dumps({"verdicts": [one for one in graded if (one["turn"], one["axis"]) != (3, "tone")]}))

    _, (_, second) = judged([without_tone_of_3, good], axes=["tone", "safety"], axes_per_call="all")
    assert "It says nothing of turn 3 on tone.\nGrade turn 3 exactly once on each axis" in second.messages[1].text


def test_grades_of_turns_that_do_not_exist_are_noted() -> None:
    def more(request: Request) -> Answer:
        graded = json.loads(good_answer(request))["verdicts"]
        return Answer(json.dumps({"verdicts": [*graded, graded[0] | {"turn": 2}, graded[0] | {"turn": 77}]}))

    verdicts, _ = judged([more])
    assert scores(verdicts) == {1: 3, 3: 3, 5: 3}
    assert verdicts[0].outcome is not None
    assert verdicts[0].outcome.value is not None
    assert "[2, 77]" in verdicts[0].outcome.value.notes[0]


def test_replies_without_words_and_those_beyond_the_limit_are_not_asked_about() -> None:
    silent = talk("silent", "hi", "", "well?", "")
    verdicts, _ = judged([], [silent])
    assert scores(verdicts) == {1: Unscored.NO_WORDS, 3: Unscored.NO_WORDS}
    endless = talk("endless", *("word " * 200 for _ in range(8)))
    verdicts, asked = judged([good], [endless], transcript={"dialogue_chars": 3500})
    found = scores(verdicts)
    assert found[1] == 3
    assert found[7] is Unscored.TOO_LONG
    assert all(len(message.text) < 6000 for message in asked[0].messages[1:])


def test_nothing_to_judge_asks_nothing() -> None:
    assert judged([], [talk("mute", "hello?"), talk("nothing")])[0] == []


def test_a_server_that_is_gone_is_told_at_once() -> None:
    def gone(request: Request) -> Answer:
        raise ServerGoneError("no answer from the server")

    with pytest.raises(ServerGoneError):
        judged([gone])


def test_all_axes_in_one_call() -> None:
    verdicts, asked = judged([good], axes=[axis.value for axis in Axis], axes_per_call="all")
    assert len(asked) == 1
    assert {(v.turn_index, v.axis) for v in verdicts} == {(turn, axis) for turn in (1, 3, 5) for axis in Axis}
    assert all(v.given is not None for v in verdicts)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    fault_rate=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    per_call=st.sampled_from(["one", "all"]),
    sizes=st.lists(st.integers(0, 9), max_size=6),
)
def test_every_reply_and_axis_ends_scored_or_with_a_reason_once(
    seed: int, fault_rate: float, per_call: str, sizes: list[int]
) -> None:
    dialogues = [talk(f"d{i}", *(f"said {j}" for j in range(size))) for i, size in enumerate(sizes)]
    client = Scripted(faulty(seed, fault_rate))
    verdicts = asyncio.run(grade(client, rubric(axes_per_call=per_call), dialogues))
    keys = [(v.dialogue.dialogue_id, v.turn_index, v.axis) for v in verdicts]
    assert len(keys) == len(set(keys))
    assert set(keys) == {(d.dialogue_id, t.index, axis) for d in dialogues for t in d.replies() for axis in Axis}
    assert all((v.given is None) != (v.unscored is None) for v in verdicts)
    calls = sum(1 for d in dialogues if d.replies()) * (7 if per_call == "one" else 1)
    assert calls <= len(client.asked) <= 6 * calls
    if fault_rate == 0:
        assert all(v.given is not None for v in verdicts)
