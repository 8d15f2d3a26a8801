"""Audio files to float32 blocks at any rate, and the two channels of a log side by side.

Everything streams: memory holds one block, whatever the length of the log. A file that cannot be used raises
``DecodeError`` with the reason code it goes to quarantine with. Paths are local, or any URL fsspec knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest

import numpy as np
import soxr

from audio.files import AudioInfo, DecodeError, Samples, in_blocks, is_remote, opened
from schemas.clock import seconds_to_samples
from schemas.reasons import Reason

__all__ = ["AudioInfo", "DecodeError", "Samples", "blocks", "channel_blocks", "is_remote", "load_channels", "probe"]

BLOCK_S = 30.0
LOAD_BLOCK_S = 3.0
"""Blocks that stay in the processor's cache on their way through the resampler: 20 % faster than 30 s."""
RESAMPLER = "MQ"
"""soxr quality: 16 bits, as the logs themselves. HQ takes a fifth longer, QQ saves little and aliases."""


def probe(path: str) -> AudioInfo:
    """Rate, channels, length and format of a file, from its header alone. Raises DecodeError."""
    with opened(path) as source:
        return source.info


def blocks(
    path: str, block_s: float = BLOCK_S, *, channels: Sequence[int] | None = None, rate_hz: int | None = None
) -> Iterator[Samples]:
    """The samples of a file in order: float32 of shape (n, channels), ``block_s`` seconds each, the last one shorter.

    Full scale is 1.0. ``channels`` picks and orders columns (default: all); ``rate_hz`` resamples (default: as
    recorded). Holes in the time stamps of a compressed stream are filled with silence, so that a sample's index is its
    time. Raises DecodeError where the file turns out to be bad, which may be after some blocks.
    """
    with opened(path) as source:
        info = source.info
        if channels is not None and max(channels) >= info.channels:
            reason = Reason.MONO if info.channels == 1 else Reason.UNDECODABLE
            raise DecodeError(reason, f"channel {max(channels)} was asked for, the file has {info.channels}")
        picked = source.blocks(seconds_to_samples(block_s, info.rate_hz))
        if channels is not None and list(channels) != list(range(info.channels)):
            picked = (np.stack([block[:, channel] for channel in channels], axis=1) for block in picked)
        if rate_hz is not None and rate_hz != info.rate_hz:
            width = info.channels if channels is None else len(channels)
            picked = _resampled(picked, width, info.rate_hz, rate_hz, seconds_to_samples(block_s, rate_hz))
        total = 0
        for block in picked:
            total += len(block)
            yield block
        if total == 0:
            raise DecodeError(Reason.EMPTY_AUDIO, "the file decodes to 0 frames")


def channel_blocks(
    model_path: str, model_channel: int, user_path: str, user_channel: int, *, rate_hz: int, block_s: float = BLOCK_S
) -> Iterator[tuple[Samples, Samples]]:
    """Both channels of a log, block by block: pairs of float32 (n,) at ``rate_hz``; one decode when they share a file.

    Of two files of unequal length the shorter is padded with silence: a recorder that stops with the user's last word
    must not hide the answer that the other file holds. Raises DecodeError.
    """
    if model_path == user_path:
        for block in blocks(model_path, block_s, channels=(model_channel, user_channel), rate_hz=rate_hz):
            yield np.ascontiguousarray(block[:, 0]), np.ascontiguousarray(block[:, 1])
        return
    empty: Samples = np.zeros((0, 1), dtype=np.float32)
    model_blocks = blocks(model_path, block_s, channels=(model_channel,), rate_hz=rate_hz)
    user_blocks = blocks(user_path, block_s, channels=(user_channel,), rate_hz=rate_hz)
    for model, user in zip_longest(model_blocks, user_blocks, fillvalue=empty):
        n = max(len(model), len(user))
        yield np.pad(model[:, 0], (0, n - len(model))), np.pad(user[:, 0], (0, n - len(user)))


def load_channels(
    model_path: str, model_channel: int, user_path: str, user_channel: int, *, rate_hz: int = 16_000
) -> tuple[Samples, Samples]:
    """Both channels of a log at ``rate_hz``, whole: float32 (n,) each, as ``channel_blocks`` gives them."""
    pairs = list(
        channel_blocks(model_path, model_channel, user_path, user_channel, rate_hz=rate_hz, block_s=LOAD_BLOCK_S)
    )
    return np.concatenate([model for model, _ in pairs]), np.concatenate([user for _, user in pairs])


def _resampled(parts: Iterable[Samples], width: int, from_hz: int, to_hz: int, n: int) -> Iterator[Samples]:
    stream = soxr.ResampleStream(from_hz, to_hz, width, dtype="float32", quality=RESAMPLER)
    chunks = (stream.resample_chunk(part) for part in parts)
    rest = (stream.resample_chunk(np.zeros((0, width), dtype=np.float32), last=True) for _ in range(1))
    return in_blocks(chain(chunks, rest), n)
