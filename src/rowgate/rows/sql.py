"""The statements that are read with, built from a plan and never from a client's text.

Identifiers come from the database's own catalog by way of `plan.py` and are quoted; every value is bound, or
written by sql_lines.py where none can be.
Conditions: sql_conditions.py. What differs between engines: dialects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isnan

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.model import Aggregate, Aggregation, Column, ObjectDescription, Order, Plan, Statement, Value
from rowgate.rows.paging import list_unseen
from rowgate.rows.sql_conditions import Binder, join_alternatives, render_condition


def render_select(plan: Plan, dialect: Dialect, binder: Binder | None = None) -> Statement:
    """Give the statement that reads what the plan says: group keys first, what is read for the next page last.

    The binder has the values of what will stand before it, if something will.
    """
    binder = binder or Binder(dialect)
    text = _render_body(plan, dialect, binder)
    page = plan.page
    order = [_order(item, dialect) for item in page.order] if page else _render_order(plan, dialect)
    if order:
        text += " ORDER BY " + ", ".join(order)
    limit, offset = (page.size + 1, 0) if page else (plan.limit, plan.offset)  # one more tells whether there is more
    text += dialect.limit(limit, offset, binder.bind, is_ordered=bool(order))
    return Statement(text, tuple(binder.values), limit, runs_code=_runs_code(plan))


def render_count(plan: Plan, dialect: Dialect, binder: Binder | None = None) -> Statement:
    """Give the statement that counts what the plan would read without limit, offset and pages."""
    binder = binder or Binder(dialect)
    plan = replace(plan, page=None)
    if not plan.distinct and not plan.aggregates:
        text = f"SELECT count(*) FROM {dialect.find_source(plan.object)}"  # noqa: S608 - a quoted catalog name
        text += _render_where(plan, dialect, binder)
        return Statement(text, tuple(binder.values), 1, runs_code=_runs_code(plan))
    # What is computed changes no count, and some engines have no two columns of one name in a query that is read from.
    if plan.group_by:
        plan = replace(plan, columns=(*plan.group_by, *plan.columns), group_by=(), aggregates=(), distinct=True)
    body = _render_body(replace(plan, aggregates=plan.aggregates[:1]), dialect, binder)
    derived = dialect.name_derived(len(plan.columns) or 1)
    text = f"SELECT count(*) FROM ({body}) {derived}"  # noqa: S608 - made here
    return Statement(text, tuple(binder.values), 1, runs_code=_runs_code(plan))


def render_key_check(described: ObjectDescription, key: Sequence[str], dialect: Dialect) -> Statement:
    """Give the statement that finds rows which these columns do not tell apart, or where one is NULL; one is enough.

    They must differ as the columns compare by themselves: that is how a page's place is found again.
    """
    names = [dialect.plain(described.by_name[name]) for name in key]
    nulls = " OR ".join(f"{name} IS NULL" for name in names)
    text = (
        f"SELECT count(*) FROM {dialect.find_source(described)} GROUP BY {', '.join(names)} "  # noqa: S608 - quoted catalog names
        f"HAVING count(*) > 1 OR max(CASE WHEN {nulls} THEN 1 ELSE 0 END) = 1"
    )
    binder = Binder(dialect)
    text += dialect.limit(1, 0, binder.bind, is_ordered=False)
    return Statement(text, tuple(binder.values), 1)


def _runs_code(plan: Plan) -> bool:
    return plan.object.kind != "table"


def _render_body(plan: Plan, dialect: Dialect, binder: Binder) -> str:
    keys = _list_keys(plan)
    write = dialect.exact if keys else dialect.plain
    selected = [dialect.show(write(column), column) for column in (*plan.group_by, *plan.columns)]
    selected += [_show_aggregate(aggregate, dialect) for aggregate in plan.aggregates]
    # names of their own: an order by a column that stands in the result twice is ambiguous on Trino
    selected += [f"{dialect.note(c)} AS {dialect.quote(f'rowgate noted {n}')}" for n, c in enumerate(list_unseen(plan))]
    text = f"SELECT {', '.join(selected)} FROM {dialect.find_source(plan.object)}"  # noqa: S608 - quoted catalog names
    text += _render_where(plan, dialect, binder)
    if keys:
        text += " GROUP BY " + ", ".join([dialect.exact(column) for column in keys])
    return text


def _list_keys(plan: Plan) -> tuple[Column, ...]:
    """Give what rows are made one by: groups of which only aggregates are left, or all that distinct rows differ in."""
    if plan.distinct:
        return (*plan.group_by, *plan.columns)
    return plan.group_by if plan.aggregates else ()


def _render_where(plan: Plan, dialect: Dialect, binder: Binder) -> str:
    # The rule first: a costly filter that is tried on rows out of sight takes time, and so would tell of them.
    where = [render_condition(condition, binder) for condition in (*plan.rule, *plan.conditions)]
    if plan.latest_run is not None:
        column, source = plan.latest_run.column, dialect.find_source(plan.object)
        newest = f"SELECT {dialect.compute(Aggregation.MAX, column)} FROM {source}"  # noqa: S608 - quoted catalog names
        where.append(f"{dialect.sorted(column)} = ({newest}{_render_rule(plan, binder)})")
    if plan.page is not None and plan.page.after is not None:
        where += _after(plan.page.order, plan.page.after, binder)
    return " WHERE " + " AND ".join(where) if where else ""


def _render_rule(plan: Plan, binder: Binder) -> str:
    """Give what keeps a look at the whole object to the rows that there are for this reader."""
    rule = [render_condition(condition, binder) for condition in plan.rule]
    return " WHERE " + " AND ".join(rule) if rule else ""


def _render_order(plan: Plan, dialect: Dialect) -> list[str]:
    """Give what to sort by. Nested groups are streamed, so the rows of a group must come one after the other."""
    keys = _list_keys(plan)
    if not plan.group_by or plan.aggregates:
        return [_order(item, dialect, exact=bool(keys)) for item in plan.order_by]
    asked = {item.by for item in plan.order_by}
    groups = [item for item in plan.order_by if item.by in plan.group_by]
    groups += [Order(column, descending=False, nulls_first=True) for column in plan.group_by if column not in asked]
    rest = [item for item in plan.order_by if item.by not in plan.group_by]
    return [_order(item, dialect, exact=True) for item in groups] + [
        _order(item, dialect, exact=bool(keys)) for item in rest
    ]


def _order(item: Order, dialect: Dialect, *, exact: bool = False) -> str:
    column = item.by if isinstance(item.by, Column) else item.by.result
    keys = dialect.list_sorted(_find_sorted(item, dialect, exact=exact), column)
    return ", ".join([_direct(item, key, dialect) for key in keys])


def _direct(item: Order, text: str, dialect: Dialect) -> str:
    directed = text + (" DESC" if item.descending else "")
    comes_first = item.descending is not dialect.null_is_least  # NULL, if nothing is said
    is_known = dialect.null_is_least is not None
    if (is_known and item.nulls_first is comes_first) or (isinstance(item.by, Column) and item.by.never_null):
        return directed
    return dialect.put_nulls(text, directed, first=item.nulls_first)


def _find_sorted(item: Order, dialect: Dialect, *, exact: bool = False) -> str:
    by = item.by
    if not isinstance(by, Column):
        return _compute(by, dialect)
    if exact or item.is_exact:
        return dialect.exact(by)
    return dialect.plain(by) if item.is_key else dialect.sorted(by)


def _compute(aggregate: Aggregate, dialect: Dialect) -> str:
    return "count(*)" if aggregate.column is None else dialect.compute(aggregate.function, aggregate.column)


def _show_aggregate(aggregate: Aggregate, dialect: Dialect) -> str:
    computed = _compute(aggregate, dialect)
    is_value = aggregate.function in (Aggregation.MIN, Aggregation.MAX) and aggregate.column is not None
    return dialect.show(computed, aggregate.result) if is_value else computed


def _after(order: Sequence[Order], place: Sequence[Value], binder: Binder) -> Iterator[str]:
    """Give conditions that hold for the rows after a place in an order: beyond it in one column, alike before that.

    The first is implied by the second, and an index serves it.
    """
    first, value = order[0], place[0]
    if value is not None and (first.nulls_first or first.column.never_null):  # no NULL comes later
        column = _find_sorted(first, binder.dialect)
        nan = binder.dialect.find_nan(column, first.column)
        if not (nan and _is_nan(value)):
            not_before = f"{column} {'<=' if first.descending else '>='} {binder.bind_noted(value, first.column)}"
            yield f"({not_before} OR {nan})" if nan and not first.descending else not_before
    alternatives = []
    for count, (item, value) in enumerate(zip(order, place, strict=True)):
        if value is None and not item.nulls_first:
            continue  # nothing comes later by this column
        alike = [_alike(*pair, binder) for pair in zip(order[:count], place[:count], strict=True)]
        alternatives.append("(" + " AND ".join([*alike, _beyond(item, value, binder)]) + ")")
    yield join_alternatives(alternatives)


def _alike(item: Order, value: Value, binder: Binder) -> str:
    column = _find_sorted(item, binder.dialect)
    if value is None:
        return f"{column} IS NULL"
    nan = binder.dialect.find_nan(column, item.column)
    return nan if nan and _is_nan(value) else f"{column} = {binder.bind_noted(value, item.column)}"


def _beyond(item: Order, value: Value, binder: Binder) -> str:
    column = _find_sorted(item, binder.dialect)
    if value is None:
        return f"{column} IS NOT NULL"
    later = _later(item, value, column, binder)
    return later if item.nulls_first or item.column.never_null else f"({later} OR {column} IS NULL)"


def _later(item: Order, value: Value, column: str, binder: Binder) -> str:
    nan = binder.dialect.find_nan(column, item.column)
    if nan and _is_nan(value):
        return f"NOT {nan}" if item.descending else "1 = 0"
    later = f"{column} {'<' if item.descending else '>'} {binder.bind_noted(value, item.column)}"
    return f"({later} OR {nan})" if nan and not item.descending else later


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and isnan(value)
