"""How many rows there are, over HTTP on every engine: the number that plain Python counts."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from engines.road_tables import HOSTS, NEW, OLD, TYPED_ROWS, Typed
from engines.roads import Road
from engines.test_policies_served import TYPED, sign_in
from rowgate.rows.fold import fold
from rowgate.service.admin.grants import GrantChange
from rows.harness import Members, success
from support.laws import spread_examples

ESTIMATED = ";estimated"


def ask(column: str, function: str, *values: Any) -> Members:
    return {"column": column, "function": function, **({"value": values[0]} if values else {})}


MOST, DAYS = Decimal("39999995.01"), ["2027-09-17", "2012-03-12", "2099-01-01"]
# What is asked for, and what a row must be for it.
FILTERS: list[tuple[list[Members], Callable[[Typed], bool]]] = [
    ([], lambda _: True),
    ([ask("t", "contains", "É")], lambda row: row.t is not None and fold("É") in fold(row.t)),
    ([ask("i", "greater", 0)], lambda row: row.i is not None and row.i > 0),
    ([ask("d", "between", [1000, str(MOST)])], lambda row: row.d is not None and 1000 <= Decimal(row.d) <= MOST),
    ([ask("r", "less", -1.125)], lambda row: row.r is not None and row.r < -1.125),
    ([ask("day", "equals", DAYS)], lambda row: row.day in DAYS),
    ([ask("m", "greater_equal", "2018-11-05T13:30")], lambda row: row.m is not None and row.m >= "2018-11-05T13:30"),
    (
        [{"or": [ask("b", "is_null"), {"not": ask("t", "is_null")}]}, ask("id", "less_equal", 2000)],
        lambda row: (row.b is None or row.t is not None) and row.id <= 2000,
    ),
    ([ask("t", "equals", "nobody")], lambda _: False),
]
# In which shape, and how many rows an answer of it has without its page.
SHAPES: list[tuple[Members, Callable[[list[Typed]], int]]] = [
    ({}, len),
    ({"limit": 3}, len),
    ({"limit": 0}, len),
    ({"limit": 7, "offset": 2000, "orderby": ["r desc"]}, len),
    ({"limit": 5, "cursor": ""}, len),
    ({"columns": ["t", "b"], "distinct": True}, lambda rows: len({(row.t, row.b) for row in rows})),
    ({"groupby": ["day", "b"], "aggregates": ["count"]}, lambda rows: len({(row.day, row.b) for row in rows})),
    ({"groupby": ["t"], "columns": ["id"], "limit": 1}, len),
    ({"aggregates": ["sum:id"]}, lambda _: 1),
]
IS_TRUE = '[{"column": "b", "function": "equals", "value": true}]'


def list_cases() -> Iterator[tuple[Members, int]]:
    """Give every filter in every shape, with the number that it must have."""
    for filters, is_found in FILTERS:
        found = [row for row in TYPED_ROWS if is_found(row)]
        for shape, count in SHAPES:
            yield {"filters": filters, **shape}, count(found)


def read_count(answer: httpx.Response) -> int:
    """Give an exact number; the answer must have one."""
    assert answer.status_code == 200, answer.text[:500]
    return int(answer.headers["rowgate-count"])


def test_exact_counts_are_those_of_plain_python(every_road: Road) -> None:
    for body, count in spread_examples(list(list_cases())):
        answer = every_road.post("typed", {**body, "count": "exact"})
        assert read_count(answer) == count, body
        if body.keys() == {"filters"}:
            assert len(success(answer)) == count


def test_an_estimate_says_so_or_is_exact(every_road: Road) -> None:
    """However wrong it is, it is a number of rows; where it is not called an estimate, it is the number."""
    for body, count in spread_examples(list(list_cases())):
        told = every_road.post("typed", {**body, "count": "estimated"}).headers["rowgate-count"]
        if told.endswith(ESTIMATED):
            assert int(told.removesuffix(ESTIMATED)) >= 0
        else:
            assert int(told) == count, body


def test_a_count_of_later_pages_is_that_of_the_first(every_road: Road) -> None:
    body = {"filters": [ask("i", "greater", 0)], "limit": 400, "cursor": "", "count": "exact"}
    expected = len([row for row in TYPED_ROWS if row.i is not None and row.i > 0])
    first = every_road.post("typed", body)
    second = every_road.post("typed", {**body, "cursor": first.headers["rowgate-next-cursor"]})
    assert [read_count(first), read_count(second)] == [expected, expected]


def test_counts_are_of_the_run_that_is_read(every_road: Road) -> None:
    runs = [row[0] for row in HOSTS.rows]
    asked = {"": runs.count(NEW), f"jobRuntimeKey={OLD}&": runs.count(OLD), "jobRuntimeKey=all&": len(runs)}
    for query, count in asked.items():
        assert read_count(every_road.get("hosts", f"{query}count=exact")) == count
        assert read_count(every_road.get("hosts", f"{query}count=exact&limit=1")) == count


def test_head_counts_as_get_does(every_road: Road) -> None:
    asked = f"{TYPED}?filter=id:less:1000&limit=2&count=exact"
    assert read_count(every_road.client.head(asked)) == 1000


@pytest.mark.parametrize("count", ["exact", "estimated"])
def test_rows_out_of_sight_are_in_no_count(every_road: Road, count: str) -> None:
    """What an engine guesses is of all rows, so where a rule stands nothing is guessed."""
    with sign_in(every_road, f"counts-{count}", GrantChange(rows=IS_TRUE)) as client:
        for body, is_found in ({}, lambda _: True), ({"filters": FILTERS[2][0]}, FILTERS[2][1]):
            for shape, number in (SHAPES[1], SHAPES[5], SHAPES[6]):
                answer = client.post(TYPED, json={**body, **shape, "count": count})
                assert read_count(answer) == number([row for row in TYPED_ROWS if row.b and is_found(row)])
