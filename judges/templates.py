"""Prompt templates: the ones that ship, and a user's own of the same names in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.ids import stable_hash
from store.layout import StoreError

SUFFIX = ".j2"


@dataclass(frozen=True)
class Templates:
    """Templates by name (without suffix). What is read from a log only ever goes in as a value."""

    sources: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path | None = None) -> Templates:
        """The shipped templates, those in ``folder`` in their place. Raises StoreError for names nobody asks for."""
        shipped = {
            entry.name.removesuffix(SUFFIX): entry.read_text(encoding="utf-8")
            for entry in resources.files("judges.prompts").iterdir()
            if entry.name.endswith(SUFFIX)
        }
        if folder is None:
            return cls(shipped)
        if not folder.is_dir():
            raise StoreError(f"no folder of prompts at {folder}: check clients.prompts")
        own = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"*{SUFFIX}"))}
        unknown = sorted(set(own) - set(shipped))
        if unknown:
            raise StoreError(
                f"clients.prompts: nothing uses {', '.join(unknown)} in {folder}; "
                f"templates are named {', '.join(sorted(shipped))}, each with {SUFFIX}"
            )
        return cls(shipped | own)

    def version(self, names: Iterable[str]) -> str:
        """Hash of what these templates say."""
        return stable_hash(*(f"{name}\x1e{self.sources[name]}" for name in sorted(names)))

    def render(self, name: str, **values: Any) -> str:
        """Fill in a template. Raises StoreError that names the template and what is wrong with it."""
        try:
            return self._environment.get_template(name).render(values).strip()
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise StoreError(f"prompt template {name}{SUFFIX}: {error}: mend it, or take it away") from error

    @cached_property
    def _environment(self) -> ImmutableSandboxedEnvironment:
        return ImmutableSandboxedEnvironment(
            loader=DictLoader(dict(self.sources)),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"sources": self.sources}
