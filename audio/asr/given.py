"""Words that came with the log. Nothing is recognised; three JSON forms are read.

- moshi-finetune: ``{"alignments": [[word, [start, end], speaker], ...]}``, SPEAKER_MAIN is the model.
- Full-Duplex-Bench: ``{"text": ..., "chunks": [{"text": ..., "timestamp": [start, end]}, ...]}``; output.json holds the
  model's words, input.json beside it the user's.
- ``{"words": [{"channel": "model" | "user", "text": ..., "start": ..., "end": ..., "confidence": ...}, ...]}``
"""

from __future__ import annotations

import math
import posixpath
from pathlib import Path
from typing import Annotated, Literal

import fsspec
import numpy as np
import polars as pl
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from audio.asr import HEARD, WordsError
from audio.decode import is_remote

Number = Annotated[float, Field(allow_inf_nan=False)]


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


Time = Annotated[Number | None, BeforeValidator(_known)]
"""Seconds; null and NaN are how aligners write that they found no place for a word."""
MAIN_SPEAKER = "SPEAKER_MAIN"
MODEL_WORDS, USER_WORDS = "output.json", "input.json"


class _Chunk(BaseModel):
    text: str
    timestamp: tuple[Time, Time]


class _Word(BaseModel):
    channel: Literal["model", "user"]
    text: str
    start: Time = None
    end: Time = None
    confidence: Number | None = None


class _WordsFile(BaseModel):
    alignments: list[tuple[str, tuple[Time, Time], str | None]] | None = None
    chunks: list[_Chunk] | None = None
    words: list[_Word] | None = None


def given_words(words_path: str | None) -> pl.DataFrame:
    """The words of both channels with the columns of ``HEARD``; none for a log without any. Raises WordsError.

    A start that is missing is null, and so is the end then: the word's place is that of its row. An end that is missing
    or lies before the start becomes the start. Both are `interpolated`.
    """
    if words_path is None:
        return HEARD.to_frame()
    contents = words_bytes(words_path)
    if not contents:
        raise WordsError(f"{posixpath.basename(words_path)} is not there")
    return pl.concat(
        _parse(content, name, "user" if name == USER_WORDS else "model") for name, content in contents.items()
    )


def words_bytes(words_path: str) -> dict[str, bytes]:
    """The content of a words file, and of input.json beside output.json, by file name; empty where there is none.

    Raises WordsError where a file is there and cannot be read.
    """
    folder, name = posixpath.split(words_path)
    content = _read(words_path)
    if content is None:
        return {}
    beside = _read(posixpath.join(folder, USER_WORDS)) if name == MODEL_WORDS else None
    return {name: content} | ({USER_WORDS: beside} if beside is not None else {})


def _parse(content: bytes, name: str, side: str) -> pl.DataFrame:
    try:
        file = _WordsFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WordsError(f"{name}: {where + ': ' if where else ''}{first['msg']}") from error
    confidence: list[float | None]
    if file.alignments is not None:
        texts = [word for word, _, _ in file.alignments]
        starts, ends = [span[0] for _, span, _ in file.alignments], [span[1] for _, span, _ in file.alignments]
        channels = ["model" if speaker == MAIN_SPEAKER else "user" for _, _, speaker in file.alignments]
        confidence = [None] * len(texts)
    elif file.chunks is not None:
        texts = [chunk.text for chunk in file.chunks]
        starts = [chunk.timestamp[0] for chunk in file.chunks]
        ends = [chunk.timestamp[1] for chunk in file.chunks]
        channels, confidence = [side] * len(texts), [None] * len(texts)
    elif file.words is not None:
        texts, channels = [word.text for word in file.words], [str(word.channel) for word in file.words]
        starts, ends = [word.start for word in file.words], [word.end for word in file.words]
        confidence = [word.confidence for word in file.words]
    else:
        raise WordsError(f"{name} has none of the keys `alignments`, `chunks`, `words`")
    start_s = np.maximum(np.array(starts, dtype=np.float64), 0.0)
    end_s = np.array(ends, dtype=np.float64)
    has_end = end_s >= start_s
    return pl.DataFrame(
        {
            "channel": channels,
            "text": texts,
            "start_s": pl.Series(start_s).fill_nan(None),
            "end_s": pl.Series(np.where(has_end, end_s, start_s)).fill_nan(None),
            "timing_source": np.where(has_end, "given", "interpolated"),
            "confidence": confidence,
        },
        schema=HEARD,
    ).with_columns(pl.col("text").str.strip_chars())


def _read(path: str) -> bytes | None:
    try:
        if is_remote(path):
            with fsspec.open(path, "rb") as file:
                return bytes(file.read())
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WordsError(f"{posixpath.basename(path)} cannot be read: {error.strerror or error}") from error
