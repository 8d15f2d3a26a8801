"""Silero VAD: the ONNX model that ships inside faster-whisper, run by onnxruntime on one thread.

The model reads 512 samples (32 ms) and the 64 before them, and carries an LSTM state. Windows that cannot hold speech
are left out; those around speech stay in, so that the state has settled before the first syllable.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from audio.frames import HOP, Mask, Samples, runs, widen
from audio.vad import VadName

_WINDOW: Final = 512
_CONTEXT: Final = 64
_STATE: Final = (1, 1, 128)
_BATCH: Final = 512
_LEAD_WINDOWS: Final = 4


class Silero:
    """Silero VAD v6."""

    name: VadName = "silero"

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        model = files("faster_whisper") / "assets" / "silero_vad_v6.onnx"
        self._session = onnxruntime.InferenceSession(
            model.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, samples: Samples, worth: Mask) -> NDArray[np.float32]:
        """See ``Vad``. A frame takes the probability of the window that holds its centre."""
        n_windows = -(-len(samples) // _WINDOW)
        centres = np.arange(len(worth)) * HOP + HOP // 2
        window_of_frame = np.minimum(centres // _WINDOW, max(n_windows - 1, 0))
        asked = np.zeros(n_windows, dtype=bool)
        asked[window_of_frame[worth]] = True
        result = np.zeros(n_windows, dtype=np.float32)
        for first, last in runs(widen(asked, _LEAD_WINDOWS, 1)):
            result[first:last] = self._run(_windows(samples, first, last))
        return np.asarray(result[window_of_frame] if n_windows else np.zeros(len(worth)), dtype=np.float32)

    def _run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """One stretch, from a fresh state: what was said long before makes the model deaf rather than wise."""
        h, c = np.zeros(_STATE, dtype=np.float32), np.zeros(_STATE, dtype=np.float32)
        parts = []
        for first in range(0, len(windows), _BATCH):
            probability, h, c = self._session.run(None, {"input": windows[first : first + _BATCH], "h": h, "c": c})
            parts.append(probability)
        return np.concatenate(parts)


def open_backend() -> Silero:
    """The backend, ready to use."""
    return Silero()


def _windows(samples: Samples, first: int, last: int) -> NDArray[np.float32]:
    """Windows ``[first, last)`` with their context, shape ``(n, 576)``."""
    start, stop = first * _WINDOW - _CONTEXT, last * _WINDOW
    stretch = samples[max(start, 0) : stop]
    stretch = np.pad(stretch, (max(-start, 0), max(stop - len(samples), 0)))
    view = np.lib.stride_tricks.sliding_window_view(stretch, _WINDOW + _CONTEXT)[::_WINDOW]
    return np.ascontiguousarray(view)
