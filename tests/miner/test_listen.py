import pickle
import shutil
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pytest
import soundfile as sf

from miner.listen import Listen, ListenConfig
from schemas.activity import ACTIVITY
from schemas.reasons import Reason
from store.stage import Batch, StageOutput

DATA = Path(__file__).resolve().parents[1] / "data"


def dialogue(dialogue_id: str, path: str, *, duration_s: float = 20.5, source_id: str = "logs") -> dict[str, object]:
    return {
        "dialogue_id": dialogue_id,
        "source_id": source_id,
        "model_path": path,
        "model_channel": 0,
        "user_path": path,
        "user_channel": 1,
        "duration_s": duration_s,
    }


def run(root: str, *rows: dict[str, object], config: ListenConfig | None = None) -> StageOutput:
    stage = pickle.loads(pickle.dumps(Listen(config or ListenConfig(), sources={"logs": root})))
    stage.open()
    frame = pl.DataFrame(list(rows))
    return stage.process(Batch(frame["dialogue_id"].to_list(), {"dialogues": frame}))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    shutil.copy(DATA / "clean_overlap.flac", tmp_path / "a.flac")
    return tmp_path


def test_rows_keep_the_contract_of_the_table(logs: Path) -> None:
    output = run(str(logs), dialogue("a", "a.flac"))
    rows = ACTIVITY.conform(output.rows)
    assert not output.quarantined
    assert rows["channel"].to_list() == ["model", "user"]
    assert rows["vad"].to_list() == ["silero"] * 2
    spans = rows["speech"].list.eval(pl.element().struct.field("start_s")).to_list()
    assert spans[0][0] == pytest.approx(3.77, abs=0.03)
    assert spans[1][0] == pytest.approx(1.09, abs=0.03)


def test_swapped_channels_swap_the_rows(logs: Path) -> None:
    swapped = dialogue("a", "a.flac") | {"model_channel": 1, "user_channel": 0}
    straight, crossed = (run(str(logs), row).rows for row in (dialogue("a", "a.flac"), swapped))
    assert straight["level_db"].to_list() == pytest.approx(crossed["level_db"].to_list()[::-1], abs=0.1)


def test_a_bad_file_costs_its_own_dialogue_alone(logs: Path) -> None:
    (logs / "noise.flac").write_bytes(np.random.default_rng(1).bytes(5000))
    output = run(
        str(logs),
        dialogue("gone", "gone.flac"),
        dialogue("noise", "noise.flac"),
        dialogue("elsewhere", "a.flac", source_id="unknown"),
        dialogue("changed", "a.flac", duration_s=60.0),
        dialogue("good", "a.flac"),
    )
    assert output.rows["dialogue_id"].unique().to_list() == ["good"]
    reasons = {q.dialogue_id: q.reason for q in output.quarantined}
    assert reasons == {
        "gone": Reason.AUDIO_MISSING,
        "noise": Reason.UNDECODABLE,
        "elsewhere": Reason.AUDIO_MISSING,
        "changed": Reason.AUDIO_CHANGED,
    }
    assert all(q.detail for q in output.quarantined)


def test_two_mono_files_of_a_remote_folder(logs: Path) -> None:
    both, rate_hz = sf.read(logs / "a.flac")
    memory = fsspec.filesystem("memory")
    for name, channel in (("m.wav", 0), ("u.wav", 1)):
        sf.write(logs / name, both[:, channel], rate_hz)
        memory.put(str(logs / name), f"/listen/{name}")
    row = dialogue("a", "m.wav") | {"user_path": "u.wav", "user_channel": 0}
    remote = run("memory://listen/", row).rows
    assert remote.equals(run(str(logs), dialogue("a", "a.flac")).rows)


def test_every_dialogue_bad_gives_an_empty_table(logs: Path) -> None:
    output = run(str(logs), dialogue("gone", "gone.flac"))
    assert ACTIVITY.conform(output.rows).is_empty()


def test_webrtc_by_name_is_another_variant(logs: Path) -> None:
    config = ListenConfig(vad="webrtc")
    assert run(str(logs), dialogue("a", "a.flac"), config=config).rows["vad"].to_list() == ["webrtc"] * 2
    assert Listen(config, sources={}).variant != Listen(ListenConfig(), sources={}).variant
    assert Listen(config, sources={}).variant == Listen(config, sources={"logs": "elsewhere"}).variant
