"""Text streams as logs hold them: every form gives the same stream, and what is no stream says so."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import fsspec
import numpy as np
import pytest
from safetensors.numpy import save

from audio.asr.token_files import MAX_BYTES, TextStream, TokenRules, TokensError, read_stream, tokens_bytes

MARK = "\u2581"
PIECES = {7: f"{MARK}Hel", 8: "lo", 9: f"{MARK}you"}
ROW = [3, 3, 0, 7, 8, 3, 0, 9, 3, 3]
"""Ten frames, 0.8 s."""


def read(content: Any, name: str = "a.tokens.json", duration_s: float = 0.8, **rules: Any) -> TextStream:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_stream(raw, name, duration_s, TokenRules(**rules))


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def codes(rows: int = 17, dtype: str = "int64") -> np.ndarray:
    below = np.random.default_rng(1).integers(-1, 2048, (rows - 1, len(ROW)))
    return np.concatenate([[ROW], below]).astype(dtype)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (ROW, "a.json"),
        ({"frame_rate_hz": 12.5, "tokens": ROW}, "a.json"),
        ("\n".join(map(str, ROW)).encode(), "a.jsonl"),
        (npy(codes()), "a.codes.npy"),
        (npy(codes(9, "int32")), "a.NPY"),
        (npy(codes(1, "uint16")), "a.npy"),
        (npy(np.array(ROW, dtype=np.uint64)), "a.npy"),
        (npy(codes()[None]), "a.npy"),
        (npy(np.asfortranarray(codes())), "a.npy"),
        (npz(codes=codes()), "a.npz"),
        (npz(other=codes(), codes=codes(), x=np.zeros(3)), "a.npz"),
        (npz(anything=codes()), "a.npz"),
        (save({"codes": codes(dtype="int16")}), "a.safetensors"),
        (save({"tokens": np.array(ROW), "mimi": codes(9)}), "a.safetensors"),
    ],
)
def test_dense_ids_are_kept_verbatim(content: Any, name: str) -> None:
    stream = read(content, name)

    assert stream.tokens is not None
    assert stream.tokens.tolist() == ROW
    assert stream.tokens.dtype == np.int32
    assert (stream.frames.tolist(), stream.pieces) == ([3, 4, 7], None)
    assert (stream.n_frames, stream.frame_rate_hz, stream.is_dense) == (10, 12.5, True)


def test_sparse_tokens_in_any_order_are_padded_to_the_logs_length() -> None:
    listed = [{"token": 9, "frame": 7}, {"token": 7, "frame": 3, "logprob": -0.1}, {"token": 8, "frame": 4}]
    lines = "\n".join(json.dumps(item) for item in listed).encode()

    for stream in (read(listed), read({"tokens": listed}), read(lines, "a.tokens.jsonl")):
        assert stream.tokens is not None
        assert stream.tokens.tolist() == [3, 3, 3, 7, 8, 3, 3, 9, 3, 3]
        assert (stream.frames.tolist(), stream.pieces, stream.is_dense) == ([3, 4, 7], None, False)


def test_pads_that_a_sparse_log_names_are_kept_and_say_nothing() -> None:
    stream = read([{"token": token, "frame": frame} for frame, token in enumerate(ROW) if token != 3])

    assert stream.tokens is not None
    assert stream.tokens.tolist() == ROW
    assert stream.frames.tolist() == [3, 4, 7]


@pytest.mark.parametrize(
    "content",
    [
        [{"piece": PIECES[t], "frame": f} for f, t in enumerate(ROW) if t in PIECES],
        [{"piece": " Hel", "frame": 3}, {"piece": "lo", "frame": 4}, {"piece": " you", "frame": 7}],
        [PIECES.get(token) for token in ROW],
        [{3: "<pad>", 0: "<unk>"}.get(token) or PIECES[token] for token in ROW],
        {"pieces": [PIECES.get(token, "") for token in ROW]},
    ],
)
def test_pieces_need_no_ids(content: Any) -> None:
    stream = read(content)

    assert stream.tokens is None
    assert stream.pieces == [f"{MARK}Hel", "lo", f"{MARK}you"]
    assert (stream.frames.tolist(), stream.n_frames, stream.is_dense) == ([3, 4, 7], 10, False)


def test_ids_and_pieces_may_come_together() -> None:
    sparse = read([{"token": t, "piece": PIECES.get(t, "<unk>"), "frame": f} for f, t in enumerate(ROW) if t != 3])
    dense = read({"tokens": ROW, "pieces": [PIECES.get(token) for token in ROW]})

    for stream in (sparse, dense):
        assert stream.tokens is not None
        assert stream.tokens.tolist() == ROW
        assert stream.pieces == [f"{MARK}Hel", "lo", f"{MARK}you"]


@pytest.mark.parametrize("content", [[-1, -2, None, 7, 3], npy(np.array([[-1, -2, -1, 7, 3]]))])
def test_frames_without_a_token_are_kept_apart_from_pad(content: Any) -> None:
    stream = read(content, "a.npy" if isinstance(content, bytes) else "a.json")

    assert stream.tokens is not None
    assert stream.tokens.tolist() == [-1, -1, -1, 7, 3]
    assert stream.frames.tolist() == [3]


def test_other_rates_and_ids() -> None:
    stream = read({"frame_rate_hz": 25, "tokens": [{"token": 50_000, "frame": 2}]}, pad_id=1, vocabulary=50_001)

    assert stream.tokens is not None
    assert stream.tokens.tolist() == [1, 1, 50_000, *[1] * 17]


def test_a_stream_may_outlast_its_log_a_little() -> None:
    assert read([7] * 35).n_frames == 35
    assert read([{"token": 7, "frame": 34}]).n_frames == 35
    with pytest.raises(TokensError, match=r"it holds 36 frames, the log of 0.8 s has 35 at most"):
        read([7] * 36)
    with pytest.raises(TokensError, match="36 frames"):
        read([{"token": 7, "frame": 35}])


def test_nothing_said_is_a_stream_too() -> None:
    stream = read([])

    assert (stream.tokens, stream.frames.tolist(), stream.pieces) == (None, [], [])


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was run",)


def _claiming(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(160)


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "a.json", "not JSON"),
        (b"{", "a.json", "not JSON"),
        (b"[" * 5000, "a.json", "not JSON"),
        (b"\xff\xfe", "a.json", "not JSON"),
        (b"[NaN]", "a.json", "not JSON"),
        (b"[Infinity]", "a.json", "not JSON"),
        (b'{"token": 7, "frame": 1}\n{', "a.jsonl", "line 2: not JSON"),
        ("text", "a.json", "valid list"),
        (None, "a.json", "none of the keys"),
        ({}, "a.json", "none of the keys `tokens`, `pieces`"),
        ({"codes": [1]}, "a.json", "none of the keys"),
        ({"tokens": ROW, "frame_rate_hz": 0}, "a.json", "frame_rate_hz"),
        ({"tokens": ROW, "frame_rate_hz": 1e9}, "a.json", "frame_rate_hz"),
        (b'{"tokens": [3], "frame_rate_hz": NaN}', "a.json", "not JSON"),
        ({"tokens": ROW, "pieces": ["x"]}, "a.json", "10 `tokens` and 1 `pieces`"),
        ({"tokens": ["x"], "pieces": ["x"]}, "a.json", "`pieces` goes with `tokens` that are ids"),
        ({"tokens": [{"token": 7, "frame": 0}], "pieces": ["x"]}, "a.json", "`pieces` goes with"),
        ([1.5], "a.json", "valid integer"),
        ([3.0], "a.json", "valid integer"),
        ([True], "a.json", "valid integer"),
        ([7, "x"], "a.json", "valid string"),
        ([[7, 1]], "a.json", "valid integer"),
        ([10**30], "a.json", "less than"),
        ([32_000, 7], "a.json", "token 0 is 32000.*the initial token"),
        ([7, 40_000], "a.json", "token 1 is 40000, text ids are 0..31999$"),
        ([-3], "a.json", "token 0 is -3"),
        ([{"token": 7}], "a.json", "frame: Field required"),
        ([{"frame": 7}], "a.json", "give `token` or `piece`"),
        ([{"token": 7, "frame": -1}], "a.json", "greater than or equal to 0"),
        ([{"token": 7, "frame": 1.5}], "a.json", "valid integer"),
        ([{"token": 7, "frame": 2}, {"token": 8, "frame": 2}], "a.json", "frame 2 is named twice"),
        ([{"token": 7, "frame": 2**31 - 1}], "a.json", "holds 2147483648 frames"),
        ([{"token": 7, "frame": 10**18}], "a.json", "less than"),
        ([{"token": 7, "frame": 1}, {"piece": "x", "frame": 2}], "a.json", "all of one kind"),
        ([{"piece": 7, "frame": 1}], "a.json", "valid string"),
        (npy(codes().astype(np.float64)), "a.npy", "the codes are float64"),
        (npy(np.full((17, 4), np.nan)), "a.npy", "the codes are float64"),
        (npy(np.array([[True]])), "a.npy", "the codes are bool"),
        (npy(codes().T), "a.npy", r"shape \(10, 17\) \(turned\?"),
        (npy(codes()[:8]), "a.npy", r"shape \(8, 10\)"),
        (npy(np.stack([codes()] * 2)), "a.npy", r"shape \(2, 17, 10\)"),
        (npy(np.int64(3)), "a.npy", r"shape \(\)"),
        (npy(codes() + 32_000), "a.npy", "token 0 is 32003"),
        (npy(np.array([2**63], dtype=np.uint64)), "a.npy", "which is no id"),
        (npy(np.zeros((17, 10_000), dtype=np.int64)), "a.npy", "it holds 10000 frames"),
        (npy(codes())[:200], "a.npy", "not a .npy file"),
        (_claiming((17, 10**12)), "a.npy", "not a .npy file"),
        (_claiming((17, 10**8)), "a.npy", "not a .npy file"),
        (npy(np.array([_Bomb()]), allow_pickle=True), "a.npy", "not a .npy file.*allow_pickle"),
        (pickle.dumps(_Bomb()), "a.npy", "not a .npy file"),
        (npz(codes=codes(), tokens=codes()), "a.npz", r"arrays \['codes', 'tokens'\]"),
        (npz(a=codes(), b=codes()), "a.npz", "call the one with the codes `codes`"),
        (npz(codes=np.zeros(MAX_BYTES, dtype=np.uint8), b=np.zeros(9)), "a.npz", "unpacks to more than 64 MiB"),
        (b"PK\x03\x04 cut", "a.npz", "not a .npz file"),
        (npz(codes=np.array([_Bomb()], dtype=object)), "a.npz", "not a .npz file"),
        (save({"codes": codes()})[:-8], "a.safetensors", "not a .safetensors file"),
        (b"\xff" * 64, "a.safetensors", "not a .safetensors file"),
        (save({}), "a.safetensors", r"arrays \[\]"),
        (pickle.dumps(_Bomb()), "a.codes.pt", "pickled files can run code.*safetensors"),
    ],
)
def test_what_is_no_text_stream_says_why(content: Any, name: str, says: str) -> None:
    with pytest.raises(TokensError, match=says) as caught:
        read(content, name)
    assert str(caught.value).startswith(f"{name}: ")


def test_files_are_read_from_paths_and_urls(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(b"[3]")
    with fsspec.open("memory://token-files/a.json", "wb") as file:
        file.write(b"[3]")

    assert tokens_bytes(str(tmp_path / "a.json")) == tokens_bytes("memory://token-files/a.json") == b"[3]"
    assert tokens_bytes(str(tmp_path / "none.json")) is None
    assert tokens_bytes("memory://token-files/none.json") is None
    with pytest.raises(TokensError, match="cannot be read"):
        tokens_bytes(str(tmp_path))
    monkeypatch.setattr("audio.asr.token_files.MAX_BYTES", 2)
    with pytest.raises(TokensError, match="larger than"):
        tokens_bytes(str(tmp_path / "a.json"))
