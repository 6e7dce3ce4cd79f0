"""Holds the aggregates of a request against an object."""

import re
from collections.abc import Collection
from dataclasses import replace

from rowgate.rows.columns import require_bare_column
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.holds import Holds
from rowgate.rows.model import (
    Aggregate,
    Aggregation,
    Column,
    Family,
    ObjectDescription,
    RequestedAggregate,
    RowsRequest,
)

_DIGITS = re.compile(r"\((\d+)")
_MOST_DIGITS = 38  # of a decimal in Arrow and Parquet
_OF_NUMBERS = frozenset({Aggregation.SUM, Aggregation.AVG})
_NUMBERS = frozenset({Family.NUMBER, Family.BOOLEAN, Family.ANY})
_COUNTS = frozenset({Aggregation.COUNT, Aggregation.COUNT_DISTINCT})


def plan_aggregates(
    request: RowsRequest, described: ObjectDescription, group_by: Collection[Column]
) -> tuple[Aggregate, ...]:
    """Give what is to be computed of each group, or of all rows where nothing is grouped by.

    Raises:
        InvalidParameter: A column that the object does not have or whose values cannot be added, two results of one
            name, or columns asked for beside aggregates.
    """
    if not request.aggregates:
        return ()
    for name, is_there in (("columns", request.columns is not None), ("distinct", request.distinct)):
        if is_there:
            raise InvalidParameter(
                "Aggregates leave no single rows.", field=name, expected=f"groupby and aggregates without {name}"
            )
    taken = {fold(column.name) for column in group_by}
    planned = []
    for asked in request.aggregates:
        aggregate = _plan_aggregate(asked, described)
        name = fold(aggregate.result.name)
        if name in taken:
            raise InvalidParameter(
                "Two columns of the answer would have this name.", field=asked.field, expected="another name by `as`"
            )
        taken.add(name)
        planned.append(aggregate)
    return tuple(planned)


def _plan_aggregate(asked: RequestedAggregate, described: ObjectDescription) -> Aggregate:
    if asked.column is None:
        return Aggregate(asked.function, None, _name_count(asked.name or asked.function.value))
    field = f"{asked.field}.column"
    column = require_bare_column(described, asked.column, field)
    if asked.function in _OF_NUMBERS and column.family not in _NUMBERS:
        raise InvalidParameter(f"{column.name} does not hold numbers.", field=field, expected="a column of numbers")
    name = asked.name or f"{asked.function.value}_{column.name}"
    if asked.function in _COUNTS:
        return Aggregate(asked.function, column, _name_count(name))
    if asked.function is Aggregation.AVG:
        return Aggregate(asked.function, column, Column(name, "REAL", Family.NUMBER, may_be_real=True))
    result = replace(column, name=name, never_null=False)  # of no rows there is no value
    if asked.function is Aggregation.SUM and column.family is Family.BOOLEAN:
        return Aggregate(asked.function, column, replace(result, declared_type="", family=Family.NUMBER))
    if asked.function is Aggregation.SUM and column.holds is Holds.DECIMAL:
        return Aggregate(asked.function, column, replace(result, declared_type=_widen(column.declared_type)))
    return Aggregate(asked.function, column, result)


def _widen(declared: str) -> str:
    """Give the type of a sum of decimals, which may have more digits than what is added.

    >>> _widen("numeric(10,2)"), _widen("decimal(65,30)"), _widen("numeric")
    ('numeric(38,2)', 'decimal(65,30)', 'numeric')
    """
    return _DIGITS.sub(lambda found: f"({max(int(found[1]), _MOST_DIGITS)}", declared)


def _name_count(name: str) -> Column:
    return Column(name, "INTEGER", Family.NUMBER, may_be_real=False)
