"""Precision and recall of redaction on lines as people say them.

    python bench/score_redaction.py [--seed 1] [--json] [--show]

The lines are made from ``redaction_lines.toml``: places are filled with names (half of them in no list), phone and card
numbers and addresses, spoken and written, drawn from ``--seed``. Every line is scored twice: as written, and without
capitals and punctuation, as some recognisers write. Recall: the share of places whose every word is hidden. Precision:
the share of hidden words that are personal data. ``de`` stands for a language without rules (``written``).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import polars as pl
from rich.console import Console
from rich.table import Table as RichTable

from miner.redact import RedactConfig, redact, resolved
from schemas.ids import unit_draw
from schemas.words import WORDS

LINES = Path(__file__).parent / "redaction_lines.toml"
KINDS = ("name", "apart", "phone", "email", "card")
DIGITS = {
    "en": ["oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "fr": ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"],
    "ja": ["ゼロ", "一", "二", "三", "四", "五", "六", "七", "八", "九"],
    "de": list("0123456789"),
}
PAIRS_FR = {
    "12": "douze",
    "34": "trente-quatre",
    "56": "cinquante-six",
    "71": "soixante et onze",
    "98": "quatre-vingt-dix-huit",
}
PHONES = {"en": ((3, 3, 4), (3, 4)), "fr": ((2, 2, 2, 2, 2),), "ja": ((3, 4, 4),), "de": ((4, 7),)}
LOCALS = ("john.smith", "k_okafor", "tina.b", "max.weber", "lee92")
HOSTS = ("gmail.com", "orange.fr", "yahoo.co.uk", "example.org")
SIGNS = {
    "en": {"@": "at", ".": "dot", "_": "underscore"},
    "fr": {"@": "arobase", ".": "point", "_": "underscore"},
    "ja": {"@": "アットマーク", ".": "ドット", "_": "アンダーバー"},
    "de": {"@": "@", ".": ".", "_": "_"},
}


@dataclass(frozen=True)
class Line:
    """A line, the kind of its place and which of its words (from, to) fill it; ``kind`` is none for lines without."""

    language: str
    words: tuple[str, ...]
    kind: str
    place: tuple[int, int] = (0, 0)


@dataclass
class Tally:
    """Places by outcome, and words hidden that are no personal data."""

    places: int = 0
    hidden: int = 0
    partly: int = 0
    words_right: int = 0
    words_wrong: int = 0
    lines: int = 0
    examples: list[str] = field(default_factory=list)


def drawn(*key: object) -> float:
    """A number in [0, 1), fixed for the key."""
    return unit_draw("redaction", "|".join(map(str, key)))


def choose(options: Sequence[Any], *key: object) -> Any:
    """One of the options, by a fixed hash."""
    return options[int(drawn(*key) * len(options))]


def digits(n: int, *key: object) -> str:
    """``n`` digits."""
    return "".join(str(int(drawn(*key, i) * 10)) for i in range(n))


def phone(language: str, *key: object) -> str:
    """A phone number as it is written or said, in one of several ways."""
    groups = choose(PHONES[language], "groups", *key)
    number = [digits(n, "digits", *key, i) for i, n in enumerate(groups)]
    if language == "en":
        number[0] = str(2 + int(drawn("area", *key) * 8)) + number[0][1:]
    else:
        number[0] = {"fr": "06", "ja": "090", "de": "0171"}[language]
    style = choose(("dashes", "spoken", "spoken", "groups"), "style", *key)
    if language == "fr" and style == "groups":
        return " ".join(["zéro six", *(choose(list(PAIRS_FR.values()), "pair", *key, i) for i in range(4))])
    return written_or_said(language, number, style)


def card(language: str, *key: object) -> str:
    """A payment card number that satisfies the checksum, or (misheard) does not."""
    body = "4" + digits(14, "card", *key)
    doubled = [int(d) * (2 - i % 2) for i, d in enumerate(body)]
    check = -sum(d - 9 if d > 9 else d for d in doubled) % 10
    number = f"{body}{check if drawn('misheard', *key) < 0.7 else (check + 3) % 10}"
    style = choose(("spaces", "spoken", "groups"), "style", *key)
    return written_or_said(language, [number[i : i + 4] for i in range(0, 16, 4)], style)


def written_or_said(language: str, groups: Sequence[str], style: str) -> str:
    """Groups of digits: with dashes or spaces, said one by one, or said in groups with a comma between."""
    if style == "dashes" or (style != "spaces" and language == "de"):
        return "-".join(groups)
    if style == "spaces":
        return " ".join(groups)
    said = [" ".join(DIGITS[language][int(d)] for d in group) for group in groups]
    if language == "en":
        said = [re.sub(r"\b(\w+) \1\b", r"double \1", group) for group in said]
    return (", " if style == "groups" and language != "ja" else " ").join(said)


def email(language: str, *key: object) -> str:
    """An address, written or said."""
    address = f"{choose(LOCALS, 'local', *key)}@{choose(HOSTS, 'host', *key)}"
    if language == "de" or drawn("written", *key) < 0.3:
        return address
    said = re.sub(r"[@._]", lambda sign: f" {SIGNS[language][sign[0]]} ", address)
    return re.sub(r"92", " nine two" if language == "en" else " 92", said)


def lines(seed: int) -> Iterator[Line]:
    """Every line of the set, with its capitals."""
    fill: dict[str, Callable[..., str]] = {"phone": phone, "email": email, "card": card}
    for language, part in tomllib.loads(LINES.read_text(encoding="utf-8")).items():
        for kind in KINDS:
            for number, template in enumerate(part[kind]):
                for draw in range(part["draws"]):
                    key = (seed, language, kind, number, draw)
                    if kind in fill:
                        value = fill[kind](language, *key)
                    else:
                        value = choose(part["listed_names" if draw % 2 else "other_names"], "name", *key)
                    before, after = re.split(r"\{\w+\}", template)
                    yield placed(language, kind, before, value, after)
        for kind, texts in part.get("blind", {}).items():
            for text in texts:
                before, value, after = text.split("|") if "|" in text else (text, "", "")
                yield placed(language, f"blind {kind}", before, value, after)
        for text in part["without"]:
            yield Line(language, tuple(text.split()), "without")


def placed(language: str, kind: str, before: str, value: str, after: str) -> Line:
    """The line with its place filled; punctuation right after the place belongs to its last word."""
    start = len(before.split())
    return Line(language, tuple(f"{before}{value}{after}".split()), kind, (start, start + len(value.split())))


def bare(line: Line) -> Line:
    """The line without capitals and punctuation, word for word."""
    words = tuple(re.sub(r"^[^\w@]+|[^\w@]+$", "", word.lower()) or word for word in line.words)
    return Line(line.language, words, line.kind, line.place)


def hidden(some: Sequence[Line]) -> list[list[str | None]]:
    """What the stage code makes of the words: a language is a dialogue, lines are 10 s apart and words 0.4 s."""
    config = resolved(RedactConfig(enabled=True, unknown_language="written"))
    rows, began = [], 0.0
    for line in some:
        for word in line.words:
            rows.append(
                (line.language, "user", len(rows), word, began, began + 0.3, "given", None, None, None, None, "given")
            )
            began += 0.4
        began += 10.0
    words = WORDS.conform(pl.DataFrame(rows, schema=WORDS.schema, orient="row"))
    languages = words.select("dialogue_id", pl.col("dialogue_id").alias("language")).unique()
    found, _ = redact(words, languages.sort("dialogue_id"), config)
    marks = iter(found.sort("word_index")["redacted"].to_list())
    return [[next(marks) for _ in line.words] for line in some]


def score(seed: int) -> dict[tuple[str, str, str], Tally]:
    """Tallies by language, form (written, bare) and kind."""
    tallies: dict[tuple[str, str, str], Tally] = {}
    for form, change in (("written", lambda line: line), ("bare", bare)):
        some = [change(line) for line in lines(seed)]
        for line, marks in zip(some, hidden(some), strict=True):
            tally = tallies.setdefault((line.language, form, line.kind), Tally())
            start, end = line.place
            inside = [mark is not None for mark in marks[start:end]]
            wrong = sum(mark is not None for i, mark in enumerate(marks) if not start <= i < end)
            tally.lines += 1
            tally.words_right += sum(inside)
            tally.words_wrong += wrong
            if line.place[1] > line.place[0]:
                tally.places += 1
                tally.hidden += all(inside)
                tally.partly += any(inside) and not all(inside)
            if wrong or not all(inside):
                shown = " ".join(f"[{w}]" if mark else w for w, mark in zip(line.words, marks, strict=True))
                tally.examples.append(shown)
    return tallies


def figures(tally: Tally) -> dict[str, Any]:
    """The tally in numbers."""
    found = tally.words_right + tally.words_wrong
    return {
        "lines": tally.lines,
        "recall": round(tally.hidden / tally.places, 3) if tally.places else None,
        "partly": tally.partly,
        "precision": round(tally.words_right / found, 3) if found else None,
        "wrong_words": tally.words_wrong,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="JSON instead of the table")
    parser.add_argument("--show", action="store_true", help="print every line that went wrong; [ ] is what was hidden")
    options = parser.parse_args(arguments)
    tallies = score(options.seed)
    if options.json:
        print(json.dumps({" ".join(key): figures(tally) for key, tally in tallies.items()}, indent=2))
        return
    table = RichTable("language", "form", "kind", "lines", "recall", "partly", "precision", "wrong words", box=None)
    for key, tally in tallies.items():
        table.add_row(*key, *("-" if value is None else str(value) for value in figures(tally).values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if options.show:
        for key, tally in tallies.items():
            print("".join(f"{' '.join(key)}: {line}\n" for line in tally.examples), end="")


if __name__ == "__main__":
    main()
