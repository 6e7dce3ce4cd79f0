"""ClickHouse behind the generic fetcher, over HTTP: a statement has a name, and is ended by it.

The driver's own cursor gathers the whole answer in memory, and asks once more where it is empty; so rows are taken from
its stream of blocks. What an account may do is not looked up, so `other.py` decides on that.
"""

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from clickhouse_connect.dbapi.cursor import Cursor
from clickhouse_connect.driver.exceptions import InterfaceError, OperationalError

from rowgate.engines import clickhouse_catalog
from rowgate.engines.manners import CONNECT_SECONDS, Ask
from rowgate.engines.other import OtherManner
from rowgate.rows.dialects.clickhouse import CLICKHOUSE
from rowgate.rows.errors import EngineUnavailable, InvalidParameter, RowsError, StatementTimeout
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement

_OPTIONS = {
    "aggregate_functions_null_for_empty": "1",  # or the sum of no rows would be 0
    "autogenerate_session_id": False,  # a session takes one statement at a time, so none could be stopped
    "connect_timeout": CONNECT_SECONDS,
}
_TIMED_OUT = "TIMEOUT_EXCEEDED"
_TOO_LARGE = "CANNOT_CONVERT_TYPE"  # a sum to 64 bits: nothing else is converted so that it must fit
_OF_CATALOG = frozenset({"NO_SUCH_COLUMN_IN_TABLE", "UNKNOWN_IDENTIFIER", "UNKNOWN_TABLE", "TABLE_IS_DROPPED"})
_MAY_PASS = frozenset(
    {
        "ALL_CONNECTION_TRIES_FAILED",
        "AUTHENTICATION_FAILED",
        "DNS_ERROR",
        "KEEPER_EXCEPTION",
        "MEMORY_LIMIT_EXCEEDED",
        "NETWORK_ERROR",
        "NO_ZOOKEEPER",
        "QUERY_WAS_CANCELLED",
        "SERVER_OVERLOADED",
        "SOCKET_TIMEOUT",
        "TOO_MANY_SIMULTANEOUS_QUERIES",
        "UNKNOWN_DATABASE",
    }
)
_STOP_TRIES, _STOP_SECONDS = 50, 0.1  # a statement that was sent may not have begun yet


class ClickhouseManner(OtherManner):
    """See `Manner`."""

    explains_by = "EXPLAIN PLAN json = 1, description = 1 "
    proves_by = "CREATE TABLE {} (a Int32) ENGINE = Memory"

    def __init__(self, url: sqlalchemy.URL, *, accept_unproven: bool) -> None:
        """Take the address, with the name of a database."""
        super().__init__(url, accept_unproven=accept_unproven, dialect=CLICKHOUSE, title="ClickHouse", options=_OPTIONS)

    def open_engine(self, *, max_connections: int) -> sqlalchemy.Engine:
        """See `Manner`."""
        engine = super().open_engine(max_connections=max_connections)
        sqlalchemy.event.listen(engine, "connect", _stream_from)
        sqlalchemy.event.listen(engine, "invalidate", _leave)
        return engine

    def check_presence(self, ask: Ask) -> None:
        """See `Manner`."""
        if not clickhouse_catalog.has_database(ask):
            raise EngineUnavailable("The database cannot be read at the moment.", detail="the database is not there")

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """See `Manner`."""
        return clickhouse_catalog.list_catalog(ask)

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """See `Manner`."""
        return clickhouse_catalog.describe(ask, name)

    def explain(self, ask: Ask, statement: Statement) -> Sequence[str]:
        """See `Manner`. What is told of a step may hold values, but for the name of the table that is read."""
        rows = ask(self.explains_by + statement.text, *statement.parameters)
        (step,) = json.loads("\n".join(str(line) for (line,) in rows))
        return list(_list_steps(step["Plan"], 0))

    def wake(self, connection: Any) -> None:
        """See `Manner`. The server is told so, and ends its answer; who waits for others must not wait for that."""
        before = getattr(connection, "rowgate_stopping", None)
        if before is None or not before.is_alive():
            connection.rowgate_stopping = threading.Thread(target=self.stop, args=(connection,), daemon=True)
            connection.rowgate_stopping.start()

    def stop(self, connection: Any) -> None:
        """See `Manner`. An account may stop what is its own."""
        cursor = getattr(connection, "rowgate_cursor", None)
        if not isinstance(cursor, _Cursor) or cursor.is_ended:
            return
        kill = f"KILL QUERY WHERE query_id = '{cursor.query_id}' ASYNC"
        with contextlib.suppress(Exception):  # the server may be gone; whatever the driver stumbles over
            for _ in range(_STOP_TRIES):
                is_answered = cursor.answered.wait(_STOP_SECONDS)
                connection.client.command(kill)
                if is_answered:
                    return

    def translate(self, error: Exception) -> RowsError:
        """See `Manner`."""
        if _find_name(error) == _TIMED_OUT:
            return StatementTimeout("The statement took longer than the server allows.", detail=str(error))
        if _find_name(error) == _TOO_LARGE:
            return InvalidParameter(
                "A number is beyond what the database can compute.", field="aggregates", expected="avg"
            )
        return super().translate(error)

    def is_away(self, error: Exception) -> bool:
        """See `OtherManner`."""
        is_silent = getattr(error, "code", None) is None and isinstance(error, (OperationalError, InterfaceError))
        return is_silent or _find_name(error) in _MAY_PASS

    def is_of_catalog(self, error: Exception) -> bool:
        """See `Manner`."""
        return _find_name(error) in _OF_CATALOG


class _Cursor(Cursor):  # type: ignore[misc]  # the driver has no types for whom it is not installed
    """Streams rows, of one statement. Closed early it leaves the answer unread."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.query_id = uuid.uuid4().hex
        self.answered = threading.Event()  # or refused
        self.is_ended = False
        self._stream = contextlib.ExitStack()
        self._blocks: Iterator[Sequence[tuple[Any, ...]]] | None = None  # None: the driver's own question
        self._block: Sequence[tuple[Any, ...]] = ()
        self._given = 0  # rows of the block

    def execute(
        self,
        operation: str,
        parameters: Any = None,
        settings: dict[str, Any] | None = None,
        query_formats: dict[str, str] | None = None,
        *,
        pyformat_encoded: bool = True,  # noqa: ARG002 - what was doubled is undone before it comes here
    ) -> None:
        """Run the statement; its first block is read."""
        named = {**(settings or {}), "query_id": self.query_id}
        try:
            stream = self.client.query_row_block_stream(
                operation, parameters or None, settings=named, query_formats=query_formats
            )
        except BaseException:
            self.is_ended = True
            raise
        finally:
            self.answered.set()
        self._blocks = self._stream.enter_context(stream)
        self.data = ()
        # an answer without rows has no columns either, and what begins as a question always has some
        self.names = stream.source.column_names or ("",)
        self.types = [kind.name for kind in stream.source.column_types] or [None]

    def fetchmany(self, size: int = -1) -> Sequence[Any]:
        """Give so many rows, or what is left."""
        if self._blocks is None:
            found: Sequence[Any] = super().fetchmany(size)
            return found
        rows: list[tuple[Any, ...]] = []
        while size < 0 or len(rows) < size:
            if self._given == len(self._block):
                block = next(self._blocks, None)
                if block is None:
                    self._end()
                    break
                self._block, self._given = block, 0
            end = len(self._block) if size < 0 else self._given + size - len(rows)
            part = self._block[self._given : end]
            self._given += len(part)
            rows += part
        return rows

    def fetchone(self) -> Any:
        """Give the next row, or None."""
        if self._blocks is None:
            return super().fetchone()
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> Sequence[Any]:
        """Give what is left."""
        if self._blocks is None:
            found: Sequence[Any] = super().fetchall()
            return found
        return self.fetchmany()

    def close(self) -> None:
        """Let go of the answer."""
        self._end()
        super().close()

    def _end(self) -> None:
        self.is_ended = True
        self._block, self._given = (), 0
        if self._blocks is not None:
            self._blocks = iter(())
        self._stream.close()


def _stream_from(connection: Any, _record: object) -> None:
    """Have a driver's connection give cursors that stream, and know its last."""

    def open_cursor() -> _Cursor:
        connection.rowgate_cursor = _Cursor(connection.client)
        return connection.rowgate_cursor  # type: ignore[no-any-return]

    connection.cursor = open_cursor


def _leave(connection: Any, _record: object, _error: object) -> None:
    """Close the answer of a connection that is not used again."""
    cursor = getattr(connection, "rowgate_cursor", None)
    if cursor is not None:
        with contextlib.suppress(Exception):  # as above
            cursor.close()


def _find_name(error: Exception) -> str | None:
    name = getattr(error, "name", None)
    return name if isinstance(name, str) else None


def _list_steps(step: dict[str, Any], depth: int) -> Iterator[str]:
    told = str(step["Node Type"])
    if told.startswith("ReadFrom") and "Description" in step:
        told += f" {step['Description']}"
    yield "  " * depth + told
    for inner in step.get("Plans", ()):
        yield from _list_steps(inner, depth + 1)
