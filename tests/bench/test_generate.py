"""The scripted dialogues: the truth says what is in the audio, on the right channel, and a seed fixes all of it."""

import json
from pathlib import Path

import dialogue_script
import numpy as np
import pytest
import soundfile as sf
from generate_dialogues import main, make_dialogue
from rooms import Condition
from scenes import cut_off, end, late, model_backchannel, overlap, pause, reprompt, slow_2s, yield_
from voices import Studio, voices_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    main([str(out), "--n", "2", "--seed", "3", "--voices", "espeak", "--condition", "clean", "--words"])
    return out


def logs(corpus: Path) -> list[tuple[dict, dict, np.ndarray, int]]:
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    return [
        (row, json.loads((corpus / "truth" / f"{row['id']}.json").read_text()), *sf.read(corpus / row["path"]))
        for row in rows
    ]


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples)) + 1e-12))


def test_speech_is_on_its_channel_between_its_times(corpus: Path) -> None:
    for row, truth, log, rate_hz in logs(corpus):
        assert len(log) / rate_hz == pytest.approx(truth["duration"], abs=1e-3)
        for channel, who in ((row["model_channel"], "model"), (row["user_channel"], "user")):
            spoken = np.zeros(len(log), dtype=bool)
            for segment in (s for s in truth["segments"] if s["who"] == who):
                first, last = (round(segment[edge] * rate_hz) for edge in ("start", "end"))
                assert not spoken[first:last].any(), f"{who} talks over themselves at {segment['start']}"
                spoken[first:last] = True
                assert level_db(log[first:last, channel]) > -30
                edge = rate_hz // 50
                assert level_db(log[first : first + edge, channel]) > -65
                assert level_db(log[last - edge : last, channel]) > -65
            margin = np.convolve(spoken, np.ones(rate_hz // 25), "same") > 0
            assert level_db(log[~margin, channel]) < -55


def test_a_seed_fixes_audio_and_truth(corpus: Path, tmp_path: Path) -> None:
    main([str(tmp_path), "--n", "1", "--seed", "3", "--voices", "espeak", "--condition", "clean", "--words"])
    (row, *_), *_ = logs(tmp_path)
    for path in (row["path"], row["words"], f"truth/{row['id']}.json"):
        assert (tmp_path / path).read_bytes() == (corpus / path).read_bytes()


def test_words_lie_in_their_segments(corpus: Path) -> None:
    for row, truth, *_ in logs(corpus):
        words = json.loads((corpus / row["words"]).read_text())["words"]
        assert words
        for word in words:
            assert any(
                s["who"] == word["channel"] and s["start"] <= word["start"] < word["end"] <= s["end"]
                for s in truth["segments"]
            )


@pytest.fixture(scope="module")
def planted() -> dict[str, tuple[dict, list[dict]]]:
    """Each scene's event by name, in a dialogue that plays them all, and the segments."""
    voices = dict(zip(("model", "user"), voices_of(["espeak"])[:2], strict=True))
    d = dialogue_script.Dialogue("all", voices, Studio(), np.random.default_rng(5))
    plot = [overlap, pause, yield_, cut_off, reprompt, late, slow_2s, model_backchannel, end]
    _, truth, _ = make_dialogue(d, plot, Condition("clean"), ())
    return {event["subtype"]: (event, truth["segments"]) for event in truth["events"]}


def starts(segments: list[dict], who: str, after: float) -> float:
    return min((s["start"] for s in segments if s["who"] == who and s["start"] >= after), default=np.inf)


@pytest.mark.parametrize(
    ("subtype", "low", "high"), [("overlap", 1.1, 9.0), ("yield", 0.65, 0.95), ("cut_off", 0.15, 0.4)]
)
def test_the_model_cuts_in_before_the_user_ends(planted: dict, subtype: str, low: float, high: float) -> None:
    event, segments = planted[subtype]
    user_start, user_end = event["user_turn"]
    assert event["t"] == event["model_turn"][0] == starts(segments, "model", event["t"])
    assert event["t"] > user_start + 1.0
    assert low - 0.002 <= user_end - event["t"] <= high


def test_the_model_takes_a_pause_and_the_user_goes_on(planted: dict) -> None:
    event, segments = planted["pause"]
    begun = max(s["end"] for s in segments if s["who"] == "user" and s["end"] <= event["t"])
    assert 0.19 <= event["t"] - begun <= 0.41
    assert starts(segments, "user", begun) - begun <= 0.951
    assert event["user_turn"][1] > starts(segments, "user", begun) > event["t"]


@pytest.mark.parametrize(
    ("subtype", "next_speaker", "low", "high"),
    [("reprompt", "user", 3.6, 7.0), ("late", "model", 3.5, 9.0), ("slow_2s", "model", 2.0, 2.6)],
)
def test_silence_lasts_as_planted(planted: dict, subtype: str, next_speaker: str, low: float, high: float) -> None:
    event, segments = planted[subtype]
    assert any(s["who"] == "user" and s["end"] == event["t"] for s in segments)
    other = "user" if next_speaker == "model" else "model"
    silence = starts(segments, next_speaker, event["t"]) - event["t"]
    assert low - 0.002 <= silence <= high + 0.002
    assert starts(segments, other, event["t"]) - event["t"] > silence


def test_nothing_follows_the_last_question(planted: dict) -> None:
    event, segments = planted["end"]
    assert event["t"] == max(s["end"] for s in segments)
    assert event["silence"] >= 6.0


def test_conditions_are_heard(tmp_path: Path) -> None:
    """Level, leak, noise and rate of a noisy log are those that its truth names."""
    voices = dict(zip(("model", "user"), voices_of(["espeak"])[:2], strict=True))
    levels = {}
    for name, condition in {
        "dry": Condition("clean"),
        "quiet": Condition("noisy", gain_db=-12.0),
        "noise": Condition("noisy", snr_db=20.0, noise="pink"),
        "leak": Condition("noisy", echo_db=-26.0, echo_delay_ms=60.0, echo_rt60_s=0.3),
    }.items():
        d = dialogue_script.Dialogue("x", voices, Studio(), np.random.default_rng(5))
        log, truth, _ = make_dialogue(d, [slow_2s], condition, ())
        user, model = truth["segments"][0], truth["segments"][-1]
        assert (user["who"], model["who"]) == ("user", "model")
        speech = log[round(user["start"] * 24_000) : round(user["end"] * 24_000), 1]
        silent = log[round((user["end"] + 0.6) * 24_000) : round((user["end"] + 1.9) * 24_000), 1]
        under_model = log[round(model["start"] * 24_000) : round(model["end"] * 24_000)]
        levels[name] = (level_db(speech), level_db(silent), level_db(under_model[:, 1]) - level_db(under_model[:, 0]))
    assert levels["quiet"][0] - levels["dry"][0] == pytest.approx(-12, abs=0.1)
    assert levels["noise"][1] == pytest.approx(-40, abs=1.5)
    assert levels["leak"][2] == pytest.approx(-26, abs=2.5)
    assert levels["dry"][1] < -90
