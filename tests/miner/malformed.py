"""A fuzzer of bad logs: every way a stereo recording goes wrong in practice, each with the reason it must be given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from schemas.reasons import Reason
from tests.audio_files import FORMATS, LOSSLESS, turns, write

RATES = (8000, 16000, 24000, 48000)
Rng = np.random.Generator
Maker = Callable[[Path, Rng], tuple[Path, Reason]]


def make_malformed(folder: Path, n: int, seed: int) -> dict[Path, Reason]:
    """Write ``n`` bad logs below the folder, all kinds in turn, and say what is wrong with each.

    They are meant for a folder source with the model on either channel. The same seed makes the same logs
    (not always the same bytes: containers hold dates and serial numbers).
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[Path, Reason] = {}
    for i in range(n):
        maker = MAKERS[i % len(MAKERS)]
        rng = np.random.default_rng((seed, i))
        path, reason = maker(folder / f"bad{i:04d}_{maker.__name__.removeprefix('_')}", rng)
        made[path] = reason
    return made


def _sound(rng: Rng, channels: int = 2) -> tuple[np.ndarray, int]:
    rate_hz = int(rng.choice(RATES))
    return turns(rng, rate_hz, rng.uniform(1.0, 2.0), channels), rate_hz


def _suffix(rng: Rng, among: tuple[str, ...] = FORMATS) -> str:
    return str(rng.choice(among))


def _named(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _good(stem: Path, rng: Rng, suffix: str) -> Path:
    return write(_named(stem, suffix), *_sound(rng))


def _mono(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    return write(_named(stem, _suffix(rng)), *_sound(rng, 1)), Reason.MONO


def _mono_with_wrong_suffix(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = write(_named(stem, _suffix(rng)), *_sound(rng, 1))
    return path.rename(_named(stem, _suffix(rng))), Reason.MONO


def _doubled_mono(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng, 1)
    gains = np.array([1.0, rng.choice([1.0, -1.0, 0.5])], dtype=np.float32)
    suffix = _suffix(rng) if gains[1] == 1 else _suffix(rng, LOSSLESS)
    return write(_named(stem, suffix), sound * gains, rate_hz), Reason.IDENTICAL_CHANNELS


def _silent_channel(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng)
    level = rng.choice([0.0, 0.01])
    sound[:, rng.integers(2)] = level
    return write(_named(stem, _suffix(rng, LOSSLESS if level else FORMATS)), sound, rate_hz), Reason.SILENT_CHANNEL


def _dithered_silence(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng)
    sound[:, rng.integers(2)] = rng.integers(-1, 2, len(sound)) / 2**15
    return write(_named(stem, _suffix(rng, LOSSLESS)), sound, rate_hz), Reason.SILENT_CHANNEL


def _both_silent(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng)
    return write(_named(stem, _suffix(rng)), sound * 0, rate_hz), Reason.SILENT_CHANNEL


def _not_finite(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng)
    sound[rng.integers(len(sound)), rng.integers(2)] = rng.choice([np.nan, np.inf, -np.inf])
    path = _named(stem, ".wav")
    soundfile.write(path, sound, rate_hz, subtype=str(rng.choice(["FLOAT", "DOUBLE"])))
    return path, Reason.NON_FINITE_AUDIO


def _cut(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _good(stem, rng, _suffix(rng))
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(1, len(content))])
    return path, Reason.TRUNCATED


def _cut_by_a_byte(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _good(stem, rng, _suffix(rng))
    path.write_bytes(path.read_bytes()[:-1])
    return path, Reason.TRUNCATED


def _header_only(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _good(stem, rng, ".wav")
    path.write_bytes(path.read_bytes()[:44])
    return path, Reason.TRUNCATED


def _longer_by_its_header(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _good(stem, rng, ".wav")
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[40:44], "little")
    content[40:44] = (size * 2).to_bytes(4, "little")
    path.write_bytes(content)
    return path, Reason.TRUNCATED


def _no_frames(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng)
    return write(_named(stem, _suffix(rng, LOSSLESS)), sound[:0], rate_hz), Reason.EMPTY_AUDIO


def _no_bytes(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _named(stem, _suffix(rng))
    path.touch()
    return path, Reason.EMPTY_AUDIO


def _random_bytes(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _named(stem, _suffix(rng))
    path.write_bytes(rng.bytes(int(rng.integers(100, 50_000))))
    return path, Reason.UNDECODABLE


def _zeros(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _named(stem, _suffix(rng))
    path.write_bytes(bytes(int(rng.integers(100, 50_000))))
    return path, Reason.UNDECODABLE


def _text(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _named(stem, _suffix(rng))
    page = "<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>\n"
    notes = "".join(f"{i}: what was said in line {i}\n" for i in range(200))
    path.write_text(str(rng.choice([page, notes, '{"error": "access denied", "status": 403}'])))
    return path, Reason.UNDECODABLE


def _damaged_inside(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = write(_named(stem, ".flac"), turns(rng, 24000, 3.0), 24000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = rng.bytes(2000)
    path.write_bytes(content)
    return path, Reason.UNDECODABLE


def _too_long(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    path = _good(stem, rng, ".flac")
    content = bytearray(path.read_bytes())
    frames = 5 * 3600 * soundfile.info(path).samplerate
    packed = int.from_bytes(content[18:26], "big") >> 36 << 36 | frames
    content[18:26] = packed.to_bytes(8, "big")
    path.write_bytes(content)
    return path, Reason.TOO_LONG


def _too_slow(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    return write(_named(stem, ".wav"), turns(rng, 8000, 3.0), 1), Reason.TOO_LONG


def _three_channels(stem: Path, rng: Rng) -> tuple[Path, Reason]:
    sound, rate_hz = _sound(rng, int(rng.choice([3, 6])))
    return write(_named(stem, _suffix(rng, LOSSLESS)), sound, rate_hz), Reason.TOO_MANY_CHANNELS


MAKERS: tuple[Maker, ...] = (
    _mono,
    _mono_with_wrong_suffix,
    _doubled_mono,
    _silent_channel,
    _dithered_silence,
    _both_silent,
    _not_finite,
    _cut,
    _cut_by_a_byte,
    _header_only,
    _longer_by_its_header,
    _no_frames,
    _no_bytes,
    _random_bytes,
    _zeros,
    _text,
    _damaged_inside,
    _too_long,
    _too_slow,
    _three_channels,
)
