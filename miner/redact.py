"""Personal data out of transcripts: names, phone numbers, e-mail addresses and payment cards become placeholders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
from pydantic import Field, NonNegativeFloat

from audio.backends import MissingBackendError
from miner.pii.language import NoRulesError, base, languages, load_language, written_only
from schemas.reasons import Reason
from store.stage import Quarantined, StageConfig

if TYPE_CHECKING:
    from miner.pii.recognisers import Finder

Entity = Literal["name", "phone", "email", "card"]
_ENTITIES: dict[Entity, str] = {
    "name": "PERSON",
    "phone": "PHONE_NUMBER",
    "email": "EMAIL_ADDRESS",
    "card": "CREDIT_CARD",
}
_PACKAGE = "presidio-analyzer"
_TRAILING = r"\w([.,?!;:…。、？！\"'”’)\]»]*)$"


class RedactConfig(StageConfig):
    """Which personal data is taken out of a transcript before anything is stored."""

    enabled: bool = False
    """Take personal data out. Needs the extra `pii`."""
    entities: Annotated[tuple[Entity, ...], Field(min_length=1)] = ("name", "phone", "email", "card")
    """What is taken out."""
    score: Annotated[float, Field(gt=0, le=1)] = 0.4
    """How sure a finding must be, 0..1; lower finds more and takes more that is none."""
    pause_s: NonNegativeFloat = 3.0
    """Words of one channel this close are read together, seconds: people pause inside a number they dictate."""
    language: str = "en"
    """Language of logs that do not say theirs."""
    unknown_language: Literal["quarantine", "written"] = "quarantine"
    """A log in a language without rules: leave its words out, or look for what is written (digits, @) only."""
    keep: tuple[str, ...] = ()
    """Names that stay, such as the assistant's own."""
    models: Mapping[str, str] = Field(default_factory=dict)
    """spaCy model that knows persons, by language: an installed package's name, or a folder. Else by context only."""
    versions: str = ""
    """Filled in: the versions that find personal data, so that an upgrade is a new variant."""


class RedactionError(RuntimeError):
    """Looking for personal data failed. The message holds nothing of the text."""


def resolved(config: RedactConfig) -> RedactConfig:
    """The config with the installed versions. Raises MissingBackendError with the install line."""
    if not config.enabled:
        return config
    if find_spec("presidio_analyzer") is None:
        raise MissingBackendError(
            "transcribe.redact needs a package that is not installed (presidio-analyzer). "
            "Run: pip install 'duplex-miner[pii]'"
        )
    models = [f"{code}={_model_version(model)}" for code, model in sorted(config.models.items())]
    return config.model_copy(update={"versions": " ".join([f"presidio {version(_PACKAGE)}", *models])})


def how_names_are_found(config: RedactConfig) -> str:
    """One line for people: what looks for names in which language."""
    by_model = sorted(config.models)
    by_context = [code for code in languages() if code not in config.models]
    parts = [f"names by a spaCy model in {', '.join(by_model)}"] if by_model else []
    if by_context:
        parts.append(
            f"names in {', '.join(by_context)} only by context ('my name is ...') and a list of frequent first names, "
            "because transcribe.redact.models has no spaCy model for them"
        )
    return "; ".join(parts)


def redact(
    words: pl.DataFrame, dialogues: pl.DataFrame, config: RedactConfig
) -> tuple[pl.DataFrame, list[Quarantined]]:
    """Words with personal data replaced word by word, and the dialogues that could not be looked at.

    ``words``: rows of the table ``words`` of whole dialogues; ``dialogues``: ``dialogue_id, language``. Each word of a
    finding becomes ``[NAME]``, ``[PHONE]``, ``[EMAIL]`` or ``[CARD]`` with its trailing punctuation; the column
    ``redacted`` says which. Count, order and times of words stay. Dropped words are redacted too.
    """
    spoken_in = dialogues.join(words.select("dialogue_id").unique(), on="dialogue_id", how="semi")
    told = dict(spoken_in.select("dialogue_id", pl.col("language").fill_null(config.language)).iter_rows())
    without_rules = [
        Quarantined(name, Reason.NO_PII_RULES, f"language {code!r}; there are rules for {', '.join(languages())}")
        for name, code in told.items()
        if config.unknown_language == "quarantine" and base(code) not in languages()
    ]
    words = (
        words.drop("redacted", strict=False)
        .filter(~pl.col("dialogue_id").is_in([bad.dialogue_id for bad in without_rules]))
        .with_row_index("row")
    )
    spoken = words.filter(pl.col("text") != "").sort("dialogue_id", "channel", "start_s", "word_index")
    # Together with dropped words and without them: a number may lie on either side of what was not believed.
    found = dict(_found(spoken, told, config)) | dict(_found(spoken.filter(pl.col("dropped").is_null()), told, config))
    names = {entity: name for name, entity in _ENTITIES.items()}
    marks = pl.DataFrame(
        [(row, names[entity]) for row, entity in found.items()],
        schema={"row": words.schema["row"], "redacted": pl.String()},
        orient="row",
    )
    tail = pl.col("text").str.extract(_TRAILING).fill_null("")
    placeholder = pl.format("[{}]{}", pl.col("redacted").str.to_uppercase(), tail)
    redacted = words.join(marks, on="row", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("redacted").is_null()).then("text").otherwise(placeholder).alias("text")
    )
    return redacted.drop("row"), without_rules


def _found(words: pl.DataFrame, told: dict[str, str], config: RedactConfig) -> Iterator[tuple[int, str]]:
    """Row and entity of every word that is part of personal data."""
    channel = ("dialogue_id", "channel")
    ended = pl.col("end_s").cum_max().shift(1).over(channel)
    runs = (
        words.with_columns(
            (pl.col("start_s") - ended > config.pause_s).fill_null(False).cum_sum().over(channel).alias("run"),
            _has_capitals().over(channel).alias("cased"),
        )
        .group_by(*channel, "run", maintain_order=True)
        .agg("row", "text", pl.col("cased").first())
    )
    for name, rows, texts, cased in runs.select("dialogue_id", "row", "text", "cased").iter_rows():
        finder = _finder(base(told[name]), cased, config.model_dump_json())
        try:
            hits = finder.find(texts)
        except Exception as error:
            # The library's own message may quote the text it failed on.
            raise RedactionError(f"looking for personal data failed with {type(error).__name__}") from None
        yield from ((rows[index], entity) for index, entity in hits.items())


def _has_capitals() -> pl.Expr:
    """Whether capitals mean something: some words begin with one and some do not (I and its forms aside)."""
    text = pl.col("text")
    upper = text.str.contains(r"^\W*\p{Lu}\p{Ll}") & ~text.str.contains(r"^I['’]")
    return upper.any() & text.str.contains(r"^\W*\p{Ll}").any()


@lru_cache(maxsize=32)
def _finder(code: str, cased: bool, config_json: str) -> Finder:
    from miner.pii.recognisers import Finder

    config = RedactConfig.model_validate_json(config_json)
    try:
        language = load_language(code)
    except NoRulesError:
        language = written_only()
    return Finder(
        language,
        code,
        cased,
        config.models.get(code),
        tuple(_ENTITIES[entity] for entity in config.entities),
        config.score,
        frozenset(name.casefold() for name in config.keep),
    )


def _model_version(model: str) -> str:
    """Name and version of an installed spaCy model. Raises MissingBackendError."""
    meta = Path(model) / "meta.json"
    if meta.is_file():
        told = json.loads(meta.read_text(encoding="utf-8"))
        return f"{told.get('lang', '')}_{told.get('name', '')} {told.get('version', '')}"
    try:
        return f"{model} {version(model)}"
    except PackageNotFoundError:
        raise MissingBackendError(
            f"transcribe.redact.models: there is no spaCy model {model!r}, neither installed nor a folder. "
            f"Run: python -m spacy download {model}"
        ) from None
