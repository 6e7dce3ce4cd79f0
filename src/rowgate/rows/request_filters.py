"""Reads the filters of a rows request: comparisons, and `and`, `or` and `not` of them. Well-formedness only."""

from collections.abc import Mapping, Sequence
from typing import Any

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Connective, Function, RequestedCondition, RequestedFilter, RequestedGroup, Scalar
from rowgate.rows.request_values import take_list, take_members, take_scalar, wrong

MAX_FILTERS = 100  # comparisons, wherever they stand
MAX_DEPTH = 8
MAX_ANY_OF = 1000
MAX_VALUES = 10_000  # of all filters together; engines bound no more than some 30,000

_FUNCTIONS = {function.value: function for function in Function}
_EXPECTED_FUNCTION = "one of " + ", ".join(Function)
_WITHOUT_VALUE = frozenset({Function.IS_NULL, Function.IS_NOT_NULL})
_MEMBERS = ("column", "function", "value", "matchcase")
_EXPECTED_FILTER = "an object {column, function, value}, or {and: [...]}, {or: [...]}, {not: {...}}"


def parse_filters(members: Mapping[str, Any], name: str = "filters") -> tuple[RequestedCondition, ...]:
    """Give the filters of a request, or what another member of that name holds; all of them must hold.

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    items = take_list(members, name, MAX_FILTERS)
    filters = tuple([_condition(item, f"{name}[{place}]", depth=1) for place, item in enumerate(items)])
    if filters:
        _check_size(filters, name)
    return filters


def parse_short_filter(text: str, place: int) -> dict[str, Any]:
    """Give the filter in a GET's `filter=column:function:value` as `filters` has it (O-21)."""
    column, first, rest = text.partition(":")
    function, second, value = rest.partition(":")
    if not first:
        raise wrong(f"filter[{place}]", "column:function:value")
    member: dict[str, Any] = {"column": column, "function": function}
    if second:
        member["value"] = value.split(",") if function.lower() == Function.BETWEEN else value
    return member


def _condition(item: Any, field: str, *, depth: int) -> RequestedCondition:
    if not isinstance(item, dict):
        raise wrong(field, _EXPECTED_FILTER)
    members = take_members(item, field)
    if len(members) == 1:
        name, value = next(iter(members.items()))
        if name in tuple(Connective):
            return _group(Connective(name), value, f"{field}.{name}", depth=depth)
    return _filter(members, field)


def _group(connective: Connective, value: Any, field: str, *, depth: int) -> RequestedGroup:
    if depth >= MAX_DEPTH:
        raise wrong(field, f"filters at most {MAX_DEPTH} deep")
    if connective is Connective.NOT:
        return RequestedGroup(field, connective, (_condition(value, field, depth=depth + 1),))
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FILTERS:
        raise wrong(field, f"a list of 1 to {MAX_FILTERS} filters")
    members = [_condition(item, f"{field}[{place}]", depth=depth + 1) for place, item in enumerate(value)]
    return RequestedGroup(field, connective, tuple(members))


def _check_size(filters: Sequence[RequestedCondition], name: str) -> None:
    comparisons, values = 0, 0
    waiting = list(filters)
    while waiting:
        found = waiting.pop()
        if isinstance(found, RequestedGroup):
            waiting += found.members
            continue
        comparisons += 1
        values += len(found.value) if isinstance(found.value, tuple) else 1
    if comparisons > MAX_FILTERS:
        raise wrong(name, f"at most {MAX_FILTERS} of them")
    if values > MAX_VALUES:
        raise wrong(name, f"at most {MAX_VALUES} values in all")


def _filter(members: dict[str, Any], field: str) -> RequestedFilter:
    for name in members:
        if name not in _MEMBERS:
            raise InvalidParameter(
                "A filter has no such member.",
                field=f"{field}.{name[:64]}",
                expected="column, function, value, matchCase; or one of and, or, not alone",
            )
    column = members.get("column")
    if not isinstance(column, str) or not column:
        raise wrong(f"{field}.column", "the name of a column")
    given = members.get("function")
    function = _FUNCTIONS.get(given.lower()) if isinstance(given, str) else None
    if function is None:
        raise wrong(f"{field}.function", _EXPECTED_FUNCTION)
    match_case = members.get("matchcase")
    if match_case is not None and not isinstance(match_case, bool):
        raise wrong(f"{field}.matchCase", "true or false")
    value = members.get("value")
    if function in _WITHOUT_VALUE:
        if value is not None and value != "":
            raise wrong(f"{field}.value", f"no value with {function}")
        return RequestedFilter(field, column, function, None)
    value = _filter_value(value, f"{field}.value", function)
    return RequestedFilter(field, column, function, value, match_case=match_case or False)


def _filter_value(value: Any, field: str, function: Function) -> Scalar | tuple[Scalar, ...]:
    if isinstance(value, list):
        if len(value) > MAX_ANY_OF:
            raise wrong(field, f"at most {MAX_ANY_OF} values")
        values = tuple(take_scalar(item, f"{field}[{place}]") for place, item in enumerate(value))
        if function is Function.BETWEEN and len(values) != 2:  # noqa: PLR2004
            raise wrong(field, "two values, the least and the greatest")
        return values
    if function is Function.BETWEEN:
        raise wrong(field, "a list of two values, the least and the greatest")
    return take_scalar(value, field)
