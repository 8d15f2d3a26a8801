"""Helpers for end-to-end tests: run the command in its own process, and compare stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl

from cli import CHAIN
from schemas.catalog import TABLES
from store.layout import Store
from store.parts import read_rows
from store.resolve import Resolver
from store.runs import active_run

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data_samples" / "manifest.jsonl"


def command(*arguments: str) -> list[str]:
    """The duplex-miner command line of this checkout."""
    return [sys.executable, "-m", "cli", *arguments]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a wide terminal's width."""
    wide = {**os.environ, "COLUMNS": "180"}
    return subprocess.run(
        command(*arguments), cwd=cwd, env=wide, capture_output=True, text=True, check=False, timeout=900
    )


def tables(store: Path | str) -> dict[str, pl.DataFrame]:
    """Every table of a store's active run, in its own order."""
    opened = Store.open(str(store))
    resolver = Resolver(opened, CHAIN.flow, active_run(opened).tables)
    return {name: read_rows(opened, table, resolver.done(name)) for name, table in TABLES.items()}


def ask(store: Path, query: str) -> list[dict[str, object]]:
    """Rows of a query through the command line."""
    done = run("sql", query, "--store", str(store), "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
