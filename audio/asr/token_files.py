"""The model's own text stream as logs hold it: JSON, JSONL, or codes in an array file.

- sparse: ``[{"token": 2046, "frame": 31}, {"piece": "\u2581Hello", "frame": 32}, ...]``, or one such object a line
  (``.jsonl``)
- dense: a list of ids, or of pieces (null or ``""`` for PAD), one a frame
- either in ``{"frame_rate_hz": 12.5, "tokens": [...]}``; dense pieces may stand beside dense ids under ``pieces``
- codes: integers (17, T), (9, T), (1, T) or (T,) in ``.npy``, ``.npz`` or ``.safetensors``; row 0 is the text. The rows
  after it, 8 of the model's audio and 8 of the user's, are not read.

Special ids are those of Kyutai's moshi (``LMModel``): PAD 3, EPAD 0, -1 and -2 for a frame without a token.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import fsspec
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, TypeAdapter, ValidationError, model_validator
from pydantic_core import from_json

from audio.decode import is_remote
from schemas.clock import FRAME_RATE_HZ, frames_that_cover

Tokens = npt.NDArray[np.int32]

MAX_BYTES = 64 << 20
"""Ten hours of 17 rows in 64 bits; a larger file is no log's text stream."""
NO_TOKEN = -1
UNGENERATED = -2
PAD_PIECES = ("", "<pad>")
EPAD_PIECE = "<unk>"
ROWS = (17, 9, 1)
ARRAY_NAMES = ("codes", "tokens")
ARRAYS = (".npy", ".npz", ".safetensors")
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")

Id = Annotated[int, Field(strict=True, ge=-(2**31), lt=2**31)]
Frame = Annotated[int, Field(strict=True, ge=0, lt=2**31)]


class TokensError(ValueError):
    """A text stream that cannot be had. The message says what was found."""


class TokenRules(BaseModel):
    """What the ids of a text stream mean, and how long it may be."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pad_id: int = Field(3, ge=0)
    """Id of PAD, the token of a frame in which no word goes on (moshi: `existing_text_padding_id`)."""
    epad_id: int = Field(0, ge=0)
    """Id of EPAD, which announces a word in the frame before it (moshi: `existing_text_end_padding_id`)."""
    vocabulary: int = Field(32_000, ge=1)
    """Ids from this one on are no text tokens (moshi: `text_card`; the id itself is its initial token)."""
    beyond_end_s: NonNegativeFloat = 2.0
    """A stream may go on for this long after the audio, seconds; a longer one belongs to another log."""


@dataclass(frozen=True)
class TextStream:
    """A text stream: ``tokens`` (n_frames,) or None, and the ``frames`` (m,) with neither PAD nor EPAD, in order.

    ``pieces`` (m,) stand at ``frames``; None when only ids are known. ``is_dense``: the log gave every frame.
    """

    frame_rate_hz: float
    n_frames: int
    is_dense: bool
    tokens: Tokens | None
    frames: Tokens
    pieces: list[str] | None


class _Token(BaseModel):
    token: Id | None = None
    piece: str | None = None
    frame: Frame

    @model_validator(mode="after")
    def _says_something(self) -> _Token:
        if self.token is None and self.piece is None:
            raise ValueError("give `token` or `piece`")
        return self


class _File(BaseModel):
    frame_rate_hz: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = FRAME_RATE_HZ
    tokens: list[Any] | None = None
    pieces: list[str | None] | None = None


_SPARSE = TypeAdapter(list[_Token])
_IDS = TypeAdapter(list[Id | None])
_PIECES = TypeAdapter(list[str | None])


def tokens_bytes(path: str) -> bytes | None:
    """The content of a tokens file; None where there is none. Raises TokensError for one that cannot be read."""
    name = posixpath.basename(path)
    try:
        with _open(path) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokensError(f"{name} cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise TokensError(f"{name} is larger than {MAX_BYTES >> 20} MiB")
    return content


def read_stream(content: bytes, name: str, duration_s: float, rules: TokenRules) -> TextStream:
    """The text stream in a file of that name; ``duration_s`` is the length of its log. Raises TokensError."""
    suffix = posixpath.splitext(name)[1].lower()
    try:
        if suffix in (*ARRAYS, *PICKLES):
            return _dense(_text_row(content, suffix), None, FRAME_RATE_HZ, duration_s, rules)
        return _of_json(content, suffix == ".jsonl", duration_s, rules)
    except TokensError as error:
        raise TokensError(f"{name}: {error}") from error


def _of_json(content: bytes, is_lines: bool, duration_s: float, rules: TokenRules) -> TextStream:
    value = [_parsed(line, f"line {i}: ") for i, line in _lines(content)] if is_lines else _parsed(content)
    try:
        file = _File.model_validate(value if isinstance(value, dict) else {"tokens": value})
        listed, rate_hz = file.tokens, file.frame_rate_hz
        _check_length(len(listed or file.pieces or ()), rate_hz, duration_s, rules)
        if file.pieces is not None and any(isinstance(item, dict | str) for item in listed or ()):
            raise TokensError("`pieces` goes with `tokens` that are ids, one a frame")
        if listed and isinstance(listed[0], dict):
            return _sparse(_SPARSE.validate_python(listed), rate_hz, duration_s, rules)
        if listed and any(isinstance(item, str) for item in listed):
            return _dense(None, _PIECES.validate_python(listed), rate_hz, duration_s, rules)
        if not listed and file.pieces is None:
            if listed is None:
                raise TokensError("it has none of the keys `tokens`, `pieces`")
            return _sparse([], rate_hz, duration_s, rules)
        ids = None if listed is None else np.array([_or_none(i) for i in _IDS.validate_python(listed)], dtype=np.int64)
        return _dense(ids, file.pieces, rate_hz, duration_s, rules)
    except ValidationError as error:
        raise TokensError(_first(error)) from error


def _sparse(listed: Sequence[_Token], rate_hz: float, duration_s: float, rules: TokenRules) -> TextStream:
    listed = sorted(listed, key=lambda item: item.frame)
    frames = np.array([item.frame for item in listed], dtype=np.int64)
    twice = frames[1:][np.diff(frames) == 0]
    if len(twice):
        raise TokensError(f"frame {twice[0]} is named twice: a text stream has one token a frame")
    last = int(frames[-1]) if len(frames) else -1
    _check_length(last + 1, rate_hz, duration_s, rules)
    has_ids = len({item.token is None for item in listed}) == 1 and listed[0].token is not None
    has_pieces = all(item.piece is not None for item in listed)
    if not (has_ids or has_pieces):
        raise TokensError("some tokens have no id and some no piece: give all of one kind")
    n_frames = max(last + 1, frames_that_cover(duration_s, rate_hz))
    ids = _checked(np.array([item.token for item in listed], dtype=np.int64), rules) if has_ids else None
    pieces = [item.piece or "" for item in listed] if has_pieces else None
    tokens = None
    if ids is not None:
        tokens = np.full(n_frames, rules.pad_id, dtype=np.int32)
        tokens[frames] = ids
    return _stream(tokens, pieces, frames, rate_hz, n_frames, False, rules)


def _dense(
    ids: npt.NDArray[np.int64] | None,
    pieces: Sequence[str | None] | None,
    rate_hz: float,
    duration_s: float,
    rules: TokenRules,
) -> TextStream:
    n_frames = len(pieces or ()) if ids is None else len(ids)
    if pieces is not None and len(pieces) != n_frames:
        raise TokensError(f"{n_frames} `tokens` and {len(pieces)} `pieces`: both should have one a frame")
    _check_length(n_frames, rate_hz, duration_s, rules)
    tokens = None if ids is None else _checked(ids, rules)
    texts = None if pieces is None else [piece or "" for piece in pieces]
    return _stream(tokens, texts, np.arange(n_frames), rate_hz, n_frames, ids is not None, rules)


def _stream(
    tokens: Tokens | None,
    pieces: list[str] | None,
    frames: npt.NDArray[np.int64],
    rate_hz: float,
    n_frames: int,
    is_dense: bool,
    rules: TokenRules,
) -> TextStream:
    """A stream from pieces at ``frames`` or tokens of all frames: those that are no word's are sorted out."""
    if tokens is not None:
        said = ~np.isin(tokens[frames], (rules.pad_id, rules.epad_id, NO_TOKEN))
    else:
        said = np.array([piece not in (*PAD_PIECES, EPAD_PIECE) for piece in pieces or ()], dtype=np.bool_)
    # Kyutai's server writes the word mark as a space.
    kept = None if pieces is None else [pieces[i].replace(" ", "\u2581") for i in np.flatnonzero(said)]
    return TextStream(rate_hz, n_frames, is_dense, tokens, frames[said].astype(np.int32), kept)


def _checked(ids: npt.NDArray[np.int64], rules: TokenRules) -> Tokens:
    ids = np.where(ids == UNGENERATED, NO_TOKEN, ids)
    bad = np.flatnonzero((ids < NO_TOKEN) | (ids >= rules.vocabulary))
    if len(bad):
        hint = ": the initial token, which is no frame's" if ids[bad[0]] == rules.vocabulary else ""
        raise TokensError(f"token {bad[0]} is {ids[bad[0]]}, text ids are 0..{rules.vocabulary - 1}{hint}")
    return ids.astype(np.int32)


def _check_length(n_frames: int, rate_hz: float, duration_s: float, rules: TokenRules) -> None:
    most = frames_that_cover(duration_s + rules.beyond_end_s, rate_hz)
    if n_frames > most:
        raise TokensError(f"it holds {n_frames} frames, the log of {duration_s:.1f} s has {most} at most")


def _text_row(content: bytes, suffix: str) -> npt.NDArray[np.int64]:
    if suffix in PICKLES:
        raise TokensError("pickled files can run code when they are read: save the codes as .safetensors or .npy")
    try:
        arrays = _safetensors(content) if suffix == ".safetensors" else _numpy(content)
    except TokensError:
        raise
    except Exception as error:  # each library has its own kinds for bytes that are not its format
        raise TokensError(f"not a {suffix} file of integers ({type(error).__name__}: {error})") from error
    named = [arrays[key] for key in ARRAY_NAMES if key in arrays] or list(arrays.values())
    if len(named) != 1:
        raise TokensError(f"arrays {sorted(arrays)}: call the one with the codes `codes`")
    codes = named[0]
    if codes.dtype.kind not in "iu":
        raise TokensError(f"the codes are {codes.dtype}, they should be integers")
    codes = codes[0] if codes.ndim == 3 and codes.shape[0] == 1 else codes
    if codes.ndim == 1:
        codes = codes[None]
    if codes.ndim != 2 or codes.shape[0] not in ROWS:
        turned = " (turned? rows come first)" if codes.ndim == 2 and codes.shape[1] in ROWS else ""
        raise TokensError(f"codes of shape {named[0].shape}{turned}: they should be (17, T), (9, T) or (1, T)")
    row = codes[0]
    if row.dtype == np.uint64 and row.size and row.max() > np.iinfo(np.int64).max:
        raise TokensError(f"token {int(row.argmax())} is {row.max()}, which is no id")
    return np.asarray(row, dtype=np.int64)


def _numpy(content: bytes) -> Mapping[str, npt.NDArray[Any]]:
    """Arrays of a .npy or .npz file. Claims of size cost nothing: NumPy fills what it allots as it reads."""
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {ARRAY_NAMES[0]: loaded}
    with loaded as archive:
        if sum(member.file_size for member in archive.zip.infolist()) > MAX_BYTES:
            raise TokensError(f"it unpacks to more than {MAX_BYTES >> 20} MiB")
        return dict(archive)


def _safetensors(content: bytes) -> Mapping[str, npt.NDArray[Any]]:
    from safetensors.numpy import load

    return load(content)


def _parsed(content: bytes, where: str = "") -> Any:
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise TokensError(f"{where}not JSON: {error}") from error


def _lines(content: bytes) -> list[tuple[int, bytes]]:
    return [(i, line) for i, line in enumerate(content.splitlines(), start=1) if line.strip()]


def _or_none(token: int | None) -> int:
    return NO_TOKEN if token is None else token


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where + ': ' if where else ''}{first['msg']}"


def _open(path: str) -> BinaryIO:
    if is_remote(path):
        return cast("BinaryIO", fsspec.open(path, "rb").open())
    return Path(path).open("rb")
