"""Recorded answers: what finds them again, what does not, and those that come with the sample logs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from judges.clients import Answer, Request, open_client
from judges.clients.recorded import Judged, Recording, Replay, Reply, read_lines
from judges.dialogue import Dialogue
from judges.grading import Verdict, grade
from judges.settings import ClientSettings
from schemas.verdicts import Axis, Unscored
from store.layout import StoreError
from tests.judges.talks import Scripted, good_answer, rubric, talk

SAMPLES = Path(__file__).parents[2] / "data_samples"
TALK = talk("d", "What time is it?", "It is noon.", "Thanks", "You are welcome.")


def shifted(dialogue: Dialogue, by: float, name: str = "d") -> Dialogue:
    moved = tuple(replace(turn, start_s=turn.start_s + by, end_s=turn.end_s + by) for turn in dialogue.turns)
    return replace(dialogue, dialogue_id=name, turns=moved)


def recorded(path: Path, dialogue: Dialogue = TALK) -> Scripted:
    client = Scripted(lambda request: Answer(good_answer(request, 2), prompt_tokens=7))
    asyncio.run(grade(Recording(client, path), rubric(), [dialogue]))
    return client


def replayed(path: Path, dialogue: Dialogue, model: str = "", **config: object) -> list[Verdict]:
    client = open_client("recorded", model, ClientSettings(answers=path))
    return asyncio.run(grade(client, rubric(**config), [dialogue]))


def test_what_was_recorded_is_replayed_with_its_tokens_and_model(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    client = recorded(path)
    assert len(path.read_text().splitlines()) == len(client.asked) == len(Axis)
    verdicts = replayed(path, TALK)
    assert {v.given.score for v in verdicts if v.given is not None} == {2}
    assert all(v.outcome is not None and v.outcome.prompt_tokens == 7 for v in verdicts)
    assert open_client("recorded", "", ClientSettings(answers=path)).model == "scripted"


def test_times_and_names_may_change_and_words_may_not(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    recorded(path)
    assert all(v.given is not None for v in replayed(path, shifted(TALK, 0.01, "elsewhere")))
    other = talk("d", "What time is it?", "It is one.", "Thanks", "You are welcome.")
    assert {v.unscored for v in replayed(path, other)} == {Unscored.REQUEST_FAILED}


def test_a_miss_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    recorded(path)
    (verdict, *_) = replayed(path, talk("new", "hi", "hello"))
    assert verdict.outcome is not None
    (note,) = verdict.outcome.notes
    assert note == (
        "no recorded answer for new (judge) in answers.jsonl: "
        "record it with clients.record, or name a client that can answer"
    )
    assert {v.unscored for v in replayed(path, TALK, model="another")} == {Unscored.REQUEST_FAILED}
    assert {v.unscored for v in replayed(path, TALK, seed=9)} == {Unscored.REQUEST_FAILED}


def test_failed_requests_are_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    client = Scripted(lambda request: Answer(None, error="gone"))
    asyncio.run(grade(Recording(client, path), rubric(), [TALK]))
    assert not path.exists()


def test_any_client_records_by_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    client = open_client("heuristic", "", ClientSettings(record=path))
    first = asyncio.run(grade(client, rubric(), [TALK]))
    assert [v.given for v in replayed(path, TALK)] == [v.given for v in first]


def by_hand(**changes: object) -> Judged:
    tone = {"tone": {"score": 1, "problematic": True, "justification": "dull"}}
    line = {"dialogue": "d", "start_s": 2.5, "said": "It is noon.", "verdicts": tone, **changes}
    return Judged.model_validate(line)


def tones(lines: list[Judged | Reply], dialogue: Dialogue, **config: object) -> dict[int, int | None]:
    graded = asyncio.run(grade(Replay(lines, "here"), rubric(axes=["tone"], **config), [dialogue]))
    return {v.turn_index: None if v.given is None else v.given.score for v in graded}


def test_lines_written_by_hand_are_found_by_place_and_words(tmp_path: Path) -> None:
    assert tones([by_hand()], TALK) == {1: 1, 3: None}
    assert tones([by_hand()], TALK, seed=9, axes_per_call="all") == {1: 1, 3: None}, "prompts may change"
    assert tones([by_hand()], shifted(TALK, 0.4)) == {1: 1, 3: None}
    assert tones([by_hand()], shifted(TALK, 0.6)) == {1: None, 3: None}
    assert tones([by_hand(said="it's noon")], TALK)[1] == 1, "recognisers mishear"
    assert tones([by_hand(said="Penguins live in the south.")], TALK)[1] is None
    assert tones([by_hand()], shifted(TALK, 0, "another"))[1] is None
    nearest = by_hand(start_s=2.6, verdicts={"tone": {"score": 4, "justification": "fine"}})
    assert tones([by_hand(start_s=2.2), nearest], TALK)[1] == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no recorded answers"),
        ('{"key": "x"}', "line 1: no recorded answer"),
        (
            '\n{"dialogue": "d", "start_s": 1, "said": "x", "verdicts": {"tone": {"score": 9, "justification": ""}}}',
            "line 2",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(text)
    with pytest.raises(StoreError, match=says):
        open_client("recorded", "", ClientSettings(answers=path))
    with pytest.raises(StoreError, match=r"set clients\.answers"):
        open_client("recorded", "", ClientSettings())


def test_a_request_about_nothing_is_a_miss() -> None:
    (answer,) = asyncio.run(Replay([by_hand()], "here").answer([Request("d", "other", (), {}, 10, "v")]))
    assert answer.text is None


# the sample logs


def truth() -> dict[str, dict[str, object]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((SAMPLES / "truth").glob("*.json"))}


LINES = read_lines(SAMPLES / "recorded" / "answers.jsonl")
JUDGED = [line for line in LINES if isinstance(line, Judged)]
REPLIES = [line for line in LINES if isinstance(line, Reply)]


def as_heard(segments: list[dict[str, object]], name: str, gap_s: float = 1.0) -> Dialogue:
    """Truth segments as turns: what one side says with short pauses is one turn, as the stage `turns` has it."""
    dialogue = talk(name)
    turns = list(dialogue.turns)
    from judges.dialogue import Turn

    for segment in segments:
        who, start, end = str(segment["who"]), float(str(segment["start"])), float(str(segment["end"]))
        kind = "backchannel" if segment["kind"] == "backchannel" else "utterance"
        last = next((t for t in reversed(turns) if t.channel == who), None)
        if last is not None and kind == last.kind == "utterance" and start - last.end_s < gap_s:
            joined = replace(last, end_s=end, text=f"{last.text} {segment['text']}")
            turns[turns.index(last)] = joined
        else:
            turns.append(Turn(len(turns), who, kind, start, end, str(segment["text"])))
    return replace(dialogue, turns=tuple(turns))


@pytest.mark.parametrize("name", sorted(truth()))
def test_every_reply_of_the_sample_logs_is_judged_on_every_axis(name: str) -> None:
    dialogue = as_heard(truth()[name]["segments"], name)  # type: ignore[arg-type]
    graded = asyncio.run(grade(Replay(LINES, "here"), rubric(), [dialogue]))
    assert graded
    assert [(v.turn_index, v.axis) for v in graded if v.given is None] == []


def test_planted_faults_are_judged_as_planted_and_good_logs_as_good() -> None:
    (planted,) = (
        (name, event["t"])
        for name, one in truth().items()
        for event in one["events"]  # type: ignore[attr-defined]
        if event["type"] == "A"
    )
    (line,) = (one for one in JUDGED if one.dialogue == planted[0] and abs(one.start_s - planted[1]) < 0.1)
    assert line.verdicts[Axis.HELPFULNESS].problematic
    content = [Axis.HELPFULNESS, Axis.SAFETY, Axis.FACTUAL_ACCURACY, Axis.INSTRUCTION_ADHERENCE, Axis.TONE]
    for one in JUDGED:
        bad = [axis for axis in content if one.verdicts[axis].problematic]
        if one.dialogue in {"clean", "backchannels", "barge-in", "reprompt", "late-answer", "no-answer-at-end"}:
            assert bad == [], one
        for verdict in one.verdicts.values():
            assert verdict.problematic == (0 <= verdict.score <= 1), one
            assert 10 < len(verdict.justification) < 120, one
    cut_in = {(o.dialogue, o.start_s) for o in JUDGED if o.verdicts[Axis.INTERRUPTION].problematic}
    events = [
        (name, event["t"])
        for name, one in truth().items()
        for event in one["events"]  # type: ignore[attr-defined]
        if event["type"] == "B"
    ]
    assert len(cut_in) == len(events)
    assert all(any(n == name and abs(t - start) < 0.1 for n, start in cut_in) for name, t in events)


def test_every_fault_of_the_sample_logs_has_a_reply() -> None:
    wanted = [
        (name, event["t"])
        for name, one in truth().items()
        for event in one["events"]  # type: ignore[attr-defined]
        if event["type"] in {"A", "B", "C"}
    ]
    assert [w for w in wanted if not any(r.dialogue == w[0] and abs(r.t0_s - w[1]) <= 0.1 for r in REPLIES)] == []
    assert len(REPLIES) == len(wanted)
    for reply in REPLIES:
        assert 0 <= reply.improvement <= 3
        assert reply.explanation
        assert not set(reply.improved_response) & set("()[]{}*#<>/|")
        assert len(reply.improved_response.split()) <= 40
