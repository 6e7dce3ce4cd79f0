"""How MySQL and MariaDB write it.

Their collations take different texts for equal, blanks at the end among them, so a text that is compared is given one
that compares by code point and pads nothing. Letters are folded one by one: their own LOWER knows more letters than
rows/fold.py does, and other ones in each collation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.rows.dialects.model import Bind, Dialect
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Aggregation, Column, Family, Value

_ALL = "18446744073709551615"  # what LIMIT takes for "all", says the manual
_TYPES = {
    Holds.DATE: "DATE",
    Holds.TIME: "TIME(6)",
    Holds.MOMENT: "DATETIME(6)",
}

_DIGITS, _MOST_SCALE = 65, 30  # of a decimal: more digits would be 9 each
_PRECISION = re.compile(r"decimal\((\d+),(\d+)\)")


@dataclass(frozen=True, slots=True)
class MysqlDialect(Dialect):
    """See `Dialect`. Needs UTC as the session's time zone, utf8mb4, and a driver whose places are `%s`."""

    collation: str = "utf8mb4_nopad_bin"  # MySQL's own is utf8mb4_0900_bin

    def quote(self, name: str) -> str:
        """See `Dialect`. The driver takes a lone percent sign for a place."""
        return "`" + name.replace("`", "``").replace("%", "%%") + "`"

    def place(self, number: int) -> str:  # noqa: ARG002 - they are not numbered
        """See `Dialect`."""
        return "%s"

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds is Holds.DECIMAL:
            found = _PRECISION.match(column.declared_type)
            before = int(found[1]) - int(found[2]) if found else 0
            return f"CAST({place} AS DECIMAL({_DIGITS},{min(_MOST_SCALE, _DIGITS - before)}))"
        if column.holds is Holds.BINARY and column.declared_type.startswith("bit"):  # compared as a number
            return f"CAST(CONV(HEX({place}), 16, 10) AS UNSIGNED)"
        return f"CAST({place} AS {_TYPES[column.holds]})" if column.holds in _TYPES else place

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:
        """See `Dialect`."""
        before = f" LIMIT {_ALL}" if most is None and skipped else ""
        return before + Dialect.limit(self, most, skipped, bind, is_ordered=is_ordered)

    def put_nulls(self, expression: str, directed: str, *, first: bool) -> str:
        """See `Dialect`."""
        return f"{expression} IS NULL{' DESC' if first else ''}, {directed}"

    def spelled(self, column: Column, values: Sequence[object]) -> str:
        """See `Dialect`. To compare with a character that the column's set does not have is an error."""
        is_ascii = all(value.isascii() for value in values if isinstance(value, str))
        return self.plain(column) if is_ascii else self.exact(column)

    def sorted(self, column: Column) -> str:
        """See `Dialect`."""
        return self.exact(column)

    def exact(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds not in (Holds.TEXT, Holds.OTHER) or column.collation is Collation.CODE_POINT:
            return name
        return self._by_code_point(name if column.holds is Holds.TEXT else f"CAST({name} AS CHAR)")

    def narrows(self, column: Column, values: Sequence[Value], *, match_case: bool) -> bool:
        """See `Dialect`. No other letter than A to Z ignores case to an ASCII one, says rows/fold.py."""
        if column.family is not Family.TEXT:  # compared by the column itself anyway
            return False
        if not all(str(value).isascii() for value in values):
            return match_case and column.collation in (Collation.LOOSE, Collation.CASELESS)
        is_caseless = column.collation in (Collation.CASELESS, Collation.CASELESS_OF_FEW)
        return is_caseless or (match_case and column.collation is Collation.LOOSE)

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`. A single-precision number would be given with six digits."""
        return f"CAST({expression} AS DOUBLE)" if column.holds is Holds.SINGLE else expression

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds is Holds.MOMENT:
            # as it is written in the answer: a T, and no zeros at the end of the fraction
            name = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM DATE_FORMAT({name}, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')))"
        elif column.holds in (Holds.TEXT, Holds.OTHER):
            return self.exact(column)
        return self._by_code_point(f"CAST({name} AS CHAR)")

    def fold(self, expression: str, folded: Sequence[str], bind: Bind, *, ordered: bool = False) -> str:
        """See `Dialect`."""
        return self.fold_by_letters(expression, folded, bind, ordered=ordered)

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"LEFT({expression}, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"RIGHT({expression}, {length})"

    def compute(self, function: Aggregation, column: Column) -> str:
        """See `Dialect`. Of whole numbers the mean would have four digits behind the point, the sum more than 64 bits.

        DIV gives 64 bits or an error, where CAST would give the greatest number there is.
        """
        if function is Aggregation.AVG and column.family in (Family.NUMBER, Family.BOOLEAN):
            return f"avg(CAST({self.quote(column.name)} AS DOUBLE))"
        if function is Aggregation.SUM and column.holds is Holds.SINGLE:
            return f"sum(CAST({self.quote(column.name)} AS DOUBLE))"
        if function is Aggregation.SUM and column.holds in (Holds.INTEGER, Holds.BOOLEAN):
            return f"(sum({self.quote(column.name)}) DIV 1)"
        return Dialect.compute(self, function, column)

    def _by_code_point(self, expression: str) -> str:
        return f"CONVERT({expression} USING utf8mb4) COLLATE {self.collation}"


MARIADB = MysqlDialect()
