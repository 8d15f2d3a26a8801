"""Write the reference pages from the code: docs/tables.md, docs/settings.md, docs/commands.md.

Run it after changing a table, a setting or a command: python docs/generate.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

import typer  # noqa: E402

import cli  # noqa: E402
from mixers.views import DERIVED_VIEWS, QUARANTINE_DOC, UNITS_DOC  # noqa: E402
from schemas.catalog import TABLES  # noqa: E402
from schemas.reasons import WHAT_TO_DO, NoPair, Warn  # noqa: E402

MADE = "<!-- made by docs/generate.py; change the code, not this page -->\n"


def tables() -> str:
    """Every view and column that `duplex-miner sql` knows."""
    lines = [
        "# Tables",
        MADE,
        "Every table is a view in `duplex-miner sql`. Times are seconds on the log's clock, rounded to 1 ms, intervals "
        "are half-open, channels are named `model` and `user`.",
    ]
    for table in TABLES.values():
        key = ", ".join(("dialogue_id", *table.key))
        lines += [f"\n## {table.name}\n", f"{table.doc} Written by `{table.writer}`; key: {key}.\n"]
        lines += ["| column | type | meaning |", "| --- | --- | --- |"]
        for column in table.columns:
            meaning = column.doc.replace("|", "\\|")
            optional = ", may be null" if column.nullable else ""
            lines.append(f"| `{column.name}` | {_type(column.dtype)}{optional} | {meaning} |")
    lines.append("\n## Views made from them\n")
    lines += ["| view | rows |", "| --- | --- |"]
    lines += [f"| `{name}` | {doc} |" for name, (doc, _) in DERIVED_VIEWS.items()]
    lines += [f"| `units` | {UNITS_DOC} |", f"| `quarantine` | {QUARANTINE_DOC} |"]
    lines += ["\n## Reason codes\n", "| quarantine reason | what to do |", "| --- | --- |"]
    lines += [f"| `{reason}` | {what} |" for reason, what in WHAT_TO_DO.items()]
    lines += ["\nWarnings on a dialogue: " + ", ".join(f"`{warning}`" for warning in Warn) + "."]
    lines += ["Why an issue has no ready pair: " + ", ".join(f"`{reason}`" for reason in NoPair) + "."]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Every setting with its default and meaning."""
    lines = [
        "# Settings",
        MADE,
        "One TOML file, one section per stage (`--config FILE`), or one by one: `--set detect.KEY=VALUE`. All of "
        "`[execution]` and `[clients]` is about how the work is done; everything else is part of the fingerprint of a "
        "stage.",
    ]
    for name, field in cli.Settings.model_fields.items():
        lines += [f"\n## [{name}]\n", "| key | default | meaning |", "| --- | --- | --- |"]
        model = field.annotation
        assert isinstance(model, type)
        lines += [f"| `{key}` | {default} | {doc} |" for key, default, doc in _fields(model)]
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command with its help, arguments and options."""
    lines = [
        "# Commands",
        MADE,
        (
            "Exit code 0: all done; 3: some dialogues are quarantined; 2: bad usage or settings; 1: the machine failed "
            "(disk, network); 130: stopped."
        ),
    ]
    root = typer.main.get_command(cli.app)
    for path, command in _walk("duplex-miner", root):
        lines += [f"\n## {path}\n", str(command.help or "").strip() + "\n"]
        options = [option for option in command.params if option.name != "help"]
        if options:
            lines += ["| argument or option | meaning |", "| --- | --- |"]
            lines += [f"| {_flags(option)} | {_meaning(option)} |" for option in options]
    return "\n".join(lines) + "\n"


PAGES = {"tables.md": tables, "settings.md": settings, "commands.md": commands}


def _type(dtype: Any) -> str:
    return str(dtype).replace("|", "\\|")


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, f"{prefix}{name}.")
            continue
        default = "computed" if field.default is PydanticUndefined else f"`{_plain(field.default)!r}`"
        doc = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"{prefix}{name}", default.replace("|", "\\|"), doc


def _plain(default: Any) -> Any:
    return [str(one) for one in default] if isinstance(default, tuple) else default


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None or path != "duplex-miner":
        yield path, command
    for name, child in (inner or {}).items():
        yield from _walk(f"{path} {name}", child)


def _flags(option: Any) -> str:
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{name}`" if name.startswith("-") else f"`{name.upper()}`" for name in names)


def _meaning(option: Any) -> str:
    text = " ".join((getattr(option, "help", None) or "").split()).replace("|", "\\|")
    default = option.default
    if default in (None, False, ()) or callable(default):
        return text
    return f"{text} Default: `{getattr(default, 'value', default)}`."


if __name__ == "__main__":
    for page, make in PAGES.items():
        (DOCS / page).write_text(make(), encoding="utf-8")
        print(f"wrote docs/{page}")  # noqa: T201
