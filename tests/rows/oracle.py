"""What a request for rows means, in plain Python: slow, and too simple to be wrong in the same way as SQL.

Ignoring case is what rows/fold.py defines. Comparisons never match NULL.
"""

import operator
from collections.abc import Callable
from typing import Any

from rowgate.rows.fold import fold
from rowgate.rows.model import Function

Row = dict[str, Any]

_COMPARISONS: dict[Function, Callable[[Any, Any], bool]] = {
    Function.EQUALS: operator.eq,
    Function.GREATER: operator.gt,
    Function.GREATER_EQUAL: operator.ge,
    Function.LESS: operator.lt,
    Function.LESS_EQUAL: operator.le,
}
_ON_TEXT: dict[Function, Callable[[str, str], bool]] = {
    Function.CONTAINS: lambda text, part: part in text,
    Function.STARTS_WITH: str.startswith,
    Function.ENDS_WITH: str.endswith,
}


def matches(row: Row, asked: Row) -> bool | None:
    """Tell whether a row passes one filter; None where that is unknown, since NULL was compared."""
    if "not" in asked:
        inner = matches(row, asked["not"])
        return None if inner is None else not inner
    for connective, decisive in (("and", False), ("or", True)):
        if connective in asked:
            found = {matches(row, item) for item in asked[connective]}
            return decisive if decisive in found else None if None in found else not decisive
    return _compares(row[asked["column"]], asked)


def _compares(stored: Any, asked: Row) -> bool | None:  # noqa: PLR0911 - one per kind of comparison
    function = Function(asked["function"])
    if function in (Function.IS_NULL, Function.IS_NOT_NULL):
        return function is (Function.IS_NULL if stored is None else Function.IS_NOT_NULL)
    given = asked["value"] if isinstance(asked["value"], list) else [asked["value"]]
    if not given:  # no comparison is made; not_equals still passes no NULL
        return function is Function.NOT_EQUALS and stored is not None
    if stored is None:
        return None
    folding = _leave if asked.get("matchCase") else fold
    if function in _ON_TEXT:
        return any(_ON_TEXT[function](folding(str(stored)), folding(str(value))) for value in given)
    if isinstance(stored, str):
        stored, given = folding(stored), [folding(str(value)) for value in given]
    else:
        given = [int(value) if isinstance(value, str) else value for value in given]
    if function is Function.BETWEEN:
        return bool(given[0] <= stored <= given[1])
    if function is Function.NOT_EQUALS:
        return stored not in given
    return any(_COMPARISONS[function](stored, value) for value in given)


def _leave(text: str) -> str:
    return text


def compute(rows: list[Row], aggregate: Row) -> Any:
    """Give one aggregate of rows."""
    name, column = aggregate["function"], aggregate.get("column")
    if column is None:
        return len(rows)
    values = [row[column] for row in rows if row[column] is not None]
    if name == "count":
        return len(values)
    if name == "count_distinct":
        return len(set(values))
    if not values:
        return None
    if name == "avg":
        return sum(values) / len(values)
    computed: dict[str, Callable[[list[Any]], Any]] = {"sum": sum, "min": min, "max": max}
    return computed[name](values)


def aggregate(rows: list[Row], body: Row) -> list[Row]:
    """Give what a request for aggregates asks for; groups in order of their keys."""
    found = [row for row in rows if all(matches(row, asked) for asked in body.get("filters", ()))]
    keys = body.get("groupby", [])
    groups: dict[tuple[Any, ...], list[Row]] = {} if keys else {(): found}
    for row in found if keys else ():
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        {**dict(zip(keys, key, strict=True)), **{item["as"]: compute(group, item) for item in body["aggregates"]}}
        for key, group in sorted(groups.items(), key=lambda item: [_sort_key(value) for value in item[0]])
    ]


def read(rows: list[Row], body: Row) -> list[Row]:
    """Give the rows that a request asks for, in its order; its last orderby must tell all rows apart."""
    found = [row for row in rows if all(matches(row, asked) for asked in body.get("filters", ()))]
    for order in reversed(body.get("orderby", ())):
        column, *words = order.split()
        descending = "desc" in words
        nulls_first = "first" in words if "nulls" in words else not descending
        nulls = [row for row in found if row[column] is None]
        others = [row for row in found if row[column] is not None]
        others.sort(key=lambda row, column=column: _sort_key(row[column]), reverse=descending)  # type: ignore[misc]
        found = nulls + others if nulls_first else others + nulls
    end = None if body.get("limit") is None else body.get("offset", 0) + body["limit"]
    return found[body.get("offset", 0) : end]


def _sort_key(value: Any) -> tuple[Any, ...]:
    """Order as SQLite does: NULL, numbers, text by code point."""
    if value is None:
        return (0,)
    return (2, value) if isinstance(value, str) else (1, value)
