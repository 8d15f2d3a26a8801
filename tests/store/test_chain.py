"""How the steps of several rooms become one chain, and what `run` leaves out."""

from __future__ import annotations

from store.chain import Chain, Step, run_steps
from tests.store.toys import CODES, LETTERS, SUMS, Codes, Letters, NoConfig, RoundConfig, Sums

TABLES = {table.name: table for table in (LETTERS, CODES, SUMS)}


class NeedsCodes(Sums):
    reads = (LETTERS, CODES)
    optional_reads = ()


def steps(sums: type[Sums], left_out: str | None = None) -> list[Step]:
    return [
        Step(sums, lambda settings, site: sums(NoConfig())),
        Step(Codes, lambda settings, site: Codes(RoundConfig()), left_out=lambda settings: left_out),
        Step(Letters, None),
    ]


def names(chosen: list[Step]) -> list[str]:
    return [step.stage.name for step in chosen]


def test_steps_come_in_the_order_of_their_tables() -> None:
    chain = Chain.of(steps(Sums), TABLES)
    assert names(list(chain.steps)) == ["letters", "codes", "sums"]
    assert names(chain.named(["sums", "letters"])) == ["letters", "sums"]
    assert list(chain.flow.reads) == ["letters", "codes", "sums"]


def test_run_takes_every_step_unless_one_says_why_not() -> None:
    assert names(run_steps(Chain.of(steps(Sums), TABLES).steps, None, [])[0]) == ["letters", "codes", "sums"]
    kept, reasons = run_steps(Chain.of(steps(Sums, "no codes today"), TABLES).steps, None, [])
    assert (names(kept), reasons) == (["letters", "sums"], ["no codes today"])


def test_what_needs_a_table_that_nothing_made_is_left_out_as_well() -> None:
    chain = Chain.of(steps(NeedsCodes, "no codes today"), TABLES)
    assert names(run_steps(chain.steps, None, [])[0]) == ["letters"]
    assert names(run_steps(chain.steps, None, ["codes"])[0]) == ["letters", "sums"]
