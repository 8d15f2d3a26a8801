"""Personal data out of transcripts: what is found and what is not, and what a redaction leaves as it was."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import polars as pl
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.backends import MissingBackendError
from miner import redact as redaction
from miner.pii.language import languages, load_language
from miner.redact import RedactConfig, RedactionError, how_names_are_found, redact, resolved
from schemas.reasons import Reason
from schemas.words import WORDS
from tests.e2e.command import run, tables

ON = RedactConfig(enabled=True)


def words(
    text: str, *, step_s: float = 0.4, channel: str = "user", name: str = "d", start_s: float = 0.0
) -> pl.DataFrame:
    rows = [
        (
            name,
            channel,
            i,
            word,
            start_s + i * step_s,
            start_s + i * step_s + 0.3,
            "given",
            None,
            None,
            None,
            None,
            "given",
        )
        for i, word in enumerate(text.split(" "))
    ]
    return WORDS.conform(pl.DataFrame(rows, schema=WORDS.schema, orient="row"))


def told(language: str | None = "en", name: str = "d") -> pl.DataFrame:
    return pl.DataFrame({"dialogue_id": [name], "language": [language]}, schema_overrides={"language": pl.String()})


def shown(text: str, language: str = "en", config: RedactConfig = ON, step_s: float = 0.4) -> str:
    found, failed = redact(words(text, step_s=step_s), told(language), config)
    assert not failed
    return " ".join(found["text"])


@pytest.mark.parametrize(
    ("language", "said", "left"),
    [
        ("en", "my number is five five five oh one two three.", "my number is " + "[PHONE] " * 6 + "[PHONE]."),
        (
            "en",
            "call me on four one five, double five five, oh one nine nine",
            "call me on [PHONE] [PHONE] [PHONE], [PHONE] [PHONE] [PHONE]," + " [PHONE]" * 4,
        ),
        ("en", "it is 555-0123, thanks", "it is [PHONE], thanks"),
        (
            "en",
            "one eight hundred five five five um one two one two",
            "[PHONE] " * 6 + "um [PHONE] [PHONE] [PHONE] [PHONE]",
        ),
        ("en", "write to john dot smith at gmail dot com.", "write to " + "[EMAIL] " * 6 + "[EMAIL]."),
        ("en", "write to john.smith@gmail.com, please", "write to [EMAIL], please"),
        ("en", "it is j o h n at g mail dot co dot uk", "it is " + "[EMAIL] " * 10 + "[EMAIL]"),
        ("en", "it is lee nine two at yahoo dot co dot uk", "it is " + "[EMAIL] " * 8 + "[EMAIL]"),
        (
            "ja",
            "max ドット weber アットマーク orange ドット jp です",
            "[EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL] です",
        ),
        ("en", "my email is mary jones at example dot org", "my email is " + "[EMAIL] " * 5 + "[EMAIL]"),
        ("en", "the card is 4111 1111 1111 1111.", "the card is [CARD] [CARD] [CARD] [CARD]."),
        ("en", "my name is john smith and i need help", "my name is [NAME] [NAME] and i need help"),
        ("en", "My name is Will Hargreaves, W I L L.", "My name is [NAME] [NAME], [NAME] [NAME] [NAME] [NAME]."),
        ("en", "Hello, this is Ngozi speaking, who is there?", "Hello, this is [NAME] speaking, who is there?"),
        (
            "fr",
            "c'est le zéro six douze trente-quatre cinquante-six soixante-dix-huit",
            "c'est le [PHONE] [PHONE] [PHONE] [PHONE] [PHONE] [PHONE]",
        ),
        ("fr", "Bonjour, je m'appelle Maëlys Kerdoncuff.", "Bonjour, je m'appelle [NAME] [NAME]."),
        (
            "fr",
            "jean tiret bas dupont arobase orange point fr",
            "[EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL] [EMAIL]",
        ),
        ("ja", "電話番号は ゼロ 九 ゼロ 一 二 三 四 五 六 七 八 です", "電話番号は " + "[PHONE] " * 11 + "です"),
        ("ja", "番号は 090 の 1234 の 5678 です", "番号は [PHONE] の [PHONE] の [PHONE] です"),
        ("ja", "私は 綾小路 と申します", "私は [NAME] と申します"),
        (
            "en-GB",
            "my number is oh two oh seven nine four six oh one two three",
            "my number is " + "[PHONE] " * 10 + "[PHONE]",
        ),
    ],
)
def test_personal_data_is_replaced_word_by_word(language: str, said: str, left: str) -> None:
    assert shown(said, language) == left


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "I was born in nineteen eighty four and moved in two thousand twelve."),
        ("en", "It costs two hundred fifty thousand three hundred and twelve dollars."),
        ("en", "one two three four five six seven eight nine ten"),
        ("en", "The flight is B A two four nine at ten forty five."),
        ("en", "My order number is 455123488, thank you."),
        ("en", "May I ask, will you mark this in June?"),
        ("en", "I'm happy, and I'm American."),
        ("en", "look at google dot com and meet me at amazon dot com"),
        ("en", "It opens on 2024-11-20, not on 24/12/2024."),
        ("en", "The years twenty nineteen, twenty twenty, twenty twenty one."),
        ("en", "Generally speaking, the population is 8 336 817 people."),
        ("fr", "La population est de 2 102 650 habitants."),
        ("fr", "Je suis content, le vol est à quinze heures trente."),
        ("ja", "値段は 1,250,000円 です 皆さん"),
    ],
)
def test_what_only_looks_like_it_stays(language: str, said: str) -> None:
    assert shown(said, language) == said


def test_a_number_dictated_with_pauses_is_one_number_up_to_a_limit() -> None:
    said = "five five five oh one two three"
    assert shown(said, step_s=2.5) == " ".join(["[PHONE]"] * 7)
    assert shown(said, step_s=4.0) == said


def test_dropped_words_are_redacted_too() -> None:
    frame = words("five five five oh one two three my name is Ngozi").with_columns(
        pl.when(pl.col("word_index").is_in([3, 4, 5, 6])).then(pl.lit("no_own_speech")).alias("dropped")
    )
    found, _ = redact(frame, told(), ON)
    assert found["text"].to_list() == ["[PHONE]"] * 7 + ["my", "name", "is", "[NAME]"]
    assert found["dropped"].equals(frame["dropped"])
    # Dropped words in the middle of a number do not hide it either.
    frame = words("five five five no oh one two three").with_columns(
        pl.when(pl.col("word_index") == 3).then(pl.lit("repetition")).alias("dropped")
    )
    assert redact(frame, told(), ON)[0]["redacted"].to_list() == ["phone"] * 3 + [None] + ["phone"] * 4


def test_channels_and_dialogues_are_read_apart() -> None:
    both = pl.concat([words("five five five"), words("oh one two three", channel="model", start_s=1.2)])
    assert redact(both, told(), ON)[0]["redacted"].null_count() == 7
    logs = pl.concat([words("five five five", name="a"), words("oh one two three", name="b")])
    assert redact(logs, pl.concat([told(name="a"), told(name="b")]), ON)[0]["redacted"].null_count() == 7


def test_settings_say_what_is_looked_for() -> None:
    said = "Hi, I'm Moshi. My name is Daniel, and it is 555-0123."
    only_names = RedactConfig(enabled=True, entities=("name",))
    assert shown(said, config=only_names) == "Hi, I'm [NAME]. My name is [NAME], and it is 555-0123."
    kept = RedactConfig(enabled=True, keep=("moshi",))
    assert shown(said, config=kept) == "Hi, I'm Moshi. My name is [NAME], and it is [PHONE]."
    assert shown(said, config=RedactConfig(enabled=True, score=0.95)) == said
    assert "[NAME] [NAME] wrote" in shown("yes daniel walsh wrote", config=RedactConfig(enabled=True, score=0.3))


def test_a_language_without_rules_costs_that_dialogue_or_is_read_as_written() -> None:
    frame = words("Meine Nummer ist 0171-8027245, null eins sieben")
    rows, failed = redact(frame, told("de"), ON)
    assert rows.is_empty()
    assert [(bad.dialogue_id, bad.reason) for bad in failed] == [("d", Reason.NO_PII_RULES)]
    assert "'de'" in failed[0].detail
    written = RedactConfig(enabled=True, unknown_language="written")
    assert shown("Meine Nummer ist 0171-8027245, null eins", "de", written) == "Meine Nummer ist [PHONE], null eins"
    for entity in ("name", "phone", "email", "card"):
        alone = RedactConfig(enabled=True, unknown_language="written", entities=(entity,))
        assert ("[PHONE]" in shown("Meine Nummer ist 0171-8027245, null eins", "de", alone)) == (entity == "phone")
    silent = redact(frame.clear(), told("de"), ON)
    assert not silent[1]


def test_a_log_that_does_not_say_its_language_has_the_set_one() -> None:
    frame = words("appelez le zéro six douze trente-quatre cinquante-six quinze")
    assert redact(frame, told(None), RedactConfig(enabled=True, language="fr"))[0]["redacted"].null_count() == 2
    assert redact(frame, told(None), ON)[0]["redacted"].null_count() == len(frame)


TOKENS = [
    "five",
    "oh",
    "double",
    "at",
    "dot",
    "com",
    "my",
    "name",
    "is",
    "John",
    "Smith,",
    "4111",
    "1111",
    "555-0123.",
    "a@b.com!",
    "um",
    "hundred",
    "twenty",
    "",
    "-",
    ".",
    "(",
    "[NAME]",
    "J-O-H-N",
    "twenty-five",
    "田中",
    "\u2060",
    "@",
    "１２３",
    "I'm",
]


@settings(max_examples=80, deadline=None)
@given(
    texts=st.lists(st.one_of(st.sampled_from(TOKENS), st.text(max_size=6)), min_size=1, max_size=25),
    gaps=st.lists(st.sampled_from([0.0, 0.1, 1.0, 5.0]), min_size=25, max_size=25),
    dropped=st.lists(st.booleans(), min_size=25, max_size=25),
    language=st.sampled_from(["en", "fr", "ja"]),
)
def test_words_times_and_reasons_stay(texts: list[str], gaps: list[float], dropped: list[bool], language: str) -> None:
    start_s, rows = 0.0, []
    for i, text in enumerate(texts):
        start_s = round(start_s + gaps[i], 3)
        reason = "no_own_speech" if dropped[i] else None
        rows.append(("d", "user", i, text, start_s, start_s, "given", None, reason, None, None, "given"))
    before = WORDS.conform(pl.DataFrame(rows, schema=WORDS.schema, orient="row"))
    after, _ = redact(before, told(language), ON)
    after = WORDS.conform(after)
    assert after.drop("text", "redacted").equals(before.drop("text", "redacted"))
    for old, new, kind in zip(before["text"], after["text"], after["redacted"], strict=True):
        if kind is None:
            assert new == old
        else:
            assert new.startswith(f"[{kind.upper()}]")
            assert old.endswith(new.removeprefix(f"[{kind.upper()}]"))


def test_a_spacy_model_finds_names_without_context(tmp_path: Path) -> None:
    model = spacy.blank("en")
    ruler = model.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ngozi"}])  # type: ignore[attr-defined]
    model.meta["name"], model.meta["version"] = "tiny", "1.2.3"
    model.to_disk(tmp_path / "model")
    config = resolved(RedactConfig(enabled=True, models={"en": str(tmp_path / "model")}))
    assert config.versions.endswith("en=en_tiny 1.2.3")
    assert shown("Then Ngozi walked in.", config=config) == "Then [NAME] walked in."
    assert shown("Then Ngozi walked in.") == "Then Ngozi walked in."
    assert "spaCy model in en; names in fr, ja only by context" in how_names_are_found(config)


def test_what_is_missing_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolved(RedactConfig()).versions == ""
    assert resolved(ON).versions.startswith("presidio ")
    with pytest.raises(MissingBackendError, match="Run: python -m spacy download nowhere"):
        resolved(RedactConfig(enabled=True, models={"en": "nowhere"}))
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setattr(redaction, "find_spec", lambda _: None)
    with pytest.raises(MissingBackendError, match=r"Run: pip install 'duplex-miner\[pii\]'"):
        resolved(ON)


def test_an_error_says_nothing_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find(self, texts: list[str]) -> dict[int, str]:
            raise ValueError(f"cannot read {texts}")

    monkeypatch.setattr(redaction, "_finder", lambda *_: Broken())
    with pytest.raises(RedactionError) as caught:
        redact(words("my name is Daniel"), told(), ON)
    assert "Daniel" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_language_files_hold_together() -> None:
    assert languages() == ("en", "fr", "ja")
    for code in languages():
        rules = load_language(code)
        listed, common = set(rules.names.first.split()), rules.common_words
        assert not listed & common, code


SECRETS = ("Quillfeather", "gmail", "Saoirse", "5550142")


@pytest.mark.slow
def test_no_original_text_reaches_the_store(tmp_path: Path) -> None:
    text = "My name is Saoirse Quillfeather, call 5550142 or write to saoirse at gmail dot com thanks"
    said = text.split()
    logs = tmp_path / "logs"
    logs.mkdir()
    sample = Path(__file__).parents[2] / "data_samples" / "cut-off.ogg"
    (logs / "cut-off.ogg").write_bytes(sample.read_bytes())
    # Some lie on speech, some in silence (dropped, yet stored).
    spoken = [{"channel": "user", "text": w, "start": 1.3 + 0.2 * i, "end": 1.45 + 0.2 * i} for i, w in enumerate(said)]
    silent = [{"channel": "user", "text": w, "start": 22 + 0.1 * i, "end": 22.1 + 0.1 * i} for i, w in enumerate(said)]
    (logs / "words.json").write_text(json.dumps({"words": spoken + silent}))
    line = {"id": "d", "path": "cut-off.ogg", "model_channel": 0, "user_channel": 1, "words": "words.json"}
    (logs / "manifest.jsonl").write_text(json.dumps(line))
    store = tmp_path / "store"
    done = run(
        "run", str(logs / "manifest.jsonl"), "--store", str(store), "--set", "transcribe.redact.enabled=true", "-j", "1"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "redacted by presidio" in done.stdout
    found = tables(store)["words"]
    assert found.filter(pl.col("dropped").is_not_null() & pl.col("redacted").is_not_null()).height > 0
    assert set(found["redacted"].drop_nulls()) == {"name", "phone", "email"}
    for path in store.rglob("*"):
        if path.is_file():
            parquet = path.suffix == ".parquet"
            content = str(pl.read_parquet(path).rows()).encode() + path.read_bytes() if parquet else path.read_bytes()
            assert not [secret for secret in SECRETS if secret.lower().encode() in content.lower()], path
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]
    again = run("run", "--store", str(store), "-j", "1")
    assert re.search(r"transcribe +1 computed", again.stderr)
    assert any("Saoirse" in text for text in tables(store)["words"]["text"])


def test_a_missing_extra_stops_the_command_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nreal = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'presidio_analyzer' else real(name, package)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    samples = Path(__file__).parents[2] / "data_samples" / "manifest.jsonl"
    store = tmp_path / "store"
    done = run("run", str(samples), "--store", str(store), "--set", "transcribe.redact.enabled=true")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: transcribe.redact needs a package that is not installed (presidio-analyzer). "
        "Run: pip install 'duplex-miner[pii]'"
    )
    assert not store.exists()
