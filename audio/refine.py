"""From VAD probabilities and frame powers to speech whose edges are exact to a frame.

The VAD says *that* somebody speaks; it starts tens of ms late and sleeps through pauses of 250 ms. The energy above
the floor says *when*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio.config import RefineConfig
from audio.frames import FRAME_MS, Mask, Powers, bridge, drop_short, fill, from_db, mean_db, runs, widen


def hysteresis(probability: NDArray[np.float32], on: float, off: float) -> Mask:
    """Frames at or above ``off`` in a stretch that somewhere reaches ``on``."""
    spans = runs(probability >= off)
    if not len(spans):
        return np.zeros(len(probability), dtype=bool)
    peaks = np.maximum.reduceat(probability, spans.ravel()[:-1] if spans[-1, 1] == len(probability) else spans.ravel())
    return fill(spans[peaks[::2][: len(spans)] >= on], len(probability))


def excess(powers: Powers, floor: Powers, above_db: float) -> NDArray[np.float32]:
    """Power above ``floor`` per frame: what the bands hold beyond ``above_db`` over it, summed, shape ``(n,)``."""
    over = powers - np.float32(from_db(above_db)) * floor
    return np.asarray(np.maximum(over, 0).sum(axis=1), dtype=np.float32)


def speech_level_db(loud: NDArray[np.float32], core: Mask) -> float | None:
    """Level of the speaker: mean excess over the louder half of the VAD's frames, dB; None without speech."""
    said = loud[core & (loud > 0)]
    return mean_db(said[said >= np.median(said)]) if len(said) else None


@dataclass(frozen=True)
class Edges:
    """What the energy of a channel says, per 10 ms frame (all ``(n,)``).

    ``sounding`` frames hold more than noise and remaining leak, ``clear`` ones so much more that it must be somebody,
    and ``loud`` ones are besides near the speaker's own level. ``faint`` ones could be a soft onset, ``firm`` ones
    are more than a room's ring.
    """

    faint: Mask
    firm: Mask
    sounding: Mask
    clear: Mask
    loud: Mask


def edges(
    core: Mask, powers: Powers, floor: Powers, residue: Powers | None, quiet: Mask, config: RefineConfig
) -> Edges | None:
    """Where a channel sounds, given where the VAD finds its speaker (``core``) and surely nobody (``quiet``).

    ``powers``, the noise's ``floor`` and the leak's ``residue`` have shape ``(n, bands)``. None when nobody speaks.
    """
    over = excess(powers, floor if residue is None else floor + residue, config.above_floor_db)
    level_db = speech_level_db(over, core)
    if level_db is None:
        return None
    noise = floor.sum(axis=1)
    restless = float(np.quantile(over[quiet] / noise[quiet], config.noise_quantile)) if quiet.any() else 0.0
    restful = noise * max(from_db(-config.below_noise_db), restless)
    if residue is not None:
        restful += residue.sum(axis=1) * from_db(-config.below_residue_db)
    most = from_db(level_db - config.least_below_speech_db)
    least = np.clip(restful, from_db(level_db - config.below_speech_db), most)
    faint = over > np.clip(restful, from_db(level_db - config.onset_below_speech_db), most)
    firm = over > np.clip(restful, from_db(level_db - config.tail_below_speech_db), most)
    clear = over > least * from_db(config.stand_out_db)
    loud = clear & (over > from_db(level_db - config.loud_below_speech_db))
    return Edges(faint=faint, firm=firm, sounding=over > least, clear=clear, loud=loud)


def speech_frames(core: Mask, found: Edges, config: RefineConfig) -> Mask:
    """Frames of speech, dips below ``pause_ms`` bridged, shape ``(n,)``."""
    near = _near(core, config)
    onset = widen(core, config.reach_before_ms // FRAME_MS, 0) & ~core
    sounding = (found.sounding & core) | (found.faint & onset) | (found.firm & near)
    sounding = drop_short(sounding, config.min_sound_ms // FRAME_MS)
    clear = found.clear & near
    spans = runs(bridge(sounding, config.pause_ms // FRAME_MS))
    keep = (
        (_frames_within(spans, sounding) * FRAME_MS >= config.min_speech_ms)
        & (_frames_within(spans, core & sounding) * FRAME_MS >= config.min_core_ms)
        & (_frames_within(spans, clear) >= 0.1 * _frames_within(spans, sounding))
    )
    return fill(spans[keep], len(core))


def doubtful_frames(core: Mask, found: Edges, config: RefineConfig) -> Mask:
    """Stretches as loud as the speaker in which the VAD found nobody, shape ``(n,)``."""
    loud = found.loud & ~_near(core, config)
    spans = runs(bridge(loud, config.pause_ms // FRAME_MS))
    return fill(spans[_frames_within(spans, loud) * FRAME_MS >= config.doubtful_ms], len(core))


def _near(core: Mask, config: RefineConfig) -> Mask:
    return widen(core, config.reach_before_ms // FRAME_MS, config.reach_after_ms // FRAME_MS)


def _frames_within(spans: NDArray[np.int64], mask: Mask) -> NDArray[np.int64]:
    total = np.concatenate([[0], np.cumsum(mask)])
    return np.asarray(total[spans[:, 1]] - total[spans[:, 0]])
