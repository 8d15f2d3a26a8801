"""Words of a log: those that came with it, those that are heard, and what becomes of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import polars as pl
import pytest
import soundfile

from audio.asr import CLIP_WORDS, HEARD, RecogniserName, WordsError
from audio.asr.choose import Choice, choose
from audio.asr.given import given_words
from audio.asr.options import HowToRun, PocketsphinxOptions, WhisperOptions
from audio.frames import RATE_HZ, Samples
from miner.transcribe import Transcribe, TranscribeConfig
from schemas.activity import ACTIVITY
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.words import WORDS
from store.stage import Batch, StageOutput

Spans = list[tuple[float, float]]


def dialogues(words_paths: dict[str, str | None]) -> pl.DataFrame:
    fixed = {
        "source_id": "s",
        "source_kind": "folder",
        "model_path": "a.wav",
        "model_channel": 0,
        "user_path": "a.wav",
        "user_channel": 1,
        "audio_hash": "0",
        "sample_rate_hz": 16000,
        "duration_s": 60.0,
        "model_level_db": -20.0,
        "user_level_db": -20.0,
        "channel_correlation": 0.0,
        "warnings": [],
    }
    rows = [fixed | {"dialogue_id": name, "words_path": path} for name, path in words_paths.items()]
    return DIALOGUES.conform(pl.DataFrame(rows, schema_overrides={"warnings": pl.List(pl.String())}))


def activity(speech: dict[tuple[str, str], Spans]) -> pl.DataFrame:
    return ACTIVITY.conform(
        pl.DataFrame(
            [
                {
                    "dialogue_id": name,
                    "channel": channel,
                    "duration_s": 60.0,
                    "speech": [{"start_s": a, "end_s": b, "level_db": -20.0} for a, b in spans],
                    "leak": [],
                    "vad": "silero",
                }
                for (name, channel), spans in speech.items()
            ],
            schema_overrides={"speech": ACTIVITY.schema["speech"], "leak": ACTIVITY.schema["leak"]},
        )
    )


def transcribed(root: Path | str, words_paths: dict[str, str | None], speech: Spans | None = None) -> StageOutput:
    table = dialogues(words_paths)
    spans = [(0.0, 60.0)] if speech is None else speech
    stage = Transcribe(TranscribeConfig(), choice=choose("given"), sources={"s": str(root)})
    stage.open()
    sides = {(name, channel): spans for name in words_paths for channel in ("model", "user")}
    return stage.process(Batch(list(words_paths), {DIALOGUES.name: table, ACTIVITY.name: activity(sides)}))


# --- the files


def test_moshi_finetune_alignments(tmp_path: Path) -> None:
    lines = [
        ["Hi", [1.0, 1.2], "SPEAKER_MAIN"],
        ["hello,", [2.0, 2.25], "SPEAKER_01"],
        ["you", [0.5, 0.9], "SPEAKER_MAIN"],
    ]
    (tmp_path / "a.json").write_text(json.dumps({"alignments": lines}))

    rows = WORDS.conform(transcribed(tmp_path, {"d": "a.json"}).rows)

    columns = ("channel", "word_index", "text", "start_s", "end_s", "timing_source", "dropped", "asr")
    assert rows.select(columns).rows() == [
        ("model", 0, "you", 0.5, 0.9, "given", None, "given"),
        ("model", 1, "Hi", 1.0, 1.2, "given", None, "given"),
        ("user", 0, "hello,", 2.0, 2.25, "given", None, "given"),
    ]


def test_full_duplex_bench_words_of_both_sides(tmp_path: Path) -> None:
    chunk = {"text": " Sure.", "timestamp": [1.0, 1.4]}
    (tmp_path / "output.json").write_text(json.dumps({"text": "Sure.", "chunks": [chunk]}))
    (tmp_path / "input.json").write_text(json.dumps({"text": "", "chunks": [{"text": "So", "timestamp": [3.0, None]}]}))

    rows = WORDS.conform(transcribed(tmp_path, {"d": "output.json"}).rows)

    assert rows.select("channel", "text", "start_s", "end_s", "timing_source").rows() == [
        ("model", "Sure.", 1.0, 1.4, "given"),
        ("user", "So", 3.0, 3.143, "interpolated"),
    ]
    alone = transcribed(tmp_path, {"d": "input.json"}).rows
    assert alone["channel"].to_list() == ["user"]


def test_plain_words_with_confidence(tmp_path: Path) -> None:
    words = [
        {"channel": "user", "text": "a", "start": 1.0, "end": 1.5, "confidence": 0.75},
        {"channel": "model", "text": "b", "start": 2.0, "end": 1.9},
        {"channel": "model", "text": "  ", "start": 3.0, "end": 3.1},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"words": words, "made_by": "someone"}))

    rows = WORDS.conform(transcribed(tmp_path, {"d": "a.json"}).rows)

    assert rows.select("text", "end_s", "timing_source", "confidence", "dropped").rows() == [
        ("b", 2.071, "interpolated", None, None),
        ("", 3.1, "given", None, "empty_text"),
        ("a", 1.5, "given", 0.75, None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        '{"alignments": [["It", [1.0, 1.2], "SPEAKER_MAIN"], ["is", [1.2, 1.4], "SPEAKER_MAIN"],'
        ' ["42", [NaN, NaN], "SPEAKER_MAIN"], ["euros", [2.0, 2.4], "SPEAKER_MAIN"]]}',
        '{"chunks": [{"text": "It", "timestamp": [1.0, 1.2]}, {"text": "is", "timestamp": [1.2, 1.4]},'
        ' {"text": "42", "timestamp": [null, null]}, {"text": "euros", "timestamp": [2.0, 2.4]}]}',
        '{"words": [{"channel": "model", "text": "It", "start": 1.0, "end": 1.2},'
        ' {"channel": "model", "text": "is", "start": 1.2, "end": 1.4}, {"channel": "model", "text": "42"},'
        ' {"channel": "model", "text": "euros", "start": 2.0, "end": 2.4}]}',
    ],
)
def test_words_that_an_aligner_found_no_place_for_lie_between_their_neighbours(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)

    rows = WORDS.conform(transcribed(tmp_path, {"d": "a.json"}).rows)

    assert rows.select("text", "start_s", "end_s", "timing_source").rows() == [
        ("It", 1.0, 1.2, "given"),
        ("is", 1.2, 1.4, "given"),
        ("42", 1.4, 2.0, "interpolated"),
        ("euros", 2.0, 2.4, "given"),
    ]


def test_doubted_words_stay_with_their_reason(tmp_path: Path) -> None:
    lines = [["word", [1.0 + i / 100, 1.01 + i / 100], "SPEAKER_MAIN"] for i in range(30)]
    (tmp_path / "a.json").write_text(json.dumps({"alignments": [*lines, ["Yes.", [5.0, 5.3], "SPEAKER_MAIN"]]}))

    rows = WORDS.conform(transcribed(tmp_path, {"d": "a.json"}, [(1.0, 1.4), (4.9, 5.4)]).rows)

    assert rows["dropped"].to_list() == [None, *["repetition"] * 29, None]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        "",
        '{"alignments": [["a", [1.0], "SPEAKER_MAIN"]]}',
        '{"alignments": [["a", ["x", 2], "SPEAKER_MAIN"]]}',
        '{"alignments": [["a", [Infinity, 2.0], "SPEAKER_MAIN"]]}',
        '{"chunks": [{"text": "a"}]}',
        '{"words": [{"channel": "left", "text": "a", "start": 1, "end": 2}]}',
        '{"words": "none"}',
    ],
)
def test_a_broken_words_file_costs_that_dialogue_its_words_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    (tmp_path / "good.json").write_text('{"alignments": [["a", [1.0, 2.0], "SPEAKER_MAIN"]]}')

    output = transcribed(tmp_path, {"bad": "bad.json", "good": "good.json", "none": None})

    assert [(item.dialogue_id, item.reason) for item in output.quarantined] == [("bad", Reason.BAD_WORDS_FILE)]
    assert output.quarantined[0].detail.startswith("bad.json")
    assert output.rows["dialogue_id"].to_list() == ["good"]


def test_a_words_file_that_is_not_there(tmp_path: Path) -> None:
    output = transcribed(tmp_path, {"d": "gone.json"})

    assert [(item.reason, item.detail) for item in output.quarantined] == [
        (Reason.BAD_WORDS_FILE, "gone.json is not there")
    ]


def test_a_log_without_words_is_done_with_no_rows(tmp_path: Path) -> None:
    output = transcribed(tmp_path, {"d": None})

    assert output.quarantined == []
    assert WORDS.conform(output.rows).is_empty()


def test_words_are_read_from_urls() -> None:
    with fsspec.open("memory://transcribe/a.json", "wb") as file:
        file.write(b'{"alignments": [["a", [1.0, 2.0], "SPEAKER_MAIN"]]}')

    assert transcribed("memory://transcribe", {"d": "a.json"}).rows["text"].to_list() == ["a"]


def test_words_of_a_log_without_any() -> None:
    assert given_words(None).schema == HEARD
    assert given_words(None).is_empty()
    with pytest.raises(WordsError, match="not there"):
        given_words("/nowhere/x.json")


# --- hearing


class Parrot:
    """Hears one word per clip: how many of its tenths of a second hold sound. Knows no French and may break."""

    name: RecogniserName = "pocketsphinx"
    max_clip_s = 10.0
    apart_s = 1.0
    effective: ClassVar[dict[str, object]] = {}

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    def knows(self, language: str | None) -> bool:
        return language != "fr"

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        if self.broken:
            raise MemoryError("no room")
        rows = [
            (i, f"{np.count_nonzero(clip) / RATE_HZ:.1f}", 0.1, len(clip) / RATE_HZ - 0.1, 0.5)
            for i, clip in enumerate(clips)
        ]
        return pl.DataFrame(rows, schema=CLIP_WORDS, orient="row")


TONE = np.full((20 * RATE_HZ, 2), 0.1, dtype=np.float32)
CHOICE = Choice("pocketsphinx", "asked for", None, "en-us", "5")


def hear(
    root: Path,
    table: pl.DataFrame,
    speech: dict[tuple[str, str], Spans],
    config: TranscribeConfig | None = None,
    *,
    broken: bool = False,
) -> StageOutput:
    soundfile.write(root / "a.wav", TONE, RATE_HZ)
    stage = Transcribe(config or TranscribeConfig(), choice=CHOICE, sources={"s": str(root)})
    stage.open()
    assert stage._log_words is not None
    stage._log_words._recogniser = Parrot(broken=broken)
    return stage.process(
        Batch(table["dialogue_id"].to_list(), {DIALOGUES.name: table, ACTIVITY.name: activity(speech)})
    )


def test_own_speech_alone_is_heard_and_words_get_their_place_in_the_log(tmp_path: Path) -> None:
    speech = {("d", "model"): [(2.0, 3.0), (3.5, 4.0), (12.0, 13.0)], ("d", "user"): []}

    rows = WORDS.conform(hear(tmp_path, dialogues({"d": None}), speech).rows)

    assert rows.select("channel", "text", "timing_source", "confidence", "dropped", "asr").rows() == [
        ("model", "2.0", "snapped", 0.5, None, "pocketsphinx"),
        ("model", "1.2", "snapped", 0.5, None, "pocketsphinx"),
    ]
    assert rows["start_s"].to_list() == [2.0, 12.0]
    assert rows["end_s"].to_list() == pytest.approx([3.0, 13.02])


def test_words_that_came_with_the_log_are_not_heard_again(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"alignments": [["a", [1.0, 2.0], "SPEAKER_MAIN"]]}')
    speech = {("d", side): [(1.0, 3.0)] for side in ("model", "user")}
    table = dialogues({"d": "a.json"})

    rows = hear(tmp_path, table, speech).rows
    again = hear(tmp_path, table, speech, TranscribeConfig(use_given=False)).rows

    assert rows.select("channel", "asr").rows() == [("model", "given"), ("user", "pocketsphinx")]
    assert again["asr"].to_list() == ["pocketsphinx"] * 2


def test_a_language_the_recogniser_does_not_know_is_seen_in_the_rows(tmp_path: Path) -> None:
    table = dialogues({"d": None, "e": None}).with_columns(language=pl.Series(["fr", None]))
    speech = {(name, "model"): [(1.0, 3.0), (5.0, 6.0)] for name in "de"} | {("d", "user"): [], ("e", "user"): []}

    output = hear(tmp_path, table, speech)
    named = hear(tmp_path, table, speech, TranscribeConfig(language="fr"))

    rows = WORDS.conform(output.rows)
    assert rows.filter(dialogue_id="d").select("channel", "text", "start_s", "end_s", "dropped").rows() == [
        ("model", "", 1.0, 6.0, "language_unknown")
    ]
    assert rows.filter(dialogue_id="e")["dropped"].null_count() == 2
    assert named.rows["dropped"].to_list() == ["language_unknown"] * 2
    assert output.quarantined == []


def test_a_recogniser_that_fails_costs_the_dialogue_alone_with_the_reason(tmp_path: Path) -> None:
    table = dialogues({"d": None, "e": None})
    speech: dict[tuple[str, str], Spans] = {("d", "model"): [(1.0, 3.0)], ("d", "user"): []}
    speech |= {("e", "model"): [], ("e", "user"): []}

    output = hear(tmp_path, table, speech, broken=True)

    assert [(failed.dialogue_id, failed.reason) for failed in output.quarantined] == [("d", Reason.ASR_FAILED)]
    assert output.quarantined[0].detail == "pocketsphinx: MemoryError: no room"


def test_audio_that_is_gone_quarantines_as_it_does_in_listen(tmp_path: Path) -> None:
    table = dialogues({"d": None}).with_columns(model_path=pl.lit("b.wav"), user_path=pl.lit("b.wav"))

    output = hear(tmp_path, table, {("d", "model"): [(1.0, 3.0)], ("d", "user"): []})

    assert [failed.reason for failed in output.quarantined] == [Reason.AUDIO_MISSING]


def test_what_changes_no_word_changes_no_variant() -> None:
    def variant(choice: Choice = CHOICE, how: HowToRun | None = None, **settings: Any) -> str:
        return Transcribe(TranscribeConfig(**settings), choice=choice, sources={}, how=how).variant

    base = variant()
    assert base == variant(asr="auto") == variant(asr="pocketsphinx") == variant(how=HowToRun(threads=7))
    assert base == variant(whisper=WhisperOptions(beam_size=2))
    assert base == variant(Choice("pocketsphinx", "auto: nothing else", None, "en-us", "5"))
    small = [Choice("faster-whisper", "", path, "xxh3:1", "1") for path in ("/a/small", "/b/small")]
    assert variant(small[0]) == variant(small[1])
    others = [
        variant(small[0]),
        variant(small[0], whisper=WhisperOptions(beam_size=2)),
        variant(Choice("faster-whisper", "", "/a/small", "xxh3:2", "1")),
        variant(Choice("pocketsphinx", "", None, "en-us", "6")),
        variant(pocketsphinx=PocketsphinxOptions(language_weight=8)),
        variant(choose("given")),
    ]
    assert len({base, *others}) == 1 + len(others)
