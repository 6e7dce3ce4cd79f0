"""The only place where SQL text is built, from a plan and never from a client's text.

Identifiers come from the database's own catalog by way of `plan.py` and are quoted; every value is bound.
Wildcards do not exist: contains, starts_with and ends_with compare substrings (O-31).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from rowgate.rows.fold import fold
from rowgate.rows.model import (
    Aggregate,
    Aggregation,
    AnyCondition,
    Column,
    Condition,
    Connective,
    Dialect,
    Family,
    Function,
    ObjectDescription,
    Order,
    Plan,
    Statement,
    Value,
)
from rowgate.rows.paging import list_unseen

_COMPARISONS = {
    Function.EQUALS: "=",
    Function.GREATER: ">",
    Function.GREATER_EQUAL: ">=",
    Function.LESS: "<",
    Function.LESS_EQUAL: "<=",
}
_MOST_ALTERNATIVES = 16
_LAST_CHARACTER = 0x10FFFF
_FIRST_SURROGATE, _AFTER_SURROGATES = 0xD800, 0xE000  # between them there are no characters


def quote_with_double_quotes(name: str) -> str:
    """Quote an identifier as the SQL standard does."""
    return '"' + name.replace('"', '""') + '"'


def _fold_text_in_sqlite(expression: str) -> str:
    # As bytes: text that is not valid UTF-8 does not reach a function as text.
    return f"rowgate_fold(CAST({expression} AS BLOB))"


def _fold_value_in_sqlite(expression: str) -> str:
    return f"CASE typeof({expression}) WHEN 'text' THEN {_fold_text_in_sqlite(expression)} ELSE {expression} END"


def _only_numbers_in_sqlite(expression: str) -> str:
    return f"CASE typeof({expression}) WHEN 'integer' THEN {expression} WHEN 'real' THEN {expression} END"


SQLITE = Dialect(
    quote=quote_with_double_quotes,
    ignore_ascii_case=" COLLATE NOCASE",
    fold_ascii="lower",
    fold_text=_fold_text_in_sqlite,
    fold_value=_fold_value_in_sqlite,
    exact=" COLLATE BINARY",
    is_same="IS",
    only_numbers=_only_numbers_in_sqlite,
    no_limit="-1",
)


def render_select(plan: Plan, dialect: Dialect) -> Statement:
    """Give the statement that reads what the plan says: group keys first, what is read for the next page last."""
    parameters: list[Value] = []
    text = _render_body(plan, dialect, parameters)
    page = plan.page
    order = [_order(item, dialect, "") for item in page.order] if page else _render_order(plan, dialect)
    if order:
        text += " ORDER BY " + ", ".join(order)
    limit, offset = (page.size + 1, 0) if page else (plan.limit, plan.offset)  # one more tells whether there is more
    if limit is not None:
        text += " LIMIT ?"
        parameters.append(limit)
    if offset:
        text += ("" if limit is not None else f" LIMIT {dialect.no_limit}") + " OFFSET ?"
        parameters.append(offset)
    return Statement(text, tuple(parameters), limit)


def render_count(plan: Plan, dialect: Dialect) -> Statement:
    """Give the statement that counts what the plan would read without limit, offset and pages."""
    parameters: list[Value] = []
    plan = replace(plan, page=None)
    if not plan.distinct and not plan.aggregates:
        text = f"SELECT count(*) FROM {_path(plan.object, dialect)}"  # noqa: S608 - a quoted catalog name
        return Statement(text + _render_where(plan, dialect, parameters), tuple(parameters), 1)
    body = _render_body(plan, dialect, parameters)
    return Statement(f"SELECT count(*) FROM ({body})", tuple(parameters), 1)  # noqa: S608 - made here


def render_key_check(described: ObjectDescription, key: Sequence[str], dialect: Dialect) -> Statement:
    """Give the statement that finds rows which these columns do not tell apart, or where one is NULL; one is enough.

    They must differ as the columns compare by themselves: that is how a page's place is found again.
    """
    quote = dialect.quote
    names = [quote(name) for name in key]
    nulls = " OR ".join(f"{name} IS NULL" for name in names)
    text = (
        f"SELECT count(*) FROM {_path(described, dialect)} GROUP BY {', '.join(names)} "  # noqa: S608 - quoted catalog names
        f"HAVING count(*) > 1 OR max({_case(nulls)}) = 1 LIMIT 1"
    )
    return Statement(text, (), 1)


def _path(described: ObjectDescription, dialect: Dialect) -> str:
    return ".".join([dialect.quote(part) for part in described.path])


def _case(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def _render_body(plan: Plan, dialect: Dialect, parameters: list[Value]) -> str:
    quote = dialect.quote
    exact = dialect.exact if plan.distinct else ""
    selected = [quote(column.name) + exact for column in (*plan.group_by, *plan.columns)]
    selected += [_aggregate(aggregate, dialect) for aggregate in plan.aggregates]
    selected += [quote(column.name) for column in list_unseen(plan)]
    text = f"SELECT {'DISTINCT ' if plan.distinct else ''}{', '.join(selected)} FROM {_path(plan.object, dialect)}"  # noqa: S608 - quoted catalog names
    text += _render_where(plan, dialect, parameters)
    if plan.aggregates and plan.group_by:
        text += " GROUP BY " + ", ".join([quote(column.name) + dialect.exact for column in plan.group_by])
    return text


def _render_where(plan: Plan, dialect: Dialect, parameters: list[Value]) -> str:
    where = [_condition(condition, dialect, parameters) for condition in plan.conditions]
    if plan.latest_run is not None:
        key, source = dialect.quote(plan.latest_run.column.name), _path(plan.object, dialect)
        where.append(f"{key} = (SELECT max({key}) FROM {source})")  # noqa: S608 - quoted catalog names
    if plan.page is not None and plan.page.after is not None:
        where += _after(plan.page.order, plan.page.after, dialect, parameters)
    return " WHERE " + " AND ".join(where) if where else ""


def _render_order(plan: Plan, dialect: Dialect) -> list[str]:
    """Give what to sort by. Nested groups are streamed, so the rows of a group must come one after the other."""
    if not plan.group_by or plan.aggregates:
        exact = dialect.exact if plan.aggregates or plan.distinct else ""
        return [_order(item, dialect, exact) for item in plan.order_by]
    asked = {item.by for item in plan.order_by}
    keys = [item for item in plan.order_by if item.by in plan.group_by]
    keys += [Order(column, descending=False, nulls_first=True) for column in plan.group_by if column not in asked]
    rest = [item for item in plan.order_by if item.by not in plan.group_by]
    exact = dialect.exact if plan.distinct else ""
    return [_order(item, dialect, dialect.exact) for item in keys] + [_order(item, dialect, exact) for item in rest]


def _order(item: Order, dialect: Dialect, exact: str) -> str:
    by = item.by
    text = dialect.quote(by.name) + exact if isinstance(by, Column) else _aggregate(by, dialect)
    text += " DESC" if item.descending else ""
    if item.nulls_first is item.descending:  # NULL is the least, so it comes first when ascending
        text += " NULLS FIRST" if item.nulls_first else " NULLS LAST"
    return text


def _aggregate(aggregate: Aggregate, dialect: Dialect) -> str:
    if aggregate.column is None:
        return "count(*)"
    column = dialect.quote(aggregate.column.name)
    match aggregate.function:
        case Aggregation.COUNT:
            return f"count({column})"
        case Aggregation.COUNT_DISTINCT:
            return f"count(DISTINCT {column}{dialect.exact})"
        case Aggregation.SUM | Aggregation.AVG:
            numbers = dialect.only_numbers(column) if aggregate.column.family is Family.ANY else column
            return f"{aggregate.function.value}({numbers})"
        case Aggregation.MIN | Aggregation.MAX:
            return f"{aggregate.function.value}({column})"
        case _:
            assert_never(aggregate.function)


def _after(order: Sequence[Order], place: Sequence[Value], dialect: Dialect, parameters: list[Value]) -> Iterator[str]:
    """Give conditions that hold for the rows after a place in an order: beyond it in one column, alike before that.

    The first is implied by the second, and an index serves it.
    """
    first, value = order[0], place[0]
    if value is not None and (first.nulls_first or first.column.never_null):  # no NULL comes later
        parameters.append(value)
        yield f"{dialect.quote(first.column.name)} {'<=' if first.descending else '>='} ?"
    alternatives = []
    for count, (item, value) in enumerate(zip(order, place, strict=True)):
        if value is None and not item.nulls_first:
            continue  # nothing comes later by this column
        alike = [f"{dialect.quote(before.column.name)} {dialect.is_same} ?" for before in order[:count]]
        parameters.extend(place[:count])
        alternatives.append("(" + " AND ".join([*alike, _beyond(item, value, dialect, parameters)]) + ")")
    yield _or(alternatives)


def _beyond(item: Order, value: Value, dialect: Dialect, parameters: list[Value]) -> str:
    column = dialect.quote(item.column.name)
    if value is None:
        return f"{column} IS NOT NULL"
    parameters.append(value)
    later = f"{column} {'<' if item.descending else '>'} ?"
    return later if item.nulls_first or item.column.never_null else f"({later} OR {column} IS NULL)"


def _condition(condition: AnyCondition, dialect: Dialect, parameters: list[Value]) -> str:
    if isinstance(condition, Condition):
        return _comparison(condition, dialect, parameters)
    members = [_condition(member, dialect, parameters) for member in condition.members]
    match condition.connective:
        case Connective.AND:
            return "(" + " AND ".join(members) + ")"
        case Connective.OR:
            return _or(members)
        case Connective.NOT:
            return f"NOT ({members[0]})"
        case _:
            assert_never(condition.connective)


def _comparison(condition: Condition, dialect: Dialect, parameters: list[Value]) -> str:  # noqa: PLR0911 - one per function
    column = dialect.quote(condition.column.name)
    function, values = condition.function, condition.values
    match function:
        case Function.IS_NULL:
            return f"{column} IS NULL"
        case Function.IS_NOT_NULL:
            return f"{column} IS NOT NULL"
        case Function.EQUALS | Function.NOT_EQUALS if condition.any_of:
            return _any_of(condition, column, dialect, parameters)
        case Function.NOT_EQUALS:
            column, values = _comparable(condition, column, dialect)
            parameters.append(values[0])
            return f"{column} <> ?"
        case Function.BETWEEN:
            column, values = _comparable(condition, column, dialect)
            parameters.extend(values)
            return f"({column} >= ? AND {column} <= ?)"
        case Function.CONTAINS | Function.STARTS_WITH | Function.ENDS_WITH:
            return _or([_substring(condition, str(value), dialect, parameters) for value in values])
        case Function.EQUALS | Function.GREATER | Function.GREATER_EQUAL | Function.LESS | Function.LESS_EQUAL:
            column, values = _comparable(condition, column, dialect)
            parameters.extend(values)
            return _or([f"{column} {_COMPARISONS[function]} ?" for _ in values])
        case _:
            assert_never(function)


def _or(parts: list[str]) -> str:
    """Join alternatives; none of them matches nothing (R24)."""
    if not parts:
        return "1 = 0"
    if len(parts) <= _MOST_ALTERNATIVES:
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"
    # Halved, so that a thousand values are an expression ten deep: engines bound the depth.
    middle = len(parts) // 2
    return f"({_or(parts[:middle])} OR {_or(parts[middle:])})"


def _any_of(condition: Condition, column: str, dialect: Dialect, parameters: list[Value]) -> str:
    negated = condition.function is Function.NOT_EQUALS
    if not condition.values:
        return f"{column} IS NOT NULL" if negated else "1 = 0"
    compared, values = _comparable(condition, column, dialect)
    parameters.extend(values)
    places = ", ".join("?" * len(values))
    return f"{compared} {'NOT IN' if negated else 'IN'} ({places})"


def _comparable(condition: Condition, column: str, dialect: Dialect) -> tuple[str, tuple[Value, ...]]:
    """Give the column and the values so that comparing them ignores case, where they are text.

    A value in ASCII needs only ASCII folding (rows/fold.py says why), which engines do by themselves and can
    use an index for; other text is folded by a function.
    """
    values = condition.values
    texts = [value for value in values if isinstance(value, str)]
    if not texts or condition.column.family is Family.MOMENT:
        return column, values
    if condition.match_case:
        return column + dialect.exact, values
    if all(text.isascii() and "\0" not in text for text in texts):  # NOCASE looks no further than a NUL
        return column + dialect.ignore_ascii_case, values
    folded = tuple(fold(value) if isinstance(value, str) else value for value in values)
    return dialect.fold_value(column), folded


def _substring(condition: Condition, value: str, dialect: Dialect, parameters: list[Value]) -> str:
    function, column = condition.function, dialect.quote(condition.column.name)
    if condition.match_case:
        if function is Function.STARTS_WITH and condition.column.family is Family.TEXT and dialect.orders_by_code_point:
            return _prefix(column + dialect.exact, value, parameters)
        compared, folding = value, _leave
    else:
        compared = fold(value)

        def folding(expression: str) -> str:
            return f"{dialect.fold_ascii}({expression})" if value.isascii() else dialect.fold_text(expression)

    parameters.append(compared)
    if function is Function.CONTAINS:
        return f"instr({folding(column)}, ?) > 0"
    if "\0" in value and function is Function.STARTS_WITH:
        return f"instr({folding(column)}, ?) = 1"  # substr looks no further than a NUL
    length = len(compared)
    part = (
        f"substr({column}, 1, {length})"
        if function is Function.STARTS_WITH
        else f"substr({column}, -{length}, {length})"
    )
    return f"{folding(part)} = ?"


def _leave(expression: str) -> str:
    return expression


def _prefix(column: str, value: str, parameters: list[Value]) -> str:
    """Give the texts that begin with a value as a range, which an index serves."""
    parameters.append(value)
    stem = value.rstrip(chr(_LAST_CHARACTER))
    if not stem:
        return f"{column} >= ?"
    following = ord(stem[-1]) + 1
    parameters.append(stem[:-1] + chr(_AFTER_SURROGATES if following == _FIRST_SURROGATE else following))
    return f"({column} >= ? AND {column} < ?)"
