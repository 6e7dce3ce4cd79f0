"""How SQLite writes it. Values have types of their own; a column's type is advice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.rows.dialects.model import Bind, Dialect
from rowgate.rows.model import Column, Function

_FINDERS = {
    Function.CONTAINS: "rowgate_holds",
    Function.STARTS_WITH: "rowgate_begins",
    Function.ENDS_WITH: "rowgate_ends",
}


@dataclass(frozen=True, slots=True)
class SqliteDialect(Dialect):
    """See `Dialect`. `rowgate_fold` is a function that engines/sqlite.py defines."""

    def limit(self, most: int | None, skipped: int, bind: Bind, *, is_ordered: bool) -> str:
        """See `Dialect`."""
        before = " LIMIT -1" if most is None and skipped else ""
        return before + Dialect.limit(self, most, skipped, bind, is_ordered=is_ordered)

    def exact(self, column: Column) -> str:
        """See `Dialect`."""
        return self.quote(column.name) + " COLLATE BINARY"

    def ignore_case(self, column: Column, folded: Sequence[str], bind: Bind, *, ordered: bool) -> str:  # noqa: ARG002
        """See `Dialect`.

        A value in ASCII needs only ASCII folding (rows/fold.py says why), which SQLite does by itself and can use an
        index for; other text is folded by a function.
        """
        name = self.quote(column.name)
        if all(text.isascii() and "\0" not in text for text in folded):  # NOCASE looks no further than a NUL
            return name + " COLLATE NOCASE"
        return f"CASE typeof({name}) WHEN 'text' THEN {_fold(name)} ELSE {name} END"

    def fold(
        self,
        expression: str,
        folded: Sequence[str],
        bind: Bind,  # noqa: ARG002 - the function folds whatever it is given
        *,
        ordered: bool = False,  # noqa: ARG002
    ) -> str:
        """See `Dialect`."""
        return self.lower_ascii(expression) if all(map(str.isascii, folded)) else _fold(expression)

    def find_any(self, function: Function, column: Column, parts: Sequence[str], bind: Bind, *, folds: bool) -> str:
        """See `Dialect`. One look-up for all of them, and one that can be ended."""
        name = _FINDERS[function] + ("_folded" if folds else "")
        return f"{name}(CAST({self.text(column)} AS BLOB), {bind(json.dumps(parts))})"

    def only_numbers(self, column: Column) -> str:
        """See `Dialect`."""
        name = self.quote(column.name)
        return f"CASE typeof({name}) WHEN 'integer' THEN {name} WHEN 'real' THEN {name} END"


def _fold(expression: str) -> str:
    # As bytes: text that is not valid UTF-8 does not reach a function as text.
    return f"rowgate_fold(CAST({expression} AS BLOB))"


SQLITE = SqliteDialect()
