"""Every format in and out of the decoder, whole and broken."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import av
import fsspec
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from audio.decode import DecodeError, blocks, channel_blocks, load_channels, probe
from schemas.reasons import Reason
from tests.audio_files import FORMATS, click, encode, turns, write

RATES = (8000, 16000, 24000, 44100, 48000)


def lag(a: np.ndarray, b: np.ndarray) -> int:
    """Samples by which b comes after a."""
    n = min(len(a), len(b))
    return int(np.argmax(correlate(b[:n], a[:n]))) - (n - 1)


def whole(path: Path, **options: object) -> np.ndarray:
    return np.concatenate(list(blocks(str(path), **options)))


def reason_of(path: Path | str) -> Reason:
    with pytest.raises(DecodeError) as caught:
        list(blocks(str(path)))
    return caught.value.reason


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("suffix", FORMATS)
def test_round_trip_keeps_channels_and_times(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    sound = click(rate_hz, 2.5, (0.7, 1.4))
    path = write(tmp_path / f"log{suffix}", sound, rate_hz)

    info = probe(str(path))
    assert info.channels == 2
    assert info.duration_s == pytest.approx(2.5, abs=0.02)
    model, user = load_channels(str(path), 0, str(path), 1)

    expected = click(16000, 2.5, (0.7, 1.4))
    assert len(model) == len(user) == pytest.approx(2.5 * 16000, abs=2500)
    assert abs(lag(expected[:, 0], model)) <= 16, "the model's tone is not where it was recorded (1 ms)"
    assert abs(lag(expected[:, 1], user)) <= 16, "the user's tone is not where it was recorded (1 ms)"
    assert np.abs(model).max() == pytest.approx(0.5, rel=0.25)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_lossless_files_come_back_sample_for_sample(tmp_path: Path, suffix: str) -> None:
    sound = turns(np.random.default_rng(0), 24000)
    path = write(tmp_path / f"log{suffix}", sound, 24000)

    assert np.abs(whole(path) - sound).max() <= 2**-15


@pytest.mark.parametrize("suffix", FORMATS)
def test_blocks_join_to_the_same_samples_whatever_their_length(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"log{suffix}", turns(np.random.default_rng(1), 16000), 16000)

    short = list(blocks(str(path), 0.25))

    rate_hz = probe(str(path)).rate_hz
    assert {len(block) for block in short[:-1]} == {rate_hz // 4}
    np.testing.assert_array_equal(np.concatenate(short), whole(path))


@settings(max_examples=25, deadline=None)
@given(rate_hz=st.sampled_from([8000, 11025, 22050, 24000, 44100, 48000]), n=st.integers(10, 30_000))
def test_resampled_length_is_the_duration_at_the_new_rate(
    tmp_path_factory: pytest.TempPathFactory, rate_hz: int, n: int
) -> None:
    path = tmp_path_factory.mktemp("length") / "log.wav"
    soundfile.write(path, np.full((n, 2), 0.1, dtype=np.float32), rate_hz)

    model, user = load_channels(str(path), 0, str(path), 1)

    assert len(model) == len(user)
    assert abs(len(model) - n * 16000 / rate_hz) <= 1


def test_channels_are_picked_by_index_and_never_mixed(tmp_path: Path) -> None:
    sound = np.stack([np.full(16000, level, dtype=np.float32) for level in (0.1, 0.2, 0.3, 0.4)], axis=1)
    path = str(write(tmp_path / "log.wav", sound, 16000))

    model, user = load_channels(path, 3, path, 1)

    assert np.allclose(model, 0.4, atol=1e-4)
    assert np.allclose(user, 0.2, atol=1e-4)


def test_the_shorter_of_two_files_ends_in_silence(tmp_path: Path) -> None:
    sound = turns(np.random.default_rng(2), 24000, 3.0)
    model_path = write(tmp_path / "output.wav", sound[:, :1], 24000)
    user_path = write(tmp_path / "input.flac", sound[:48000, 1:], 24000)

    model, user = load_channels(str(model_path), 0, str(user_path), 0, rate_hz=24000)

    assert len(model) == len(user) == 72000
    assert np.abs(user[:48000] - sound[:48000, 1]).max() <= 2**-15
    assert not user[48000:].any()


def test_two_files_at_two_rates_meet_on_one_clock(tmp_path: Path) -> None:
    model_path = write(tmp_path / "output.wav", click(24000, 2.0, (1.0,)), 24000)
    user_path = write(tmp_path / "input.wav", click(8000, 2.0, (1.0,)), 8000)

    pairs = list(channel_blocks(str(model_path), 0, str(user_path), 0, rate_hz=16000, block_s=0.3))
    model, user = (np.concatenate(side) for side in zip(*pairs, strict=True))

    assert all(len(a) == len(b) for a, b in pairs)
    assert abs(lag(model, user)) <= 2


def test_urls_are_read_through_fsspec(tmp_path: Path) -> None:
    sound = turns(np.random.default_rng(3), 16000)
    for suffix in (".flac", ".mp3", ".m4a"):
        path = write(tmp_path / f"log{suffix}", sound, 16000)
        with fsspec.open(f"memory://decode/log{suffix}", "wb") as file:
            file.write(path.read_bytes())

        remote = load_channels(f"memory://decode/log{suffix}", 0, f"memory://decode/log{suffix}", 1)

        np.testing.assert_array_equal(remote, load_channels(str(path), 0, str(path), 1))
    assert reason_of("memory://decode/absent.flac") is Reason.AUDIO_MISSING


def test_memory_does_not_grow_with_the_length_of_a_log(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros((8000 * seconds, 2), dtype=np.int16) + 1, 8000)
        tracemalloc.start()
        for block in channel_blocks(str(path), 0, str(path), 1, rate_hz=16000, block_s=5.0):
            assert len(block[0])
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high

    peak(10)
    assert peak(600) < 1.5 * peak(60)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_cut_anywhere_is_truncated(tmp_path: Path, suffix: str) -> None:
    content = write(tmp_path / f"whole{suffix}", turns(np.random.default_rng(4), 24000, 2.0), 24000).read_bytes()
    rng = np.random.default_rng(5)
    cuts = {*range(1, 60, 3), *rng.integers(60, len(content), 25).tolist(), len(content) - 1}
    path = tmp_path / f"cut{suffix}"

    found = {}
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        found[cut] = reason_of(path)

    assert {cut: reason for cut, reason in found.items() if reason is not Reason.TRUNCATED} == {}


def test_a_damaged_flac_is_undecodable_and_not_truncated(tmp_path: Path) -> None:
    path = write(tmp_path / "log.flac", turns(np.random.default_rng(6), 24000), 24000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.write_bytes(content)

    assert reason_of(path) is Reason.UNDECODABLE


def patched(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def without_length(flac: bytes) -> bytes:
    return patched(flac, 18, (int.from_bytes(flac[18:26], "big") >> 36 << 36).to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("suffix", "change"),
    [
        (".wav", lambda wav: patched(wav, 40, b"\xff\xff\xff\xff")),
        (".wav", lambda wav: patched(patched(wav, 40, bytes(4)), 4, bytes(4))),
        (".wav", lambda wav: wav + b"LIST\x40\0\0\0INFO"),
        (".wav", lambda wav: wav[:36] + b"JUNK\x1b\0\0\0" + bytes(28) + wav[36:]),
        (".flac", without_length),
        (".flac", lambda flac: flac + bytes(1000)),
        (".flac", lambda flac: b"ID3\x04\0\0\0\0\x07\x50" + bytes(976) + flac),
        (".mp3", lambda mp3: mp3 + b"TAG" + b"x" * 125),
        (".mp3", lambda mp3: b"ID3\x04\0\0\0\0\x07\x50" + bytes(976) + mp3),
        (".ogg", lambda ogg: ogg + bytes(500)),
        (".m4a", lambda m4a: m4a + bytes(100)),
    ],
)
def test_odd_files_that_are_whole_are_read(tmp_path: Path, suffix: str, change: Callable[[bytes], bytes]) -> None:
    path = write(tmp_path / f"log{suffix}", turns(np.random.default_rng(7), 24000, 2.0), 24000)
    path.write_bytes(change(path.read_bytes()))

    assert len(whole(path)) == pytest.approx(48000, abs=1024)


@pytest.mark.parametrize("container", ["AIFF", "AU", "CAF", "W64", "RF64", "WAVEX", "NIST"])
def test_rarer_containers(tmp_path: Path, container: str) -> None:
    sound = turns(np.random.default_rng(7), 8000, 1.0)
    soundfile.write(tmp_path / "log", sound, 8000, format=container, subtype="PCM_16")

    assert np.abs(whole(tmp_path / "log") - sound).max() <= 2**-15


@pytest.mark.parametrize(
    ("name", "container", "codec", "sample_format", "options"),
    [
        ("fragmented.mp4", "mp4", "aac", "fltp", {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}),
        ("index_first.m4a", "ipod", "aac", "fltp", {"movflags": "faststart"}),
        ("bare.aac", "adts", "aac", "fltp", {}),
        ("ffmpeg.opus", "ogg", "libopus", "flt", {}),
    ],
)
def test_what_other_programs_write_is_read_whole_and_known_when_cut(
    tmp_path: Path, name: str, container: str, codec: str, sample_format: str, options: dict[str, str]
) -> None:
    sound = turns(np.random.default_rng(7), 24000, 2.0)
    path = tmp_path / name
    encode(path, sound, 24000, codec, container, sample_format, options)

    assert len(whole(path, rate_hz=24000)) == pytest.approx(48000, abs=2500)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert reason_of(path) is Reason.TRUNCATED


def test_empty_missing_and_foreign_files_have_their_own_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.mp3").write_text("<html>" + "not found " * 500)
    write(tmp_path / "nothing.wav", np.zeros((0, 2), dtype=np.float32), 16000)

    assert reason_of(tmp_path / "empty.wav") is Reason.EMPTY_AUDIO
    assert reason_of(tmp_path / "nothing.wav") is Reason.EMPTY_AUDIO
    assert reason_of(tmp_path / "page.mp3") is Reason.UNDECODABLE
    assert reason_of(tmp_path / "absent.wav") is Reason.AUDIO_MISSING


def test_a_hole_in_the_time_stamps_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "log.webm"
    rng = np.random.default_rng(8)
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=48000, layout="stereo")
        for start in range(0, 3 * 48000, 960):
            planes = (0.1 * rng.standard_normal((1, 1920))).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(planes, format="flt", layout="stereo")
            frame.rate = 48000
            frame.pts = start
            file.mux(stream.encode(frame) if not 48000 <= start < 2 * 48000 else [])
        file.mux(stream.encode(None))

    sound = whole(path)

    assert len(sound) / 48000 == pytest.approx(3.0, abs=0.1)
    assert not sound[int(1.1 * 48000) : int(1.9 * 48000)].any()
    assert np.abs(sound[int(2.1 * 48000) : int(2.9 * 48000)]).max() > 0.05


def test_decoders_write_nothing_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(9)
    for suffix in FORMATS:
        content = write(tmp_path / f"log{suffix}", turns(rng, 24000, 1.0), 24000).read_bytes()
        for broken in (content[: len(content) // 2], bytes(5000), rng.bytes(5000), content[:500] + rng.bytes(5000)):
            (tmp_path / f"bad{suffix}").write_bytes(broken)
            with pytest.raises(DecodeError):
                list(blocks(str(tmp_path / f"bad{suffix}")))

    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
