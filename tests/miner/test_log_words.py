"""Known text without word times is aligned with real audio, and people on one channel are told apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from audio.asr.choose import choose
from audio.diarize import SPEAKER_TURNS
from audio.frames import Samples
from miner import log_words
from miner.ingest.detect import open_source
from miner.ingest.ingest import Ingest, IngestConfig
from miner.ingest.refs import refs_frame
from miner.listen import Listen, ListenConfig
from miner.log_words import DiarizeConfig
from miner.transcribe import Transcribe, TranscribeConfig
from schemas.activity import ACTIVITY
from schemas.clock import Seconds
from schemas.dialogues import DIALOGUES
from schemas.words import WORDS
from store.stage import Batch

SAMPLES = Path(__file__).parents[2] / "data_samples"
LOG = "cut-off"


@pytest.fixture(scope="module")
def log() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of dialogues and activity of a sample log that has words."""
    source = open_source(str(SAMPLES / "manifest.jsonl"))
    refs = refs_frame(ref for ref in source.refs() if ref.dialogue_id == LOG)
    ingest = Ingest(IngestConfig(), root=source.root, source_id="s")
    dialogues = DIALOGUES.conform(ingest.process(Batch([LOG], {"refs": refs})).rows)
    listen = Listen(ListenConfig(), sources={"s": source.root})
    listen.open()
    activity = listen.process(Batch([LOG], {DIALOGUES.name: dialogues})).rows
    return dialogues, ACTIVITY.conform(activity)


def sentences() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The log's own words, and the same as text of whole turns: words less than 0.6 s apart in one."""
    words = json.loads((SAMPLES / "cut-off.words.json").read_text())["words"]
    joined: list[dict[str, object]] = []
    for word in sorted(words, key=lambda word: (word["channel"], word["start"])):
        last = joined[-1] if joined else None
        if last is not None and last["channel"] == word["channel"] and word["start"] - last["end"] < 0.6:  # type: ignore[operator]
            last |= {"text": f"{last['text']} {word['text']}", "end": word["end"]}
        else:
            joined.append(dict(word))
    return words, joined


def transcribed(
    log: tuple[pl.DataFrame, pl.DataFrame], root: Path, words: object, config: TranscribeConfig | None = None
) -> pl.DataFrame:
    """Words of the log, given this words file beside its audio."""
    dialogues, activity = log
    name = dialogues["model_path"].item()
    if not (root / name).exists():
        (root / name).symlink_to(SAMPLES / name)
    (root / "w.json").write_text(json.dumps({"words": words}))
    stage = Transcribe(config or TranscribeConfig(), choice=choose("given"), sources={"s": str(root)})
    rows = dialogues.with_columns(words_path=pl.lit("w.json"))
    output = stage.process(Batch([LOG], {DIALOGUES.name: rows, ACTIVITY.name: activity}))
    assert not output.quarantined
    return WORDS.conform(output.rows)


@pytest.mark.parametrize("with_times", [True, False])
def test_the_text_of_whole_turns_gets_word_times(
    log: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, with_times: bool
) -> None:
    words, turns = sentences()
    if not with_times:
        turns = [turn | {"start": None, "end": None} for turn in turns]

    found = transcribed(log, tmp_path, turns).filter(pl.col("dropped").is_null())

    assert sorted(found["text"]) == sorted(str(word["text"]) for word in words)
    true = {channel: [word for word in words if word["channel"] == channel] for channel in ("model", "user")}
    off = [
        abs(start - float(word["start"]))  # type: ignore[arg-type]
        for channel, expected in true.items()
        for start, word in zip(
            found.filter(channel=channel)["start_s"], sorted(expected, key=lambda w: float(w["start"])), strict=True
        )
    ]
    assert np.median(off) <= 0.15  # the sample's own word times are spread by letters within a phrase
    assert (found["timing_source"] == "aligned").mean() > 0.5


def test_without_alignment_words_share_their_sentence(log: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path) -> None:
    words, turns = sentences()

    found = transcribed(log, tmp_path, turns, TranscribeConfig(align_given=False))

    assert len(found) == len(words)
    assert "aligned" not in set(found["timing_source"])


class TwoPeople:
    """Says that the first half of a channel is one person and the rest another."""

    name = "pyannote"
    effective: ClassVar[dict[str, object]] = {}

    def speakers(self, blocks: Iterable[Samples], speech_s: Seconds) -> pl.DataFrame:
        seconds = sum(len(block) for block in blocks) / 16_000
        rows = [(0.0, seconds / 2, "S1"), (seconds / 2, seconds, "S2")]
        return pl.DataFrame(rows, schema=SPEAKER_TURNS, orient="row")


def test_words_of_a_diarised_channel_name_their_speaker(
    log: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_words, "open_diarizer", lambda *_: TwoPeople())
    words, _ = sentences()
    config = TranscribeConfig(diarize=DiarizeConfig(channels=("user",)))

    found = transcribed(log, tmp_path, words, config)

    half = log[0]["duration_s"].item() / 2
    user = found.filter(channel="user")
    assert set(user["speaker"]) == {"S1", "S2"}
    assert user.filter(pl.col("end_s") < half)["speaker"].unique().to_list() == ["S1"]
    assert found.filter(channel="model")["speaker"].null_count() == found.filter(channel="model").height
