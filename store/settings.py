"""Settings from TOML and `--set key=value`, checked as a whole: every error at once, each with what was expected."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from store.layout import StoreError

SettingsT = TypeVar("SettingsT", bound=BaseModel)


class SettingsError(StoreError):
    """The settings are not what the stages expect; the message lists every fault."""


def load_settings(model: type[SettingsT], path: Path | None, overrides: Sequence[str] = ()) -> SettingsT:
    """Read a TOML file (or none), apply ``section.key=value`` overrides and validate. Raises SettingsError."""
    values = _read_toml(path) if path is not None else {}
    for override in overrides:
        _apply(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        where = f" in {path}" if path is not None else ""
        lines = [_explain(fault) for fault in error.errors()]
        raise SettingsError(f"{len(lines)} wrong settings{where}:\n" + "\n".join(lines)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings file at {path}: check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise SettingsError(f"--set {override!r} is not of the form section.key=value")
    *sections, last = key.split(".")
    place = values
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise SettingsError(f"--set {override!r}: {section} is a value, not a section")
    try:
        place[last] = json.loads(text)
    except json.JSONDecodeError:
        place[last] = text


def _explain(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    given = "" if fault["type"] == "missing" else f" (given: {fault['input']!r})"
    return f"  {key}: {fault['msg']}{given}"
