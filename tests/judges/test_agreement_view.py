"""What the `judges` commands print: it fits a terminal, and says what could not be compared."""

from __future__ import annotations

import io

import polars as pl
import pytest
from rich.console import Console

from judges.agreement import ITEMS, compare
from judges.agreement_view import agreement_table, print_calibration
from judges.calibrate import Calibration


def printed(width: int) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=width, highlight=False), written


@pytest.mark.parametrize(("width", "one_line"), [(80, False), (120, True)])
def test_a_table_fits_a_terminal_with_every_figure_whole(width: int, one_line: bool) -> None:
    rows = [(f"d{i % 12}", "tone", "", i % 5, (i + (i % 4 == 0)) % 5, i % 5 < 2, i % 5 < 2) for i in range(60)]
    found = compare(pl.DataFrame(rows, schema=ITEMS, orient="row"), samples=50)
    console, written = printed(width)
    console.print(agreement_table(found, width))
    text = "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"
    assert max(map(len, text.splitlines())) <= width
    (one,) = found
    for figure in (one.exact, one.within_one, one.kappa, one.spearman, one.precision, one.recall):
        for number in (figure.value, figure.low, figure.high):
            assert f"{number:.2f}" in text
    assert f"{one.spearman_within.value:.2f} ({one.within})" in text
    assert (f"{one.kappa.low:.2f}..{one.kappa.high:.2f}" in text) is one_line


def test_a_sheet_nobody_has_filled_in_says_so() -> None:
    console, written = printed(80)
    print_calibration(console, Calibration(3, 1, 0, 3, 0, {}, [], [], []), "sheet.csv", 1)
    assert "3 without a score: left open by their raters" in written.getvalue()
    assert "score replies that it scored" in written.getvalue()
    assert "kappa" not in written.getvalue()
