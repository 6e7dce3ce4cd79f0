"""The order of rows tells nothing of what is hidden, whatever indexes the engine finds them by."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from rowgate.rows.masks import Mask
from rowgate.rows.model import Order, Plan
from rowgate.rows.paging import break_ties
from rowgate.rows.plan import plan_rows
from rowgate.rows.policy import WHOLE, RowsPolicy, parse_rule, read_policy
from rowgate.rows.procedures import PROCEDURE
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from rowgate.rows.told_order import complete_order
from rows.generated import Bench
from rows.oracle import Row

PAID = [9, 2, 7, 1, 8, 3, 6, 4, 5, 0]  # by number of row: hidden, or masked
HIDDEN = RowsPolicy(frozenset("nt"))
WITHOUT_KEY = RowsPolicy(frozenset("tr"))
MASKED = RowsPolicy(None, (("i", Mask.NULL),))


@pytest.fixture(scope="module")
def paid(sqlite_bench: Bench) -> Iterator[Bench]:
    """Names and departments, with the indexes that a database has where people are looked for by what they earn."""
    sqlite_bench.fill([(f"name {(n * 7) % 10}", pay, float(n % 2)) for n, pay in enumerate(PAID)])
    for name, columns in (("by_pay", "i, t"), ("by_department", "r, i")):
        sqlite_bench.writer.execute(f"CREATE INDEX {name} ON generated ({columns})")
    yield sqlite_bench
    for name in ("by_pay", "by_department"):
        sqlite_bench.writer.execute(f"DROP INDEX {name}")


def plan(bench: Bench, body: Row, policy: RowsPolicy, *key: str) -> Plan:
    described = bench.source.find_object(bench.name)
    assert described is not None
    return plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="", key=key, policy=policy)


def read(bench: Bench, body: Row, policy: RowsPolicy) -> list[tuple[Any, ...]]:
    statement = render_select(plan(bench, body, policy), bench.source.dialect)
    with closing(bench.source.open_rows(statement, statement_seconds=10)) as blocks:
        return list(blocks.read_block())


def sorted_by(bench: Bench, body: Row, policy: RowsPolicy) -> list[str]:
    return [order.column.name for order in plan(bench, body, policy).order_by]


@pytest.mark.parametrize(
    ("body", "policy"),
    [
        ({"columns": ["t"]}, HIDDEN),
        ({"columns": ["t"]}, WITHOUT_KEY),
        ({"columns": ["t"], "filters": [{"column": "r", "function": "equals", "value": 1}]}, WITHOUT_KEY),
        ({"columns": ["t"], "filters": [{"column": "r", "function": "equals", "value": 1}]}, MASKED),
        ({"columns": ["t", "i"]}, MASKED),
        ({"columns": ["t"], "limit": 5}, MASKED),
    ],
)
def test_rows_do_not_come_in_the_order_of_what_is_hidden(paid: Bench, body: Row, policy: RowsPolicy) -> None:
    earns = {f"name {(n * 7) % 10}": pay for n, pay in enumerate(PAID)}
    by_pay = [earns[row[0]] for row in read(paid, body, WHOLE)]
    assert by_pay == sorted(by_pay), "the engine goes by the index"
    found = [earns[row[0]] for row in read(paid, body, policy)]
    assert found != sorted(found)


@pytest.mark.parametrize(
    ("body", "policy", "expected"),
    [
        ({}, WHOLE, []),
        ({}, HIDDEN, ["n"]),
        ({"orderby": ["t desc"]}, HIDDEN, ["t", "n"]),
        ({"orderby": ["n"]}, HIDDEN, ["n"]),
        ({"groupby": ["t"]}, HIDDEN, ["n"]),
        ({"columns": ["t"]}, WITHOUT_KEY, ["t"]),
        ({"columns": ["t"], "distinct": True}, HIDDEN, ["t"]),
        ({"groupby": ["t"], "aggregates": ["count"]}, HIDDEN, ["t"]),
        ({"aggregates": ["count"]}, HIDDEN, []),
        ({"columns": ["t"]}, RowsPolicy(frozenset("tri"), (("i", Mask.HASH),)), ["t"]),
        ({"columns": ["i"]}, RowsPolicy(frozenset("tri"), (("i", Mask.HASH),)), ["t", "r"]),
        ({"columns": ["t", "i"]}, RowsPolicy(frozenset("tri"), (("i", Mask.HASH),)), ["t", "r"]),
        ({"cursor": ""}, HIDDEN, []),
    ],
)
def test_they_are_sorted_by_what_is_known(paid: Bench, body: Row, policy: RowsPolicy, expected: list[str]) -> None:
    """By the key where it is in sight, which costs least; only where something is hidden."""
    assert sorted_by(paid, body, policy) == expected


def test_the_result_of_a_procedure_stays_in_its_own_order(paid: Bench) -> None:
    """Its query says in which; what it leaves open tells of no index of the reader's object."""
    known = plan(paid, {}, HIDDEN).object
    complete = replace(plan(paid, {}, WHOLE).object, kind=PROCEDURE)
    answered = known.columns
    assert complete_order((), complete, known, row_key=(), answered=answered, computed=(), distinct=False) == ()


def test_ties_are_broken_in_the_direction_of_what_was_asked_last(paid: Bench) -> None:
    """Throughout, NULL being the least, so that an index serves; and any order will do that an index has."""
    whole = plan(paid, {"orderby": ["t", "i desc nulls first"]}, WHOLE)
    n, t, _, r = whole.object.columns
    assert break_ties(whole.order_by, (n, t, r)) == (
        *whole.order_by,
        Order(n, descending=True, nulls_first=False, is_key=True),
        Order(r, descending=True, nulls_first=False, is_key=True),
    )
    assert break_ties((), (n,)) == (Order(n, descending=False, nulls_first=True, is_key=True),)


def test_a_token_for_some_columns_hides_the_others_too(paid: Bench) -> None:
    described = paid.source.find_object(paid.name)
    assert described is not None
    planned = plan_rows(parse_rows_body(b'{"columns": ["t"]}'), described, run_key="", allowed_columns={"t"})
    assert [order.column.name for order in planned.order_by] == ["n"], "the application may know the key"


def test_the_rule_stands_before_the_filters(paid: Bench) -> None:
    """A filter that takes long would be timed on rows that are out of sight."""
    policy = read_policy((), (), '{"column": "r", "function": "equals", "value": 1}', ())
    assert policy.rule == parse_rule('{"column": "r", "function": "equals", "value": 1}', {})
    body = {"filters": [{"column": "t", "function": "contains", "value": ["x", "y"]}]}
    text = render_select(plan(paid, body, policy), paid.source.dialect).text
    assert 0 < text.index('"r" = ') < text.index("rowgate_holds")
