"""Speech as the Silero package itself cuts it out, for benchmarks that define their measures on it.

Mining does not use this: it draws finer edges from the same network (``audio.hear``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from audio.frames import RATE_HZ, Samples

DEFAULTS: Final = {
    "threshold": 0.5,
    "min_speech_duration_ms": 250,
    "min_silence_duration_ms": 100,
    "speech_pad_ms": 30,
}
"""What the Silero package does when it is asked for nothing else."""


def silero_timestamps(samples: Samples) -> NDArray[np.float64]:
    """Start and end of every stretch of speech in seconds, shape (n, 2), for mono audio taken to be 16 kHz."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    found = get_speech_timestamps(np.ascontiguousarray(samples, dtype=np.float32), VadOptions(**DEFAULTS), RATE_HZ)
    spans = np.array([[one["start"], one["end"]] for one in found], dtype=np.float64).reshape(-1, 2)
    return np.asarray(spans / RATE_HZ, dtype=np.float64)
