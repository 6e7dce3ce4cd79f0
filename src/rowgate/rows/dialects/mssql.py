"""How SQL Server writes it. Held against its documentation only: no server was at hand.

Its collations ignore case as they are declared, so text that is compared is given one that compares by code point.
Blanks at the end of a text do not count there, which no collation changes.
"""

from dataclasses import dataclass

from rowgate.rows.dialects.model import Bind
from rowgate.rows.dialects.standard import StandardDialect
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column

_TYPES = {
    Holds.DATE: "date",
    Holds.TIME: "time(6)",
    Holds.MOMENT: "datetime2(6)",
    Holds.INSTANT: "datetimeoffset(6)",
    Holds.UUID: "uniqueidentifier",
}


@dataclass(frozen=True, slots=True)
class MssqlDialect(StandardDialect):
    """See `Dialect`."""

    null_is_least: bool | None = True
    quotes: tuple[str, str] = ("[", "]")
    places: str = "%s"
    finds_by: str = "CHARINDEX({part}, {text})"
    text_type: str = "nvarchar(4000)"

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        return f"CAST({place} AS {_TYPES[column.holds]})" if column.holds in _TYPES else place

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:
        """See `Dialect`. It pages only what is ordered, and takes the first rows only after an OFFSET."""
        if most is None and not skipped:
            return ""
        text = ("" if is_ordered else " ORDER BY (SELECT NULL)") + f" OFFSET {bind(skipped)} ROWS"
        return text + (f" FETCH NEXT {bind(most)} ROWS ONLY" if most is not None else "")

    def sorted(self, column: Column) -> str:
        """See `Dialect`."""
        return self.exact(column)

    def exact(self, column: Column) -> str:
        """See `Dialect`."""
        is_text = column.holds in (Holds.TEXT, Holds.OTHER)
        return self._by_code_point(self.text(column)) if is_text else self.plain(column)

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds is Holds.TEXT:
            return self._by_code_point(name)
        style = ", 126" if column.holds in (Holds.MOMENT, Holds.DATE) else ""  # ISO 8601
        return self._by_code_point(f"CONVERT({self.text_type}, {name}{style})")

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"LEFT({expression}, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"RIGHT({expression}, {length})"

    @property
    def true(self) -> str:
        """See `StandardDialect`."""
        return "1"

    @property
    def double(self) -> str:
        """See `StandardDialect`."""
        return "float"

    def _by_code_point(self, expression: str) -> str:
        suffix = " COLLATE Latin1_General_100_BIN2"
        return expression if expression.endswith(suffix) else expression + suffix


MSSQL = MssqlDialect()
