"""The statement by which an engine gives Arrow's arrays itself, each value of the type that Arrow's schema has here."""

from rowgate.rows.dialects.duckdb import DUCKDB_ARRAYS
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Plan, Statement
from rowgate.rows.sql import render_select

_EXACT = frozenset(
    {Holds.INTEGER, Holds.DECIMAL, Holds.REAL, Holds.SINGLE, Holds.BOOLEAN, Holds.TEXT}
    | {Holds.DATE, Holds.TIME, Holds.MOMENT, Holds.UUID, Holds.BINARY, Holds.OTHER}
)
_CUT = "TIMESTAMP_NS"  # values of it lose their last digits on the other way


def render_arrays(plan: Plan) -> Statement | None:
    """Give DuckDB's statement for a plan; None: only values give that, or there is a mask to lay on them."""
    if plan.page or plan.aggregates or not all(map(_is_exact, plan.result_columns)):
        return None
    return render_select(plan, DUCKDB_ARRAYS)


def _is_exact(column: Column) -> bool:
    return column.mask is None and column.holds in _EXACT and column.declared_type != _CUT
