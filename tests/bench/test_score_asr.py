"""The round trip of recognisers: word errors and time errors that are known."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import score_asr

ROOT = Path(__file__).parents[2]

SAMPLE = ROOT / "data_samples"


def words(text: str, starts: list[float], channel: str = "user") -> pl.DataFrame:
    said = text.split()
    starts, ends = [float(start) for start in starts], [start + 0.2 for start in starts]
    return pl.DataFrame(
        {"dialogue_id": "d", "channel": channel, "text": said, "start_s": starts, "end_s": ends, "dropped": None},
        schema_overrides={"dropped": pl.String()},
    )


def test_word_and_time_errors_are_counted() -> None:
    reference = words("The quick brown fox jumps over it.", [0, 1, 2, 3, 4, 5, 6])
    heard = words("the quick red fox um jumps it", [0.01, 1.02, 2, 2.96, 3.5, 4.0, 6.1])
    score = score_asr.scored("x", "m", reference, heard, 36.0, 3.6)
    assert (score.substituted, score.deleted, score.inserted, score.words) == (1, 1, 1, 7)
    assert score.wer == pytest.approx(3 / 7, abs=1e-4)
    assert score.start_ms_median == pytest.approx(20.0)
    assert score.end_ms_p95 == pytest.approx(88.0)
    assert score.rtf == pytest.approx(0.1)
    assert score.hours == pytest.approx(0.01)


def test_dropped_words_are_counted_and_not_compared() -> None:
    reference = words("hello there", [0, 1])
    heard = words("hello thanks there", [0, 0.5, 1]).with_columns(
        pl.when(pl.col("text") == "thanks").then(pl.lit("no_own_speech")).alias("dropped")
    )
    score = score_asr.scored("x", "m", reference, heard, 10.0, None)
    assert (score.wer, score.dropped, score.rtf) == (0.0, 1, None)


def test_only_channels_with_a_reference_count() -> None:
    reference = words("hello there", [0, 1], "model")
    heard = pl.concat([words("hello there", [0, 1], "model"), words("not in the reference", [0, 1, 2, 3])])
    assert score_asr.scored("x", "m", reference, heard, 10.0, None).wer == 0.0
    assert score_asr.scored("x", "m", reference, heard.clear(), 10.0, None).deleted == 2


def test_writing_makes_no_error_and_a_hyphened_word_has_one_start() -> None:
    reference = words("It’s thirty-four, OK?", [0, 1, 2])
    heard = words("it's thirty four ok", [0, 1.03, 1.1, 2])
    score = score_asr.scored("x", "m", reference, heard, 10.0, None)
    assert (score.wer, score.words) == (0.0, 4)
    assert score.start_ms_p95 is not None
    assert score.start_ms_p95 < 30.0


def test_no_reference_is_said() -> None:
    with pytest.raises(ValueError, match="no log came with words"):
        score_asr.compare(words("a", [0]).clear(), words("a", [0]))


def test_the_round_trip_through_the_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "corrupted"
    copy.mkdir()
    (copy / "off-topic.ogg").write_bytes((SAMPLE / "off-topic.ogg").read_bytes())
    file = json.loads((SAMPLE / "off-topic.words.json").read_text())
    n_words = len(file["words"])
    file["words"][3]["text"] = "xylophone"
    del file["words"][10]
    (copy / "off-topic.words.json").write_text(json.dumps(file))
    line = next(
        line for line in (SAMPLE / "manifest.jsonl").read_text().splitlines() if json.loads(line)["id"] == "off-topic"
    )
    (copy / "manifest.jsonl").write_text(line)
    original = tmp_path / "original"
    original.mkdir()
    for name in ("off-topic.ogg", "off-topic.words.json"):
        (original / name).write_bytes((SAMPLE / name).read_bytes())
    (original / "manifest.jsonl").write_text(line)
    manifest, other = str(original / "manifest.jsonl"), str(copy / "manifest.jsonl")
    score_asr.main([manifest, "--backend", "given", "--backend", "nowhere", "--heard", other, "--json"])
    result = json.loads(capsys.readouterr().out)
    same, corrupted = result["scores"]
    assert (same["backend"], same["wer"], same["words"]) == ("given", 0.0, n_words)
    assert same["rtf"] > 0
    assert same["end_ms_median"] == 0.0
    assert (corrupted["substituted"], corrupted["deleted"], corrupted["inserted"]) == (1, 1, 0)
    assert corrupted["quarantined"] == 0
    assert "nowhere" in result["not_run"]
    (copy / "off-topic.words.json").write_text("{")
    score_asr.main([manifest, "--heard", other, "--json"])
    (broken,) = json.loads(capsys.readouterr().out)["scores"]
    assert (broken["quarantined"], broken["wer"], broken["deleted"]) == (1, 1.0, n_words)


@pytest.mark.slow
def test_a_recogniser_is_not_given_the_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (SAMPLE / "manifest.jsonl").read_text().splitlines()
    for name in ("off-topic.ogg", "off-topic.words.json"):
        (tmp_path / name).write_bytes((SAMPLE / name).read_bytes())
    (tmp_path / "manifest.jsonl").write_text(next(line for line in lines if json.loads(line)["id"] == "off-topic"))

    score_asr.main([str(tmp_path / "manifest.jsonl"), "--backend", "pocketsphinx", "--json"])

    (heard,) = json.loads(capsys.readouterr().out)["scores"]
    assert 0 < heard["wer"] < 0.5
