"""The ingest stage: what a good log is written down as, and what every bad one is told."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import polars as pl
import pytest
import soundfile
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.ingest.check import follows, summarise
from miner.ingest.detect import open_source
from miner.ingest.ingest import Ingest, IngestConfig
from miner.ingest.refs import REFS, LogRef, refs_frame
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason, Warn
from store.stage import Batch, StageOutput
from tests.audio_files import FORMATS, turns, write
from tests.miner.malformed import MAKERS, make_malformed

RATE = 16_000


def ingested(path: Path | str, config: IngestConfig | None = None, **options: Any) -> StageOutput:
    source = open_source(str(path), **options)
    refs = refs_frame(source.refs())
    stage = Ingest(config or IngestConfig(), root=source.root, source_id=source.source_id)
    return stage.process(Batch(refs["dialogue_id"].to_list(), {REFS.name: refs}))


def one(folder: Path, config: IngestConfig | None = None) -> dict[str, Any]:
    output = ingested(folder, config, kind="folder", model_channel="left")
    assert output.quarantined == []
    return DIALOGUES.conform(output.rows).row(0, named=True)


def reasons(output: StageOutput) -> dict[str, Reason]:
    return {item.dialogue_id: item.reason for item in output.quarantined}


@pytest.fixture
def sound() -> np.ndarray:
    return turns(np.random.default_rng(0), RATE, 4.0)


def test_a_log_is_written_down(tmp_path: Path, sound: np.ndarray) -> None:
    sound[:, 1] *= 0.1
    path = write(tmp_path / "x.flac", sound, RATE)

    row = one(tmp_path)

    assert row["dialogue_id"] == "x"
    assert (row["source_id"], row["source_kind"]) == (tmp_path.name, "folder")
    assert row["duration_s"] == 4.0
    assert row["sample_rate_hz"] == RATE
    assert row["audio_hash"] == xxhash.xxh3_64_hexdigest(path.read_bytes())
    level_db = 10 * np.log10(np.mean(sound.astype(np.float64) ** 2, axis=0))
    assert row["model_level_db"] == pytest.approx(level_db[0], abs=0.02)
    assert row["user_level_db"] == pytest.approx(level_db[1], abs=0.1)
    assert row["channel_correlation"] == pytest.approx(np.corrcoef(sound.T)[0, 1], abs=1e-3)
    assert row["warnings"] == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_taken_in(tmp_path: Path, sound: np.ndarray, suffix: str) -> None:
    write(tmp_path / f"x{suffix}", sound, RATE)

    row = one(tmp_path)

    assert row["duration_s"] == pytest.approx(4.0, abs=0.15)
    assert row["model_level_db"] == pytest.approx(10 * np.log10(np.mean(sound[:, 0] ** 2)), abs=1.0)


def test_every_malformed_log_is_told_what_it_is(tmp_path: Path) -> None:
    wanted = make_malformed(tmp_path, 3 * len(MAKERS), seed=11)

    output = ingested(tmp_path, kind="folder", model_channel="left")

    assert reasons(output) == {path.stem: reason for path, reason in wanted.items()}
    assert output.rows.is_empty()
    assert all(item.detail for item in output.quarantined)
    assert len(set(wanted.values())) >= 9


def test_the_fuzzer_makes_the_same_logs_twice(tmp_path: Path) -> None:
    first, second = (make_malformed(tmp_path / name, 2 * len(MAKERS), seed=3) for name in ("a", "b"))

    def summary(made: dict[Path, Reason]) -> list[tuple[str, Reason, int]]:
        return [(path.name, reason, path.stat().st_size) for path, reason in made.items()]

    assert summary(first) == summary(second)


def test_a_bad_log_costs_the_others_nothing(tmp_path: Path, sound: np.ndarray) -> None:
    make_malformed(tmp_path / "bad", 8, seed=1)
    for name in ("a", "m", "z"):
        write(tmp_path / f"{name}.wav", sound, RATE)

    output = ingested(tmp_path, kind="folder", model_channel="left")

    assert output.rows["dialogue_id"].to_list() == ["a", "m", "z"]
    assert len(output.quarantined) == 8


def test_a_mute_model_is_taken_in_on_request(tmp_path: Path, sound: np.ndarray) -> None:
    sound[:, 0] = 0
    write(tmp_path / "x.wav", sound, RATE)
    allow = IngestConfig(allow_silent_model=True)

    refused = ingested(tmp_path, kind="folder", model_channel="left")
    taken = one(tmp_path, allow)
    dead_microphone = ingested(tmp_path, allow, kind="folder", model_channel="right")

    assert reasons(refused) == reasons(dead_microphone) == {"x": Reason.SILENT_CHANNEL}
    assert taken["warnings"] == [Warn.MONO_DIALOGUE_SIDE]
    assert taken["channel_correlation"] == 0.0


def test_limits_are_config(tmp_path: Path, sound: np.ndarray) -> None:
    write(tmp_path / "x.wav", sound, RATE)
    write(tmp_path / "y.webm", sound, RATE)

    assert reasons(ingested(tmp_path, IngestConfig(max_duration_s=3.0), kind="folder", model_channel="left")) == {
        "x": Reason.TOO_LONG,
        "y": Reason.TOO_LONG,
    }


def test_a_log_longer_than_its_header_says_is_stopped_while_decoding() -> None:
    stage = Ingest(IngestConfig(max_duration_s=5.0), root="", source_id="s")
    block = np.zeros(RATE, dtype=np.float32)
    taken = 0

    def endless() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal taken
        while True:
            taken += 1
            yield block, block

    with pytest.raises(Exception, match="too_long"):
        summarise(stage._limited(endless(), RATE), RATE)
    assert taken == 6


def test_named_channels_of_a_wide_file(tmp_path: Path) -> None:
    sound = turns(np.random.default_rng(1), RATE, 3.0, 4) * np.array([1, 1, 0.1, 1], dtype=np.float32)
    write(tmp_path / "w.wav", sound, RATE)
    write(tmp_path / "stereo.wav", sound[:, :2], RATE)
    lines = [
        '{"id": "named", "path": "w.wav", "model_channel": 0, "user_channel": 2}',
        '{"id": "sides", "path": "w.wav", "model_channel": "left", "user_channel": "right"}',
        '{"id": "beyond", "path": "stereo.wav", "model_channel": 0, "user_channel": 2}',
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))

    output = ingested(tmp_path / "m.jsonl")

    assert reasons(output) == {"sides": Reason.TOO_MANY_CHANNELS, "beyond": Reason.BAD_MANIFEST_LINE}
    row = output.rows.row(0, named=True)
    assert row["user_level_db"] < row["model_level_db"] - 15


def test_full_duplex_bench_pads_the_shorter_side(tmp_path: Path, sound: np.ndarray) -> None:
    for name, user_s in (("a", 3.0), ("b", 4.0)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "output.wav", sound[:, :1], RATE)
        write(tmp_path / name / "input.wav", sound[: int(user_s * RATE), 1:], RATE)

    rows = DIALOGUES.conform(ingested(tmp_path).rows)
    strict = ingested(tmp_path, IngestConfig(max_length_difference_s=0.5))

    assert rows["duration_s"].to_list() == [4.0, 4.0]
    assert rows["user_level_db"][0] < rows["user_level_db"][1]
    assert reasons(strict) == {"a": Reason.LENGTH_MISMATCH}
    assert rows["audio_hash"].n_unique() == 2


def test_words_that_change_change_the_row(tmp_path: Path, sound: np.ndarray) -> None:
    write(tmp_path / "output.wav", sound[:, :1], RATE)
    write(tmp_path / "input.wav", sound[:, 1:], RATE)

    def words_hash(**files: str) -> str | None:
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(content)
        value = ingested(tmp_path, kind="full_duplex_bench").rows["words_hash"].item()
        return None if value is None else str(value)

    hashes = [words_hash(), words_hash(output="{}"), words_hash(input="{}"), words_hash(input='{"text": ""}')]

    assert hashes[0] is None
    assert len(set(hashes)) == 4
    assert words_hash() == hashes[3]


def test_a_text_stream_that_changes_changes_the_row(tmp_path: Path, sound: np.ndarray) -> None:
    write(tmp_path / "x.wav", sound, RATE)

    def row(content: str | None) -> dict[str, object]:
        if content is not None:
            (tmp_path / "x.tokens.json").write_text(content)
        rows = DIALOGUES.conform(ingested(tmp_path, kind="folder", model_channel="left").rows)
        return rows.select("tokens_path", "tokens_hash").row(0, named=True)

    without, first, second = row(None), row("[3]"), row("[0]")

    assert without == {"tokens_path": None, "tokens_hash": None}
    assert first["tokens_path"] == "x.tokens.json"
    assert first["tokens_hash"] != second["tokens_hash"]
    assert row(None) == second


def test_a_problem_of_the_source_goes_to_quarantine_unopened(tmp_path: Path) -> None:
    ref = LogRef("x", "manifest", "f", "/etc/x.wav", 0, "/etc/x.wav", 1, problem_reason="path_escapes")
    stage = Ingest(IngestConfig(), root=str(tmp_path), source_id="s")

    output = stage.process(Batch(["x"], {REFS.name: refs_frame([ref])}))

    assert reasons(output) == {"x": Reason.PATH_ESCAPES}


def test_a_file_that_went_away_between_listing_and_reading(tmp_path: Path, sound: np.ndarray) -> None:
    path = write(tmp_path / "x.wav", sound, RATE)
    source = open_source(str(tmp_path), kind="folder", model_channel="left")
    refs = refs_frame(source.refs())
    path.unlink()

    output = Ingest(IngestConfig(), root=source.root, source_id="s").process(Batch(["x"], {REFS.name: refs}))

    assert reasons(output) == {"x": Reason.AUDIO_MISSING}


def test_remote_logs_give_the_rows_of_local_ones(tmp_path: Path, sound: np.ndarray) -> None:
    for suffix in (".flac", ".m4a"):
        path = write(tmp_path / f"x{suffix[1:]}{suffix}", sound, RATE)
        with fsspec.open(f"memory://stage/logs/{path.name}", "wb") as file:
            file.write(path.read_bytes())

    local = ingested(tmp_path, kind="folder", model_channel="left", source_id="s")
    remote = ingested("memory://stage/logs", kind="folder", model_channel="left", source_id="s")

    assert local.rows.height == 2
    assert remote.rows.equals(local.rows)


def test_the_stage_travels_to_workers_and_its_variant_ignores_the_place() -> None:
    here, there = (Ingest(IngestConfig(), root=root, source_id="s") for root in ("/a", "s3://b"))

    assert pickle.loads(pickle.dumps(here)).root == "/a"
    assert here.variant == there.variant
    assert here.variant != Ingest(IngestConfig(clipped_share=0.1), root="/a", source_id="s").variant


# --- warnings


def test_telephone_and_clipped_sound_are_warned_of(tmp_path: Path, sound: np.ndarray) -> None:
    write(tmp_path / "x.wav", np.clip(sound * 20, -1, 1), 8000)

    assert one(tmp_path)["warnings"] == [Warn.NARROWBAND, Warn.CLIPPED]


def leaky(rng: np.random.Generator, leak_db: float) -> tuple[np.ndarray, np.ndarray]:
    """A model's clean channel and a microphone that hears it 60 ms late over room noise."""
    n = 30 * RATE
    gate = np.repeat(rng.random(n // 1600) < 0.5, 1600)
    speech = 0.2 * rng.standard_normal((2, n)) * np.repeat(rng.uniform(0.1, 1, n // 1600), 1600)
    turn = np.floor(np.arange(n) / RATE / 3).astype(int) % 2
    model = speech[0] * gate * (turn == 0)
    user = speech[1] * gate * (turn == 1) + 1e-3 * rng.standard_normal(n)
    delay = int(0.06 * RATE)
    user[delay:] += 10 ** (leak_db / 20) * model[:-delay]
    return model.astype(np.float32), user.astype(np.float32)


@pytest.mark.parametrize("leak_db", [-22.0, -30.0])
def test_a_microphone_declared_as_the_model_is_warned_of(tmp_path: Path, leak_db: float) -> None:
    model, user = leaky(np.random.default_rng(2), leak_db)
    write(tmp_path / "x.flac", np.stack([model, user], axis=1), RATE)

    right = ingested(tmp_path, kind="folder", model_channel="left").rows["warnings"].to_list()
    wrong = ingested(tmp_path, kind="folder", model_channel="right").rows["warnings"].to_list()

    assert right == [[]]
    assert wrong == [[Warn.SWAPPED_ROLES]]


def test_no_leak_no_word_about_roles() -> None:
    model, user = leaky(np.random.default_rng(3), -200.0)
    summary = summarise([(model, user)], RATE)

    assert follows(summary.model_frames_db, summary.user_frames_db) < 0.15
    assert follows(summary.user_frames_db, summary.model_frames_db) < 0.15


# --- the sums


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 5000),
    block=st.integers(1, 2000),
    offset=st.sampled_from([0.0, 0.3]),
    mix=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_sums_over_blocks_are_those_of_the_whole(n: int, block: int, offset: float, mix: float, seed: int) -> None:
    a, b = (0.1 * np.random.default_rng(seed).standard_normal((2, n))).astype(np.float32)
    b = (mix * a + (1 - mix) * b + offset).astype(np.float32)

    summary = summarise(((a[i : i + block], b[i : i + block]) for i in range(0, n, block)), 8000)

    x, y = a.astype(np.float64), b.astype(np.float64)
    assert summary.n == n
    assert summary.user.level_db == pytest.approx(10 * np.log10(np.mean(y**2)), abs=1e-3)
    half_range = (y.max() - y.min()) / 2
    assert summary.user.peak_db == pytest.approx(20 * np.log10(half_range) if half_range else -120, abs=1e-3)
    if n > 2:
        assert summary.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], abs=2e-3)


def test_both_channels_silent_are_silent_and_not_identical(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros((RATE, 2)), RATE)

    assert reasons(ingested(tmp_path, kind="folder", model_channel="left")) == {"x": Reason.SILENT_CHANNEL}


def test_an_empty_batch_has_the_tables_columns() -> None:
    output = Ingest(IngestConfig(), root="", source_id="s").process(Batch([], {REFS.name: refs_frame([])}))

    assert output.rows.schema == DIALOGUES.schema
    assert isinstance(output.rows, pl.DataFrame)
