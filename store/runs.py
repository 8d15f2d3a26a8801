"""Named runs: which variant of each table a run uses. Two configs live side by side under two names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from store.layout import Store, StoreError, safe_name

DEFAULT_RUN = "default"


@dataclass
class Run:
    """A named run. ``tables`` maps a table's name to its variant."""

    name: str
    created_at: str
    tables: dict[str, str] = field(default_factory=dict)


def load_run(store: Store, name: str) -> Run:
    """A run by name. Raises StoreError when there is none."""
    found = store.read_json(f"runs/{safe_name(name, 'run')}.json")
    if found is None:
        known = ", ".join(run_names(store)) or "none"
        raise StoreError(f"no run named {name!r} in {store.url} (there are: {known}): make one with `--run {name}`")
    return Run(name, found["created_at"], dict(found["tables"]))


def open_run(store: Store, name: str | None) -> Run:
    """The run to work on: the named one, made if need be; without a name the active one, or a first `default`.

    A new run begins with the tables of the active one: what it does not do otherwise, it shares.
    """
    active = active_name(store)
    name = name or active or DEFAULT_RUN
    if store.exists(f"runs/{safe_name(name, 'run')}.json"):
        return load_run(store, name)
    shared = load_run(store, active).tables if active is not None else {}
    run = Run(name, datetime.now(UTC).isoformat(timespec="seconds"), dict(shared))
    save_run(store, run)
    return run


def save_run(store: Store, run: Run) -> None:
    """Write a run's tables."""
    store.write_json(f"runs/{run.name}.json", {"created_at": run.created_at, "tables": run.tables})


def run_names(store: Store) -> list[str]:
    """Names of all runs, sorted."""
    return [name.removesuffix(".json") for name in store.list("runs") if name.endswith(".json")]


def active_name(store: Store) -> str | None:
    """Name of the active run, the one views read."""
    found = store.read_json("active_run.json")
    return None if found is None else str(found["run"])


def active_run(store: Store) -> Run:
    """The active run. Raises StoreError when nothing was mined yet."""
    name = active_name(store)
    if name is None:
        raise StoreError(f"nothing was mined into {store.url} yet: start with `duplex-miner run LOGS`")
    return load_run(store, name)


def known_tables(store: Store, name: str | None) -> list[str]:
    """Tables that the run to work on has already; a new one has those of the active run."""
    known = run_names(store)
    name = name if name in known else active_name(store)
    return [] if name is None else list(load_run(store, name).tables)


def activate(store: Store, name: str) -> None:
    """Make a run the active one."""
    load_run(store, name)
    store.write_json("active_run.json", {"run": name})
