"""The noise floor of a channel: what is there when nobody speaks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from audio.frames import SILENCE, Mask, Powers, from_db

_BLOCK: Final = 200
"""Frames (2 s) that share one floor."""
_REACH: Final = 3
"""Blocks to either side that lend their quiet frames."""
_ENOUGH: Final = 30
"""Quiet frames without which the neighbourhood tells nothing."""
_LOW: Final = 20
"""Rank of the frame, of the 200 of a block, that stands for its floor (10 %)."""
_SMOOTH: Final = 5


def stands_out(powers: Powers, by_db: float) -> Mask:
    """Frames where some band, averaged over 50 ms, lies ``by_db`` above its own low values around. No VAD needed.

    ``powers`` has shape ``(n, bands)``. A frame that does not stand out can hold no speech that could be timed.
    """
    n, bands = powers.shape
    sums = np.cumsum(np.pad(powers, ((_SMOOTH // 2 + 1, _SMOOTH // 2), (0, 0)), mode="edge"), axis=0, dtype=np.float64)
    smooth = ((sums[_SMOOTH:] - sums[:-_SMOOTH]) / _SMOOTH).astype(np.float32)
    blocks = _blocked(smooth)
    low = np.partition(blocks, _LOW, axis=1)[:, _LOW]
    near = minimum_filter1d(low, 2 * _REACH + 1, axis=0, mode="nearest")
    least = np.maximum(near, SILENCE / bands) * np.float32(from_db(by_db))
    return np.asarray((blocks > least[:, None]).any(axis=2).ravel()[:n])


def noise_floor(powers: Powers, quiet: Mask) -> Powers:
    """Mean power per band over the ``quiet`` frames within 7 s of each frame, shape as ``powers``.

    Where too few are near, the log's mean over its quiet frames stands in; where there are none at all, the lowest
    2 s.
    """
    n, bands = powers.shape
    blocks = _blocked(powers)
    counted = np.pad(quiet.astype(np.float32), (0, len(blocks) * _BLOCK - n)).reshape(len(blocks), _BLOCK)
    counts = counted.sum(axis=1)
    sums = np.einsum("ijk,ij->ik", blocks, counted)
    everywhere = sums.sum(axis=0) / counts.sum() if counts.any() else blocks.mean(axis=1).min(axis=0)
    near = _around(counts[:, None])
    local = np.where(near >= _ENOUGH, _around(sums) / np.maximum(near, 1), everywhere)
    return np.asarray(np.maximum(np.repeat(local, _BLOCK, axis=0)[:n], SILENCE / bands), dtype=np.float32)


def _blocked(rows: Powers) -> Powers:
    n_blocks = -(-len(rows) // _BLOCK)
    padded = np.pad(rows, ((0, n_blocks * _BLOCK - len(rows)), (0, 0)), mode="edge")
    return padded.reshape(n_blocks, _BLOCK, rows.shape[1])


def _around(values: NDArray[np.floating]) -> NDArray[np.float64]:
    totals = np.cumsum(np.pad(values, ((_REACH + 1, _REACH), (0, 0))), axis=0, dtype=np.float64)
    return np.asarray(totals[2 * _REACH + 1 :] - totals[: -2 * _REACH - 1])
