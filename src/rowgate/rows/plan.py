"""Holds a request against an object: names become columns, values become what can be bound.

All permission checks on columns stand here, and only here.
"""

import base64
import binascii
import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.model import (
    Column,
    Condition,
    Family,
    Function,
    LatestRun,
    ObjectDescription,
    Order,
    Plan,
    RequestedFilter,
    RowsRequest,
    Scalar,
    Value,
)
from rowgate.rows.request import MAX_INTEGER, MIN_INTEGER

RUN_KEY_NAME = "jobruntimekey"
ALL_RUNS = "all"
_ON_TEXT = frozenset({Function.CONTAINS, Function.STARTS_WITH, Function.ENDS_WITH})
_WITHOUT_VALUE = frozenset({Function.IS_NULL, Function.IS_NOT_NULL})
_MOST_NAMES_TOLD = 60


def plan_rows(
    request: RowsRequest,
    described: ObjectDescription,
    *,
    run_key: str,
    allowed_columns: Collection[str] | None = None,
) -> Plan:
    """Give what will be read.

    Args:
        request: What was asked.
        described: The object, as the database describes it.
        run_key: The run-key column that is set for the object; empty: the one named JobRuntimeKey, if any.
        allowed_columns: Names, as the database spells them; None: every column. To the request the others do not
            exist: it can neither read them nor learn of them by a filter, a group, an order or a run. Only the newest
            run is chosen by a run key that is not allowed, since that is what everybody gets who says nothing.

    Raises:
        InvalidParameter: A column that the object does not have, or a value that it cannot be compared with.
    """
    complete = described
    if allowed_columns is not None:
        described = replace(
            complete, columns=tuple(column for column in complete.columns if column.name in allowed_columns)
        )
    group_by = tuple(_column(described, name, f"groupby[{place}]") for place, name in enumerate(request.group_by))
    if request.columns is None:
        asked = described.columns
    else:
        asked = tuple(_column(described, name, f"columns[{place}]") for place, name in enumerate(request.columns))
    # O-34: what is grouped by is not repeated inside the groups. A column asked for twice comes once.
    grouped = dict.fromkeys(group_by)
    columns = asked
    if request.columns is not None or grouped:
        columns = tuple(column for column in dict.fromkeys(asked) if column not in grouped)
    if not columns and not group_by:
        raise InvalidParameter("No column is left to read.", field="columns", expected="at least one column")
    conditions = [_condition(described, item) for item in request.filters]
    run_key_column = find_run_key(complete, run_key)
    may_choose_run = run_key_column in described.columns
    run_condition, latest_run = _plan_run(
        request.job_runtime_key, run_key_column, conditions, may_choose=may_choose_run
    )
    return Plan(
        object=described,
        columns=columns,
        group_by=tuple(grouped),
        conditions=(*run_condition, *conditions),
        latest_run=latest_run,
        order_by=_plan_order(request, described),
        limit=request.limit,
        offset=request.offset,
    )


def _plan_order(request: RowsRequest, described: ObjectDescription) -> tuple[Order, ...]:
    """Give what to sort by; a column that is named again can change nothing and is left out."""
    orders: dict[Column, Order] = {}
    for asked in request.order_by:
        column = _column(described, asked.column, asked.field)
        orders.setdefault(column, Order(column, asked.descending))
    return tuple(orders.values())


def find_run_key(described: ObjectDescription, run_key: str) -> Column | None:
    """Give the object's run-key column, or None when it has none (O-25)."""
    return described.by_folded_name.get(fold(run_key) or RUN_KEY_NAME)


def find_column(described: ObjectDescription, name: str) -> Column | None:
    """Give the column: exactly so spelled, else the only one that is so but for case (O-45); None: there is none."""
    return described.by_name.get(name) or described.by_folded_name.get(fold(name))


def _column(described: ObjectDescription, name: str, field: str) -> Column:
    found = find_column(described, name)
    if found is not None:
        return found
    names = [column.name for column in described.columns]
    told = ", ".join(names[:_MOST_NAMES_TOLD]) + (", …" if len(names) > _MOST_NAMES_TOLD else "")
    if fold(name) in described.by_folded_name:
        raise InvalidParameter("Several columns differ from this name in case only.", field=field, expected=told)
    raise InvalidParameter("The object has no such column.", field=field, expected=f"one of {told}")


def _plan_run(
    asked: Scalar | None, column: Column | None, conditions: Sequence[Condition], *, may_choose: bool
) -> tuple[tuple[Condition, ...], LatestRun | None]:
    if asked is not None and not may_choose:
        raise InvalidParameter(
            "The object does not keep runs apart: it has no run-key column.",
            field="jobRuntimeKey",
            expected="no jobRuntimeKey",
        )
    if column is None:
        return (), None
    if asked is None:
        # A filter on the run key chooses the runs itself; to add "the latest" would empty its answer.
        return (), None if any(c.column == column for c in conditions) else LatestRun(column)
    if isinstance(asked, str) and asked.lower() == ALL_RUNS:
        return (), None
    values = _values(column, Function.EQUALS, (asked,), ("jobRuntimeKey",))
    if isinstance(values[0], str):
        values = _spellings(values[0])
        column = replace(column, family=Family.MOMENT)  # compared as it is spelled, so that an index serves
    return (Condition(column, Function.EQUALS, values, any_of=len(values) > 1),), None


def _spellings(moment: str) -> tuple[str, ...]:
    """Give the ways in which databases write the same ISO moment (O-26): with T, with a space."""
    if moment[10:11] in ("T", "t", " "):
        return (moment[:10] + "T" + moment[11:], moment[:10] + " " + moment[11:])
    return (moment,)


def _condition(described: ObjectDescription, asked: RequestedFilter) -> Condition:
    column = _column(described, asked.column, f"{asked.field}.column")
    if asked.function in _WITHOUT_VALUE:
        return Condition(column, asked.function, (), any_of=False)
    field = f"{asked.field}.value"
    if column.family is Family.BINARY and asked.function not in (Function.EQUALS, Function.NOT_EQUALS):
        expected = "equals, not_equals, is_null or is_not_null"
        raise InvalidParameter(f"{column.name} holds binary data.", field=f"{asked.field}.function", expected=expected)
    if isinstance(asked.value, (list, tuple)):
        fields = tuple(f"{field}[{place}]" for place in range(len(asked.value)))
        values = _values(column, asked.function, tuple(asked.value), fields)
        return Condition(column, asked.function, values, any_of=asked.function is not Function.BETWEEN)
    assert isinstance(asked.value, (str, int, float)), "internal error: a filter without its value"
    return Condition(column, asked.function, _values(column, asked.function, (asked.value,), (field,)), any_of=False)


def _values(
    column: Column, function: Function, given: tuple[Scalar, ...], fields: tuple[str, ...]
) -> tuple[Value, ...]:
    if function in _ON_TEXT or column.family in (Family.TEXT, Family.MOMENT):
        return tuple(_as_text(value, column, field) for value, field in zip(given, fields, strict=True))
    if column.family in (Family.NUMBER, Family.BOOLEAN):
        return tuple(_as_number(value, column, field) for value, field in zip(given, fields, strict=True))
    if column.family is Family.BINARY:
        return tuple(_as_binary(value, column, field) for value, field in zip(given, fields, strict=True))
    return tuple(int(value) if isinstance(value, bool) else value for value in given)


def _as_text(value: Scalar, column: Column, field: str) -> str:
    if isinstance(value, bool):
        raise InvalidParameter(f"{column.name} holds text.", field=field, expected="text")
    return value if isinstance(value, str) else repr(value)


def _as_number(value: Scalar, column: Column, field: str) -> int | float:
    if not isinstance(value, str):
        return int(value) if isinstance(value, bool) else value
    text = value.strip()
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
        raise InvalidParameter(f"{column.name} holds numbers.", field=field, expected="a number")
    return number


def _as_binary(value: Scalar, column: Column, field: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else _no_binary()
    except (binascii.Error, ValueError):
        raise InvalidParameter(f"{column.name} holds binary data.", field=field, expected="base64") from None


def _no_binary() -> bytes:
    raise ValueError
