"""The conditions of a statement, built from planned filters; every value is bound.

Wildcards do not exist: contains, starts_with and ends_with compare substrings (O-31). A comparison with NULL is
unknown, also where the engine is not asked because its type could never hold the value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, assert_never

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.fold import fold
from rowgate.rows.holds import Holds
from rowgate.rows.model import AnyCondition, Column, Condition, Connective, Family, Function, Value
from rowgate.rows.suit import Gap, is_uuid, suit

_COMPARISONS = {
    Function.EQUALS: "=",
    Function.GREATER: ">",
    Function.GREATER_EQUAL: ">=",
    Function.LESS: "<",
    Function.LESS_EQUAL: "<=",
}
_BESIDE_GAPS = {  # how a column compares with the value before the gap, and with the value after it
    Function.GREATER: (">", ">="),
    Function.GREATER_EQUAL: (">", ">="),
    Function.LESS: ("<=", "<"),
    Function.LESS_EQUAL: ("<=", "<"),
}
_ABOVE = (Function.GREATER, Function.GREATER_EQUAL)
_WRITTEN_ALIKE = frozenset({Holds.DATE, Holds.TIME, Holds.MOMENT})  # by `suit`: the later, the greater a text
_MOST_ALTERNATIVES = 16
_MOST_PLACES = 1000  # of a statement: SQLite compares each with every other before it begins
_MOST_PLAIN = 64  # characters: an engine may look for a part at each place of the text anew, and longest for a long one
_LAST_CHARACTER = 0x10FFFF
_TEXT = Column("", "", Family.TEXT, may_be_real=False, holds=Holds.TEXT)
_FIRST_SURROGATE, _AFTER_SURROGATES = 0xD800, 0xE000  # between them there are no characters


class Binder:
    """Collects the values of a statement, in the order in which their places stand in its text."""

    def __init__(self, dialect: Dialect) -> None:
        """Take how the engine writes places."""
        self.dialect = dialect
        self.values: list[Value] = []

    def bind(self, value: Value) -> str:
        """Give the place that stands for a value."""
        self.values.append(value)
        return self.dialect.place(len(self.values))

    def bind_as(self, value: Value, column: Column) -> str:
        """Give the place that stands for a value, as one of the column's type."""
        return self.dialect.cast(self.bind(value), column)

    def bind_noted(self, value: Value, column: Column) -> str:
        """Give the place that stands for a value which a column has, as it was noted for the next page."""
        return self.dialect.cast_noted(self.bind(value), column)

    def bind_text(self, value: str) -> str:
        """Give the place that stands for a text."""
        return self.bind_as(value, _TEXT)


def render_condition(condition: AnyCondition, binder: Binder) -> str:
    """Give the condition as SQL."""
    if isinstance(condition, Condition):
        return _comparison(condition, binder)
    members = [render_condition(member, binder) for member in condition.members]
    match condition.connective:
        case Connective.AND:
            return "(" + " AND ".join(members) + ")"
        case Connective.OR:
            return join_alternatives(members)
        case Connective.NOT:
            return f"NOT ({members[0]})"
        case _:
            assert_never(condition.connective)


def join_alternatives(parts: Sequence[str]) -> str:
    """Join alternatives; none of them matches nothing (R24)."""
    if not parts:
        return "1 = 0"
    if len(parts) <= _MOST_ALTERNATIVES:
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"
    # Halved, so that a thousand values are an expression ten deep: engines bound the depth.
    middle = len(parts) // 2
    return f"({join_alternatives(parts[:middle])} OR {join_alternatives(parts[middle:])})"


@dataclass(frozen=True, slots=True)
class _Compared:
    """A column beside values."""

    write: Callable[[], str]  # gives the column, for each time that it stands in the text
    values: Sequence[Value | Gap]
    column: Column  # whose type the values are of


def _comparison(condition: Condition, binder: Binder) -> str:
    name = binder.dialect.quote(condition.column.name)
    match condition.function:
        case Function.IS_NULL:
            return f"{name} IS NULL"
        case Function.IS_NOT_NULL:
            return f"{name} IS NOT NULL"
        case Function.EQUALS | Function.NOT_EQUALS:
            return _any_of(condition, binder)
        case Function.CONTAINS | Function.STARTS_WITH | Function.ENDS_WITH:
            return _find_any(condition, binder) or join_alternatives(
                [_substring(condition, str(value), binder) for value in condition.values]
            )
        case Function.BETWEEN:
            compared = _compare(condition, binder)
            least, most = compared.values
            at_least = _place(compared, Function.GREATER_EQUAL, least, binder)
            return f"({at_least} AND {_place(compared, Function.LESS_EQUAL, most, binder)})"
        case Function.GREATER | Function.GREATER_EQUAL | Function.LESS | Function.LESS_EQUAL:
            compared = _compare(_keep_decisive_text(condition, binder.dialect), binder)
            values = _keep_decisive(condition, compared)
            return join_alternatives([_place(compared, condition.function, value, binder) for value in values])
        case _:
            assert_never(condition.function)


def _keep_decisive(condition: Condition, compared: _Compared) -> Sequence[Value | Gap]:
    """Give the one value that decides: greater than any of several is greater than the least of them.

    It is sure of numbers, of which an engine may round one or the other but turns none round, and of dates and times
    that are written alike, without a zone. Others stay as they are.
    """
    values, column = compared.values, condition.column
    is_number = all(isinstance(_find_place(value)[0], (int, float, Decimal)) for value in values)
    if len(values) <= 1 or not (column.holds in _WRITTEN_ALIKE or (is_number and column.holds is not Holds.OTHER)):
        return values
    choose = min if condition.function in _ABOVE else max
    return [choose(values, key=_find_place)]


def _find_place(value: Value | Gap) -> tuple[Any, int]:
    """Give what values and gaps of one type are sorted by."""
    return (value.value, 1 if value.is_after else -1) if isinstance(value, Gap) else (value, 0)


def _keep_decisive_text(condition: Condition, dialect: Dialect) -> Condition:
    """Give the condition with the one text that decides, likewise, where the engine sorts texts as Python does.

    Before they are made ready: to fold thousands of texts takes its time.
    """
    is_text = condition.column.family is Family.TEXT and condition.column.holds is not Holds.UUID
    if len(condition.values) <= 1 or not (is_text and dialect.orders_by_code_point):
        return condition
    texts = [str(value) for value in condition.values]  # as they are beside a text
    choose = min if condition.function in _ABOVE else max
    return replace(condition, values=(choose(texts, key=None if condition.match_case else fold),))


def _any_of(condition: Condition, binder: Binder) -> str:
    negated = condition.function is Function.NOT_EQUALS
    if not condition.values:
        return f"{binder.dialect.quote(condition.column.name)} IS NOT NULL" if negated else "1 = 0"
    compared = _compare(condition, binder)
    values = [value for value in compared.values if not isinstance(value, Gap)]
    if not values:  # the column can hold none of them
        plain = binder.dialect.plain(condition.column)
        return f"{plain} {'=' if negated else '<>'} {plain}"
    if negated or not binder.dialect.narrows(condition.column, values, match_case=condition.match_case):
        return _write_any_of(compared.write(), condition, values, compared.column, binder)
    # The first is implied by the second, and an index serves it.
    own = _write_any_of(binder.dialect.plain(condition.column), condition, values, compared.column, binder)
    return f"({own} AND {_write_any_of(compared.write(), condition, values, compared.column, binder)})"


def _write_any_of(text: str, condition: Condition, values: Sequence[Value], column: Column, binder: Binder) -> str:
    """Give the condition that an expression of the column's type is, or is not, one of the values."""
    negated = condition.function is Function.NOT_EQUALS
    places = [binder.bind_as(value, column) for value in values]
    if not condition.any_of:
        return f"{text} {'<>' if negated else '='} {places[0]}"
    return f"{text} {'NOT IN' if negated else 'IN'} ({', '.join(places)})"


def _place(compared: _Compared, function: Function, value: Value | Gap, binder: Binder) -> str:
    """Give the condition that a column stands on one side of a value, or of a gap between its values."""
    column = compared.write()
    if isinstance(value, Gap):
        after, before = _BESIDE_GAPS[function]
        return f"{column} {after if value.is_after else before} {binder.bind_as(value.value, compared.column)}"
    return f"{column} {_COMPARISONS[function]} {binder.bind_as(value, compared.column)}"


def _compare(condition: Condition, binder: Binder) -> _Compared:
    """Give the column and the values so that comparing them ignores case, where they are text."""
    dialect, column, values = binder.dialect, condition.column, condition.values
    is_ordered = condition.function not in (Function.EQUALS, Function.NOT_EQUALS)
    if column.family is Family.MOMENT or not any(isinstance(value, str) for value in values):
        suited = [_keep_without_nul(suit(column, value), dialect) for value in values]
        return _Compared(lambda: dialect.spelled(column, suited), suited, column)
    if column.holds is Holds.UUID:
        if not is_ordered:
            held = [
                value if is_uuid(str(value), match_case=condition.match_case) else Gap(value, is_after=True)
                for value in values
            ]
            return _Compared(lambda: dialect.plain(column), held, column)
        column = replace(column, holds=Holds.OTHER)
    if condition.match_case:
        suited = [_keep_without_nul(value, dialect) for value in values]
        return _Compared(lambda: dialect.exact(column) if is_ordered else dialect.same(column), suited, column)
    folded = [fold(value) if isinstance(value, str) else value for value in values]
    suited = [_keep_without_nul(value, dialect) for value in folded]
    texts = [value for value in folded if isinstance(value, str)]
    return _Compared(lambda: dialect.ignore_case(column, texts, binder.bind, ordered=is_ordered), suited, column)


def _keep_without_nul(value: Value | Gap, dialect: Dialect) -> Value | Gap:
    """Give the value; where texts hold no NUL, one with a NUL stands right after what is before it."""
    if isinstance(value, str) and "\0" in value and not dialect.holds_nul:
        return Gap(value.partition("\0")[0], is_after=True)
    return value


def _find_any(condition: Condition, binder: Binder) -> str:
    """Give the condition that a text holds one of several, where the engine has one for that; else nothing."""
    texts = [str(value) for value in condition.values]
    if not _should_find_any(condition, texts, binder):
        return ""
    folds = not condition.match_case
    parts = [fold(text) for text in texts] if folds else texts
    return binder.dialect.find_any(condition.function, condition.column, parts, binder.bind, folds=folds)


def _should_find_any(condition: Condition, texts: Sequence[str], binder: Binder) -> bool:
    """Tell whether one look for all of them beats one for each, or is the only one that can be ended in time."""
    if condition.function is Function.CONTAINS:
        return len(texts) > 1 or any(len(text) > _MOST_PLAIN for text in texts)
    if condition.function is Function.STARTS_WITH and any("\0" in text for text in texts):
        return True
    is_range = condition.function is Function.STARTS_WITH and condition.match_case  # which an index serves
    return len(texts) > _MOST_ALTERNATIVES and (not is_range or len(binder.values) + 2 * len(texts) > _MOST_PLACES)


def _substring(condition: Condition, value: str, binder: Binder) -> str:
    function, column, dialect = condition.function, condition.column, binder.dialect
    if "\0" in value and not dialect.holds_nul:
        plain = dialect.plain(column)
        return f"{plain} <> {plain}"
    if condition.match_case:
        is_text = column.family is Family.TEXT and column.holds in (Holds.ANYTHING, Holds.TEXT)
        if function is Function.STARTS_WITH and is_text and dialect.orders_by_code_point:
            return _prefix(column, value, binder)
        compared = value
    else:
        compared = fold(value)

    def fold_stored(expression: str) -> str:
        return expression if condition.match_case else dialect.fold(expression, [compared], binder.bind)

    text = dialect.text(column)
    if function is Function.CONTAINS or ("\0" in value and function is Function.STARTS_WITH):
        part = binder.bind_text(compared) if dialect.finds_part_first else ""
        found = dialect.find(fold_stored(text), part or binder.bind_text(compared))
        # a part of the text would look no further than a NUL
        return f"{found} > 0" if function is Function.CONTAINS else f"{found} = 1"
    take = dialect.take_first if function is Function.STARTS_WITH else dialect.take_last
    return f"{fold_stored(take(text, len(compared)))} = {binder.bind_text(compared)}"


def _prefix(column: Column, value: str, binder: Binder) -> str:
    """Give the texts that begin with a value as a range, which an index serves."""
    expression, at_least, less = binder.dialect.by_code_point(column)
    lowest = f"{expression} {at_least} {binder.bind_as(value, column)}"
    stem = value.rstrip(chr(_LAST_CHARACTER))
    if not stem:
        return lowest
    following = ord(stem[-1]) + 1
    beyond = stem[:-1] + chr(_AFTER_SURROGATES if following == _FIRST_SURROGATE else following)
    return f"({lowest} AND {expression} {less} {binder.bind_as(beyond, column)})"
