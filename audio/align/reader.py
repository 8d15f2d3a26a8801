"""Pieces of a channel by place, from blocks that come once and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from audio.frames import RATE_HZ, Samples

Read = Callable[[int, int], Samples]
"""Samples ``[start, stop)`` of a channel at 16 kHz, fewer where it ends."""


class BlockReader:
    """A ``Read`` over blocks that come once and in order, such as ``audio.decode.blocks`` gives; holds ``keep_s``."""

    def __init__(self, blocks: Iterable[Samples], keep_s: int = 120) -> None:
        self._blocks = iter(blocks)
        self._keep = keep_s * RATE_HZ
        self._held: list[Samples] = []
        self._first = 0
        self._end = 0

    def __call__(self, start: int, stop: int) -> Samples:
        """Samples ``[start, stop)``. Raises ValueError for a place that was let go."""
        while self._end < stop and (block := next(self._blocks, None)) is not None:
            self._held.append(block.reshape(len(block), -1)[:, 0])
            self._end += len(block)
            while len(self._held) > 1 and self._first + len(self._held[0]) < min(start, self._end - self._keep):
                self._first += len(self._held.pop(0))
        if start < self._first:
            raise ValueError(f"sample {start} was let go; the reader holds {self._first} to {self._end}")
        together = np.concatenate(self._held) if self._held else np.zeros(0, dtype=np.float32)
        return np.asarray(together[start - self._first : stop - self._first], dtype=np.float32)
