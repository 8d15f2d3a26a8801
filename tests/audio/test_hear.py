from collections.abc import Callable

import numpy as np
import pytest
import soxr
from scipy.signal import fftconvolve

import audio.hear
from audio.config import HearConfig, VoiceConfig
from audio.frames import RATE_HZ, Samples
from audio.hear import ChannelActivity, hear, hear_stream
from audio.vad import Vad, open_vad

from .conftest import Excerpt, Spans, make_noise, make_room, spans_of, turns_of

Heard = tuple[ChannelActivity, ChannelActivity]


def assert_near(found: Spans, planted: Spans, within_s: float) -> None:
    assert found.shape == planted.shape, f"found {found.tolist()}, planted {planted.tolist()}"
    assert np.abs(found - planted).max() <= within_s, (found - planted).tolist()


def shifted(samples: Samples, seconds: float) -> Samples:
    return np.concatenate([np.zeros(int(seconds * RATE_HZ), np.float32), samples])


def leaking(clean: Excerpt, level_db: float, room: Samples, noise_dbfs: float | None = None) -> Samples:
    """The user's channel with the model's voice leaking into it through a room."""
    leak = fftconvolve(clean.model, room)[: len(clean.user)] * 10 ** (level_db / 20)
    noise = 0 if noise_dbfs is None else make_noise(len(clean.user), noise_dbfs)
    return (clean.user + leak + noise).astype(np.float32)


def test_clean_edges_are_exact_to_a_frame_or_two(clean: Excerpt, clean_heard: Heard) -> None:
    for activity, who in zip(clean_heard, ("model", "user"), strict=True):
        assert_near(turns_of(activity), clean.spans[who], 0.03)
        assert not len(activity.leak.start_s)
        assert activity.leak_db is None
        assert activity.duration_s == 20.5


def test_levels_are_those_of_the_samples(clean: Excerpt, clean_heard: Heard) -> None:
    user = clean_heard[1]
    first = clean.user[int(user.speech.start_s[0] * RATE_HZ) : int(user.speech.end_s[0] * RATE_HZ)]
    assert user.speech.level_db[0] == pytest.approx(10 * np.log10(np.mean(first**2)), abs=0.1)
    assert user.level_db is not None
    assert user.noise_db is not None
    assert user.level_db == pytest.approx(user.speech.level_db.mean(), abs=2)
    assert user.noise_db < -80


def test_noise_and_leak_and_backchannels_of_a_real_log(excerpt: Callable[[str], Excerpt], silero: Vad) -> None:
    log = excerpt("leak_backchannels")
    model, user = hear(log.model, log.user, silero)
    assert_near(turns_of(model, 0.25), log.spans["model"], 0.05)
    assert_near(turns_of(user, 0.25), log.spans["user"], 0.10)
    assert user.leak_db == pytest.approx(-33.6 - 6.5, abs=4)
    assert user.leak_delay_ms == pytest.approx(87, abs=1)


@pytest.mark.parametrize("seconds", [0.007, 1.2345])
def test_a_shift_of_the_log_shifts_the_edges(clean: Excerpt, clean_heard: Heard, silero: Vad, seconds: float) -> None:
    later = hear(shifted(clean.model, seconds), shifted(clean.user, seconds), silero)
    for before, after in zip(clean_heard, later, strict=True):
        assert_near(turns_of(after) - seconds, turns_of(before), 0.02)


@pytest.mark.parametrize("gain_db", [-30, -18, 6])
def test_level_does_not_move_an_edge(clean: Excerpt, clean_heard: Heard, silero: Vad, gain_db: float) -> None:
    user = hear(clean.model, clean.user * np.float32(10 ** (gain_db / 20)), silero)[1]
    assert_near(spans_of(user), spans_of(clean_heard[1]), 0.02)
    assert user.level_db == pytest.approx((clean_heard[1].level_db or 0) + gain_db, abs=0.2)


def test_dc_and_hum_do_not_move_an_edge(clean: Excerpt, clean_heard: Heard, silero: Vad) -> None:
    hum = 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(clean.user)) / RATE_HZ)
    user = hear(clean.model, (clean.user + hum + 0.05).astype(np.float32), silero)[1]
    assert_near(turns_of(user), turns_of(clean_heard[1]), 0.04)


@pytest.mark.parametrize(("snr_db", "within_s"), [(30, 0.06), (14, 0.15)])
def test_stationary_noise(clean: Excerpt, clean_heard: Heard, silero: Vad, snr_db: float, within_s: float) -> None:
    noise_dbfs = (clean_heard[1].level_db or 0) - snr_db
    user = hear(clean.model, clean.user + make_noise(len(clean.user), noise_dbfs), silero)[1]
    assert_near(turns_of(user), clean.spans["user"], within_s)
    assert user.noise_db == pytest.approx(noise_dbfs, abs=1)


@pytest.mark.parametrize("level_db", [-22, -34])
@pytest.mark.parametrize("noise_dbfs", [None, -50])
def test_leak_through_a_room_is_no_speech(
    clean: Excerpt, silero: Vad, level_db: float, noise_dbfs: float | None
) -> None:
    user = hear(clean.model, leaking(clean, level_db, make_room(0.3, 80), noise_dbfs), silero)[1]
    assert_near(turns_of(user), clean.spans["user"], 0.15)
    assert user.leak_db == pytest.approx(level_db, abs=3)
    assert user.leak_delay_ms == pytest.approx(80, abs=1)
    if noise_dbfs is None:
        heard_leak_s = (user.leak.end_s - user.leak.start_s).sum()
        spoken_s = (clean.spans["model"][:, 1] - clean.spans["model"][:, 0]).sum()
        assert heard_leak_s == pytest.approx(spoken_s, rel=0.15)


@pytest.mark.parametrize("level_db", [-22, -30])
def test_the_user_over_the_models_leak_is_kept(clean: Excerpt, silero: Vad, level_db: float) -> None:
    answer = clean.user[int(18.884 * RATE_HZ) : int(19.656 * RATE_HZ)] * 0.5
    double = clean.user.copy()
    start = int(14.0 * RATE_HZ)
    double[start : start + len(answer)] += answer
    talk = Excerpt(clean.model, double, clean.spans)
    user = hear(clean.model, leaking(talk, level_db, make_room(0.3, 80), -55), silero)[1]
    kept = turns_of(user)[2]
    assert kept == pytest.approx([14.0, 14.772], abs=0.15)
    inside = (user.leak.start_s < 14.7) & (user.leak.end_s > 14.1)
    assert not inside.any(), "what the user says is not also leak"


@pytest.mark.parametrize("what", ["the room changes", "the clock drifts", "the loudspeaker clips"])
def test_leak_that_no_fixed_filter_takes_out_is_no_speech(clean: Excerpt, silero: Vad, what: str) -> None:
    played = clean.model
    if what == "the loudspeaker clips":
        played = np.tanh(played * 8) / 8
    elif what == "the clock drifts":
        played = np.interp(np.arange(len(played)) * (1 - 1e-4), np.arange(len(played)), played).astype(np.float32)
    leak = fftconvolve(played, make_room(0.3, 60))[: len(played)]
    if what == "the room changes":
        moved = fftconvolve(played, make_room(0.3, 66, seed=9))[: len(played)]
        leak = np.where(np.arange(len(played)) < 14 * RATE_HZ, leak, moved)
    user = clean.user + leak * 10 ** (-25 / 20) + make_noise(len(played), -70)
    assert_near(turns_of(hear(clean.model, user.astype(np.float32), silero)[1]), clean.spans["user"], 0.05)


def test_no_leak_is_invented(clean: Excerpt, silero: Vad) -> None:
    user = hear(clean.model, clean.user + make_noise(len(clean.user), -50), silero)[1]
    assert user.leak_db is None
    assert user.leak_delay_ms is None


def test_a_pause_of_250_ms_splits_and_one_of_120_ms_does_not(clean: Excerpt, silero: Vad) -> None:
    word = clean.user[int(9.53 * RATE_HZ) : int(10.51 * RATE_HZ)]
    for pause_s, segments in ((0.25, 2), (0.12, 1)):
        lead, pause = np.zeros(2 * RATE_HZ, np.float32), np.zeros(int(pause_s * RATE_HZ), np.float32)
        user = np.concatenate([lead, word, pause, word, lead])
        assert len(hear(np.zeros_like(user), user, silero)[1].speech.start_s) == segments


def test_clicks_are_no_speech(silero: Vad, clean: Excerpt) -> None:
    user = clean.user.copy()
    rng = np.random.default_rng(3)
    for at_s in (6.0, 12.0, 13.3, 16.0):
        start = int(at_s * RATE_HZ)
        user[start : start + 240] += (0.3 * rng.standard_normal(240)).astype(np.float32)
    assert_near(turns_of(hear(clean.model, user, silero)[1]), clean.spans["user"], 0.03)


@pytest.mark.parametrize("n", [0, 1, 100, 16_001])
def test_silence_of_any_length(silero: Vad, n: int) -> None:
    for activity in hear(np.zeros(n, np.float32), np.zeros(n, np.float32), silero):
        assert not len(activity.speech.start_s)
        assert activity.level_db is None
        assert activity.leak_db is None


def test_noise_alone_is_no_speech(silero: Vad) -> None:
    n = 20 * RATE_HZ
    for activity in hear(make_noise(n, -60, 5), make_noise(n, -30, 6), silero):
        assert not len(activity.speech.start_s)


def test_telephone_audio(clean: Excerpt, silero: Vad) -> None:
    narrow = [soxr.resample(soxr.resample(side, RATE_HZ, 8000), 8000, RATE_HZ) for side in (clean.model, clean.user)]
    for activity, who in zip(hear(narrow[0], narrow[1], silero), ("model", "user"), strict=True):
        assert_near(turns_of(activity), clean.spans[who], 0.12)


def test_webrtc_backend(clean: Excerpt) -> None:
    for activity, who in zip(hear(clean.model, clean.user, open_vad("webrtc")), ("model", "user"), strict=True):
        assert_near(turns_of(activity), clean.spans[who], 0.06)


def test_a_log_in_pieces_is_heard_as_a_whole(
    clean: Excerpt, clean_heard: Heard, silero: Vad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio.hear, "STRETCH_S", 5)
    monkeypatch.setattr(audio.hear, "CONTEXT_S", 3)
    cuts = range(0, len(clean.user), 12_345)
    pieces = [(clean.model[i : i + 12_345], clean.user[i : i + 12_345]) for i in cuts]
    for before, after in zip(clean_heard, hear_stream(pieces, silero), strict=True):
        assert after.duration_s == before.duration_s
        assert_near(turns_of(after), turns_of(before), 0.03)


def test_voices_in_the_background_do_not_fill_the_users_pauses(clean: Excerpt, clean_heard: Heard, silero: Vad) -> None:
    # two talkers without a pause, 16 dB below the user: what the VAD hears as one long utterance
    said = np.concatenate([clean.user[int(a * RATE_HZ) : int(b * RATE_HZ)] for a, b in spans_of(clean_heard[1])])
    talkers = sum(np.resize(np.roll(said, shift), len(clean.user)) for shift in (0, len(said) // 3))
    noisy = (clean.user + talkers * 10 ** (-16 / 20)).astype(np.float32)
    deaf = HearConfig(voice=VoiceConfig(least_quiet=0.0))
    assert len(turns_of(hear(clean.model, noisy, silero, deaf)[1])) < len(turns_of(clean_heard[1]))
    assert_near(turns_of(hear(clean.model, noisy, silero)[1]), turns_of(clean_heard[1]), 0.2)
