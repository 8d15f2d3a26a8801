"""The figures of redaction, on other draws than those they were tuned on."""

from __future__ import annotations

import score_redaction


def test_the_figures_hold() -> None:
    tallies = score_redaction.score(seed=11)
    assert sum(tally.lines for (_, form, _), tally in tallies.items() if form == "written") >= 150
    wrong = sum(tally.words_wrong for tally in tallies.values())
    right = sum(tally.words_right for tally in tallies.values())
    assert right / (right + wrong) >= 0.98
    for kind in ("phone", "email", "card"):
        of_kind = [tally for (_, _, k), tally in tallies.items() if k == kind]
        assert sum(tally.hidden for tally in of_kind) / sum(tally.places for tally in of_kind) >= 0.97
    assert score_redaction.figures(tallies["en", "written", "name"])["recall"] >= 0.95
    assert score_redaction.figures(tallies["en", "written", "without"])["wrong_words"] == 0
