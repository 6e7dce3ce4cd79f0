"""What a call gave, held so that it can be read from as a table is: filtered, grouped, sorted, by a policy or a page.

For procedures that cannot stand in a query. It lies in a private database of SQLite's that has no name and goes with
its connection: in memory while it is small, else in a file that nobody else can open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import apsw

from rowgate.engines.sqlite import SqliteRows
from rowgate.engines.sqlite_connection import ReadingConnection, define_functions
from rowgate.engines.sqlite_errors import translate_error
from rowgate.engines.sqlite_permissions import allow_reading
from rowgate.ports.calls import HELD
from rowgate.ports.rows import RowBlocks
from rowgate.rows.dialects.sqlite import SqliteDialect
from rowgate.rows.errors import EngineUnavailable, InvalidParameter, StatementCancelled
from rowgate.rows.fold import fold
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Plan, Row, Statement, Value
from rowgate.rows.procedures import Call

MAX_RESULT_BYTES = 2_147_483_648  # 2 GiB
_PAGE_BYTES = 4096
_CACHE_KIBIBYTES = 16_384  # 16 MiB, of what is held
_TIMED = (Holds.TIME, Holds.MOMENT, Holds.INSTANT)
_EXACT = "\x1fexact"  # behind a column's name: the same as it came
_NOT_HELD = (Holds.DECIMAL, Holds.BOOLEAN)  # SQLite's numbers have no room for every digit, and it has no booleans
_FRACTION_DIGITS = 6
_LEAST, _BEYOND = -(2**63), 2**63  # of SQLite's whole numbers


class CalledBlocks(RowBlocks, Protocol):
    """The result of a call, block by block."""

    @property
    def columns(self) -> Sequence[Column]:
        """Its columns, once the first block was read."""


@dataclass(frozen=True, slots=True)
class HeldDialect(SqliteDialect):
    """See `Dialect`. Moments are held as values for them are written, so that their texts compare."""

    def show(self, expression: str, column: Column) -> str:
        """See `Dialect`."""
        if column.holds in _TIMED:
            return f"rowgate_trim({expression})"
        is_itself = expression in (self.plain(column), self.exact(column))
        return self.quote(column.name + _EXACT) if column.holds in _NOT_HELD and is_itself else expression


class HeldResult:
    """See `ports.HeldCall`."""

    dialect = HeldDialect()

    def __init__(self, call: Call, blocks: CalledBlocks) -> None:
        """Take the call and its result, which has not begun."""
        self.columns: Sequence[Column] = ()
        self._call = call
        self._blocks: CalledBlocks | None = blocks
        self._cancelled = False
        self._connection = ReadingConnection("")
        self._connection.pragma("journal_mode", "off")
        self._connection.pragma("synchronous", 0)
        self._connection.pragma("cache_size", -_CACHE_KIBIBYTES)
        self._connection.pragma("page_size", _PAGE_BYTES)

    def hold(self) -> None:
        """See `ports.HeldCall`."""
        blocks = self._blocks
        assert blocks is not None, "internal error: a call that has ended"
        try:
            rows = blocks.read_block()
            self.columns = _require_columns(self._call, blocks.columns)
            insert, take = self._make_table()
            self._connection.execute("BEGIN")  # without a journal there is no rolling back, and nothing to go back to
            self._connection.executemany(insert, map(take, rows))
            while not blocks.is_exhausted:
                self._refuse_too_much()
                self._connection.executemany(insert, map(take, blocks.read_block()))
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise translate_error(error) from error
        finally:
            self.close()
        self._connection.pragma("query_only", 1)
        define_functions(self._connection, "UTF-8")
        self._connection.create_scalar_function("rowgate_trim", _trim, 1, deterministic=True)
        self._connection.set_authorizer(allow_reading)
        if any(column.holds in _NOT_HELD for column in self.columns):
            self._connection.row_trace = _restore

    def cancel(self) -> None:
        """See `ports.HeldCall`."""
        self._cancelled = True
        if (blocks := self._blocks) is not None:
            blocks.cancel()

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> RowBlocks:
        """See `ports.HeldCall`."""
        if self._cancelled:
            raise StatementCancelled("The read was cancelled.")
        values = tuple([float(v) if isinstance(v, Decimal) else v for v in statement.parameters])
        return SqliteRows(self, self._connection, Statement(statement.text, values), statement_seconds)

    def estimate_rows(self, plan: Plan) -> int | None:  # noqa: ARG002 - the port's shape
        """See `ports.HeldCall`."""
        return None

    def close(self) -> None:
        """See `ports.HeldCall`."""
        blocks, self._blocks = self._blocks, None
        if blocks is not None:
            blocks.close()

    def give_back(self, connection: ReadingConnection, *, is_good: bool) -> None:
        """See `SqliteRows`: another statement may read from it."""

    def look_again(self) -> None:
        """See `SqliteRows`: what is held does not change."""

    def _refuse_too_much(self) -> None:
        if self._connection.pragma("page_count") * _PAGE_BYTES > MAX_RESULT_BYTES:
            raise InvalidParameter(
                "The procedure gives more than the server holds of a result.",
                field="parameters",
                expected="values with which it gives less",
            )

    def _make_table(self) -> tuple[str, Callable[[Row], Sequence[Value]]]:
        """Make the table; give the statement that fills it, and what makes its values of a row."""
        quote = self.dialect.quote
        exact = [place for place, column in enumerate(self.columns) if column.holds in _NOT_HELD]
        timed = [place for place, column in enumerate(self.columns) if column.holds in _TIMED]
        names = [column.name for column in self.columns] + [self.columns[place].name + _EXACT for place in exact]
        self._connection.execute(f"CREATE TABLE {HELD} ({', '.join(map(quote, names))})")

        def take(row: Row) -> Sequence[Value]:
            if not exact and not timed:
                return row
            values = list(row)
            for place in timed:
                values[place] = _pad(values[place])
            for place in exact:
                values.append(_keep(row[place]))
                values[place] = _make_number(row[place])
            return values

        return f"INSERT INTO {HELD} VALUES ({', '.join('?' * len(names))})", take  # noqa: S608 - places alone


def _require_columns(call: Call, columns: Sequence[Column]) -> Sequence[Column]:
    """Give the columns, where requests and policies can speak of each, and they are those that were told."""
    names = [fold(column.name) for column in columns]
    told = [column.name for column in call.procedure.columns]
    fault = ""
    if not all(names) or len(set(names)) < len(names):
        fault = "its columns need names, each of its own"
    elif told and told != [column.name for column in columns]:
        fault = f"it is said to give the columns {', '.join(told)}"
    elif any("\0" in name or "\x1f" in name for name in names):
        fault = "a column's name has a character that no name has"
    if fault:
        raise EngineUnavailable("The procedure cannot be called at the moment.", detail=fault)
    return columns


def _keep(value: Value) -> Value:
    return value if value is None or isinstance(value, bool) else str(value)


def _make_number(value: Value) -> Value:
    if value is None or (isinstance(value, int) and _LEAST <= value < _BEYOND):
        return value
    return float(value)  # to sort and compare by


def _pad(value: Value) -> Value:
    """Give a moment with all digits of its fraction, or none, as values for it are written (rows/suit.py)."""
    if not isinstance(value, str) or "." not in value:
        return value
    whole, _, rest = value.partition(".")
    digits = rest[: next((place for place, sign in enumerate(rest) if not sign.isdigit()), len(rest))]
    return f"{whole}.{digits.ljust(_FRACTION_DIGITS, '0')}{rest[len(digits) :]}"


def _trim(*values: Any) -> Any:
    """Give a moment as every engine writes it, without zeros at the end of its fraction."""
    value = values[0]
    if not isinstance(value, str) or "." not in value:
        return value
    whole, _, rest = value.partition(".")
    return f"{whole}.{rest[:_FRACTION_DIGITS].rstrip('0')}{rest[_FRACTION_DIGITS:]}"


def _restore(cursor: apsw.Cursor, row: Row) -> Row:
    """Give the first row with its exact numbers, and have the others of the result made likewise."""
    places = [place for place, told in enumerate(cursor.get_description()) if told[0].endswith(_EXACT)]

    def restore(_: apsw.Cursor, row: Row) -> Row:
        values = list(row)
        for place in places:
            value = values[place]
            values[place] = Decimal(value) if isinstance(value, str) else None if value is None else bool(value)
        return tuple(values)

    cursor.row_trace = restore
    return restore(cursor, row)
