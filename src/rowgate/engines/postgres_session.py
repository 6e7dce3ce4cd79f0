"""One connection to a PostgreSQL database, with at most one statement on it.

One that has failed is never used again unless it has answered to the end, and none in which a statement has set what
the server then reports (postgres_settings.py).
"""

import select
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from typing import Any

import psycopg
from psycopg import pq

from rowgate.engines.postgres_errors import UNREADABLE, translate_error
from rowgate.engines.postgres_settings import SessionSettings
from rowgate.engines.postgres_values import ResultReader, write_parameters
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError
from rowgate.rows.model import Value

ASK_SECONDS = 20  # for what is asked of the catalog and of the planner
_ASKED_ROWS = 1000
_CANCEL_SECONDS = 2.0
_LAG_SECONDS = 0.0002  # in which a server writes some 50 KiB; its socket holds more
_NOT_ALLOWED = b"42501"
_FIRST_WITH_GENERIC_PLANS = 160_000


class Session:
    """One connection, with at most one statement on it."""

    def __init__(self, connection: psycopg.Connection, settings: SessionSettings) -> None:
        self.connection = connection
        self.was_idle = False
        self.last_code = ""  # SQLSTATE of the last error
        self._pq = connection.pgconn
        self._is_condemned = False
        self._settings = settings
        self._poll = select.poll()
        self._poll.register(self._pq.socket, select.POLLIN)

    @property
    def is_lost(self) -> bool:
        """Whether the connection is of no use any more."""
        return self._is_condemned or self._pq.status != pq.ConnStatus.OK

    @property
    def is_good(self) -> bool:
        """Whether its statement has left it as it was; before the next one see `is_quiet`."""
        return not self.is_lost and self._pq.transaction_status == pq.TransactionStatus.IDLE and self._settings.hold

    @property
    def is_quiet(self) -> bool:
        """Whether the server of a good session that was idle has said nothing: it speaks only to say goodbye."""
        return not self.is_lost and not self._poll.poll(0)

    def list_changed(self) -> list[str]:
        """Give what a statement has set for the whole session of how values are written."""
        return self._settings.list_changed()

    def reset(self) -> list[str]:
        """Set everything as at first, after code of the database's own has run; give what may have shown in rows."""
        changed = self._settings.list_changed()
        found = self._settings.apply_again()
        self._is_condemned |= found is None
        return changed + (found or [])

    def send(self, text: str, parameters: Sequence[tuple[bytes | None, int]], *, chunk_rows: int) -> None:
        """Send a statement; its rows come in chunks."""
        try:
            self._pq.send_query_params(
                text.encode(),
                [value for value, _ in parameters],
                param_formats=[form for _, form in parameters],
            )
        except psycopg.Error as error:
            if self._pq.status == pq.ConnStatus.OK:
                raise EngineFailure("The database could not answer.", detail=str(error)) from error
            self._is_condemned = True
            return  # taking the result tells
        self._pq.set_chunked_rows_mode(chunk_rows)

    def find_result(self) -> pq.abc.PGresult | None:
        """Give the next result if it is there."""
        return None if self._is_condemned or self._pq.is_busy() else self._pq.get_result()

    def wait(self, seconds: float) -> bool:
        """Tell whether the next result is there, after waiting for it so long at most."""
        if self.is_lost or not self._pq.is_busy():
            return True
        self._poll.poll(seconds * 1000)
        try:
            self._pq.consume_input()
        except psycopg.Error:
            self._is_condemned = True
            return True
        return not self._pq.is_busy()

    def take_result(self) -> pq.abc.PGresult:
        """Give the next result; `wait` has told that it is there.

        Raises:
            EngineUnavailable: The connection is gone.
        """
        result = None if self._is_condemned else self._pq.get_result()
        if result is None:
            self._is_condemned = True
            raise EngineUnavailable(UNREADABLE, detail=tell_fault(self._pq))
        return result

    def take_error(self, result: pq.abc.PGresult) -> RowsError:
        """Give the refusal that stands for an error of the server's, and be ready for the next statement."""
        code = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        self.last_code = code
        detail = f"{code}: {result.error_message.decode('utf-8', 'replace').strip()}"
        self.finish()
        return translate_error(code or "08006", detail)

    def attempt(self, text: str) -> str:
        """Run statements and undo them; give the SQLSTATE of their error, or an empty text when they worked.

        Raises:
            EngineUnavailable: The connection is gone.
        """
        result = self._pq.exec_(text.encode())
        code = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        self._pq.exec_(b"ROLLBACK")
        if self.is_lost:
            raise EngineUnavailable(UNREADABLE, detail=tell_fault(self._pq))
        return code

    def begin_copy(self, text: str) -> None:
        """Send a statement that copies out; its first result tells whether it does."""
        try:
            self._pq.send_query_params(text.encode(), None)  # takes one statement and no more
        except psycopg.Error as error:
            if self._pq.status == pq.ConnStatus.OK:
                raise EngineFailure("The database could not answer.", detail=str(error)) from error
            self._is_condemned = True  # taking the result tells

    def take_lines(self, lines: list[bytes], most: int, *, most_bytes: int) -> tuple[int, bool]:
        """Add the lines of a copy that are at hand, up to these bounds; tell their bytes, and if there may be more.

        The last line may pass the bound of bytes.

        Raises:
            EngineUnavailable: The connection is gone.
        """
        add = lines.append
        taken_bytes = 0
        if self.is_lost:
            raise EngineUnavailable(UNREADABLE, detail=tell_fault(self._pq))
        try:
            for size, line in map(self._pq.get_copy_data, repeat(1, most)):
                if size <= 0:
                    return taken_bytes, size == 0
                add(line.tobytes())  # a copy costs less than what handles views
                taken_bytes += size
                if taken_bytes >= most_bytes:
                    break
        except psycopg.Error as error:
            self._is_condemned = True
            raise EngineUnavailable(UNREADABLE, detail=str(error)) from error
        return taken_bytes, True

    def wait_for_lines(self, seconds: float) -> bool:
        """Tell whether there is something new, after waiting for it so long at most.

        A server that lags behind is let get ahead: it sends 8 KiB at a time, and to sleep until each of them comes
        costs more than to take them.
        """
        if not self._poll.poll(0):
            time.sleep(_LAG_SECONDS)
            if not self._poll.poll(seconds * 1000):
                return False
        try:
            self._pq.consume_input()
        except psycopg.Error:
            self._is_condemned = True  # taking what is next tells
        return True

    def explain(self, text: str) -> list[str]:
        """Give the plan of a statement as it is before any value is bound.

        There is none before PostgreSQL 16, and none of tables that have row security for this account.
        With values bound they would stand in it. The simple protocol is the one that takes places without values.

        Raises:
            EngineUnavailable: The database cannot be read at the moment.
            EngineFailure: Anything else the engine says.
        """
        if self.connection.info.server_version < _FIRST_WITH_GENERIC_PLANS:
            return []
        # Without row security: of a table that has it for this account PostgreSQL refuses a plan, which would show the
        # policy's conditions.
        result = self._pq.exec_(b"BEGIN; SET LOCAL row_security = off; EXPLAIN (GENERIC_PLAN) " + text.encode())
        self._pq.exec_(b"ROLLBACK")
        if (result.error_field(pq.DiagnosticField.SQLSTATE) or b"") == _NOT_ALLOWED:
            return []
        if self.is_lost:
            raise EngineUnavailable(UNREADABLE, detail=tell_fault(self._pq))
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise self.take_error(result)
        return [(result.get_value(row, 0) or b"").decode("utf-8", "replace") for row in range(result.ntuples)]

    def describe(self, text: str) -> list[tuple[str, int, int]]:
        """Give the columns of a statement's result, without running it: name, type and its modifier.

        Raises:
            EngineUnavailable: The database cannot be read at the moment.
            EngineFailure: Anything else the engine says.
        """
        result = self._pq.prepare(b"", text.encode())
        if result.status == pq.ExecStatus.COMMAND_OK:
            result = self._pq.describe_prepared(b"")
        if self.is_lost:
            raise EngineUnavailable(UNREADABLE, detail=tell_fault(self._pq))
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise self.take_error(result)
        return [
            ((result.fname(place) or b"").decode("utf-8", "replace"), result.ftype(place), result.fmod(place))
            for place in range(result.nfields)
        ]

    def begin(self) -> None:
        """Begin a transaction that reads; where the connection is gone, the statement that follows tells."""
        self._pq.exec_(b"BEGIN READ ONLY")

    def undo(self) -> None:
        """End the transaction with all that was set in it, and what outlives one: prepared statements and locks."""
        result = self._pq.exec_(b"ROLLBACK; DEALLOCATE ALL; SELECT pg_advisory_unlock_all()")
        if result.status != pq.ExecStatus.TUPLES_OK:
            self._is_condemned = True

    def finish(self) -> None:
        """Take the end of a statement whose last result is there."""
        with suppress(psycopg.Error):
            while not self.is_lost and self._pq.get_result() is not None:
                pass

    def stop(self) -> None:
        """Stop what runs, and let go of the connection: what the server has sent yet is not worth waiting for."""
        self._is_condemned = True
        with suppress(psycopg.Error):
            self.connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def condemn(self) -> None:
        """Never use the connection again."""
        self._is_condemned = True

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def ask(session: Session, text: str, parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
    """Give all rows of a short statement.

    Raises:
        EngineUnavailable: The database cannot be read at the moment.
        EngineFailure: Anything else the engine says.
    """
    deadline = time.monotonic() + ASK_SECONDS
    session.send(text, write_parameters(parameters), chunk_rows=_ASKED_ROWS)
    reader = ResultReader(session.connection)
    rows: list[tuple[Any, ...]] = []
    while True:
        while not session.wait(max(deadline - time.monotonic(), 0)):
            if time.monotonic() >= deadline:
                session.stop()
                raise EngineUnavailable(UNREADABLE, detail="the catalog does not answer")
        result = session.take_result()
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise session.take_error(result)
        if result.status == pq.ExecStatus.COMMAND_OK:
            session.finish()
            return rows
        reader.hold(result)
        rows += reader.read(reader.held_rows)
        if result.status == pq.ExecStatus.TUPLES_OK:
            session.finish()
            return rows


def tell_fault(connection: pq.abc.PGconn) -> str:
    """Give what the connection says of its last fault."""
    return connection.get_error_message().strip() or "the connection was lost"
