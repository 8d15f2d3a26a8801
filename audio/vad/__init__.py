"""Voice activity detection behind one Protocol: a backend is one file, chosen by name and imported when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final, Literal, Protocol

from numpy import float32
from numpy.typing import NDArray

from audio.backends import MissingBackendError
from audio.frames import Mask, Samples

VadName = Literal["silero", "webrtc"]

_NEEDS: Final = {"silero": "faster-whisper onnxruntime", "webrtc": "webrtcvad-wheels"}


class Vad(Protocol):
    """A voice activity detector for 16 kHz mono audio."""

    name: VadName

    def probabilities(self, samples: Samples, worth: Mask) -> NDArray[float32]:
        """Probability of speech per 10 ms frame, shape as ``worth``.

        ``worth`` marks the frames that may hold speech; a backend need not look at the others (they read 0). The
        samples should lie near -26 dBFS where somebody speaks.
        """
        ...


def open_vad(name: VadName) -> Vad:
    """Load a backend. Raises MissingBackendError with the install line when its package is not there."""
    try:
        module = import_module(f"audio.vad.{name}")
    except ImportError as error:
        raise MissingBackendError(
            f"VAD backend '{name}' needs a package that is not installed ({error}). Run: pip install {_NEEDS[name]}"
        ) from error
    vad: Vad = module.open_backend()
    return vad
