"""The only place where SQL text is built, from a plan and never from a client's text.

Identifiers come from the database's own catalog by way of `plan.py` and are quoted; every value is bound.
Wildcards do not exist: contains, starts_with and ends_with compare substrings (O-31).
"""

from typing import assert_never

from rowgate.rows.fold import fold
from rowgate.rows.model import Condition, Dialect, Family, Function, Order, Plan, Statement, Value

_COMPARISONS = {
    Function.EQUALS: "=",
    Function.GREATER: ">",
    Function.GREATER_EQUAL: ">=",
    Function.LESS: "<",
    Function.LESS_EQUAL: "<=",
}
_MOST_ALTERNATIVES = 16


def quote_with_double_quotes(name: str) -> str:
    """Quote an identifier as the SQL standard does."""
    return '"' + name.replace('"', '""') + '"'


def _fold_text_in_sqlite(expression: str) -> str:
    # As bytes: text that is not valid UTF-8 does not reach a function as text.
    return f"rowgate_fold(CAST({expression} AS BLOB))"


def _fold_value_in_sqlite(expression: str) -> str:
    return f"CASE typeof({expression}) WHEN 'text' THEN {_fold_text_in_sqlite(expression)} ELSE {expression} END"


SQLITE = Dialect(
    quote=quote_with_double_quotes,
    ignore_ascii_case=" COLLATE NOCASE",
    fold_ascii="lower",
    fold_text=_fold_text_in_sqlite,
    fold_value=_fold_value_in_sqlite,
    exact_order=" COLLATE BINARY",
    no_limit="-1",
)


def render_select(plan: Plan, dialect: Dialect) -> Statement:
    """Give the statement that reads what the plan says, group keys first."""
    quote = dialect.quote
    source = quote(plan.object.name)
    parameters: list[Value] = []
    where = [_condition(condition, dialect, parameters) for condition in plan.conditions]
    if plan.latest_run is not None:
        key = quote(plan.latest_run.column.name)
        where.append(f"{key} = (SELECT max({key}) FROM {source})")  # noqa: S608 - quoted catalog names
    selected = ", ".join(quote(column.name) for column in (*plan.group_by, *plan.columns))
    order = [
        quote(item.column.name) + exactly + (" DESC" if item.descending else "")
        for item, exactly in _order(plan, dialect)
    ]
    text = f"SELECT {selected} FROM {source}"  # noqa: S608 - quoted catalog names
    if where:
        text += " WHERE " + " AND ".join(where)
    if order:
        text += " ORDER BY " + ", ".join(order)
    if plan.limit is not None:
        text += " LIMIT ?"
        parameters.append(plan.limit)
    if plan.offset:
        text += ("" if plan.limit is not None else f" LIMIT {dialect.no_limit}") + " OFFSET ?"
        parameters.append(plan.offset)
    return Statement(text, tuple(parameters), plan.limit)


def _order(plan: Plan, dialect: Dialect) -> list[tuple[Order, str]]:
    """Give what to sort by. Groups are streamed, so the rows of a group must come one after the other."""
    if not plan.group_by:
        return [(item, "") for item in plan.order_by]
    asked = {item.column: item for item in plan.order_by}
    keys = [item for item in plan.order_by if item.column in plan.group_by]
    keys += [Order(column, descending=False) for column in plan.group_by if column not in asked]
    rest = [item for item in plan.order_by if item.column not in plan.group_by]
    return [(item, dialect.exact_order) for item in keys] + [(item, "") for item in rest]


def _condition(condition: Condition, dialect: Dialect, parameters: list[Value]) -> str:  # noqa: PLR0911 - one per function
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
            return _or([_substring(function, str(value), column, dialect, parameters) for value in values])
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
    if all(text.isascii() and "\0" not in text for text in texts):  # NOCASE looks no further than a NUL
        return column + dialect.ignore_ascii_case, values
    folded = tuple(fold(value) if isinstance(value, str) else value for value in values)
    return dialect.fold_value(column), folded


def _substring(function: Function, value: str, column: str, dialect: Dialect, parameters: list[Value]) -> str:
    folded = fold(value)
    parameters.append(folded)

    def folding(expression: str) -> str:
        return f"{dialect.fold_ascii}({expression})" if value.isascii() else dialect.fold_text(expression)

    if function is Function.CONTAINS:
        return f"instr({folding(column)}, ?) > 0"
    if "\0" in value and function is Function.STARTS_WITH:
        return f"instr({folding(column)}, ?) = 1"  # substr looks no further than a NUL
    length = len(folded)
    part = (
        f"substr({column}, 1, {length})"
        if function is Function.STARTS_WITH
        else f"substr({column}, -{length}, {length})"
    )
    return f"{folding(part)} = ?"
