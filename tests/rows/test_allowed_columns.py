"""Columns that a token does not allow do not exist for its requests, in whatever part of them they are named."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import (
    Column,
    Family,
    Function,
    ObjectDescription,
    Plan,
    RequestedFilter,
    RequestedOrder,
    RowsRequest,
)
from rowgate.rows.plan import plan_rows
from rowgate.rows.sql import render_select
from support.laws import choose_examples

_RUN_KEY = "JobRunTimeKey"
_NAMES = ("Id", "id", "Total", "Note", _RUN_KEY)
_FAMILIES = (Family.NUMBER, Family.TEXT, Family.NUMBER, Family.TEXT, Family.MOMENT)
_TABLE = ObjectDescription(
    "T",
    "table",
    tuple(Column(name, "", family, may_be_real=False) for name, family in zip(_NAMES, _FAMILIES, strict=True)),
)
_ASKED = st.sampled_from([*_NAMES, "ID", "total", "NOTE", "jobruntimekey", "Nowhere"])
_LISTS = st.lists(_ASKED, max_size=3).map(tuple)
_REQUESTS = st.builds(
    RowsRequest,
    columns=st.none() | _LISTS,
    group_by=_LISTS,
    order_by=st.lists(st.builds(RequestedOrder, st.just("orderby[0]"), _ASKED, st.booleans()), max_size=2).map(tuple),
    filters=st.lists(
        st.one_of(
            st.builds(RequestedFilter, st.just("filters[0]"), _ASKED, st.just(Function.IS_NULL), st.none()),
            st.builds(RequestedFilter, st.just("filters[0]"), _ASKED, st.just(Function.EQUALS), st.just(1)),
        ),
        max_size=2,
    ).map(tuple),
    job_runtime_key=st.sampled_from([None, None, None, "all", "2018-11-05T13:15:30"]),
)
_ALLOWED = st.frozensets(st.sampled_from(_NAMES), min_size=1)
law = settings(derandomize=True, database=None, max_examples=choose_examples(500), deadline=None)


def _plan(
    request: RowsRequest, described: ObjectDescription = _TABLE, allowed: frozenset[str] | None = None
) -> Plan | tuple[str, str, str]:
    try:
        return plan_rows(request, described, run_key="", allowed_columns=allowed)
    except InvalidParameter as refusal:
        return refusal.field, refusal.description, refusal.expected


@law
@given(_REQUESTS, _ALLOWED)
def test_it_is_as_if_the_other_columns_were_not_there(request: RowsRequest, allowed: frozenset[str]) -> None:
    """The same plan, or the same refusal in the same words, as of a table that really lacks them.

    But for the order, which is completed by what is known.
    """
    lacking = dataclasses.replace(_TABLE, columns=tuple(column for column in _TABLE.columns if column.name in allowed))
    found, expected = _plan(request, allowed=allowed), _plan(request, lacking)
    if isinstance(found, Plan):
        if _RUN_KEY not in allowed:
            assert found.latest_run is not None  # what everybody gets who says nothing: no token shows more runs
        asked = tuple(order for order in found.order_by if not order.is_key)
        assert {order.column.name for order in found.order_by if order.is_key} <= allowed
        latest_run = found.latest_run if _RUN_KEY in allowed else None
        found = dataclasses.replace(found, latest_run=latest_run, order_by=asked)
    assert found == expected


@law
@given(_REQUESTS, _ALLOWED)
def test_no_statement_names_another_column(request: RowsRequest, allowed: frozenset[str]) -> None:
    plan = _plan(request, allowed=allowed)
    hidden = set(_NAMES) - allowed
    if not isinstance(plan, Plan):
        assert not hidden & set(re.findall(r"\w+", " ".join(plan)))
        return
    text = render_select(dataclasses.replace(plan, latest_run=None), SQLITE).text
    assert not [name for name in hidden if f'"{name}"' in text]


@law
@given(_REQUESTS)
def test_every_column_allowed_is_no_limit(request: RowsRequest) -> None:
    assert _plan(request, allowed=frozenset(_NAMES)) == _plan(request)


@pytest.mark.parametrize("key", ["all", "2018-11-05T13:15:30"])
def test_runs_cannot_be_told_apart_by_a_hidden_key(key: str) -> None:
    """Who could choose a run would learn the key of each row."""
    refused = _plan(RowsRequest(job_runtime_key=key), allowed=frozenset(["Total"]))
    assert isinstance(refused, tuple)
    assert refused[0] == "jobRuntimeKey"


def test_no_column_left_is_no_read() -> None:
    """The columns of a token were renamed since."""
    refused = _plan(RowsRequest(), allowed=frozenset(["Gone"]))
    assert isinstance(refused, tuple)
    assert refused[0] == "columns"
