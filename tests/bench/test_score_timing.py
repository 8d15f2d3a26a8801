"""The timing scorer counts what a person would count."""

import json
from pathlib import Path

import pytest
from score_timing import main, match, score


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    folder = tmp_path / "truth"
    folder.mkdir()
    events = [
        {"type": "B", "subtype": "overlap", "t": 5.0},
        {"type": "C", "subtype": "late", "t": 10.0},
        {"type": "C", "subtype": "end", "t": 20.0},
        {"type": "B", "subtype": "cut_off", "t": 30.0},
        {"type": "neg", "subtype": "goodbye", "t": 40.0},
    ]
    for name in ("clean", "noisy"):
        row = {"id": name, "condition": {"name": name}, "events": events}
        (folder / f"{name}.json").write_text(json.dumps(row))
    return folder


def found(tmp_path: Path, *issues: tuple[str, str, float]) -> Path:
    path = tmp_path / "found.jsonl"
    keys = ("dialogue_id", "type", "t")
    path.write_text("".join(json.dumps(dict(zip(keys, issue, strict=True))) + "\n" for issue in issues))
    return path


def test_hits_misses_and_false_alarms(tmp_path: Path, truth: Path) -> None:
    issues = found(tmp_path, ("clean", "B", 5.2), ("clean", "C", 11.1), ("clean", "C", 20.0), ("noisy", "B", 40.2))
    report = score(truth, issues, {"cut_off"}, 1.0, {"B", "C"})
    clean_b, clean_c = report.tallies["B", "clean"].row(), report.tallies["C", "clean"].row()
    assert (clean_b["precision"], clean_b["recall"], clean_b["median_dt_s"]) == (1.0, 1.0, 0.2)
    assert (clean_c["precision"], clean_c["recall"], clean_c["f1"]) == (0.5, 0.5, 0.5)
    assert report.tallies["B", "noisy"].row()["f1"] == 0.0
    assert report.tallies["B", "all"].hits == 1
    assert len(report.misses) == 1 + 1 + 2
    assert any("near neg goodbye" in line for line in report.false_alarms)


def test_what_is_left_out_counts_on_neither_side(tmp_path: Path, truth: Path) -> None:
    issues = found(tmp_path, ("clean", "B", 30.1), ("clean", "C", 40.0))
    report = score(truth, issues, {"cut_off", "goodbye"}, 1.0, {"B", "C"})
    assert report.false_alarms == []
    assert not any("cut_off" in line for line in report.misses)
    assert any("cut_off" in line for line in score(truth, found(tmp_path), set(), 1.0, {"B"}).misses)


def test_each_fault_is_found_once_and_by_the_nearest() -> None:
    assert match([1.0, 2.0], [1.7, 1.2, 2.1], 1.0) == [(1, 2), (0, 1)]
    assert match([1.0], [2.5], 1.0) == []
    assert match([], [1.0], 1.0) == []


def test_issues_of_an_unknown_dialogue_are_an_error(tmp_path: Path, truth: Path) -> None:
    with pytest.raises(ValueError, match="no truth for 1 dialogues"):
        score(truth, found(tmp_path, ("other", "B", 1.0)), set(), 1.0, {"B"})


def test_the_table_names_every_miss(tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(truth), str(found(tmp_path, ("clean", "B", 5.0)))])
    printed = capsys.readouterr().out
    assert "5 misses" in printed
    assert "noisy (noisy) at 5.00 s" in printed
