"""What a run found, in a few lines: issues and pairs by kind."""

from __future__ import annotations

import polars as pl

from schemas.content_issues import CONTENT_ISSUES
from schemas.pairs import PAIRS
from schemas.timing_events import TIMING_EVENTS
from store.console import DEFAULT_STORE, out
from store.layout import Store
from store.parts import scan_rows
from store.resolve import Resolver

Found = dict[str, dict[str, int]]


def count_found(store: Store, resolver: Resolver) -> Found:
    """Issues by type and subtype, pairs by type and status. Reads only the columns it counts."""
    events = scan_rows(store, TIMING_EVENTS, resolver.done(TIMING_EVENTS.name))
    content = scan_rows(store, CONTENT_ISSUES, resolver.done(CONTENT_ISSUES.name))
    pairs = scan_rows(store, PAIRS, resolver.done(PAIRS.name))
    return {
        "issues": _count(content, "issue_type", "subtype")
        | _count(events.filter(pl.col("issue_type").is_not_null()), "issue_type", "subtype"),
        "pairs": _count(pairs, "pair_type", "status"),
    }


def print_found(found: Found, store: Store) -> None:
    """Say what was found and where to look."""
    console = out()
    for what, counts in found.items():
        listed = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
        console.print(f"{what + ':':<8} {listed}", markup=False)
    option = "" if store.url == DEFAULT_STORE else f" --store {store.url}"
    console.print(f"look:    duplex-miner show DIALOGUE{option}", markup=False)
    console.print(f'         duplex-miner sql "FROM issues"{option}', markup=False)


def _count(rows: pl.LazyFrame, kind: str, detail: str) -> dict[str, int]:
    counted = rows.group_by(kind, detail).len().sort(kind, detail).collect()
    return {f"{a} {b}": n for a, b, n in counted.iter_rows()}
