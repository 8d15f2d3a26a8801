"""What the runner promises: each unit once, reuse by content, faults cost one dialogue, nothing silently lost."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from schemas.reasons import Reason
from store import ledger
from store.compact import compact_variant
from store.engines.local import InlineEngine, LocalEngine
from store.forget import forget
from store.layout import Store, StoreError
from store.runs import open_run
from store.stage import Batch, Stage, StageOutput, StopRunError
from tests.store.toys import CODES, LETTERS, SUMS, Codes, NoConfig, RoundConfig, Sums, mine, snapshot, table

TEXTS = {f"dlg-{i:02d}": "abcdefgh"[: i % 9] for i in range(30)}
TABLES = {t.name: t for t in (LETTERS, CODES, SUMS)}


def total(text: str) -> int:
    return sum(map(ord, text)) if text else -1


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(str(tmp_path / "store"), n_buckets=4)


def test_every_dialogue_is_done_once_and_a_second_run_computes_nothing(store: Store) -> None:
    first = mine(store, TEXTS)
    again = mine(store, TEXTS)
    assert [r.computed for r in first.values()] == [30, 30, 30]
    assert [(r.computed, r.reused) for r in again.values()] == [(0, 30)] * 3
    assert table(store, SUMS)["total"].to_list() == [total(t) for t in TEXTS.values()]


def test_dialogues_with_zero_rows_are_done_not_missing(store: Store) -> None:
    mine(store, {"empty": ""})
    assert table(store, CODES).is_empty()
    assert table(store, SUMS)["total"].to_list() == [-1]
    assert mine(store, {"empty": ""})["codes"].reused == 1


def test_only_a_changed_log_is_computed_again(store: Store) -> None:
    mine(store, TEXTS)
    reports = mine(store, TEXTS | {"dlg-03": "changed"})
    assert [r.computed for r in reports.values()] == [1, 1, 1]
    assert table(store, SUMS).filter(pl.col("dialogue_id") == "dlg-03")["total"].item() == total("changed")


def test_a_log_changed_back_reuses_its_old_units(store: Store) -> None:
    mine(store, TEXTS)
    mine(store, TEXTS | {"dlg-03": "changed"})
    reports = mine(store, TEXTS)
    assert [r.computed for r in reports.values()] == [1, 0, 0]
    assert table(store, LETTERS)["text"].to_list() == list(TEXTS.values())


def test_a_config_change_stops_where_rows_stay_what_they_were(store: Store) -> None:
    texts = {"low": "\x02\x04", "odd": "\x03"}
    mine(store, texts, to=1)
    reports = mine(store, {"low": "\x02\x04", "odd": "\x03"}, to=1000)
    assert reports["codes"].computed == 2
    assert reports["sums"].computed == 2
    back = mine(store, texts, to=1001)  # every code is 0 again: other config, other lineage, same content
    assert back["codes"].computed == 2
    assert back["sums"].computed == 0


def test_two_runs_live_side_by_side(store: Store) -> None:
    mine(store, TEXTS, run="fine", to=1)
    mine(store, TEXTS, run="coarse", to=10)
    assert table(store, CODES, "fine")["code"].max() == ord("h")
    assert table(store, CODES, "coarse")["code"].max() == ord("h") // 10


def test_an_exception_costs_one_dialogue_with_its_place(store: Store) -> None:
    reports = mine(store, TEXTS | {"dlg-07": "raise"})
    assert dict(reports["codes"].quarantined) == {Reason.INTERNAL_ERROR: 1}
    units = ledger.load(store, "codes", Codes(RoundConfig()).variant)
    failed = units.filter(pl.col("status") == "quarantined").to_dicts()
    assert [f["dialogue_id"] for f in failed] == ["dlg-07"]
    assert failed[0]["detail"].startswith("ValueError: cannot read this (toys.py:")
    assert table(store, CODES)["dialogue_id"].n_unique() == sum(bool(t) for t in TEXTS.values()) - bool(TEXTS["dlg-07"])


def test_a_quarantined_optional_input_counts_as_absent(store: Store) -> None:
    mine(store, {"a": "bad", "b": "xy"})
    assert dict(table(store, SUMS).iter_rows()) == {"a": -1, "b": ord("x") + ord("y")}


def test_quarantine_is_kept_until_a_retry_is_asked_for(store: Store) -> None:
    assert mine(store, {"a": "bad"})["codes"].quarantined == {"mono": 1}
    again = mine(store, {"a": "bad"})["codes"]
    assert (again.computed, again.quarantined) == (0, {"mono": 1})
    assert mine(store, {"a": "bad"}, retry=True)["codes"].computed == 1


def test_a_stage_that_invents_dialogues_is_caught(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def invent(self: Stage, batch: object) -> object:
        from store.stage import StageOutput

        return StageOutput(pl.DataFrame({"dialogue_id": ["nobody"], "total": [1]}))

    monkeypatch.setattr(Sums, "process", invent)
    assert mine(store, {"a": "x"})["sums"].quarantined == {"internal_error": 1}


def test_a_stage_may_stop_the_run_and_nothing_is_quarantined(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Stage, batch: object) -> StageOutput:
        raise StopRunError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Sums, "process", stop)
        with pytest.raises(StopRunError, match="the server is gone"):
            mine(store, TEXTS)
    reports = mine(store, TEXTS)
    assert (reports["codes"].reused, reports["sums"].computed) == (30, 30)
    assert not reports["sums"].quarantined


def test_a_stage_is_closed_before_its_worker_opens_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = []
    monkeypatch.setattr(Codes, "open", lambda self: happened.append("codes open"))
    monkeypatch.setattr(Codes, "close", lambda self: happened.append("codes close"))
    monkeypatch.setattr(Sums, "open", lambda self: happened.append("sums open"))
    mine(store, TEXTS)
    assert happened == ["codes open", "codes close", "sums open"]


def test_a_stage_in_one_process_runs_in_the_commands_own_with_whole_tasks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    process = Sums.process

    def watched(self: Sums, batch: Batch) -> StageOutput:
        sizes.append(len(batch.dialogue_ids))
        return process(self, batch)

    monkeypatch.setattr(Sums, "process", watched)
    monkeypatch.setattr(Sums, "in_one_process", True)
    monkeypatch.setattr(Sums, "batch_size", 16)
    engine = LocalEngine(2)
    mine(store, TEXTS, engine=engine)
    engine.close()
    assert sum(sizes) == 30
    assert max(sizes) > 4


@pytest.mark.slow
def test_a_worker_that_dies_costs_only_the_dialogue_that_killed_it(store: Store) -> None:
    engine = LocalEngine(2)
    reports = mine(store, TEXTS | {"dlg-07": "die", "dlg-20": "die"}, engine=engine)
    engine.close()
    assert dict(reports["codes"].quarantined) == {Reason.WORKER_CRASHED: 2}
    units = ledger.load(store, "codes", Codes(RoundConfig()).variant)
    assert set(units.filter(pl.col("status") == "quarantined")["dialogue_id"]) == {"dlg-07", "dlg-20"}
    assert units.height == 30


@pytest.mark.slow
def test_processes_and_ray_make_the_same_tables(tmp_path: Path) -> None:
    from store.engines.ray import RayEngine

    shots = []
    for name, make in {"inline": InlineEngine, "local": lambda: LocalEngine(2), "ray": lambda: RayEngine(2)}.items():
        store = Store.create(str(tmp_path / name), n_buckets=4)
        engine = make()
        mine(store, TEXTS | {"dlg-07": "raise"}, engine=engine)
        engine.close()
        shots.append(snapshot(store))
    for other in shots[1:]:
        for name, frame in shots[0].items():
            assert frame.equals(other[name])


def test_a_store_may_lie_in_object_storage() -> None:
    store = Store.create("memory://bucket/toy", n_buckets=4)
    mine(store, TEXTS)
    forget(store, "dlg-05", TABLES)
    assert table(store, SUMS).height == 29
    assert all(r.computed == 0 for r in mine(store, TEXTS).values())


def test_compaction_changes_no_row_and_leaves_one_part_a_bucket(store: Store) -> None:
    for n in range(1, 8):
        mine(store, dict(list(TEXTS.items())[: n * 4]))
    before = snapshot(store)
    variant = Codes(RoundConfig()).variant
    assert compact_variant(store, CODES, variant, above=1) == 4
    assert len(store.list(f"tables/codes/{variant}")) == 4
    assert all(frame.equals(before[name]) for name, frame in snapshot(store).items())
    assert all(r.computed == 0 for r in mine(store, dict(list(TEXTS.items())[:28])).values())


def test_an_unfinished_commit_does_not_count(store: Store) -> None:
    mine(store, TEXTS)
    variant = Codes(RoundConfig()).variant
    folder = ledger.ledger_folder("codes", variant)
    victim = ledger.commit_names(store, "codes", variant)[0]
    data = store.read(f"{folder}/{victim}")
    store.write(f"{folder}/{victim}", data[: len(data) // 2])
    with pytest.warns(UserWarning, match="incomplete"):
        reports = mine(store, TEXTS)
    assert 0 < reports["codes"].computed < 30
    store.remove(f"{folder}/{victim}")
    assert table(store, SUMS)["total"].to_list() == [total(t) for t in TEXTS.values()]


def test_forget_removes_every_trace_and_keeps_the_dialogue_out(store: Store, tmp_path: Path) -> None:
    texts = TEXTS | {"secret-id": "SECRETTEXT"}
    mine(store, texts)
    mine(store, texts, run="other", to=7)
    report = forget(store, "secret-id", TABLES)
    assert report.known
    assert report.rows == {"letters": 1, "codes": 20, "sums": 2}
    for file in (tmp_path / "store").rglob("*"):
        if file.suffix == ".parquet":
            frame = pl.read_parquet(file)
            assert "secret-id" not in frame["dialogue_id"].to_list()
            assert "text" not in frame.columns or "SECRETTEXT" not in frame["text"].to_list()
    reports = mine(store, texts)
    assert (reports["letters"].forgotten, reports["letters"].computed) == (1, 0)
    assert "secret-id" not in table(store, LETTERS)["dialogue_id"].to_list()


def test_forgetting_an_unknown_dialogue_says_so(store: Store) -> None:
    mine(store, TEXTS)
    assert not forget(store, "nobody", TABLES).known


def test_an_id_of_another_source_is_a_duplicate_not_an_update(store: Store) -> None:
    mine(store, {"a": "first"}, owner="one")
    report = mine(store, {"a": "second"}, owner="two")["letters"]
    assert report.quarantined == {"duplicate_id": 1}
    assert table(store, LETTERS)["text"].to_list() == ["first"]


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        Store.create(str(tmp_path))
    with pytest.raises(StoreError, match="no store at"):
        Store.open(str(tmp_path / "none"))


def test_run_names_cannot_name_paths(store: Store) -> None:
    with pytest.raises(StoreError, match="plain name"):
        open_run(store, "../../etc")


def test_many_dialogues_are_handled_in_bucket_groups(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.runner._DIALOGUES_AT_ONCE", 8)
    assert [r.computed for r in mine(store, TEXTS).values()] == [30, 30, 30]
    assert [(r.computed, r.reused) for r in mine(store, TEXTS).values()] == [(0, 30)] * 3


def test_variants_say_what_they_are(store: Store) -> None:
    mine(store, TEXTS, to=5)
    variant = Codes(RoundConfig(to=5)).variant
    assert ledger.describe_variant(store, "codes", variant)["config"] == {"to": 5}
    assert Sums(NoConfig()).variant in ledger.variants(store, "sums")
