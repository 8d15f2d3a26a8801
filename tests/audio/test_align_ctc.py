"""The CTC backend on a small real ONNX model: every letter is a tone, which two convolutions per letter listen for."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from audio.align import Aligner, AlignerError, open_aligner
from audio.align.ctc import best_path

RATE_HZ, HOP = 16_000, 320
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = ["<pad>", "|", *LETTERS]
HZ = {letter: 300 + 150 * index for index, letter in enumerate(LETTERS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ctc")
    t = np.arange(HOP) / RATE_HZ
    waves = [wave(2 * np.pi * HZ[letter] * t) for letter in LETTERS for wave in (np.cos, np.sin)]
    kernels = np.array(waves, dtype=np.float32)[:, None, :] / HOP
    pairs = np.zeros((len(TOKENS), len(waves), 1), dtype=np.float32)
    for index in range(len(LETTERS)):
        pairs[index + 2, 2 * index : 2 * index + 2] = 400.0
    bias = np.array([4.0, 3.0, *[0.0] * len(LETTERS)], dtype=np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "axis"], ["sound"]),
        helper.make_node("Conv", ["sound", "kernels"], ["tones"], strides=[HOP]),
        helper.make_node("Mul", ["tones", "tones"], ["powers"]),
        helper.make_node("Conv", ["powers", "pairs", "bias"], ["tokens"]),
        helper.make_node("Transpose", ["tokens"], ["logits"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, [1, "n"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "frames", len(TOKENS)])],
        [
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
            numpy_helper.from_array(kernels, "kernels"),
            numpy_helper.from_array(pairs, "pairs"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (place / "model.onnx").write_bytes(model.SerializeToString())
    (place / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(TOKENS)}))
    (place / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    return place


@pytest.fixture(scope="module")
def aligner(folder: Path) -> Aligner:
    return open_aligner("ctc", model=str(folder))


def tones(*parts: str | int) -> tuple[NDArray[np.float32], list[int], list[int]]:
    """Words as 60 ms of tone per letter, 10 ms of silence after each; a number is silence in ms."""
    sound, starts, ends, t = [], [], [], np.arange(960) / RATE_HZ
    for part in parts:
        if isinstance(part, int):
            sound.append(np.zeros(part * 16))
            continue
        starts.append(sum(map(len, sound)) // 16)
        for letter in part:
            sound += [np.sin(2 * np.pi * HZ[letter] * t), np.zeros(160)]
        ends.append(sum(map(len, sound)) // 16 - 10)
    return np.concatenate(sound).astype(np.float32), starts, ends


def test_words_are_found_where_they_are(aligner):
    sound, starts, ends = tones(500, "hello", 220, "brave", 60, "new", 700, "world", 300)
    result = aligner.align(sound, ["Hello,", "brave", "—", "NEW", "world!"], language="en")
    assert result.failure is None
    assert result.aligned.tolist() == [True, True, False, True, True]
    spoken = [0, 1, 3, 4]
    assert np.abs(result.start_ms[spoken] - starts).max() <= 20
    assert np.abs(result.end_ms[spoken] - ends).max() <= 20
    assert result.end_ms[1] <= result.start_ms[2] <= result.end_ms[2] <= result.start_ms[3]


def test_numbers_are_spelled_in_the_language(aligner):
    sound, starts, _ = tones(200, "quarante", 20, "deux", 200, "ans", 200)
    result = aligner.align(sound, ["42", "ans"], language="fr-FR")
    assert result.aligned.all()
    assert abs(int(result.start_ms[1]) - starts[2]) <= 20


def test_other_words_do_not_fit(aligner):
    sound, _, _ = tones(300, "hello", 200, "brave", 300)
    result = aligner.align(sound, ["quick", "zombi"], language="en")
    assert result.failure == "text_does_not_fit"
    assert not result.aligned.any()


def test_an_open_end_leaves_words_over(aligner):
    sound, _, _ = tones(200, "hello", 200, "brave", 300)
    result = aligner.align(sound, ["hello", "brave", "new", "world"], language=None, open_end=True)
    assert result.aligned.tolist() == [True, True, False, False]


def test_too_short_and_unspeakable(aligner):
    sound, _, _ = tones("ab")
    assert aligner.align(sound, ["incomprehensible"], language="en").failure == "too_short"
    assert aligner.align(sound[:10], ["ab"], language="en").failure == "too_short"
    assert aligner.align(sound, ["...", "日本"], language="ja").failure == "no_speakable_words"


def test_a_folder_without_a_model_says_what_to_run(folder, tmp_path):
    with pytest.raises(AlignerError, match="optimum-cli export onnx"):
        open_aligner("ctc", model=str(tmp_path))
    (tmp_path / "vocab.json").write_text((folder / "vocab.json").read_text())
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(AlignerError, match="optimum-cli export onnx"):
        open_aligner("ctc", model=str(tmp_path))
    with pytest.raises(AlignerError, match="needs a model"):
        open_aligner("ctc")


@given(st.data())
def test_the_best_path_reads_the_targets_in_order(data):
    n_frames = data.draw(st.integers(1, 30))
    targets = np.array(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=8)), dtype=np.int64)
    seed = data.draw(st.integers(0, 1000))
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(4), n_frames)).astype(np.float32)
    path = best_path(log_probs, targets, 0)
    needed = len(targets) + int((targets[1:] == targets[:-1]).sum())
    if n_frames < needed:
        assert path is None
        return
    read = path[path >= 0]
    assert np.unique(read).tolist() == list(range(len(targets)))
    assert np.all(np.diff(read) >= 0)
    for before, after in pairwise(path):
        if before >= 0 and after == before + 1:
            assert targets[before] != targets[after]
