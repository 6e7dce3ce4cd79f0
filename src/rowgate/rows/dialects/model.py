"""What a dialect is: how an engine writes what differs between engines; the SQL standard's way where there is one.

An engine's own dialect overrides what it writes otherwise. Names reach these methods as columns of the catalog, values
never: a place stands for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from rowgate.rows.fold import list_foldings
from rowgate.rows.model import Aggregation, Column, Family, Function, ObjectDescription, Value

Bind = Callable[[Value], str]  # gives the place that stands for a value


@dataclass(frozen=True, slots=True)
class Dialect:
    """Expressions are SQL text that was made here; `column` is always one of the catalog's."""

    null_is_least: bool | None = True  # by itself, so that saying so is not needed; None: always say where NULL comes
    holds_nul: bool = True  # a text may hold the character U+0000
    orders_by_code_point: bool = True  # then texts that begin alike stand together, from the beginning itself on
    finds_part_first: bool = False  # `find` writes the part before the text that holds it

    def quote(self, name: str) -> str:
        """Give an identifier."""
        return '"' + name.replace('"', '""') + '"'

    def find_source(self, described: ObjectDescription) -> str:
        """Give what rows are read from."""
        return ".".join([self.quote(part) for part in described.path])

    def place(self, number: int) -> str:  # noqa: ARG002 - for engines that number them
        """Give what stands for the value of this number, from 1; places are made in the order of the text."""
        return "?"

    def cast(self, place: str, column: Column) -> str:  # noqa: ARG002 - for engines that keep to types
        """Give a place as a value of the column's type (`Holds`)."""
        return place

    def note(self, column: Column) -> str:
        """Give a value of the column as `cast_noted` takes it: all of it, whatever is shown."""
        return self.show(self.plain(column), column)

    def cast_noted(self, place: str, column: Column) -> str:
        """Give a place as the value that was noted."""
        return self.cast(place, column)

    def find_nan(self, expression: str, column: Column) -> str:  # noqa: ARG002 - for engines where it is equal to nothing
        """Give a condition: a value of the column's type is no number; empty: it compares and sorts as the greatest."""
        return ""

    def list_sorted(self, expression: str, column: Column) -> tuple[str, ...]:
        """Give what is sorted by, one after the other, so that no number is the greatest."""
        nan = self.find_nan(expression, column)
        return (nan, expression) if nan else (expression,)

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:  # noqa: ARG002 - for engines that page what is ordered only
        """Give the clause that takes so many rows (None: all) after those that are skipped; it stands last."""
        return (f" LIMIT {bind(most)}" if most is not None else "") + (f" OFFSET {bind(skipped)}" if skipped else "")

    def name_derived(self, width: int) -> str:  # noqa: ARG002 - for engines that want a name for each column
        """Give what stands behind a query of so many columns that is read from."""
        return "AS counted"

    def put_nulls(self, expression: str, directed: str, *, first: bool) -> str:  # noqa: ARG002 - for engines without these words
        """Give what sorts NULL first or last, where it would not come there by itself.

        Args:
            expression: What is sorted by.
            directed: The same, with DESC behind it if it descends.
            first: Where NULL comes.
        """
        return f"{directed} NULLS {'FIRST' if first else 'LAST'}"

    def plain(self, column: Column) -> str:
        """Give the column as it compares by itself, which an ordinary index serves."""
        return self.quote(column.name)

    def spelled(self, column: Column, values: Sequence[object]) -> str:  # noqa: ARG002 - for engines with character sets
        """Give the same, or, where it cannot be compared with one of the values by itself, as it can."""
        return self.plain(column)

    def sorted(self, column: Column) -> str:
        """Give the column as `orderby` sorts, and as the least and the greatest are found."""
        return self.plain(column)

    def exact(self, column: Column) -> str:
        """Give the column so that only equal values are equal, and text sorts by code point."""
        return self.plain(column)

    def same(self, column: Column) -> str:
        """Give the column so that only equal values are equal, for an index if one can serve."""
        return self.exact(column)

    def narrows(self, column: Column, values: Sequence[Value], *, match_case: bool) -> bool:  # noqa: ARG002 - for engines whose collations do
        """Tell whether what is equal to one of the values is so by the column itself too: an index finds it."""
        return False

    def show(self, expression: str, column: Column) -> str:  # noqa: ARG002 - for types that need it
        """Give a value of the column's type as it stands in the answer."""
        return expression

    def text(self, column: Column) -> str:
        """Give the column as text."""
        return self.quote(column.name)

    def ignore_case(self, column: Column, folded: Sequence[str], bind: Bind, *, ordered: bool) -> str:
        """Give a column that may hold text so that it compares with folded values, ignoring case."""
        return self.fold(self.text(column), folded, bind, ordered=ordered)

    def fold(self, expression: str, folded: Sequence[str], bind: Bind, *, ordered: bool = False) -> str:
        """Give a text folded as rows/fold.py does, as far as comparing it with these folded texts needs it."""
        lowered = self.lower_ascii(expression)
        upper, lower = self.list_foldings(folded, ordered=ordered)
        return f"translate({lowered}, {bind(upper)}, {bind(lower)})" if upper else lowered

    def fold_by_letters(self, expression: str, folded: Sequence[str], bind: Bind, *, ordered: bool) -> str:
        """Give the same as `fold`, letter by letter: for engines without `translate`, or whose `lower` knows others."""
        wanted = ascii_lowercase if ordered else [c for c in ascii_lowercase if any(c in text for text in folded)]
        text = expression
        for letter in wanted:
            text = f"REPLACE({text}, '{letter.upper()}', '{letter}')"
        for upper, lower in zip(*self.list_foldings(folded, ordered=ordered), strict=True):
            text = f"REPLACE({text}, {bind(upper)}, {bind(lower)})"
        return text

    def list_foldings(self, folded: Sequence[str], *, ordered: bool) -> tuple[str, str]:
        """Give which characters must be replaced by which; see `fold.list_foldings`."""
        return list_foldings(folded, ordered=ordered)

    def lower_ascii(self, expression: str) -> str:
        """Give a text with A to Z as small letters, and nothing else changed."""
        return f"lower({expression})"

    def find(self, expression: str, part: str) -> str:
        """Give where a text holds another, from 1; 0: nowhere."""
        return f"instr({expression}, {part})"

    def find_any(
        self,
        function: Function,  # noqa: ARG002 - for an engine with such functions
        column: Column,  # noqa: ARG002
        parts: Sequence[str],  # noqa: ARG002
        bind: Bind,  # noqa: ARG002
        *,
        folds: bool,  # noqa: ARG002
    ) -> str:
        """Give a condition: the column's text holds one of several; empty: each is looked for by itself.

        Args:
            function: Where it holds it: anywhere, at its start or at its end.
            column: Of which the text is.
            parts: Folded, if the text is to be.
            bind: Gives the place that stands for a value.
            folds: Whether case is ignored.
        """
        return ""

    def take_first(self, expression: str, length: int) -> str:
        """Give the first characters of a text."""
        return f"substr({expression}, 1, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """Give the last characters of a text."""
        return f"substr({expression}, -{length}, {length})"

    def by_code_point(self, column: Column) -> tuple[str, str, str]:
        """Give a column of text, and the operators "at least" and "less" that compare it by code point."""
        return self.exact(column), ">=", "<"

    def compute(self, function: Aggregation, column: Column) -> str:
        """Give an aggregate of a column, as it is sorted by."""
        match function:
            case Aggregation.COUNT_DISTINCT:
                return f"count(DISTINCT {self.exact(column)})"
            case Aggregation.MIN | Aggregation.MAX:
                return f"{function.value}({self.sorted(column)})"
            case Aggregation.SUM | Aggregation.AVG if column.family is Family.ANY:
                return f"{function.value}({self.only_numbers(column)})"
            case _:
                return f"{function.value}({self.quote(column.name)})"

    def only_numbers(self, column: Column) -> str:
        """Give a column without a declared type, NULL where it holds no number."""
        return self.quote(column.name)
