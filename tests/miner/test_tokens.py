"""The stage that keeps text streams: what it stores, what it refuses, and what counts as another setting."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from miner.tokens import Tokens, TokensConfig
from miner.transcribe import Transcribe, TranscribeConfig
from schemas.activity import ACTIVITY
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.text_tokens import TEXT_TOKENS
from schemas.words import WORDS
from store.settings import SettingsError
from store.stage import Batch, StageOutput
from tests.miner.test_transcribe import activity, dialogues
from tests.token_streams import EPAD, PAD, interleaved, processor, trained

SENTENCES = ("Neil Armstrong, in July nineteen sixty nine.", "Because warm air rises and cool air sinks.")
SAID = [("Because", 1.02), ("warm", 1.5), ("air,", 2.25)]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    path = tmp_path / "spm.model"
    path.write_bytes(trained(SENTENCES))
    return path


def ids() -> list[int]:
    return interleaved(SAID, 60.0, processor(trained(SENTENCES)).encode)


def logs(paths: dict[str, str | None], **more: Any) -> pl.DataFrame:
    table = dialogues(dict.fromkeys(paths, None) | more)
    return table.with_columns(tokens_path=pl.Series([paths.get(i) for i in table["dialogue_id"]], dtype=pl.String()))


def kept(root: Path | str, paths: dict[str, str | None], **config: Any) -> StageOutput:
    stage = Tokens(TokensConfig(**config), sources={"s": str(root)})
    stage = pickle.loads(pickle.dumps(stage))
    stage.open()
    output = stage.process(Batch(list(paths), {DIALOGUES.name: logs(paths)}))
    return StageOutput(TEXT_TOKENS.conform(output.rows), output.quarantined)


def test_codes_are_kept_verbatim_and_read_with_the_tokenizer(tmp_path: Path, tokenizer: Path) -> None:
    row = ids()
    np.save(tmp_path / "a.codes.npy", np.array([row, *[[5] * len(row)] * 16]))

    stored = kept(tmp_path, {"d": "a.codes.npy", "none": None}, tokenizer=str(tokenizer)).rows.row(0, named=True)

    assert stored["tokens"] == row
    assert "".join(stored["pieces"]) == "\u2581Because\u2581warm\u2581air,"
    assert stored["frames"] == [i for i, token in enumerate(row) if token not in (PAD, EPAD)]
    assert (stored["dialogue_id"], stored["n_frames"], stored["is_dense"]) == ("d", 750, True)
    assert len(stored["tokenizer_hash"]) == 16


def test_without_a_tokenizer_ids_are_kept_and_stand_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ids()))

    stored = kept(tmp_path, {"d": "a.json"}).rows.row(0, named=True)

    assert stored["tokens"] == ids()
    assert (stored["pieces"], stored["tokenizer_hash"]) == (None, None)


def test_pieces_get_their_ids_from_the_tokenizer(tmp_path: Path, tokenizer: Path) -> None:
    model = processor(trained(SENTENCES))
    row = [PAD if token == EPAD else token for token in ids()]
    (tmp_path / "a.json").write_text(json.dumps([None if t == PAD else model.id_to_piece(t) for t in row]))
    (tmp_path / "b.json").write_text(json.dumps(["\u2581elsewhere"]))

    paths: dict[str, str | None] = {"a": "a.json", "b": "b.json"}
    with_model, without = kept(tmp_path, paths, tokenizer=str(tokenizer)).rows, kept(tmp_path, paths).rows

    assert with_model["tokens"].to_list() == [row, None]
    assert with_model["tokenizer_hash"].is_null().to_list() == [False, True]
    assert with_model["is_dense"].to_list() == [False, False]
    assert without["tokens"].to_list() == [None, None]
    assert without["pieces"].equals(with_model["pieces"])


def test_a_broken_stream_costs_that_dialogue_its_tokens_alone(tmp_path: Path, tokenizer: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "strange.json").write_text("[31999]")
    (tmp_path / "good.json").write_text("[3]")
    (tmp_path / "a.pt").write_bytes(b"PK")
    names = ("bad.json", "strange.json", "good.json", "gone.json", "a.pt")

    output = kept(tmp_path, {name: name for name in names}, tokenizer=str(tokenizer))

    assert output.rows["dialogue_id"].to_list() == ["good.json"]
    details = {item.dialogue_id: item.detail for item in output.quarantined}
    assert {item.reason for item in output.quarantined} == {Reason.BAD_TOKENS_FILE}
    assert details["gone.json"] == "gone.json is not there"
    assert details["strange.json"].startswith("strange.json: id 31999 is not in the tokenizer")
    assert details.keys() == {"bad.json", "strange.json", "gone.json", "a.pt"}


def test_the_tokenizers_content_is_the_setting_not_its_place(tmp_path: Path, tokenizer: Path) -> None:
    moved = tmp_path / "elsewhere" / "other.name"
    moved.parent.mkdir()
    shutil.copy(tokenizer, moved)
    other = tmp_path / "other.model"
    other.write_bytes(trained(SENTENCES[:1]))

    here, there, another, none = (
        Tokens(TokensConfig(tokenizer=path and str(path)), sources={}) for path in (tokenizer, moved, other, None)
    )

    assert here.variant == there.variant
    assert len({here.variant, another.variant, none.variant}) == 3
    assert str(tmp_path) not in here.config.model_dump_json()
    tokenizer.write_bytes(other.read_bytes())
    with pytest.raises(SettingsError, match="changed while the stage ran"):
        here.open()


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), (b"text", "not a SentencePiece model")])
def test_a_tokenizer_that_cannot_be_read_stops_the_command(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "x.model").write_bytes(content)

    with pytest.raises(SettingsError, match=rf"tokens.tokenizer: .*x.model cannot be read \({says}"):
        Tokens(TokensConfig(tokenizer=str(tmp_path / "x.model")), sources={})


# --- what transcribe makes of it


def transcribed(root: Path, table: pl.DataFrame, tokens: pl.DataFrame) -> StageOutput:
    stage = Transcribe(TranscribeConfig(), sources={"s": str(root)})
    stage.open()
    names = table["dialogue_id"].to_list()
    sides = activity({(name, channel): [(0.9, 60.0)] for name in names for channel in ("model", "user")})
    output = stage.process(Batch(names, {DIALOGUES.name: table, ACTIVITY.name: sides, TEXT_TOKENS.name: tokens}))
    return StageOutput(WORDS.conform(output.rows), output.quarantined)


def test_the_models_own_text_wins_over_its_words_file_and_leaves_the_users(tmp_path: Path, tokenizer: Path) -> None:
    lines = [["because", [1.2, 1.4], "SPEAKER_MAIN"], ["Why", [0.95, 1.1], "SPEAKER_01"]]
    (tmp_path / "words.json").write_text(json.dumps({"alignments": lines}))
    (tmp_path / "a.json").write_text(json.dumps(ids()))
    table = logs({"both": "a.json"}, both="words.json", words="words.json")
    tokens = kept(tmp_path, {"both": "a.json"}, tokenizer=str(tokenizer)).rows

    rows = transcribed(tmp_path, table, tokens).rows

    assert rows.select("dialogue_id", "channel", "text", "start_s", "timing_source", "asr").rows() == [
        ("both", "model", "Because", 0.96, "given", "text_stream"),
        ("both", "model", "warm", 1.44, "given", "text_stream"),
        ("both", "model", "air,", 2.24, "given", "text_stream"),
        ("both", "user", "Why", 0.95, "given", "given"),
        ("words", "model", "because", 1.2, "given", "given"),
        ("words", "user", "Why", 0.95, "given", "given"),
    ]


def test_a_stream_that_gives_no_words_leaves_the_words_file(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text('{"alignments": [["so", [1.2, 1.4], "SPEAKER_MAIN"]]}')
    (tmp_path / "ids.json").write_text(json.dumps(ids()))
    (tmp_path / "empty.json").write_text("[]")
    paths: dict[str, str | None] = {"a": "ids.json", "b": "empty.json"}
    table = logs(paths, a="words.json", b="words.json")

    assert transcribed(tmp_path, table, kept(tmp_path, paths).rows).rows["text"].to_list() == ["so", "so"]


def test_words_of_the_text_stream_are_held_to_speech_as_all_words_are(tmp_path: Path) -> None:
    said = [{"piece": "\u2581Hm", "frame": 2}, {"piece": "\u2581so", "frame": 10}]
    (tmp_path / "a.json").write_text(json.dumps(said))
    tokens = kept(tmp_path, {"d": "a.json"}).rows

    rows = transcribed(tmp_path, logs({"d": "a.json"}), tokens).rows

    assert rows.select("text", "start_s", "timing_source", "dropped").rows() == [
        ("Hm", 0.16, "given", "no_own_speech"),
        ("so", 0.9, "snapped", None),
    ]
