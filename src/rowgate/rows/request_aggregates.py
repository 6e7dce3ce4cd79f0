"""Reads the aggregates of a rows request: `function:column:as`, or an object of these. Well-formedness only."""

from collections.abc import Mapping
from typing import Any

from rowgate.rows.model import Aggregation, RequestedAggregate
from rowgate.rows.request_values import take_list, take_members, wrong

MAX_AGGREGATES = 100
MAX_NAME_LENGTH = 64  # of a result

_MEMBERS = ("function", "column", "as")
_FUNCTIONS = {function.value: function for function in Aggregation}
_EXPECTED = "function, function:column, function:column:as, or {function, column, as}"


def parse_aggregates(members: Mapping[str, Any]) -> tuple[RequestedAggregate, ...]:
    """Give what is to be computed.

    >>> parse_aggregates({"aggregates": ["sum:bytes"]})[0].column
    'bytes'

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    items = take_list(members, "aggregates", MAX_AGGREGATES)
    return tuple([_aggregate(item, f"aggregates[{place}]") for place, item in enumerate(items)])


def _aggregate(item: Any, field: str) -> RequestedAggregate:
    members = _take_parts(item, field)
    given = members.get("function")
    function = _FUNCTIONS.get(given.lower()) if isinstance(given, str) else None
    if function is None:
        raise wrong(f"{field}.function", "one of " + ", ".join(Aggregation))
    column = members.get("column")
    if column in (None, "", "*") and function is Aggregation.COUNT:
        column = None
    elif not isinstance(column, str) or not column:
        raise wrong(f"{field}.column", "the name of a column")
    name = members.get("as")
    if name is None:
        name = ""
    elif not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise wrong(f"{field}.as", f"1 to {MAX_NAME_LENGTH} printable characters")
    return RequestedAggregate(field, function, column, name)


def _take_parts(item: Any, field: str) -> Mapping[str, Any]:
    if isinstance(item, str):
        parts = item.split(":", len(_MEMBERS))
        if len(parts) > len(_MEMBERS):
            raise wrong(field, _EXPECTED)
        return dict(zip(_MEMBERS, (part.strip() for part in parts), strict=False))
    if not isinstance(item, dict):
        raise wrong(field, _EXPECTED)
    members = take_members(item, field)
    if not members.keys() <= set(_MEMBERS):
        raise wrong(field, "an object {function, column, as}")
    return members
