"""What a cursor is good for: its application and its query, whatever else it is held against."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Column, Condition, Family, Function, ObjectDescription, Plan
from rowgate.rows.paging import go_on_after
from rowgate.rows.plan import plan_rows
from rowgate.rows.policy import RowsPolicy
from rowgate.rows.request import build_request
from rowgate.rows.request_filters import parse_filters
from rowgate.service.cursors import Cursors
from rows.oracle import Row
from rows.test_oracle import filters, orders

COLUMNS = (
    Column("n", "INTEGER", Family.NUMBER, may_be_real=False, never_null=True),
    Column("t", "TEXT", Family.TEXT, may_be_real=False),
    Column("i", "INTEGER", Family.NUMBER, may_be_real=False),
    Column("r", "REAL", Family.NUMBER, may_be_real=True),
)
TABLE = ObjectDescription("o", "table", COLUMNS, row_key=COLUMNS[:1])
CURSORS = Cursors(b"k" * 32)
queries = st.tuples(
    st.lists(filters, max_size=2),  # what is asked for
    st.lists(filters, max_size=2),  # the rule of a policy
    st.lists(orders, max_size=2, unique_by=lambda order: order[0]),
    st.sampled_from([1, 2]),  # the application
)
Query = tuple[list[Row], list[Row], list[str], int]


def plan(query: Query, described: ObjectDescription = TABLE) -> Plan:
    asked, rule, order, _ = query
    request = build_request({"filters": asked, "orderby": order, "cursor": ""})
    policy = RowsPolicy(rule=parse_filters({"filters": rule}))
    return plan_rows(request, described, run_key="run", policy=policy)


def seal(query: Query) -> tuple[Plan, Sequence[int], str]:
    """Give a plan, a place of it, and the cursor of that place."""
    first, sealed = CURSORS.open_page(plan(query), "", query[3])
    assert first.page is not None
    place = range(len(first.page.noted))
    return first, place, sealed(place)


@given(queries)
def test_cursor_of_a_query_goes_on_where_its_page_ended(query: Query) -> None:
    first, place, cursor = seal(query)
    going_on, _ = CURSORS.open_page(plan(query), cursor, query[3])
    assert first.page is not None
    assert going_on == replace(first, page=replace(first.page, after=tuple(place)))


@given(queries)
def test_later_pages_keep_what_was_asked_and_stay_with_the_run(query: Query) -> None:
    """O-25: the run that was the newest is one more condition, beside all that there were."""
    runs = replace(TABLE, columns=(*COLUMNS, Column("run", "TEXT", Family.TEXT, may_be_real=False)))
    first = plan(query, runs)
    assert first.page is not None
    going_on = go_on_after(first, (*range(len(first.page.order)), "2018-11-05"))
    assert going_on is not None
    *kept, run = going_on.conditions
    assert (tuple(kept), going_on.rule) == (first.conditions, first.rule)
    assert isinstance(run, Condition)
    assert (run.column.name, run.function, run.values) == ("run", Function.EQUALS, ("2018-11-05",))
    assert going_on.latest_run is None


@given(queries, queries)
def test_cursor_of_another_query_is_refused(one: Query, other: Query) -> None:
    """Else it would go on among rows that another filter, another rule or another application's grant gives."""
    first, _, cursor = seal(one)
    second = plan(other)
    try:
        CURSORS.open_page(second, cursor, other[3])
    except InvalidParameter:
        return
    assert (first, one[3]) == (second, other[3])


FILTER = {"column": "t", "function": "equals", "value": "a"}


@pytest.mark.parametrize(
    "other",
    [
        [],
        [FILTER, FILTER],
        [{**FILTER, "column": "i", "value": 1}],
        [{**FILTER, "function": "not_equals"}],
        [{**FILTER, "value": "b"}],
        [{**FILTER, "matchCase": True}],
        [{"not": FILTER}],
        [{"or": [FILTER, FILTER]}],
        [{"and": [FILTER, FILTER]}],
        [{"or": [FILTER, {"not": FILTER}]}],
    ],
)
def test_a_filter_that_differs_in_anything_has_other_cursors(other: list[Row]) -> None:
    for one in ([FILTER], [{"or": [FILTER]}], [{"and": [FILTER]}], [{"or": [FILTER, FILTER]}]):
        _, _, cursor = seal((one, [], [], 1))
        if one != other:
            with pytest.raises(InvalidParameter):
                CURSORS.open_page(plan((other, [], [], 1)), cursor, 1)


@given(queries, st.integers(0, 5))
def test_what_is_no_place_of_a_plan_leads_nowhere(query: Query, size: int) -> None:
    """A release that notes other columns for the same query must refuse, and not read one as another."""
    first = plan(query)
    assert first.page is not None
    found = go_on_after(first, (1,) * size)
    assert (found is None) == (size != len(first.page.noted))


@pytest.mark.parametrize("cursor", ["x", "A" * 100, "é", "."])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        CURSORS.open_page(plan(([], [], [], 1)), cursor, 1)
    assert refused.value.field == "cursor"
