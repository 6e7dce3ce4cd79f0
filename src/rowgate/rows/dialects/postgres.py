"""How PostgreSQL writes it. It keeps to types, so every value is cast to its column's.

Text sorts by code point, whatever the database's language: what is asked for in an order means the same everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Aggregation, Column

_TYPES = {
    Holds.INTEGER: "bigint",
    Holds.DECIMAL: "numeric",
    Holds.REAL: "double precision",
    Holds.SINGLE: "real",
    Holds.BOOLEAN: "boolean",
    Holds.DATE: "date",
    Holds.TIME: "time",
    Holds.MOMENT: "timestamp",
    Holds.INSTANT: "timestamptz",
    Holds.UUID: "uuid",
    Holds.BINARY: "bytea",
}
_TEXTS = (Holds.TEXT, Holds.OTHER)
MOMENTS = (Holds.MOMENT, Holds.INSTANT)
_YEAR_1, _NEVER = "CAST('0001-01-01T00:00:00Z' AS timestamptz)", "CAST('infinity' AS timestamptz)"


@dataclass(frozen=True, slots=True)
class PostgresDialect(Dialect):
    """See `Dialect`. Needs UTC as the session's time zone, for values, and ISO as its style of dates."""

    null_is_least: bool = False
    holds_nul: bool = False
    codec: str = ""  # Python's name of the database's encoding; empty: UTF-8, which has every character

    def place(self, number: int) -> str:
        """See `Dialect`."""
        return f"${number}"

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        return f"CAST({place} AS {_TYPES.get(column.holds, 'text')})"

    def plain(self, column: Column) -> str:
        """See `Dialect`."""
        return self.text(column) if column.holds is Holds.OTHER else self.quote(column.name)

    def sorted(self, column: Column) -> str:
        """See `Dialect`."""
        return self.exact(column)

    def exact(self, column: Column) -> str:
        """See `Dialect`."""
        is_exact = column.holds not in _TEXTS or (
            column.holds is Holds.TEXT and column.collation is Collation.CODE_POINT
        )
        return self.plain(column) if is_exact else self.plain(column) + ' COLLATE "C"'

    def same(self, column: Column) -> str:
        """See `Dialect`."""
        is_same = column.holds is Holds.TEXT and column.collation is not Collation.UNKNOWN
        return self.plain(column) if is_same else self.exact(column)

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`."""
        return write_moment(expression, column.holds) if column.holds in MOMENTS else expression

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds in MOMENTS:
            return write_moment(name, column.holds)
        return name if column.holds is Holds.TEXT else f"CAST({name} AS text)"

    def list_foldings(self, folded: Sequence[str], *, ordered: bool) -> tuple[str, str]:
        """See `Dialect`. Characters that the database's encoding does not have are in none of its texts."""
        upper, lower = Dialect.list_foldings(self, folded, ordered=ordered)
        if not self.codec:
            return upper, lower
        pairs = zip(upper, lower, strict=True)
        known = [pair for pair in pairs if _can_hold(self.codec, "".join(pair))]
        return "".join([pair[0] for pair in known]), "".join([pair[1] for pair in known])

    def lower_ascii(self, expression: str) -> str:
        """See `Dialect`."""
        return f'lower({expression} COLLATE "C")'

    def find(self, expression: str, part: str) -> str:
        """See `Dialect`."""
        return f"strpos({expression}, {part})"

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"left({expression}, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"right({expression}, {length})"

    def by_code_point(self, column: Column) -> tuple[str, str, str]:
        """See `Dialect`. In another collation an index serves that has the operator class text_pattern_ops."""
        if column.collation is Collation.CODE_POINT:
            return self.plain(column), ">=", "<"
        return self.plain(column), "~>=~", "~<~"

    def compute(self, function: Aggregation, column: Column) -> str:
        """See `Dialect`. What PostgreSQL does not compute of a type is computed of one that tells the same."""
        name = self.quote(column.name)
        if function in (Aggregation.MIN, Aggregation.MAX):
            return self._find_end(function.value, name, column)
        if function in (Aggregation.SUM, Aggregation.AVG):
            if column.holds is Holds.BOOLEAN:
                name = f"CAST({name} AS int)"
            elif column.holds is Holds.SINGLE:
                name = f"CAST({name} AS double precision)"
            if function is Aggregation.AVG:
                return f"CAST(avg({name}) AS double precision)"
            is_whole = column.holds in (Holds.INTEGER, Holds.BOOLEAN)
            return f"CAST(sum({name}) AS bigint)" if is_whole else f"sum({name})"
        return Dialect.compute(self, function, column)

    def _find_end(self, function: str, name: str, column: Column) -> str:
        match column.holds:
            case Holds.BOOLEAN:
                return f"CAST({function}(CAST({name} AS int)) AS boolean)"
            case Holds.BINARY:
                return f"decode({function}(encode({name}, 'hex') COLLATE \"C\"), 'hex')"
            case Holds.UUID:
                return f'CAST({function}(CAST({name} AS text) COLLATE "C") AS uuid)'
            case _:
                return f"{function}({self.sorted(column)})"


@dataclass(frozen=True, slots=True)
class BarePostgresDialect(PostgresDialect):
    """Shows moments as PostgreSQL writes them by itself, with a space in place of the T and `+00` for the zone."""

    def show(self, expression: str, column: Column) -> str:  # noqa: ARG002 - of no type anything is to be done
        """See `Dialect`."""
        return expression


def write_moment(expression: str, holds: Holds) -> str:
    """Give a moment as a text, with a T, and without quotation marks; in UTC if it has a zone.

    What is read may set the session's zone while it is read: a view whose function does. So it is not asked for.
    """
    if holds is not Holds.INSTANT:
        return f"to_jsonb({expression}) #>> '{{}}'"
    text = f"to_jsonb({expression} AT TIME ZONE INTERVAL '0') #>> '{{}}'"
    return (
        f"CASE WHEN {expression} >= {_YEAR_1} AND {expression} < {_NEVER} THEN {text} || '+00:00' "
        f"WHEN isfinite({expression}) THEN replace({text}, ' BC', '+00:00 BC') ELSE {text} END"
    )


def _can_hold(codec: str, text: str) -> bool:
    return text.encode(codec, "replace").decode(codec) == text


POSTGRES = PostgresDialect()
BARE_POSTGRES = BarePostgresDialect()
