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


def matches(row: Row, asked: Row) -> bool:
    """Tell whether a row passes one filter."""
    stored = row[asked["column"]]
    function = Function(asked["function"])
    if stored is None or function in (Function.IS_NULL, Function.IS_NOT_NULL):
        return function is (Function.IS_NULL if stored is None else Function.IS_NOT_NULL)
    given = asked["value"] if isinstance(asked["value"], list) else [asked["value"]]
    if function in _ON_TEXT:
        return any(_ON_TEXT[function](fold(str(stored)), fold(str(value))) for value in given)
    if isinstance(stored, str):
        given = [str(value) for value in given]
    else:
        given = [int(value) if isinstance(value, str) else value for value in given]
    given = [_comparable(value) for value in given]
    stored = _comparable(stored)
    if function is Function.NOT_EQUALS:
        return all(stored != value for value in given)
    if function is Function.BETWEEN:
        return bool(given[0] <= stored <= given[1])
    return any(_COMPARISONS[function](stored, value) for value in given)


def _comparable(value: Any) -> Any:
    return fold(value) if isinstance(value, str) else value


def read(rows: list[Row], body: Row) -> list[Row]:
    """Give the rows that a request asks for, in its order; its last orderby must tell all rows apart."""
    found = [row for row in rows if all(matches(row, asked) for asked in body.get("filters", ()))]
    for order in reversed(body.get("orderby", ())):
        column, _, direction = order.partition(" ")
        found.sort(key=lambda row, column=column: _sort_key(row[column]), reverse=direction == "desc")  # type: ignore[misc]
    end = None if body.get("limit") is None else body.get("offset", 0) + body["limit"]
    return found[body.get("offset", 0) : end]


def _sort_key(value: Any) -> tuple[Any, ...]:
    """Order as SQLite does: NULL, numbers, text by code point."""
    if value is None:
        return (0,)
    return (2, value) if isinstance(value, str) else (1, value)
