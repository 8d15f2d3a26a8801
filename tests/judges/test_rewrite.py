"""The stage: rows of ``rewrites``, its fingerprint, and what it needs and what it does not."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import polars as pl
import pytest

from judges.clients import Answer
from judges.rewrite import Rewrite
from judges.settings import ClientSettings, RewriteConfig
from schemas.content_issues import CONTENT_ISSUES
from schemas.rewrites import REWRITES
from schemas.timing_events import TIMING_EVENTS
from store.layout import Store, StoreError
from store.stage import Batch
from tests.judges.faults import BETTER, written
from tests.judges.talks import Scripted, frames, talk

TALKS = [
    talk("a", "How do I stop fog on glasses?", "Teens need nine hours.", "And how do I get there?"),
    talk("b", "hello?", "Hi."),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(str(tmp_path / "store"))


def make(store: Store, *rules: dict[str, object], prompts: Path | None = None, **config: object) -> Rewrite:
    answers = None
    if rules:
        answers = Path(store.url) / "rules.jsonl"
        answers.write_text("".join(json.dumps(rule) + "\n" for rule in rules), encoding="utf-8")
    settings = ClientSettings(answers=answers, prompts=prompts)
    return Rewrite(RewriteConfig.model_validate({"client": "mock", **config}), settings, store=store)


def batch(**more: pl.DataFrame) -> Batch:
    headers, turns = frames(TALKS)
    event = {
        "dialogue_id": "a", "event_id": "silence", "event": "C", "issue_type": "C",
        "subtype": "no_response", "t_s": 7.0, "turn_index": 2,
    }  # fmt: skip
    events = pl.DataFrame([event], schema=TIMING_EVENTS.schema)
    return Batch(["a", "b"], {"dialogues": headers, "turns": turns, "timing_events": events, **more})


def content() -> pl.DataFrame:
    issue = {
        "dialogue_id": "a", "issue_id": "off topic", "issue_type": "A", "subtype": "helpfulness", "t_s": 2.5,
        "turn_index": 1, "other_turn_index": 0,
        "evidence": json.dumps({"helpfulness": {"score": 0, "problematic": True, "justification": "Off topic."}}),
    }  # fmt: skip
    return pl.DataFrame([issue], schema=CONTENT_ISSUES.schema)


def rows(stage: Rewrite, given: Batch) -> list[dict[str, object]]:
    stage = pickle.loads(pickle.dumps(stage))
    stage.open()
    return REWRITES.conform(stage.process(given).rows).to_dicts()


def test_each_fault_has_a_row(store: Store) -> None:
    rules = [
        {"instead_of": "teens need", "improved_response": "Rub some soap on them.", "improvement": 3},
        {"instead_of": "get there", "improved_response": "Where would you like to go?", "improvement": 2},
    ]
    first, second = rows(make(store, *rules), batch(content_issues=content()))
    assert (first["issue_id"], first["pair_type"], first["t0_s"]) == ("off topic", "A", 2.5)
    assert (first["turn_index"], first["user_turn_index"], first["status"]) == (1, 0, "rewritten")
    assert (first["original"], first["improved_response"]) == ("Teens need nine hours.", "Rub some soap on them.")
    assert (first["improvement"], first["edit_share"], first["explanation"]) == (3, 1, "as scripted")
    assert (first["rewriter"], first["rewriter_model"]) == ("mock", "script")
    assert (second["issue_id"], second["pair_type"], second["turn_index"]) == ("silence", "C", None)
    assert (second["original"], second["edit_share"]) == (None, None)
    assert second["improved_response"] == "Where would you like to go?"


def test_without_verdicts_silences_are_answered_all_the_same(store: Store) -> None:
    (only,) = rows(make(store, {"instead_of": "", "improved_response": "Where to?"}), batch())
    assert (only["issue_id"], only["status"], only["detail"]) == ("silence", "rewritten", None)


def test_a_batch_without_faults_has_no_rows(store: Store) -> None:
    assert rows(make(store), batch(timing_events=TIMING_EVENTS.empty())) == []


def test_a_rewriter_that_knows_nothing_mends_nothing(store: Store) -> None:
    found = rows(make(store), batch(content_issues=content()))
    assert [(row["status"], row["reason"]) for row in found] == [
        ("rejected", "same_as_original"),
        ("rejected", "empty"),
    ]
    assert found[0]["edit_share"] == 0


def test_over_budget_is_a_row_too(store: Store) -> None:
    found = rows(
        make(store, {"instead_of": "", "improved_response": "Sure."}, budget=1), batch(content_issues=content())
    )
    assert [(row["status"], row["rewriter"]) for row in found] == [("rewritten", "mock"), ("over_budget", "mock")]
    assert found[1]["detail"] == "rank 1, budget 1"
    assert found[1]["prompt_tokens"] is None


def test_without_a_rewriter_the_stage_says_what_to_set(store: Store) -> None:
    with pytest.raises(StoreError, match=r"set rewrite\.client"):
        make(store, client="none")


def test_prompts_rules_and_settings_are_part_of_the_fingerprint(store: Store, tmp_path: Path) -> None:
    (tmp_path / "rewrite_again.j2").write_text("Again! {{ broken }}")
    shipped = make(store).variant
    one = make(store, {"instead_of": "", "improved_response": "Sure."}).variant
    two = make(store, {"instead_of": "", "improved_response": "No."}).variant
    own = make(store, prompts=tmp_path).variant
    assert len({shipped, one, two, own, make(store, max_words=30).variant}) == 5
    assert make(store).variant == shipped


@pytest.mark.parametrize("language", ["english please", "e", "en_GB"])
def test_a_language_that_is_no_tag_is_refused(language: str) -> None:
    with pytest.raises(ValueError, match="language"):
        RewriteConfig(language=language)


def test_a_rule_that_is_none_is_named_with_its_line(store: Store) -> None:
    stage = make(store, {"instead_of": "x", "improved_response": "y"}, {"instead_of": "x"})
    with pytest.raises(StoreError, match="line 2: no rule of the mock rewriter: Field required"):
        stage.open()


def test_an_answer_that_was_paid_for_is_kept_and_a_failed_request_is_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Scripted(lambda request: Answer(None, error="503"))
    client = broken
    monkeypatch.setattr("judges.rewrite.open_client", lambda *_: client)
    (row,) = rows(make(store), batch())
    assert (row["status"], row["reason"], row["detail"]) == ("failed", "request_failed", "503")
    client = Scripted(lambda request: Answer(written(), prompt_tokens=900))
    (row,) = rows(make(store, attempt=1), batch())
    assert (row["status"], row["prompt_tokens"], row["cached"]) == ("rewritten", 900, False)
    client = broken
    (row,) = rows(make(store, attempt=2), batch())
    assert (row["status"], row["prompt_tokens"], row["cached"]) == ("rewritten", 900, True)
    assert len(broken.asked) == 1
    assert make(store).variant != make(store, attempt=1).variant


def test_a_repaired_reply_counts_the_tokens_of_all_its_tries(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["Use soap.", written("- soap\n- cloth"), written()])
    client = Scripted(lambda request: Answer(next(answers), prompt_tokens=100, completion_tokens=5, latency_s=0.5))
    monkeypatch.setattr("judges.rewrite.open_client", lambda *_: client)
    (row,) = rows(make(store), batch())
    assert (row["prompt_tokens"], row["completion_tokens"], row["latency_s"]) == (300, 15, 1.5)
    assert row["improved_response"] == BETTER
