"""What the samples of Full-Duplex-Bench come to, set by set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table as RichTable

from miner.full_duplex_bench import Measured
from store.console import out
from timing.full_duplex_bench import compat_mean


def summarise(measured: list[Measured], *, compat: bool) -> list[dict[str, Any]]:
    """One entry per set: its task, how many samples were scored, what they come to, and every sample's numbers."""
    sets: dict[tuple[str, str], list[Measured]] = {}
    for one in measured:
        sets.setdefault((one.sample.set_name, one.sample.task), []).append(one)
    return [
        {
            "set": name,
            "task": task,
            "samples": len(members),
            "scored": sum(one.problem is None for one in members),
            "figures": _figures([one.numbers for one in members if one.problem is None], compat=compat),
            "by_sample": [
                {"sample": one.sample.name, **one.numbers, **({"problem": one.problem} if one.problem else {})}
                for one in members
            ],
        }
        for (name, task), members in sorted(sets.items())
    ]


def _figures(scored: list[Mapping[str, Any]], *, compat: bool) -> dict[str, float | None]:
    """Means over the samples of a set, by the benchmark's names; medians and shares beside them but for compat."""

    def known(name: str) -> list[float]:
        return [value for numbers in scored for value in _as_list(numbers.get(name))]

    found: dict[str, float | None] = {}
    if taken := [float(numbers["taken"]) for numbers in scored if "taken" in numbers]:
        found["takeover_rate"] = float(np.mean(taken))
    if spans := [numbers["span_s"] for numbers in scored if numbers.get("taken") and "span_s" in numbers]:
        found["span_mean_s"] = float(np.mean(spans))
    if waits := known("latency_s"):
        found["latency_mean_s"] = compat_mean(waits) if compat else float(np.mean(waits))
    for name, values in (("latency", waits), ("stop", known("stop_s")), ("response", known("response_s"))):
        if values and name != "latency":
            found[f"{name}_mean_s"] = float(np.mean(values))
        if values and not compat:
            found[f"{name}_p50_s"] = float(np.median(values))
    if (negative := [*waits, *known("response_s")]) and not compat:
        found["negative_share"] = float(np.mean(np.array(negative) < 0))
    for name in ("backchannels_per_s", "jsd", "rating"):
        if values := known(name):
            found[name if name != "rating" else "rating_mean"] = float(np.mean(values))
    tags = Counter(tag for numbers in scored for tag in numbers.get("behaviour", ()))
    return found | {tag: count / tags.total() for tag, count in sorted(tags.items())}


def _as_list(value: Any) -> list[float]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def print_sets(sets: list[dict[str, Any]]) -> None:
    """A line per set, a column per figure that any of them has; then what could not be scored."""
    names = list(dict.fromkeys(name for one in sets for name in one["figures"]))
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in ("set", "task"):
        table.add_column(name, overflow="fold")
    for name in ("samples", *names):
        table.add_column(name, justify="right", overflow="fold")
    for one in sets:
        cells = [one["figures"].get(name) for name in names]
        samples = f"{one['scored']:,} of {one['samples']:,}"
        table.add_row(one["set"], one["task"], samples, *("" if cell is None else f"{cell:.3f}" for cell in cells))
    console = out()
    console.print(table)
    for one in sets:
        for sample in one["by_sample"]:
            if "problem" in sample:
                console.print(f"not scored: {one['set']}/{sample['sample']}: {sample['problem']}", markup=False)
