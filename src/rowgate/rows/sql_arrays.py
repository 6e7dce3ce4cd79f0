"""The statement by which an engine gives Arrow's arrays itself, each value of the type that its format is made of."""

from rowgate.rows.dialects.duckdb import DUCKDB_ARRAYS, DUCKDB_TEXTS
from rowgate.rows.encode_lines import ARRAY_FORMATS, may_be_long
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Format, Plan, Statement
from rowgate.rows.sql import render_select

_EXACT = frozenset(
    {Holds.INTEGER, Holds.DECIMAL, Holds.REAL, Holds.SINGLE, Holds.BOOLEAN, Holds.TEXT}
    | {Holds.DATE, Holds.TIME, Holds.MOMENT, Holds.UUID, Holds.BINARY, Holds.OTHER}
)


def render_arrays(plan: Plan, form: Format) -> Statement | None:
    """Give DuckDB's statement for a plan; None: only values give that, or there is a mask to lay on them."""
    if plan.page or plan.aggregates or not all(map(_is_exact, plan.result_columns)):
        return None
    if form in ARRAY_FORMATS:
        return render_select(plan, DUCKDB_ARRAYS)
    is_nested = bool(plan.group_by) and form is not Format.CSV
    return render_select(plan, DUCKDB_TEXTS) if may_be_long(plan) and not is_nested else None


def _is_exact(column: Column) -> bool:
    return column.mask is None and column.holds in _EXACT
