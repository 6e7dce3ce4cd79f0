"""Calls of MariaDB's and MySQL's stored procedures.

Rule: what a procedure does is done within an XA transaction that only reads. An ordinary one would not do: a procedure
may end that and begin another that writes, with its owner's rights. This one only ends by its name, which is random.
"""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pymysql
import sqlalchemy
from pymysql.constants import ER

from rowgate.engines.block_weight import BATCH_ROWS
from rowgate.engines.call_errors import refuse_values, refuse_writing
from rowgate.engines.generic import GenericRows
from rowgate.engines.mysql_results import describe_fields
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.errors import EngineFailure, EngineUnavailable, InvalidParameter, RowsError
from rowgate.rows.model import Column
from rowgate.rows.procedures import Call
from rowgate.rows.sql_call import render_call

if TYPE_CHECKING:
    from rowgate.engines.mariadb import MariadbManner
    from rowgate.engines.mariadb_source import MariadbSource

_NAME_BYTES = 16
_LEAST_SECONDS = 0.001  # none would be without limit
_READ_ONLY = 1792  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
_TRIED_TO_WRITE = frozenset({_READ_ONLY, ER.XAER_RMFAIL, ER.XAER_NOTA, ER.XAER_OUTSIDE})
_OF_THE_VALUES = frozenset(
    {
        ER.TRUNCATED_WRONG_VALUE,
        ER.TRUNCATED_WRONG_VALUE_FOR_FIELD,
        ER.WARN_DATA_OUT_OF_RANGE,
        ER.DATA_TOO_LONG,
        ER.DIVISION_BY_ZERO,
        ER.BAD_NULL_ERROR,
        1644,  # ER_SIGNAL_EXCEPTION: what a procedure raises itself
        ER.SP_FETCH_NO_DATA,
        1525,  # ER_WRONG_VALUE
        ER.ILLEGAL_VALUE_FOR_TYPE,
        1690,  # ER_DATA_OUT_OF_RANGE
    }
)


class QueriedRows(GenericRows):
    """The result of a declared query. A function in it may have its owner's rights, and set the session to write.

    So the transaction begins before it, which no function can end, and the session is not used again.
    """

    def _start(self) -> Any:
        assert self._connection is not None, "internal error: a read that has ended"
        self._connection.exec_driver_sql("START TRANSACTION READ ONLY").close()
        return super()._start()

    def close(self) -> None:
        """See `ports.RowBlocks`."""
        self._let_go()


class ResultRows(QueriedRows):
    """The same, with the columns of its result, also where it has no rows: a look may run what does not change."""

    columns: Sequence[Column] = ()

    def _start(self) -> Any:
        result = super()._start()
        self.columns = describe_fields(result.cursor._result.fields)  # noqa: SLF001 - the driver tells it nowhere else
        return result


class CalledRows(GenericRows):
    """The first result of a call; where it gives none, one row of what it hands out (OUT, INOUT).

    The whole procedure must have ended well for the rows to be all: what else it gives is read, and thrown away.
    """

    columns: Sequence[Column] = ()

    def __init__(
        self, source: "MariadbSource", connection: sqlalchemy.Connection, call: Call, dialect: Dialect
    ) -> None:
        self._preparing, statement = render_call(call, dialect)
        self._outcome = call.procedure.outcome
        self._manner: MariadbManner = source.manner
        super().__init__(source, connection, statement)

    def _start(self) -> Any:
        assert self._connection is not None, "internal error: a call that has ended"
        driver: Any = self._connection.connection.driver_connection
        self._manner.check_call(driver, seconds=max(self.seconds_left, _LEAST_SECONDS))
        cursor = driver.cursor(pymysql.cursors.SSCursor)
        cursor.execute("XA START %s", (secrets.token_hex(_NAME_BYTES),))
        if self._preparing is not None:
            cursor.execute(self._preparing.text, self._preparing.parameters)
        cursor.execute(self._statement.text, self._statement.parameters)
        while cursor.description is None and cursor.nextset():
            pass
        if cursor.description is None and self._outcome:
            cursor.execute(self._outcome, ())
        if cursor.description is None:
            raise EngineUnavailable("The procedure cannot be called at the moment.", detail="it gives no rows")
        self.columns = describe_fields(cursor._result.fields)  # noqa: SLF001 - the driver tells it nowhere else
        return cursor

    def _fill(self, result: Any) -> list[Sequence[Any]]:
        rows: list[Sequence[Any]] = super()._fill(result)
        if self.is_exhausted:
            while result.nextset():
                while result.fetchmany(BATCH_ROWS):
                    pass
        return rows

    def close(self) -> None:
        """See `ports.RowBlocks`. Who knows what a procedure has left in its session: it is not used again."""
        self._let_go()


def translate_call_error(error: RowsError, raised: Exception) -> RowsError:
    """Give the refusal of a call for what failed in it; other errors as they are."""
    code = raised.args[0] if raised.args else None
    if not isinstance(error, (EngineFailure, InvalidParameter)):
        return error
    if code in _TRIED_TO_WRITE:
        return refuse_writing(error.detail)
    if code in _OF_THE_VALUES:
        return refuse_values(error.detail)
    return error
