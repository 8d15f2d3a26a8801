"""A real log with the model's own text stream, through the command: words, a broken file, another tokenizer, forget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.e2e.command import SAMPLES, ask, run, tables
from tests.token_streams import interleaved, processor, trained

pytestmark = pytest.mark.slow

DURATION_S = 26.438


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`cut-off` three times: its model's words as 17xT codes, as a broken file, and not at all."""
    root = tmp_path_factory.mktemp("logs")
    words = json.loads((SAMPLES.parent / "cut-off.words.json").read_text())["words"]
    said = [(word["text"], word["start"]) for word in words if word["channel"] == "model"]
    model = trained(tuple(text for text, _ in said))
    (root / "spm.model").write_bytes(model)
    row = interleaved(said, DURATION_S, processor(model).encode)
    np.save(root / "codes.npy", np.array([row, *[[-1] * len(row)] * 16]))
    (root / "broken.tokens.json").write_text('[{"token": 7, "frame": -1}]')
    shutil.copy(SAMPLES.parent / "cut-off.ogg", root / "cut-off.ogg")
    lines = [
        {"id": name, "path": "cut-off.ogg", "model_channel": 0, "user_channel": 1} | more
        for name, more in (
            ("told", {"tokens": "codes.npy"}),
            ("broken", {"tokens": "broken.tokens.json"}),
            ("bare", {}),
        )
    ]
    (root / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return root


def test_a_log_with_its_text_stream(logs: Path, tmp_path: Path) -> None:
    store, tokenizer = tmp_path / "store", f"tokens.tokenizer={logs / 'spm.model'}"
    truth = json.loads((SAMPLES.parent / "cut-off.words.json").read_text())["words"]
    wanted = [(word["text"], word["start"]) for word in truth if word["channel"] == "model"]

    mined = run("run", str(logs / "manifest.jsonl"), "--store", str(store), "--set", tokenizer)

    assert mined.returncode == 3, mined.stdout + mined.stderr
    found = tables(store)
    assert found["text_tokens"]["dialogue_id"].to_list() == ["told"]
    assert found["text_tokens"]["tokens"][0].to_list() == np.load(logs / "codes.npy")[0].tolist()
    words = found["words"].filter(pl.col("channel") == "model", pl.col("dialogue_id") == "told")
    assert words["text"].to_list() == [text for text, _ in wanted]
    assert words["dropped"].null_count() == len(words)
    assert np.abs(words["start_s"].to_numpy() - [start for _, start in wanted]).max() <= 0.1
    assert found["turns"]["dialogue_id"].n_unique() == 3
    quarantined = ask(store, "SELECT dialogue_id, table_name, reason, detail FROM quarantine")
    assert quarantined == [
        {
            "dialogue_id": "broken",
            "table_name": "text_tokens",
            "reason": "bad_tokens_file",
            "detail": "broken.tokens.json: 0.frame: Input should be greater than or equal to 0",
        }
    ]

    shutil.copy(logs / "spm.model", tmp_path / "copy.model")
    again = run("tokens", "--store", str(store), "--set", f"tokens.tokenizer={tmp_path / 'copy.model'}", "--json")
    assert json.loads(again.stdout)["stages"][0]["computed"] == 0

    forgotten = run("forget", "told", "--store", str(store))
    assert forgotten.returncode == 0, forgotten.stderr
    assert tables(store)["text_tokens"].is_empty()
    assert not list((store / "tables" / "text_tokens").rglob("*.parquet"))


def test_a_tokenizer_that_is_not_there_is_told_before_anything_runs(logs: Path, tmp_path: Path) -> None:
    manifest, store = str(logs / "manifest.jsonl"), str(tmp_path / "store")

    unread = run("run", manifest, "--store", store, "--set", "tokens.tokenizer=/none.model")

    assert unread.returncode == 2
    assert unread.stderr.startswith("error: tokens.tokenizer: /none.model cannot be read (No such file or directory)")
    assert "computed" not in unread.stderr + unread.stdout
