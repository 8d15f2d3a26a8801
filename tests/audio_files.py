"""Sound and files for tests: two people taking turns, written in every format that logs come in."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.float32]

FORMATS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm")
LOSSLESS = (".wav", ".flac")
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


def turns(rng: np.random.Generator, rate_hz: int, seconds: float = 3.0, channels: int = 2) -> Samples:
    """Voices (buzzes with syllables, each channel in its own turns) over faint noise: float32 (n, channels)."""
    n = int(rate_hz * seconds)
    t = np.arange(n) / rate_hz
    sound = 1e-3 * rng.standard_normal((n, channels))
    for channel in range(channels):
        pitch = rng.uniform(90, 250)
        buzz = sum(np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6)) / k for k in range(1, 6))
        syllables = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(3, 5) * t)
        own_turn = (np.floor(t / rng.uniform(0.5, 0.9)).astype(int) % channels) == channel
        sound[:, channel] += 0.15 * buzz * syllables * own_turn
    return sound.astype(np.float32)


def click(rate_hz: int, seconds: float, at_s: tuple[float, ...]) -> Samples:
    """Silence with one short tone per channel at the given times: float32 (n, len(at_s))."""
    sound = np.zeros((int(rate_hz * seconds), len(at_s)), dtype=np.float32)
    window = np.hanning(int(0.05 * rate_hz))
    tone = 0.5 * window * np.sin(2 * np.pi * 600 * np.arange(len(window)) / rate_hz)
    for channel, start_s in enumerate(at_s):
        start = round(start_s * rate_hz)
        sound[start : start + len(tone), channel] = tone
    return sound


def write(path: Path, sound: Samples, rate_hz: int) -> Path:
    """Write float32 (n, channels) in the format of the path's suffix. Opus takes 44.1 kHz as 48 kHz, as encoders do."""
    suffix = path.suffix
    if suffix in (".opus", ".webm") and rate_hz not in OPUS_RATES:
        sound, rate_hz = soxr.resample(sound, rate_hz, 48000), 48000
    if suffix == ".opus":
        soundfile.write(path, sound, rate_hz, format="OGG", subtype="OPUS")
    elif suffix == ".m4a":
        encode(path, sound, rate_hz, "aac", "ipod", "fltp")
    elif suffix == ".webm":
        encode(path, sound, rate_hz, "libopus", "webm", "flt")
    else:
        soundfile.write(path, sound, rate_hz)
    return path


def encode(
    path: Path,
    sound: Samples,
    rate_hz: int,
    codec: str,
    container: str,
    sample_format: str,
    options: dict[str, str] | None = None,
) -> None:
    """Write float32 (n, channels) through PyAV. Starts at time 0, so that players drop the encoder's delay."""
    layout = {1: "mono", 2: "stereo", 3: "2.1", 6: "5.1"}[sound.shape[1]]
    planes = np.ascontiguousarray(sound.T) if sample_format.endswith("p") else sound.reshape(1, -1)
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(planes, format=sample_format, layout=layout)
        frame.rate = rate_hz
        frame.pts = 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
