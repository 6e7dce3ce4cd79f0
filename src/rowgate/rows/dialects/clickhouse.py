"""How ClickHouse writes it. Text is bytes there, which compare as their code points do; blanks at its end count."""

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.rows.dialects.model import Bind, Dialect
from rowgate.rows.dialects.standard import StandardDialect
from rowgate.rows.holds import Holds
from rowgate.rows.model import Aggregation, Column

_TYPES = {
    Holds.DATE: "toDate32({})",
    Holds.MOMENT: "parseDateTime64BestEffort({}, 6, 'UTC')",
    Holds.INSTANT: "parseDateTime64BestEffort({}, 6, 'UTC')",
    Holds.UUID: "toUUID({})",
}
_WIDE = re.compile("128|256")  # whole numbers of so many bits
_REALS = (Holds.REAL, Holds.SINGLE)
_MOMENTS = (Holds.MOMENT, Holds.INSTANT)


@dataclass(frozen=True, slots=True)
class ClickhouseDialect(StandardDialect):
    """See `Dialect`. Needs `aggregate_functions_null_for_empty`, or what is computed of no rows would be 0."""

    holds_nul: bool = True
    orders_by_code_point: bool = True
    finds_part_first: bool = False
    pages_by_limit: bool = True
    finds_by: str = "position({text}, {part})"

    def quote(self, name: str) -> str:
        """See `Dialect`. A backslash begins an escape, in names too."""
        return StandardDialect.quote(self, name.replace("\\", "\\\\"))

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        return _TYPES.get(column.holds, "{}").format(place)

    def find_nan(self, expression: str, column: Column) -> str:
        """See `Dialect`."""
        return f"isNaN({expression})" if column.holds in _REALS else ""

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:  # noqa: ARG002
        """See `Dialect`. Of what ends with `LIMIT 0` the driver asks for the columns alone, in another way."""
        text = f" LIMIT ({bind(most)})" if most is not None else ""
        return text + (f" OFFSET {bind(skipped)}" if skipped else "")

    def name_derived(self, width: int) -> str:
        """See `Dialect`."""
        return Dialect.name_derived(self, width)

    def put_nulls(self, expression: str, directed: str, *, first: bool) -> str:
        """See `Dialect`."""
        return Dialect.put_nulls(self, expression, directed, first=first)

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`. The driver would give it in the column's zone, or the server's."""
        return f"toDateTime64({expression}, 6, 'UTC')" if column.holds in _MOMENTS else expression

    def text(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        if column.holds in _MOMENTS:  # as it is written in the answer: with a T, and no zeros at the end
            stamp = f"replaceOne(toString(toDateTime64({name}, 6, 'UTC')), ' ', 'T')"
            zone = ", '+00:00'" if column.holds is Holds.INSTANT else ", ''"
            return f"concat(trim(TRAILING '.' FROM trim(TRAILING '0' FROM {stamp})){zone})"
        return name if column.holds is Holds.TEXT else f"toString({name})"

    def fold(self, expression: str, folded: Sequence[str], bind: Bind, *, ordered: bool = False) -> str:
        """See `Dialect`."""
        text = f"translate({expression}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"
        upper, lower = self.list_foldings(folded, ordered=ordered)
        return f"translateUTF8({text}, {bind(upper)}, {bind(lower)})" if upper else text

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"leftUTF8({expression}, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"rightUTF8({expression}, {length})"

    def compute(self, function: Aggregation, column: Column) -> str:
        """See `Dialect`. A sum of whole numbers that is beyond 64 bits would begin anew, and say nothing."""
        if function is Aggregation.SUM and column.holds is Holds.INTEGER:
            name, is_wide = self.quote(column.name), _WIDE.search(column.declared_type)
            added = f"accurateCast({name}, 'Nullable(Int256)')" if is_wide else f"toInt128({name})"
            return f"accurateCast(sum({added}), 'Nullable(Int64)')"
        return StandardDialect.compute(self, function, column)

    @property
    def double(self) -> str:
        """See `StandardDialect`."""
        return "Nullable(Float64)"


CLICKHOUSE = ClickhouseDialect()
