"""Holds the filters of a request against an object: names become columns, values become what can be bound."""

import base64
import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from rowgate.rows.columns import require_bare_column
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import (
    AnyCondition,
    Column,
    Condition,
    ConditionGroup,
    Family,
    Function,
    ObjectDescription,
    RequestedCondition,
    RequestedFilter,
    RequestedGroup,
    Scalar,
    Value,
)
from rowgate.rows.request_values import MAX_INTEGER, MIN_INTEGER
from rowgate.rows.suit import suit

_DECIMALS = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_MOST_DECIMAL_PLACES = 1000  # before and after the point, in a filter; far more than numbers have
_ALL = tuple(Function)
_OF_BINARY = (Function.EQUALS, Function.NOT_EQUALS, Function.IS_NULL, Function.IS_NOT_NULL)
_ON_TEXT = frozenset({Function.CONTAINS, Function.STARTS_WITH, Function.ENDS_WITH})


def plan_condition(described: ObjectDescription, asked: RequestedCondition) -> AnyCondition:
    """Give the filter with its columns found and its values ready to be bound.

    Raises:
        InvalidParameter: A column that the object does not have, or a value that it cannot be compared with.
    """
    if isinstance(asked, RequestedGroup):
        return ConditionGroup(asked.connective, tuple([plan_condition(described, item) for item in asked.members]))
    return _plan_comparison(described, asked)


def list_functions(column: Column) -> Sequence[Function]:
    """Give what filters may ask of a column."""
    return _OF_BINARY if column.family is Family.BINARY else _ALL


def list_compared(condition: AnyCondition) -> Iterator[Column]:
    """Give the columns that a condition looks at."""
    if isinstance(condition, Condition):
        yield condition.column
        return
    for member in condition.members:
        yield from list_compared(member)


def _plan_comparison(described: ObjectDescription, asked: RequestedFilter) -> Condition:
    column = require_bare_column(described, asked.column, f"{asked.field}.column")
    match_case = asked.match_case
    if asked.value is None:
        return Condition(column, asked.function, (), any_of=False)
    field = f"{asked.field}.value"
    functions = list_functions(column)
    if asked.function not in functions:
        expected = "one of " + ", ".join(functions)
        raise InvalidParameter(f"{column.name} holds binary data.", field=f"{asked.field}.function", expected=expected)
    if isinstance(asked.value, (list, tuple)):
        fields = tuple(f"{field}[{place}]" for place in range(len(asked.value)))
        values = plan_values(column, asked.function, tuple(asked.value), fields)
        return Condition(column, asked.function, values, asked.function is not Function.BETWEEN, match_case)
    assert isinstance(asked.value, (str, int, float)), "internal error: a filter of another shape"
    values = plan_values(column, asked.function, (asked.value,), (field,))
    return Condition(column, asked.function, values, any_of=False, match_case=match_case)


def plan_values(
    column: Column, function: Function, given: tuple[Scalar, ...], fields: tuple[str, ...]
) -> tuple[Value, ...]:
    """Give the values as the column's are; `fields` says where each stood, for messages.

    Raises:
        InvalidParameter: The column cannot be compared with it.
    """
    if function in _ON_TEXT or column.family in (Family.TEXT, Family.MOMENT):
        texts = tuple(_as_text(value, column, field) for value, field in zip(given, fields, strict=True))
        if function not in _ON_TEXT:
            for text, field in zip(texts, fields, strict=True):
                suit(column, text, field)  # refused here, where the place in the request is known
        return texts
    if column.family in (Family.NUMBER, Family.BOOLEAN):
        return tuple(_as_number(value, column, field) for value, field in zip(given, fields, strict=True))
    if column.family is Family.BINARY:
        return tuple(_as_binary(value, column, field) for value, field in zip(given, fields, strict=True))
    return tuple(int(value) if isinstance(value, bool) else value for value in given)


def _as_text(value: Scalar, column: Column, field: str) -> str:
    if isinstance(value, bool):
        raise InvalidParameter(f"{column.name} holds text.", field=field, expected="text")
    return value if isinstance(value, str) else repr(value)


def _as_number(value: Scalar, column: Column, field: str) -> int | float | Decimal:
    if not isinstance(value, str):
        return int(value) if isinstance(value, bool) else value
    text = value.strip()
    if column.holds is Holds.DECIMAL:
        return _as_decimal(text, column, field)
    if column.family is Family.BOOLEAN and text.lower() in ("true", "false"):
        return int(text.lower() == "true")
    try:
        number: int | float = int(text) if "_" not in text else math.nan
    except ValueError:
        try:
            number = float(text) if "_" not in text else math.nan
        except ValueError:
            number = math.nan
    bindable = MIN_INTEGER <= number <= MAX_INTEGER if isinstance(number, int) else math.isfinite(number)
    if not bindable:
        raise _refuse_number(column, field)
    return number


def _as_decimal(text: str, column: Column, field: str) -> Decimal:
    """Give the number with every digit, which a number of JSON's does not keep."""
    if _DECIMALS.fullmatch(text):
        number = Decimal(text)
        if abs(number.adjusted()) <= _MOST_DECIMAL_PLACES:
            return number
    raise _refuse_number(column, field)


def _refuse_number(column: Column, field: str) -> InvalidParameter:
    if column.family is Family.BOOLEAN:
        return InvalidParameter(f"{column.name} holds true and false.", field=field, expected="true or false")
    return InvalidParameter(f"{column.name} holds numbers.", field=field, expected="a number")


def _as_binary(value: Scalar, column: Column, field: str) -> bytes:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # binascii.Error is one
            return base64.b64decode(value, validate=True)
    raise InvalidParameter(f"{column.name} holds binary data.", field=field, expected="base64")
