"""Holds a request against an object: names become columns, values become what can be bound.

All permission checks on columns stand here, and only here.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rowgate.rows.aggregates import plan_aggregates
from rowgate.rows.columns import find_column, refuse_masked, require_bare_column, require_column
from rowgate.rows.comparison import ask_for_both
from rowgate.rows.conditions import list_compared, plan_condition, plan_values
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.model import (
    Aggregate,
    AnyCondition,
    Column,
    Condition,
    Family,
    Function,
    LatestRun,
    ObjectDescription,
    Order,
    Plan,
    RequestedOrder,
    RowsRequest,
    Scalar,
)
from rowgate.rows.paging import plan_page
from rowgate.rows.policy import WHOLE, RowsPolicy, apply_policy, keep_allowed, plan_rule
from rowgate.rows.request_values import ALL_RUNS
from rowgate.rows.runs import ask_for_runs, require_run_key
from rowgate.rows.told_order import complete_order

RUN_KEY_NAME = "jobruntimekey"
_AFTER_ORDER = "; behind it asc or desc, then nulls first or nulls last"

Planner = Callable[[RowsRequest], Plan]  # `plan_rows` for one reader and one object


def plan_rows(
    request: RowsRequest,
    described: ObjectDescription,
    *,
    run_key: str,
    key: Sequence[str] = (),
    allowed_columns: Collection[str] | None = None,
    policy: RowsPolicy = WHOLE,
) -> Plan:
    """Give what will be read.

    Args:
        request: What was asked.
        described: The object, as the database describes it.
        run_key: The run-key column that is set for the object; empty: the one named JobRuntimeKey, if any.
        key: Columns that tell all rows apart, if an administrator has named some.
        allowed_columns: Names, as the database spells them; None: every column. To the request the others do not
            exist: it can neither read them nor learn of them by a filter, a group, an order or a run. Only the newest
            run is chosen by a run key that is not allowed, since that is what everybody gets who says nothing.
        policy: Of the grant. What it hides is likewise not there; what it masks can be read and nothing else; and
            there are only the rows that its rule allows, the newest run among them.

    Raises:
        InvalidParameter: A column that the object does not have or that is masked, or a value that it cannot be
            compared with.
        UnusablePolicy: The policy does not fit the object any more.
    """
    complete, granted = described, apply_policy(described, policy)
    described = keep_allowed(granted, allowed_columns)
    run_key_column = find_run_key(complete, run_key)
    if request.lists_runs:
        request = ask_for_runs(request, described, run_key_column)
    is_compared = request.compare is not None
    if is_compared:
        request = ask_for_both(request, described, _find_compared_key(granted, key), run_key_column)
    group_by = _plan_columns(described, request.group_by, "groupby", require=require_bare_column)
    aggregates = plan_aggregates(request, described, group_by)
    columns = () if aggregates else _plan_items(request, described, group_by)
    masked = next((column for column in columns if column.mask is not None), None)
    if request.distinct and masked is not None:
        raise refuse_masked(masked, "distinct")
    conditions = tuple([plan_condition(described, item) for item in request.filters])
    if request.job_runtime_key is not None:
        require_run_key(described, run_key_column, "jobRuntimeKey")
    run_condition, latest_run = _plan_run(request.job_runtime_key, run_key_column, conditions)
    selected = (*group_by, *columns) if request.distinct else described.columns
    order_by = _plan_order(request.order_by, described, group_by if aggregates else selected, aggregates)
    row_key = find_row_key(granted, key)
    page = None if request.cursor is None else plan_page(request, row_key, order_by, latest_run)
    if page is None and not is_compared:  # these have an order of their own, by a key
        order_by = complete_order(
            order_by,
            complete,
            described,
            row_key=row_key,
            answered=(*group_by, *columns),
            computed=aggregates,
            distinct=request.distinct,
        )
    return Plan(
        object=described,
        columns=columns,
        group_by=group_by,
        conditions=(*run_condition, *conditions),
        latest_run=latest_run,
        order_by=order_by,
        limit=request.limit,
        offset=request.offset,
        aggregates=aggregates,
        distinct=request.distinct,
        page=page,
        count=request.count,
        rule=plan_rule(complete, policy.rule),
    )


def _plan_columns(
    described: ObjectDescription,
    names: Sequence[str],
    field: str,
    *,
    require: Callable[[ObjectDescription, str, str], Column],
) -> tuple[Column, ...]:
    """Give the columns of those names, each once; `require` says for which use."""
    found = [require(described, name, f"{field}[{place}]") for place, name in enumerate(names)]
    return tuple(dict.fromkeys(found))


def _plan_items(request: RowsRequest, described: ObjectDescription, group_by: tuple[Column, ...]) -> tuple[Column, ...]:
    columns = described.columns
    if request.columns is not None:
        columns = _plan_columns(described, request.columns, "columns", require=require_column)
    if group_by:  # O-34: what is grouped by is not repeated inside the groups
        columns = tuple(column for column in columns if column not in group_by)
    if not columns and not group_by:
        raise InvalidParameter("No column is left to read.", field="columns", expected="at least one column")
    return columns


def _plan_order(
    asked: Sequence[RequestedOrder],
    described: ObjectDescription,
    sortable: Collection[Column],
    aggregates: Sequence[Aggregate],
) -> tuple[Order, ...]:
    """Give what to sort by; a column that is named again can change nothing and is left out."""
    by_name = {fold(aggregate.result.name): aggregate for aggregate in aggregates}
    orders: dict[Column | Aggregate, Order] = {}
    for item in asked:
        by: Column | Aggregate | None = by_name.get(fold(item.column))
        if by is None:
            by = require_bare_column(described, item.column, item.field, may_follow=_AFTER_ORDER)
            if by not in sortable:
                raise InvalidParameter(
                    "The answer does not hold this column, so it cannot be sorted by it.",
                    field=item.field,
                    expected="a column or an aggregate of the answer",
                )
        nulls_first = not item.descending if item.nulls_first is None else item.nulls_first
        orders.setdefault(by, Order(by, item.descending, nulls_first))
    return tuple(orders.values())


def find_row_key(described: ObjectDescription, key: Sequence[str]) -> tuple[Column, ...]:
    """Give the columns that tell all rows apart: the named ones if they are all in sight, else the database's."""
    found = [described.by_name.get(name) for name in key]
    named = tuple(column for column in found if column is not None and column.mask is None)
    return named if named and len(named) == len(key) else described.row_key


def _find_compared_key(described: ObjectDescription, key: Sequence[str]) -> tuple[Column, ...]:
    """Give the columns by which a row of one run is found in another; a row's number says nothing about that."""
    found = find_row_key(described, key)
    return described.natural_key or found if found == described.row_key else found


def find_run_key(described: ObjectDescription, run_key: str) -> Column | None:
    """Give the object's run-key column, or None when it has none (O-25)."""
    return find_column(described, run_key) if run_key else described.by_folded_name.get(RUN_KEY_NAME)


def _plan_run(
    asked: Scalar | None, column: Column | None, conditions: Sequence[AnyCondition]
) -> tuple[tuple[Condition, ...], LatestRun | None]:
    if column is None:
        return (), None
    if asked is None:
        # A filter on the run key chooses the runs itself; to add "the latest" would empty its answer.
        chooses_runs = any(column in list_compared(condition) for condition in conditions)
        return (), None if chooses_runs else LatestRun(column)
    if isinstance(asked, str) and asked.lower() == ALL_RUNS:
        return (), None
    values = plan_values(column, Function.EQUALS, (asked,), ("jobRuntimeKey",))
    if isinstance(values[0], str):
        values = _spellings(values[0])
        column = replace(column, family=Family.MOMENT)  # compared as it is spelled, so that an index serves
    return (Condition(column, Function.EQUALS, values, any_of=len(values) > 1),), None


def _spellings(moment: str) -> tuple[str, ...]:
    """Give the ways in which databases write the same ISO moment (O-26): with T, with a space."""
    if moment[10:11] in ("T", "t", " "):
        return (moment[:10] + "T" + moment[11:], moment[:10] + " " + moment[11:])
    return (moment,)
