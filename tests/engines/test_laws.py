"""The laws of rows, shown by examples that nobody chose: each on every engine, against plain Python.

They are written in tests/rows, where they are run on SQLite and PostgreSQL in every run of the suite.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.benches import ALL_BENCHES
from engines.heavy import HEAVY
from rowgate.rows.masks import Mask
from rows.generated import Bench
from rows.oracle import Row
from rows.test_aggregates import (
    test_a_sum_beyond_64_bits_is_refused_and_an_average_is_not,
    test_engine_computes_what_plain_python_computes,
)
from rows.test_injection import test_hostile_names_of_real_objects_give_their_rows
from rows.test_oracle import tables, test_engine_gives_what_plain_python_gives
from rows.test_paging import test_pages_are_the_whole_in_its_order, test_rows_that_stay_come_once_whatever_is_written
from rows.test_policy import (
    answer,
    change_what_is_hidden,
    law,
    make_policy,
    masks,
    requests,
    rules,
    shown,
    test_aggregates_are_of_what_is_in_sight,
    test_answer_is_that_of_plain_python_over_what_is_in_sight,
    test_masked_column_can_be_read_and_nothing_else,
    test_newest_run_is_the_newest_that_the_rule_lets_through,
    test_rule_stands_in_every_part_of_a_statement,
)

__all__ = [
    "test_a_sum_beyond_64_bits_is_refused_and_an_average_is_not",
    "test_aggregates_are_of_what_is_in_sight",
    "test_answer_is_that_of_plain_python_over_what_is_in_sight",
    "test_engine_computes_what_plain_python_computes",
    "test_engine_gives_what_plain_python_gives",
    "test_hostile_names_of_real_objects_give_their_rows",
    "test_masked_column_can_be_read_and_nothing_else",
    "test_newest_run_is_the_newest_that_the_rule_lets_through",
    "test_pages_are_the_whole_in_its_order",
    "test_rows_that_stay_come_once_whatever_is_written",
    "test_rule_stands_in_every_part_of_a_statement",
]
pytestmark = pytest.mark.engines


@pytest.fixture(scope="module", params=[pytest.param(name, marks=HEAVY.get(name, ())) for name in ALL_BENCHES])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with ALL_BENCHES[request.param](request, tmp_path_factory.mktemp("bench")) as made:
        yield made


@law
@given(tables, shown, masks, rules, requests, st.data())
def test_databases_that_differ_in_what_is_hidden_alone_hold_the_same_for_a_reader(  # noqa: PLR0917 - one per strategy
    bench: Bench,
    stored: list[tuple[Any, ...]],
    columns: frozenset[str] | None,
    masked: dict[str, Mask],
    rule: list[Row],
    body: Row,
    data: st.DataObject,
) -> None:
    """As the law of the same words in tests/rows, but in any order, which nobody has asked for."""
    asked = {name: value for name, value in body.items() if name != "limit"}
    rows = bench.fill(stored)
    policy = make_policy(columns, masked, rule)
    first = answer(bench, asked, policy)
    let_through, _ = answer(bench, {"columns": ["n"]}, make_policy(None, {}, rule))
    change_what_is_hidden(bench, rows, let_through, columns=columns, masked=masked, rule=rule, data=data)
    assert _without_order(answer(bench, asked, policy)) == _without_order(first)


def _without_order(told: tuple[object, ...]) -> object:
    if not isinstance(told[0], bytes):
        return told
    rows = [
        {name: sorted(map(repr, value)) if isinstance(value, list) else value for name, value in row.items()}
        for row in msgspec.json.decode(told[0])
    ]
    return sorted(map(repr, rows)), told[1]
