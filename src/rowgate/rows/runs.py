"""Runs as a request of their own: a list of them, made of the aggregates that every request may have."""

from dataclasses import replace

from rowgate.rows.columns import refuse_masked
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.model import (
    Aggregation,
    Column,
    Function,
    ObjectDescription,
    RequestedAggregate,
    RequestedFilter,
    RequestedOrder,
    RowsRequest,
)
from rowgate.rows.request import parse_rows_query
from rowgate.rows.request_values import ALL_RUNS

PARAMETERS = ("limit", "offset", "count", "format", "dry_run")
ROWS_NAMES = ("rows", "count")  # of the column that says how many rows a run has: the first that the key leaves free
FIELD = "runs"


def parse_runs_query(query: bytes) -> RowsRequest:
    """Give the request in the query of a GET that lists runs.

    >>> parse_runs_query(b"limit=10").lists_runs
    True

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    return replace(parse_rows_query(query, PARAMETERS), lists_runs=True)


def ask_for_runs(request: RowsRequest, described: ObjectDescription, run_key: Column | None) -> RowsRequest:
    """Give the request for the runs of an object, the newest first, each with how many rows it has.

    Args:
        request: What was asked: the page, the format.
        described: The object, as the reader may know it.
        run_key: Its run-key column, if it has one.

    Raises:
        InvalidParameter: It keeps no runs apart, as far as the reader may know.
    """
    column = require_run_key(described, run_key, FIELD)
    rows = next(name for name in ROWS_NAMES if name != fold(column.name))
    return replace(
        request,
        lists_runs=False,
        filters=(RequestedFilter(FIELD, column.name, Function.IS_NOT_NULL, None),),
        group_by=(column.name,),
        aggregates=(RequestedAggregate(FIELD, Aggregation.COUNT, None, rows),),
        order_by=(RequestedOrder(FIELD, column.name, descending=True),),
        job_runtime_key=ALL_RUNS,
    )


def require_run_key(described: ObjectDescription, run_key: Column | None, field: str) -> Column:
    """Give the run-key column.

    Raises:
        InvalidParameter: There is none, or the reader may not know of it.
    """
    if run_key is not None and (shown := described.by_name.get(run_key.name)) is not None and shown.mask is not None:
        raise refuse_masked(shown, field)
    if run_key is None or run_key not in described.columns:
        raise InvalidParameter(
            "The object does not keep runs apart: it has no run-key column.", field=field, expected=f"no {field}"
        )
    return run_key
