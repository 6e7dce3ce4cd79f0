"""How Trino writes it. It keeps to types; text compares by code point, and blanks at its end count."""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.rows.dialects.model import Bind, Dialect
from rowgate.rows.dialects.standard import StandardDialect
from rowgate.rows.holds import EXACT_DIGITS, Holds
from rowgate.rows.model import Column

_TYPES = {
    Holds.INTEGER: "BIGINT",
    Holds.REAL: "DOUBLE",
    Holds.SINGLE: "REAL",
    Holds.BOOLEAN: "BOOLEAN",
    Holds.TEXT: "VARCHAR",
    Holds.DATE: "DATE",
    Holds.TIME: "TIME(6)",
    Holds.MOMENT: "TIMESTAMP(6)",
    Holds.INSTANT: "TIMESTAMP(6) WITH TIME ZONE",
    Holds.UUID: "UUID",
    Holds.BINARY: "VARBINARY",
    Holds.OTHER: "VARCHAR",
}
_REALS = (Holds.REAL, Holds.SINGLE)
_MOMENTS = (Holds.MOMENT, Holds.INSTANT)
_PRECISION = re.compile(r"decimal\((\d+),")


@dataclass(frozen=True, slots=True)
class TrinoDialect(StandardDialect):
    """See `Dialect`. Needs UTC as the session's time zone."""

    holds_nul: bool = True
    orders_by_code_point: bool = True
    finds_part_first: bool = False

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds is Holds.DECIMAL:
            found = _PRECISION.match(column.declared_type)
            is_exact = found is not None and int(found[1]) <= EXACT_DIGITS
            return f"CAST({place} AS {'DOUBLE' if is_exact else column.declared_type})"
        if column.holds in _MOMENTS:
            return f"CAST(replace({place}, 'T', ' ') AS {_TYPES[column.holds]})"
        return f"CAST({place} AS {_TYPES[column.holds]})" if column.holds in _TYPES else place

    def cast_noted(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds is Holds.DECIMAL:
            return f"CAST({place} AS {column.declared_type})"
        return self.cast(place, column)

    def find_nan(self, expression: str, column: Column) -> str:
        """See `Dialect`. It is sorted as the least, and by later releases as the greatest."""
        return f"is_nan({expression})" if column.holds in _REALS else ""

    def put_nulls(self, expression: str, directed: str, *, first: bool) -> str:
        """See `Dialect`."""
        return Dialect.put_nulls(self, expression, directed, first=first)

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:  # noqa: ARG002
        """See `Dialect`."""
        return (f" OFFSET {bind(skipped)}" if skipped else "") + (f" LIMIT {bind(most)}" if most is not None else "")

    def plain(self, column: Column) -> str:
        """See `Dialect`."""
        return f"CAST({self.quote(column.name)} AS VARCHAR)" if column.holds is Holds.OTHER else self.quote(column.name)

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`. The driver has no microseconds of moments otherwise."""
        return f"CAST({expression} AS {_TYPES[column.holds]})" if column.holds in _MOMENTS else expression

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds in _MOMENTS:  # as it is written in the answer: with a T, and no zeros at the end
            stamp = f"CAST({name} AS TIMESTAMP(6))"
            written = f"date_format({stamp}, '%Y-%m-%dT%H:%i:%s.%f')"
            zone = " || '+00:00'" if column.holds is Holds.INSTANT else ""
            return f"trim(TRAILING '.' FROM trim(TRAILING '0' FROM {written})){zone}"
        return name if column.holds is Holds.TEXT else f"CAST({name} AS VARCHAR)"

    def fold(self, expression: str, folded: Sequence[str], bind: Bind, *, ordered: bool = False) -> str:
        """See `Dialect`."""
        return Dialect.fold(self, expression, folded, bind, ordered=ordered)

    def lower_ascii(self, expression: str) -> str:
        """See `Dialect`."""
        return f"translate({expression}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"

    def find(self, expression: str, part: str) -> str:
        """See `Dialect`."""
        return f"strpos({expression}, {part})"

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"substr({expression}, 1, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"substr({expression}, -{length}, {length})"

    @property
    def double(self) -> str:
        """See `StandardDialect`."""
        return "DOUBLE"


TRINO = TrinoDialect()
