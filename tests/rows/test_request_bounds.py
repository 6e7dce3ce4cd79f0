"""What a request may hold, to the last one that is taken and the first that is not; and how it may be spelled."""

from typing import Any

import pytest

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Function, RequestedAggregate, RequestedFilter, RequestedOrder, RowsRequest
from rowgate.rows.request import build_request, parse_rows_query

ONE = {"column": "a", "function": "is_null"}


def is_in(values: int) -> dict[str, Any]:
    return {"column": "a", "function": "equals", "value": [1] * values}


def nest(depth: int, connective: str) -> dict[str, Any]:
    """Give a filter that stands so deep, itself included."""
    item: dict[str, Any] = ONE
    for _ in range(depth - 1):
        item = {connective: item if connective == "not" else [item]}
    return item


def refuse(members: dict[str, Any]) -> str:
    with pytest.raises(InvalidParameter) as refused:
        build_request(members)
    return refused.value.field


@pytest.mark.parametrize(
    ("taken", "refused", "field"),
    [
        ([ONE] * 100, [ONE] * 101, "filters"),
        ([{"or": [ONE] * 100}], [{"or": [ONE] * 101}], "filters[0].or"),
        ([{"or": [ONE] * 50}, {"and": [ONE] * 50}], [{"or": [ONE] * 50}, {"and": [ONE] * 51}], "filters"),
        ([is_in(1000)], [is_in(1001)], "filters[0].value"),
        ([is_in(1000)] * 10, [*[is_in(1000)] * 10, ONE], "filters"),
        ([*[is_in(1000)] * 9, is_in(999), ONE], [*[is_in(1000)] * 9, is_in(999), ONE, ONE], "filters"),
        *(
            ([nest(8, word)], [nest(9, word)], "filters[0]" + f".{word}{step}" * 8)
            for word, step in (("not", ""), ("and", "[0]"), ("or", "[0]"))
        ),
    ],
)
def test_filters_have_bounds(taken: list[Any], refused: list[Any], field: str) -> None:
    assert len(build_request({"filters": taken}).filters) == len(taken)
    assert refuse({"filters": refused}).removesuffix("[0]") == field.removesuffix("[0]")


@pytest.mark.parametrize("value", [ONE, 5, "x", None, []])
def test_what_and_and_or_join_is_a_list(value: Any) -> None:
    assert refuse({"filters": [{"and": value}]}) == "filters[0].and"


@pytest.mark.parametrize("name", ["columns", "groupby", "orderby"])
def test_lists_of_columns_have_bounds(name: str) -> None:
    assert build_request({name: ["a"] * 2000}) != RowsRequest()
    assert refuse({name: ["a"] * 2001}) == name


@pytest.mark.parametrize(
    ("asked", "function", "column", "name"),
    [
        ("SUM:a", "sum", "a", ""),
        (" max : a : the most ", "max", "a", "the most"),
        ("COUNT", "count", None, ""),
        ("count:*", "count", None, ""),
        ("count:a", "count", "a", ""),
        ({"function": "count", "column": "", "as": "x" * 64}, "count", None, "x" * 64),
    ],
)
def test_aggregates_are_read(asked: Any, function: str, column: str | None, name: str) -> None:
    (found,) = build_request({"aggregates": [asked]}).aggregates
    assert isinstance(found, RequestedAggregate)
    assert (found.function.value, found.column, found.name) == (function, column, name)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("sum", ".column"),
        ("sum:", ".column"),
        ({"function": "sum", "column": 5}, ".column"),
        ({"function": "count", "column": 5}, ".column"),
        ({"function": 5, "column": "a"}, ".function"),
        ({"function": "sum", "column": "a", "as": ""}, ".as"),
        ({"function": "sum", "column": "a", "as": "x" * 65}, ".as"),
        ({"function": "sum", "column": "a", "as": "x\n"}, ".as"),
        ({"function": "sum", "column": "a", "as": 5}, ".as"),
        ({"function": "sum", "col": "a"}, ""),
        ("sum:a:b:c", ""),
        (5, ""),
    ],
)
def test_what_is_no_aggregate_is_refused_where_it_stands(asked: Any, field: str) -> None:
    assert refuse({"aggregates": [asked]}) == "aggregates[0]" + field


@pytest.mark.parametrize(
    ("text", "column", "descending", "nulls_first"),
    [
        ("a", "a", False, None),
        ("a DESC", "a", True, None),
        ("a Asc", "a", False, None),
        ("a NULLS First", "a", False, True),
        ("a desc nulls last", "a", True, False),
        ("a b desc", "a b", True, None),
        ("a b first", "a b first", False, None),
        ("a nulls b", "a nulls b", False, None),
        ("nulls first", "nulls first", False, None),
    ],
)
def test_order_is_read_from_the_end(text: str, column: str, *, descending: bool, nulls_first: bool | None) -> None:
    """Names of columns may hold spaces, and words that say how to sort."""
    expected = RequestedOrder("orderby[0]", column, descending, nulls_first)
    assert build_request({"orderby": [text]}).order_by == (expected,)


@pytest.mark.parametrize(
    ("query", "function", "value"),
    [
        (b"a:BETWEEN:1,2", Function.BETWEEN, ("1", "2")),
        (b"a:Equals:1,2", Function.EQUALS, "1,2"),
        (b"a:equals:x:y", Function.EQUALS, "x:y"),
        (b"a:is_null", Function.IS_NULL, None),
        (b"a:is_null:", Function.IS_NULL, None),
    ],
)
def test_short_filter_is_read(query: bytes, function: Function, value: Any) -> None:
    """O-21."""
    assert parse_rows_query(b"filter=" + query).filters == (RequestedFilter("filters[0]", "a", function, value),)


def test_a_query_has_as_many_parameters_as_filters_need() -> None:
    with pytest.raises(InvalidParameter) as refused:  # read, and then too many of them
        parse_rows_query(b"&".join([b"filter=a:is_null"] * 200))
    assert refused.value.field == "filters"
    with pytest.raises(InvalidParameter) as refused:
        parse_rows_query(b"&".join([b"filter=a:is_null"] * 201))
    assert refused.value.field == "query"
