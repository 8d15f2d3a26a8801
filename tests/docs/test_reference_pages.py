"""The reference pages say what the code says, and every page people are sent to is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cli import CHAIN

ROOT = Path(__file__).parents[2]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["tables.md", "settings.md", "commands.md"])
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    made = generator().PAGES[page]()
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made, "run: python docs/generate.py"


def test_every_setting_column_and_option_has_its_meaning() -> None:
    for page in generator().PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        empty = [line for line in text.splitlines() if re.search(r"\|\s*\|\s*$", line)]
        assert not empty, f"{page}: no meaning given for {empty}"


def test_every_stage_has_a_page() -> None:
    assert [stage.name for stage in CHAIN.stages if not (ROOT / "docs" / f"{stage.name}.md").exists()] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} points at {target}"
