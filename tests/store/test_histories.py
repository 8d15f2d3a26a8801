"""Whatever happened to a store before, the same request ends in the same tables as a new store."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from store import ledger
from store.compact import compact_variant
from store.forget import forget
from store.layout import Store, StoreError
from store.lock import writing
from tests.store.toys import CODES, LETTERS, SUMS, mine, snapshot

TABLES = {t.name: t for t in (LETTERS, CODES, SUMS)}
IDS = [f"d{i}" for i in range(6)]


@dataclass(frozen=True)
class Step:
    """One thing that happens to a store."""

    what: str
    texts: dict[str, str]
    to: int
    pick: int


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(["mine", "mine", "mine in another run", "compact", "lose a commit", "cut a commit short"]),
        st.dictionaries(st.sampled_from(IDS), st.sampled_from(["", "a", "ab", "bad", "raise"]), max_size=6),
        st.sampled_from([1, 50, 98]),
        st.integers(0, 1000),
    ),
    max_size=6,
)


def happen(store: Store, step: Step) -> None:
    if step.what.startswith("mine"):
        if step.texts:
            mine(store, step.texts, to=step.to, run="other" if "another" in step.what else "default")
        return
    variants = [(table, variant) for table in TABLES for variant in ledger.variants(store, table)]
    if not variants:
        return
    table, variant = variants[step.pick % len(variants)]
    if step.what == "compact":
        compact_variant(store, TABLES[table], variant, above=1)
        return
    names = ledger.commit_names(store, table, variant)
    if names:  # as if the machine had died before or while the commit was written
        path = f"{ledger.ledger_folder(table, variant)}/{names[step.pick % len(names)]}"
        if step.what == "lose a commit":
            store.remove(path)
        else:
            store.write(path, store.read(path)[: step.pick % 200])


@settings(max_examples=40, deadline=None)
@given(history=steps, last=st.dictionaries(st.sampled_from(IDS), st.sampled_from(["", "a", "ab", "bad"]), min_size=1))
@pytest.mark.filterwarnings("ignore:commit .* is incomplete")
def test_any_history_ends_in_the_tables_of_a_new_store(history: list[Step], last: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Store.create(str(Path(folder) / "fresh"), n_buckets=3)
        mine(fresh, last, to=50)
        lived = Store.create(str(Path(folder) / "lived"), n_buckets=3)
        for step in history:
            happen(lived, step)
        for identity in set(IDS) - set(last):  # what an earlier step took in and the last one does not list stays
            forget(lived, identity, TABLES)
        mine(lived, last, to=50, run="default")
        expected = snapshot(fresh)
        for name, frame in snapshot(lived, "default").items():
            assert frame.drop("made_by", strict=False).equals(expected[name].drop("made_by", strict=False)), name


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "store"))
    with (
        FileLock(store.path("writer.lock")),
        pytest.raises(StoreError, match="another duplex-miner command"),
        writing(store),
    ):
        pass
    with writing(store):
        pass
