"""The backchannel scorer reads labelled words and counts units as its head says."""

from pathlib import Path

import numpy as np
import pytest
from score_backchannels import answers, f1_row, labelled, main, read_files

from timing.config import TurnRules
from timing.lexicon import load

TALKS = [("we", 1.0, 3.0, "sd"), ("drove", 3.0, 5.5, "sd"), ("north", 5.6, 8.0, "sd"), ("then", 60.0, 61.0, "sd")]
LISTENS = [("uh-huh", 2.0, 2.4, "b"), ("right", 4.0, 4.4, "aa"), ("dogs", 6.0, 6.4, "ba"), ("okay", 20.0, 20.3, "sd")]


def lines(speaker: str, words: list[tuple[str, float, float, str]]) -> list[str]:
    tags = [f'(1:0:{i})\t{s}\t{e}\t{word}\tX\t<f/><diact type="{act}"/>' for i, (word, s, e, act) in enumerate(words)]
    return [f"Speaker: {speaker}", "", *tags, ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = [line for n in range(8) for line in lines(f"10{n:02}A", TALKS) + lines(f"10{n:02}B", LISTENS)]
    (tmp_path / "swbd_disf_test_data_timings.csv").write_text("\n".join(text))
    return tmp_path


def test_units_and_their_labels(folder: Path) -> None:
    words = read_files(folder)
    assert len(words) == 8 * 8
    data = labelled(words.filter(dialogue_id="1000"), TurnRules())
    assert data.said.text.to_list() == ["we drove north", "then", "uh-huh", "right", "dogs", "okay"]
    assert data.listens.tolist() == [False, False, True, False, True, False]
    assert data.agrees.tolist() == [False, False, False, True, False, False]
    found = answers(data, TurnRules(), load("en"))
    assert found["lexicon alone"].tolist() == [False, False, True, True, False, True]
    assert found["whole rule"].tolist() == [False, False, True, True, False, False]
    assert found["without the other side"].tolist() == [False, False, True, True, False, True]


def test_precision_recall_and_f1() -> None:
    found, truth = np.array([True, True, False, False]), np.array([True, False, True, False])
    everything = np.ones(4, dtype=np.bool_)
    assert f1_row(found, truth, everything) == "0.500 0.500 0.500"
    assert f1_row(found, truth, ~truth) == "0.000 0.000 0.000"
    assert f1_row(found, truth, np.array([True, False, False, True])) == "1.000 1.000 1.000"


def test_the_halves_share_no_dialogue(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for half in ("dev", "held-out", "all"):
        monkeypatch.setattr("sys.argv", ["score", str(folder), "--half", half])
        main()
        sizes.append(int(capsys.readouterr().out.split(": ")[1].split(" ")[0]))
    assert sizes[0] + sizes[1] == sizes[2] == 8
    assert all(sizes)


def test_a_folder_without_the_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["score", str(tmp_path)])
    with pytest.raises(SystemExit, match="no swbd_disf"):
        main()
