"""What `show` says of pairs: content faults, both kinds at once, rewritten replies."""

from __future__ import annotations

from rich.console import Console

from miner.show import DialogueView
from tests.miner.pair_logs import Fault, Flaw, Log, Rewrite, Row, Say, pairs_of


def shown(pairs: list[Row]) -> list[str]:
    dialogue = {
        "dialogue_id": "d",
        "duration_s": 60.0,
        "sample_rate_hz": 24_000,
        "model_id": None,
        "language": "en",
        "warnings": [],
    }
    console = Console(width=200)
    with console.capture() as captured:
        console.print(DialogueView(dialogue, [], [], [], pairs))
    return captured.get().splitlines()


def line_of(pairs: list[Row], kind: str) -> str:
    return next(line for line in shown(pairs) if f" {kind} " in line)


def test_rewritten_replies_are_told_from_logged_ones() -> None:
    user, model = Say("user", [(1_000, 3_000)]), Say("model", [(4_000, 6_000)], [("Rome.", 4_000, 6_000)])
    flaw = Flaw(model, user, "factual_accuracy")
    log = Log([user, model], [], flaws=[flaw], rewrites=[Rewrite(flaw, reply="It is Paris.")])
    line = line_of(pairs_of(log), "A factual_accuracy")
    assert "ready" in line
    assert "4.00-4.67 It is Paris. (rewritten, times planned)" in line
    assert "4.00-6.00 Rome." in line
    log.rewrites = []
    waiting = line_of(pairs_of(log), "A factual_accuracy")
    assert "needs_rewrite (content_fault)" in waiting
    assert "times planned" not in waiting


def test_a_pair_of_both_kinds_names_both() -> None:
    user, model = Say("user", [(10_000, 15_000)]), Say("model", [(12_000, 14_500)])
    log = Log([user, model], [Fault("B", "cut_in", model, user)], flaws=[Flaw(model, user, "tone")])
    assert "A+B cut_in + tone" in line_of(pairs_of(log), "A+B cut_in + tone")
