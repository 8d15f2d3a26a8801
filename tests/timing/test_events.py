"""The ledger's events that are no issues, both signs, and ids and ranks of its rows."""

from __future__ import annotations

import pytest

from schemas.ids import issue_id
from tests.timing.timelines import Log, events_of, found

BROKEN = "Cats often purr when they feel safe. And sometimes to"
WHOLE = "Cats often purr when they feel safe. And sometimes to calm."
LOOP = "the train leaves at nine "


@pytest.mark.parametrize(
    ("log", "event", "times"),
    [
        pytest.param(Log([(1, 5)], [(3, 6)]), "barge_in", [3.0], id="the user starts on the model"),
        pytest.param(Log([(1, 5)], [(4.7, 6)]), "barge_in", [], id="the model was ending"),
        pytest.param(Log([(1, 5, BROKEN)], [(4.7, 6)]), "barge_in", [4.7], id="the model yields at once"),
        pytest.param(Log([(1, 5)], [(3, 3.5)]), "barge_in", [], id="a backchannel is no barge-in"),
        pytest.param(Log([(1, 5), (5.8, 9)], [(5.2, 5.6, "Nine.")]), "barge_in", [], id="an answer in a pause"),
        pytest.param(Log([(1, 3.4), (4.4, 9)], [(3, 4)]), "D1", [], id="the model stops, then speaks again"),
        pytest.param(Log([(1, 3.4), (3.8, 9)], [(3, 4.2)]), "D1", [3.0], id="the model only hesitates"),
        pytest.param(Log([(1, 6)], [(3, 6)]), "D1", [3.0], id="the model talks on"),
        pytest.param(Log([(1, 5)], [(3, 6)]), "D1", [], id="the model yields within 2 s"),
        pytest.param(Log([(1, 5, BROKEN)], [(4.2, 4.6)]), "E", [4.2], id="false yield"),
        pytest.param(Log([(1, 5, WHOLE)], [(4.2, 4.6)]), "E", [], id="the model had ended"),
        pytest.param(Log([(1, 9, BROKEN)], [(4.2, 4.6)]), "E", [], id="the model goes on"),
        pytest.param(Log([(1, 5, BROKEN)], []), "J", [1.0], id="truncated reply"),
        pytest.param(Log([(1, 5, BROKEN)], [], 5.5), "J", [], id="the log ends"),
        pytest.param(Log([(1, 5, BROKEN)], [(4, 7)]), "J", [], id="the user took over"),
        pytest.param(Log([(1, 5, WHOLE)], []), "J", [], id="a whole reply"),
        pytest.param(Log([(1, 5), (9, 11)], []), "K", [9.0], id="reply to nobody"),
        pytest.param(Log([(1, 5), (7, 9)], []), "K", [], id="the model goes on soon"),
        pytest.param(Log([(1, 5), (9, 11)], [(6, 7)]), "K", [], id="the user had spoken"),
        pytest.param(Log([(9, 11)], []), "K", [], id="a greeting"),
        pytest.param(Log([(1, 9)], [(4, 8)]), "L", [4.0], id="long talk-over"),
        pytest.param(Log([(1, 9)], [(7, 12)]), "L", [], id="shorter overlap"),
        pytest.param(Log([(1, 9, LOOP * 3)], []), "I", [1.0], id="self-loop"),
        pytest.param(Log([(1, 9, LOOP * 2)], []), "I", [], id="said twice"),
        pytest.param(Log([(1, 20, LOOP * 3)], []), "I", [], id="not within 10 s"),
        pytest.param(Log([(1, 5)], [(3, 6, LOOP * 3)]), "I", [], id="the user may repeat"),
        pytest.param(Log([(3, 5)], [(1, 2), (6, 7)]), "gap", [2.0, 5.0], id="gaps"),
        pytest.param(Log([], [(1, 2), (2.6, 4)]), "pause", [2.0], id="pause"),
        pytest.param(Log([(3, 6)], [(1, 4)]), "overlap_between", [3.0], id="overlap between"),
        pytest.param(Log([(3, 6)], [(1, 9)]), "overlap_within", [3.0], id="overlap within"),
        pytest.param(Log([(1, 9)], [(3, 3.5)]), "overlap_within", [3.0], id="backchannel"),
        pytest.param(Log([(1, 3), (4, 6)], [(3.2, 3.8)]), "pause", [3.0], id="a backchannel does not end a pause"),
    ],
)
def test_event(log: Log, event: str, times: list[float]) -> None:
    assert [t for _, _, t in found(log, event)] == times


def test_ids_are_those_of_the_schemas() -> None:
    rows = events_of([Log([(4, 8)], [(1, 6), (9, 9.6)], 20.0, "one"), Log([(3, 4)], [(1, 2)], 9.0, "two")])
    assert len(rows) > 4
    for row in rows.iter_rows(named=True):
        assert row["event_id"] == issue_id(row["dialogue_id"], row["event"], row["t_s"])


def test_the_first_issue_has_rank_0_and_the_others_an_order_that_ignores_time() -> None:
    user = [(1 + 8 * i, 3 + 8 * i) for i in range(12)]
    issues = events_of([Log([], user, 200.0, name) for name in "abc"]).filter(event="C")
    orders = []
    for name in "abc":
        ranks = issues.filter(dialogue_id=name).sort("t_s")["rank"].to_list()
        assert ranks[0] == 0
        assert sorted(ranks) == list(range(12))
        orders.append(tuple(ranks))
    assert len(set(orders)) == 3
    assert events_of([Log([(3, 4)], [(1, 2)])]).filter(event="gap")["rank"].to_list() == [None]
