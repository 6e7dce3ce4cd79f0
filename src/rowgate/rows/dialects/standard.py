"""How the SQL standard has it, for engines that nothing else is known of; and for those that keep to it but for words.

Text compares as the engine's own columns do, unless an engine's dialect says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.rows.dialects.model import Bind, Dialect
from rowgate.rows.holds import Holds
from rowgate.rows.model import Aggregation, Column

_TYPES = {Holds.DATE: "DATE", Holds.TIME: "TIME", Holds.MOMENT: "TIMESTAMP"}


@dataclass(frozen=True, slots=True)
class StandardDialect(Dialect):
    """See `Dialect`. Where NULL comes is always said, in words that every engine has."""

    null_is_least: bool | None = None
    holds_nul: bool = False
    orders_by_code_point: bool = False
    finds_part_first: bool = True
    quotes: tuple[str, str] = ('"', '"')
    places: str = "?"  # `{}` becomes the number
    doubles_percent: bool = False  # the driver takes a lone percent sign for a place
    pages_by_limit: bool = False  # LIMIT and OFFSET, where the standard has FETCH
    finds_by: str = "POSITION({part} IN {text})"
    text_type: str = "VARCHAR(4000)"

    def quote(self, name: str) -> str:
        """See `Dialect`."""
        opening, closing = self.quotes
        quoted = opening + name.replace(closing, closing * 2) + closing
        return quoted.replace("%", "%%") if self.doubles_percent else quoted

    def place(self, number: int) -> str:
        """See `Dialect`."""
        return self.places.format(number)

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        return f"CAST({place} AS {_TYPES[column.holds]})" if column.holds in _TYPES else place

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:
        """See `Dialect`."""
        if self.pages_by_limit:
            return Dialect.limit(self, most, skipped, bind, is_ordered=is_ordered)
        text = f" OFFSET {bind(skipped)} ROWS" if skipped else ""
        return text + (f" FETCH NEXT {bind(most)} ROWS ONLY" if most is not None else "")

    def name_derived(self, width: int) -> str:
        """See `Dialect`. Not every engine has a name for what was computed, or the word AS here."""
        return f"counted ({', '.join(f'c{number}' for number in range(1, width + 1))})"

    def put_nulls(self, expression: str, directed: str, *, first: bool) -> str:
        """See `Dialect`."""
        return f"CASE WHEN {expression} IS NULL THEN {0 if first else 1} ELSE {1 if first else 0} END, {directed}"

    def plain(self, column: Column) -> str:
        """See `Dialect`."""
        return self.text(column) if column.holds is Holds.OTHER else self.quote(column.name)

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        return name if column.holds is Holds.TEXT else f"CAST({name} AS {self.text_type})"

    def fold(self, expression: str, folded: Sequence[str], bind: Bind, *, ordered: bool = False) -> str:
        """See `Dialect`. Letter by letter: LOWER knows other letters on every engine."""
        return self.fold_by_letters(expression, folded, bind, ordered=ordered)

    def find(self, expression: str, part: str) -> str:
        """See `Dialect`."""
        return self.finds_by.format(text=expression, part=part)

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"SUBSTRING({expression} FROM 1 FOR {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        size = f"CHAR_LENGTH({expression})"
        return (
            f"CASE WHEN {size} >= {length} THEN SUBSTRING({expression} FROM {size} - {length - 1} FOR {length}) "
            f"ELSE {expression} END"
        )

    def compute(self, function: Aggregation, column: Column) -> str:
        """See `Dialect`. The mean of whole numbers would be whole, and booleans are not added."""
        name = self.quote(column.name)
        if function in (Aggregation.SUM, Aggregation.AVG) and column.holds is Holds.BOOLEAN:
            name = f"CASE WHEN {name} = {self.true} THEN 1 WHEN {name} IS NOT NULL THEN 0 END"
        if function is Aggregation.AVG:
            return f"avg(CAST({name} AS {self.double}))"
        return f"sum({name})" if function is Aggregation.SUM else Dialect.compute(self, function, column)

    @property
    def true(self) -> str:
        """The boolean."""
        return "TRUE"

    @property
    def double(self) -> str:
        """The type of floating-point numbers."""
        return "DOUBLE PRECISION"


STANDARD = StandardDialect()
