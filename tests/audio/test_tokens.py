"""Words from a text stream: which pieces make one, and when it was said."""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.asr import HEARD
from audio.asr.tokenizer import Tokenizer
from audio.asr.tokens import TokenWords, words_of_tokens
from schemas.activity import ACTIVITY
from schemas.text_tokens import TEXT_TOKENS
from tests.token_streams import EPAD, PAD, interleaved, processor, trained

Spans = list[tuple[float, float]]
SENTENCES = (
    "Neil Armstrong, in July nineteen sixty nine.",
    "Because warm air rises and cool air sinks.",
    "Sure, okay!",
)


def stream(*pieces: tuple[str, int], name: str = "d", rate_hz: float = 12.5) -> pl.DataFrame:
    row = {
        "dialogue_id": name,
        "frame_rate_hz": rate_hz,
        "n_frames": 10_000,
        "is_dense": False,
        "tokens": None,
        "frames": [frame for _, frame in pieces],
        "pieces": [piece.replace("_", "\u2581") for piece, _ in pieces],
    }
    return TEXT_TOKENS.conform(pl.DataFrame([row], schema_overrides={"pieces": pl.List(pl.String())}))


def speech(spans: Spans, name: str = "d", channel: str = "model") -> pl.DataFrame:
    row = {
        "dialogue_id": name,
        "channel": channel,
        "duration_s": 800.0,
        "speech": [{"start_s": a, "end_s": b, "level_db": -20.0} for a, b in spans],
        "leak": [],
        "vad": "silero",
    }
    overrides = {"speech": ACTIVITY.schema["speech"], "leak": ACTIVITY.schema["leak"]}
    return ACTIVITY.conform(pl.DataFrame([row], schema_overrides=overrides))


EVERYWHERE: Spans = [(0.0, 800.0)]


def words(tokens: pl.DataFrame, spans: Spans | None = None, **rules: int) -> list[tuple[str, float, float]]:
    found = words_of_tokens(tokens, speech(EVERYWHERE if spans is None else spans), TokenWords(**rules))
    assert found.schema == {"dialogue_id": pl.String(), **HEARD}
    assert found.is_empty() or set(found["channel"]) == {"model"}
    assert found.is_empty() or set(found["timing_source"]) == {"given"}
    return found.select("text", "start_s", "end_s").rows()


def texts(*pieces: str) -> list[str]:
    return [text for text, _, _ in words(stream(*((piece, i) for i, piece in enumerate(pieces))))]


def test_a_word_runs_from_its_first_piece_to_the_next_word() -> None:
    tokens = stream(("_Hel", 10), ("lo", 11), ("_you", 13), ("_there", 50))

    assert words(tokens) == [("Hello", 0.8, 1.04), ("you", 1.04, 1.52), ("there", 4.0, 4.48)]
    assert words(tokens, word_tail_ms=0) == [("Hello", 0.8, 0.96), ("you", 1.04, 1.12), ("there", 4.0, 4.08)]


def test_text_that_runs_ahead_of_its_audio_is_moved_back() -> None:
    tokens = stream(("_Hi", 0), ("_you", 10))

    assert words(tokens, text_lead_ms=80, word_tail_ms=0) == [("Hi", 0.08, 0.16), ("you", 0.88, 0.96)]
    assert words(tokens, text_lead_ms=-40, word_tail_ms=0) == [("Hi", 0.0, 0.04), ("you", 0.76, 0.84)]


def test_frames_of_another_rate() -> None:
    assert words(stream(("_Hi", 25), rate_hz=25), word_tail_ms=0) == [("Hi", 1.0, 1.04)]


def test_a_word_ends_with_the_speech_that_holds_it() -> None:
    tokens = stream(("_in", 10), ("_end", 20), ("_before", 30), ("_after", 60))

    ends = [end for _, _, end in words(tokens, [(0.5, 1.0), (1.5, 1.7), (2.5, 3.0)])]

    assert ends == [1.0, 1.7, 2.88, 5.28]


def test_the_users_speech_ends_no_word_of_the_model() -> None:
    sides = pl.concat([speech(EVERYWHERE), speech([(0.0, 0.85)], channel="user")])

    assert words_of_tokens(stream(("_Hi", 10)), sides, TokenWords())["end_s"].to_list() == [1.28]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (("_Sure", ",", "_okay", "!"), ["Sure,", "okay!"]),
        (("Hel", "lo", "_you"), ["Hello", "you"]),
        (("_", "H", "i"), ["Hi"]),
        (("_", "_Hi"), ["Hi"]),
        (("_yes", "_-", "_no", "_\u2026"), ["yes-", "no\u2026"]),
        (("_\u00ab", "_oui"), ["\u00ab", "oui"]),
        (("_it", "'", "s", "_5", "0", "%"), ["it's", "50%"]),
        (("_caf", "<0xC3>", "<0xA9>", "_<0xE2>", "<0x80>", "_b"), ["caf\u00e9\ufffd", "b"]),
        (("_a", "</s>", "<s>", "_b"), ["a", "b"]),
        (("\u3053\u3093", "\u306b\u3061\u306f"), ["\u3053\u3093\u306b\u3061\u306f"]),
        (("_New_York", "_is"), ["New York", "is"]),
        (("</s>",), []),
        ((), []),
    ],
)
def test_pieces_make_words(pieces: tuple[str, ...], expected: list[str]) -> None:
    assert texts(*pieces) == expected


def test_dialogues_do_not_run_into_each_other() -> None:
    parts = [stream(("_a", 1), ("b", 2), name="x"), stream(("c", 0), ("_d", 1), name="y"), stream(name="z")]
    sides = pl.concat([speech([(0.0, 0.3)], "x"), speech(EVERYWHERE, "y"), speech(EVERYWHERE, "z")])

    together = words_of_tokens(pl.concat(parts), sides, TokenWords())

    alone = pl.concat([words_of_tokens(part, sides, TokenWords()) for part in parts])
    assert together.equals(alone)
    assert together.select("dialogue_id", "text").rows() == [("x", "ab"), ("y", "c"), ("y", "d")]


def test_ids_without_pieces_give_no_words() -> None:
    row = {"dialogue_id": "d", "frame_rate_hz": 12.5, "n_frames": 1, "is_dense": True, "tokens": [7], "frames": [0]}

    assert words(TEXT_TOKENS.conform(pl.DataFrame([row]))) == []
    assert words(TEXT_TOKENS.empty()) == []


VOCABULARY = [word for sentence in SENTENCES for word in sentence.split()]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(VOCABULARY), st.integers(1, 3000)), max_size=20))
def test_words_come_back_from_the_stream_they_were_laid_into(said: list[tuple[str, int]]) -> None:
    model = processor(trained(SENTENCES))
    said_s, at = [], 0.0
    for text, gap_ms in said:
        at = round(at + gap_ms / 1000, 3)
        said_s.append((text, at))
        at += 0.08 * len(model.encode(text))
    row = interleaved(said_s, at + 3.0, model.encode)
    frames = [frame for frame, token in enumerate(row) if token not in (PAD, EPAD)]
    pieces = [(model.id_to_piece(row[frame]), frame) for frame in frames]

    found = words(stream(*pieces))

    assert [text for text, _, _ in found] == [text for text, _ in said_s]
    for (_, start, end), (_, true_start) in zip(found, said_s, strict=True):
        assert start <= true_start < start + 0.0801
        assert start < end
    assert all(a[2] <= b[1] for a, b in itertools.pairwise(found))


# --- the tokenizer


def test_a_tokenizer_turns_ids_into_pieces_and_back() -> None:
    content = trained(SENTENCES)
    tokenizer = Tokenizer(content)
    ids = processor(content).encode("warm air, okay!")

    pieces = tokenizer.pieces(ids)

    assert "".join(pieces).replace("\u2581", " ").strip() == "warm air, okay!"
    assert tokenizer.ids(pieces) == ids
    assert tokenizer.ids([*pieces, "\u2581nowhere"]) is None
    assert tokenizer.pieces([]) == tokenizer.ids([]) == []
    assert tokenizer.hash == Tokenizer(content).hash != Tokenizer(trained(SENTENCES[:2])).hash


def test_ids_beyond_the_tokenizer_are_named() -> None:
    with pytest.raises(ValueError, match="id 31999 is not in the tokenizer, which has"):
        Tokenizer(trained(SENTENCES)).pieces([5, 31_999])


def test_bytes_that_are_no_model() -> None:
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        Tokenizer(b"no model")
