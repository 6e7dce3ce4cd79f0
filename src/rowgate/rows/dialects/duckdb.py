"""How DuckDB writes it. It keeps to types; text compares by code point unless a column says otherwise."""

import re
import string
from dataclasses import dataclass

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.holds import EXACT_DIGITS, Holds
from rowgate.rows.model import Aggregation, Column
from rowgate.rows.suit import NANOSECONDS

_TYPES = {
    Holds.INTEGER: "BIGINT",
    Holds.REAL: "DOUBLE",
    Holds.SINGLE: "FLOAT",
    Holds.BOOLEAN: "BOOLEAN",
    Holds.TEXT: "VARCHAR",
    Holds.DATE: "DATE",
    Holds.TIME: "TIME",
    Holds.MOMENT: "TIMESTAMP",
    Holds.INSTANT: "TIMESTAMPTZ",
    Holds.UUID: "UUID",
    Holds.BINARY: "BLOB",
    Holds.OTHER: "VARCHAR",
}
_PRECISION = re.compile(r"DECIMAL\((\d+),")

_NOTED = frozenset({Holds.DECIMAL, Holds.DATE, Holds.MOMENT, Holds.INSTANT})  # as text; their types are plain names
_IN_ARRAYS = {  # the others are there what they are here
    Holds.INTEGER: "BIGINT",
    Holds.SINGLE: "DOUBLE",
    **dict.fromkeys((Holds.UUID, Holds.TIME, Holds.OTHER), "VARCHAR"),
}
_LIMITS = {  # what stands for moments that never come: the last and the first
    Holds.DATE: ("9999-12-31", "0001-01-01"),
    Holds.MOMENT: ("9999-12-31T23:59:59.999999", "0001-01-01T00:00:00"),
}


@dataclass(frozen=True, slots=True)
class DuckdbDialect(Dialect):
    """See `Dialect`. Needs UTC as the session's time zone, and NULL as the least of all."""

    def place(self, number: int) -> str:
        """See `Dialect`."""
        return f"${number}"

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds is Holds.DECIMAL:
            found = _PRECISION.match(column.declared_type)
            is_exact = found is not None and int(found[1]) <= EXACT_DIGITS
            return f"CAST({place} AS {'DOUBLE' if is_exact else column.declared_type})"
        if column.declared_type == NANOSECONDS:
            return f"CAST({place} AS {NANOSECONDS})"
        return f"CAST({place} AS {_TYPES[column.holds]})" if column.holds in _TYPES else place

    def note(self, column: Column) -> str:
        """See `Dialect`. A cursor takes neither the driver's infinite moments nor its numbers of 128 bits."""
        return f"CAST({self.quote(column.name)} AS VARCHAR)" if column.holds in _NOTED else self.plain(column)

    def cast_noted(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        return f"CAST({place} AS {column.declared_type})" if column.holds in _NOTED else self.cast(place, column)

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`. The driver's moments have microseconds and no more."""
        is_finer = column.declared_type == NANOSECONDS
        return _write_moment(expression, *_LIMITS[Holds.MOMENT]) if is_finer else expression

    def plain(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        return f"CAST({name} AS VARCHAR)" if column.holds is Holds.OTHER else name

    def exact(self, column: Column) -> str:
        """See `Dialect`."""
        return f'{self.plain(column)} COLLATE "binary"' if column.holds is Holds.TEXT else self.plain(column)

    def sorted(self, column: Column) -> str:
        """See `Dialect`."""
        return self.exact(column)

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds in (Holds.MOMENT, Holds.INSTANT):  # as it is written in the answer: with a T
            zone = " || '+00:00'" if column.holds is Holds.INSTANT else ""
            stamp = f"CAST({name} AS TIMESTAMP)" if column.holds is Holds.INSTANT else name
            return f"replace(CAST({stamp} AS VARCHAR), ' ', 'T'){zone}"
        return name if column.holds is Holds.TEXT else f"CAST({name} AS VARCHAR)"

    def lower_ascii(self, expression: str) -> str:
        """See `Dialect`."""
        return f"translate({expression}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"left({expression}, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"right({expression}, {length})"

    def compute(self, function: Aggregation, column: Column) -> str:
        """See `Dialect`. A sum of whole numbers would have 128 bits."""
        if function in (Aggregation.SUM, Aggregation.AVG):
            is_whole = function is Aggregation.SUM and column.holds in (Holds.INTEGER, Holds.BOOLEAN)
            name = self.quote(column.name)
            if column.holds is Holds.BOOLEAN:
                name = f"CAST({name} AS INTEGER)"
            elif column.holds is Holds.SINGLE:
                name = f"CAST({name} AS DOUBLE)"
            computed = f"{function.value}({name})"
            return f"CAST({computed} AS BIGINT)" if is_whole else computed
        return Dialect.compute(self, function, column)


@dataclass(frozen=True, slots=True)
class DuckdbArraysDialect(DuckdbDialect):
    """Shows every value as the type that docs/reference/types.md has for it in Arrow, in DuckDB's words."""

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds in _LIMITS:
            return _write_moment(expression, *_LIMITS[column.holds])
        is_text = column.holds is Holds.DECIMAL and not _PRECISION.match(column.declared_type)
        shown = "VARCHAR" if is_text else _IN_ARRAYS.get(column.holds)
        return expression if shown is None else f"CAST({expression} AS {shown})"


@dataclass(frozen=True, slots=True)
class DuckdbTextsDialect(DuckdbArraysDialect):
    """Shows reals and binary data as texts besides, of which JSON and CSV are made (rows/encode_array_texts.py)."""

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds is Holds.BINARY:
            return f"base64({expression})"
        # super() and slots=True do not go together
        shown = DuckdbArraysDialect.show(self, expression, column)
        is_real = column.holds in (Holds.REAL, Holds.SINGLE)
        return f"CAST({shown if column.holds is Holds.SINGLE else expression} AS VARCHAR)" if is_real else shown


def _write_moment(moment: str, last: str, first: str) -> str:
    """Give a moment as the other formats have it: one that never comes is the last there is."""
    text = f"CAST({moment} AS VARCHAR)"
    return (
        f"CASE WHEN isfinite({moment}) AND year({moment}) BETWEEN 1 AND 9999 THEN replace({text}, ' ', 'T') "
        f"WHEN {text} = 'infinity' THEN '{last}' WHEN {text} = '-infinity' THEN '{first}' ELSE {text} END"
    )


DUCKDB = DuckdbDialect()
DUCKDB_ARRAYS = DuckdbArraysDialect()
DUCKDB_TEXTS = DuckdbTextsDialect()
