"""Calls of SQL Server's stored procedures, and what its errors mean.

Rule: a call's transaction is rolled back and its connection is not used again. Nothing there reads only, so what a
procedure writes is undone; one that goes out of its way to commit is not hindered, which the documentation says.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy

from rowgate.engines.block_weight import BATCH_ROWS
from rowgate.engines.call_errors import refuse_values, refuse_writing
from rowgate.engines.driver_values import make_plain
from rowgate.engines.generic import GenericRun
from rowgate.engines.mssql_procedures import TOO_LONG
from rowgate.rows.errors import EngineFailure, EngineUnavailable, InvalidParameter, RowsError
from rowgate.rows.fold import fold
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Value
from rowgate.rows.procedures import Call, describe_type
from rowgate.rows.sql_call import render_call

if TYPE_CHECKING:
    from rowgate.engines.mssql_source import MssqlSource

_IN_TEXT = re.compile(r"\((\d+)\) \(SQL")  # as drivers of ODBC have an error's number
_NAME = re.compile(r"@([\w@#$]+)")
MISSING = 201  # a parameter that has no default was left out
_READ_ONLY = 3906  # the whole database
_ENDED = frozenset({266, 3902, 3903})  # more or fewer transactions than before, a COMMIT or ROLLBACK of none
_RAISED = 50_000  # and above: what procedures raise themselves
_OF_THE_VALUES = frozenset(
    {
        *(220, 232, 244, 248, 8115),  # a number is beyond its type
        *(241, 242, 295, 517),  # no such date, or beyond its type
        *(245, 8114, 8169),  # a text is no number, or no UUID
        *(2628, 8152),  # a text is too long
        *(515, 547, 2601, 2627),  # a table or its type does not take it
        8134,  # division by zero
        *range(9400, 9460),  # a text is no XML
    }
)
# a driver's names for the kinds of its types, and what is held of them where the server cannot tell more; the kind of
# binary data stands for much else too
_CODES = (
    ("NUMBER", "number", Family.NUMBER, Holds.DECIMAL),
    ("DECIMAL", "number", Family.NUMBER, Holds.DECIMAL),
    ("STRING", "text", Family.TEXT, Holds.TEXT),
    ("DATETIME", "moment", Family.MOMENT, Holds.ANYTHING),
)


class CalledRows(GenericRun):
    """The first result of a call; where it gives none, one row of what it hands out (OUTPUT).

    The whole procedure must have ended well for the rows to be all: what else it gives is read, and thrown away.
    """

    columns: Sequence[Column] = ()

    def __init__(self, source: "MssqlSource", connection: sqlalchemy.Connection, call: Call) -> None:
        _, statement = render_call(call, source.dialect)
        self._call = call
        super().__init__(source, connection, statement)

    def _start(self) -> Any:
        assert self._connection is not None, "internal error: a call that has ended"
        driver: Any = self._connection.connection.driver_connection
        cursor = driver.cursor()
        with contextlib.suppress(AttributeError):  # written in C
            driver.rowgate_cursor = cursor  # which may be what cancels
        cursor.execute(self._statement.text, self._statement.parameters)
        while cursor.description is None and cursor.nextset():
            pass
        if cursor.description is None:
            raise EngineUnavailable("The procedure cannot be called at the moment.", detail="it gives no rows")
        dialect = self._connection.dialect
        self.columns = list(_describe(cursor.description, self._call.procedure.columns, dialect.loaded_dbapi))
        return cursor

    def _fill(self, result: Any) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = super()._fill(result)
        if self.is_exhausted:
            while result.nextset():
                while result.description is not None and result.fetchmany(BATCH_ROWS):
                    pass
        return rows

    def _fail(self, error: Exception) -> RowsError:
        number = find_number(error)
        failed = super()._fail(error)
        if not isinstance(failed, (EngineFailure, InvalidParameter)) or number is None:
            return failed
        parameters = self._call.procedure.parameters
        if TOO_LONG <= number < TOO_LONG + len(parameters):
            field = f"parameters.{parameters[number - TOO_LONG].name}"
            return InvalidParameter(
                "The value is too long for the parameter.", field=field, expected="a shorter one", detail=failed.detail
            )
        named = _NAME.search(failed.detail) if number == MISSING else None
        missing = [one for one in parameters if named and fold(one.name) == fold(named[1])]
        if not missing:
            return failed
        return InvalidParameter(
            "A parameter is missing.",
            field=f"parameters.{missing[0].name}",
            expected=f"{missing[0].name} ({describe_type(missing[0].type)})",
            detail=failed.detail,
        )

    def read_block(self) -> list[tuple[Value, ...]]:
        """See `ports.RowBlocks`."""
        rows = make_plain(self._take())
        odd = [place for place, column in enumerate(self.columns) if column.family is Family.ANY]
        return [_write_numbers(row, odd) for row in rows] if odd else rows

    def close(self) -> None:
        """See `ports.RowBlocks`. Who knows what a procedure has left in its session: it is not used again."""
        self._let_go()


def _write_numbers(row: tuple[Value, ...], places: Sequence[int]) -> tuple[Value, ...]:
    """Give a row whose exact numbers are text where nobody has told that there would be numbers."""
    values = list(row)
    for place in places:
        value = values[place]
        values[place] = str(value) if isinstance(value, Decimal) else value
    return tuple(values)


def _describe(description: Sequence[Any], told: Sequence[Column], driver: Any) -> Iterator[Column]:
    """Give the columns of a result: as the server told of them, else as the driver does."""
    known = {column.name: column for column in told if column.holds is not Holds.ANYTHING}
    for name, code, *_ in description:
        yield known.get(str(name)) or _describe_by_code(str(name), code, driver)


def _describe_by_code(name: str, code: object, driver: Any) -> Column:
    for kind, declared, family, holds in _CODES:
        if code is not None and getattr(driver, kind, None) == code:
            return Column(name, declared, family, may_be_real=family is Family.NUMBER, holds=holds)
    return Column(name, "", Family.ANY, may_be_real=True)


def find_number(error: Exception) -> int | None:
    """Give SQL Server's number of an error, from whichever driver."""
    inner = getattr(error, "orig", None) or error
    first = inner.args[0] if getattr(inner, "args", ()) else None
    for number in (getattr(inner, "number", None), first):
        if isinstance(number, int):
            return number
    found = _IN_TEXT.search(str(inner))
    return int(found[1]) if found else None


def translate_call_error(error: RowsError, number: int | None) -> RowsError:
    """Give the refusal of a call for what failed in it; other errors as they are."""
    if number is None or not isinstance(error, (EngineFailure, InvalidParameter)):
        return error
    if number == _READ_ONLY:
        return refuse_writing(error.detail)
    if number in _ENDED:
        return EngineFailure("The procedure ends a transaction that is not its own.", detail=error.detail)
    if number >= _RAISED or number in _OF_THE_VALUES:
        return refuse_values(error.detail)
    return error
