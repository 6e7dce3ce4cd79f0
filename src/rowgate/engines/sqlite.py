"""SQLite as a served database: read-only by the file's mode, by pragma and by an authorizer.

Rule: no connection here can write, attach, change a pragma or load an extension, whatever statement it gets.
"""

import threading
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from rowgate.engines.sqlite_catalog import describe, list_catalog
from rowgate.rows.errors import (
    EngineFailure,
    EngineUnavailable,
    NotReadOnly,
    RowsError,
    StatementCancelled,
    StatementTimeout,
)
from rowgate.rows.fold import fold
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement, Value

BLOCK_ROWS = 1000  # 200 cost a fifth of the speed, 20,000 as much (docs/explanation/speed.md)
BUSY_MILLISECONDS = 5000
CATALOG_SECONDS = 1.0  # how long a look at the catalog counts
_STEPS_BETWEEN_LOOKS = 20_000  # virtual machine steps, about a millisecond, between looks at deadline and cancel
_CACHED_DESCRIPTIONS = 20_000
_IDLE_CONNECTIONS = 16

_READING = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


def _allow_reading(action: int, _first: str | None, second: str | None, _database: str | None, _via: str | None) -> int:
    if action not in _READING or (action == apsw.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS):
        return apsw.SQLITE_DENY
    return apsw.SQLITE_OK


def _fold_value(*values: Any) -> Any:
    return fold(values[0]) if isinstance(values[0], str) else values[0]


class SqliteRows:
    """See `ports.RowBlocks`."""

    def __init__(
        self, source: "SqliteSource", connection: apsw.Connection, statement: Statement, seconds: float
    ) -> None:
        self.is_exhausted = False
        self._source = source
        self._connection = connection
        self._cursor: apsw.Cursor | None = None
        self._statement = statement
        self._seconds_left = seconds
        self._deadline = 0.0
        self._cancelled = False
        connection.set_progress_handler(self._must_stop, _STEPS_BETWEEN_LOOKS)

    def read_block(self) -> list[tuple[Value, ...]]:
        """See `ports.RowBlocks`."""
        begun = time.monotonic()
        self._deadline = begun + self._seconds_left
        try:
            if self._cancelled:
                raise StatementCancelled("The read was cancelled.")
            if self._cursor is None:
                self._cursor = self._connection.execute(self._statement.text, self._statement.parameters)
            rows = list(islice(self._cursor, BLOCK_ROWS))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._translate(error) from error
        finally:
            self._seconds_left -= time.monotonic() - begun
        self.is_exhausted = len(rows) < BLOCK_ROWS
        return rows

    def cancel(self) -> None:
        """See `ports.RowBlocks`."""
        self._cancelled = True

    def close(self) -> None:
        """See `ports.RowBlocks`."""
        if self._cursor is not None:
            self._cursor.close(force=True)
        self._connection.set_progress_handler(None)
        self._source.give_back(self._connection)

    def _must_stop(self) -> bool:
        return self._cancelled or time.monotonic() > self._deadline

    def _translate(self, error: Exception) -> RowsError:
        if isinstance(error, apsw.InterruptError):
            if self._cancelled:
                return StatementCancelled("The read was cancelled.")
            return StatementTimeout("The statement took longer than the server allows.")
        return translate_error(error)


def translate_error(error: Exception) -> RowsError:
    """Give the refusal that stands for an error of SQLite's; its own words go into the private detail."""
    if isinstance(
        error, (apsw.BusyError, apsw.LockedError, apsw.CantOpenError, apsw.IOError, apsw.NotADBError, apsw.FullError)
    ):
        return EngineUnavailable("The database cannot be read at the moment.", detail=repr(error))
    return EngineFailure("The database could not answer.", detail=repr(error))


class SqliteSource:
    """See `ports.RowSource`. Safe for use from several threads."""

    name = "SQLite"

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is opened yet."""
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[tuple[tuple[int, int], apsw.Connection]] = []
        self._lent: dict[apsw.Connection, tuple[int, int]] = {}
        self._catalog: apsw.Connection | None = None
        self._catalog_key: tuple[int, int, int] | None = None
        self._looked_at = float("-inf")
        self._descriptions: dict[str, ObjectDescription | None] = {}

    def prove_read_only(self) -> None:
        """See `ports.RowSource`."""
        connection = self._borrow()
        try:
            if not connection.readonly("main"):
                raise NotReadOnly(f"{self._path} is open for writing")
            for attempt in ("CREATE TABLE rowgate_proof (a)", "PRAGMA user_version = 1", "ATTACH ':memory:' AS b"):
                try:
                    connection.execute(attempt)
                except (apsw.AuthError, apsw.ReadOnlyError):
                    continue
                except apsw.Error as error:
                    raise translate_error(error) from error
                raise NotReadOnly(f"{self._path} let the service write")
        finally:
            self.give_back(connection)

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`."""
        with self._lock:
            try:
                return list_catalog(self._open_catalog())
            except apsw.Error as error:
                raise translate_error(error) from error

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`."""
        now = time.monotonic()
        if now - self._looked_at < CATALOG_SECONDS and name in self._descriptions:
            return self._descriptions[name]
        with self._lock:
            try:
                catalog = self._open_catalog()
                if name not in self._descriptions:
                    if len(self._descriptions) >= _CACHED_DESCRIPTIONS:
                        self._descriptions.clear()
                    self._descriptions[name] = describe(catalog, name)
            except apsw.Error as error:
                raise translate_error(error) from error
            self._looked_at = now
            return self._descriptions[name]

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> SqliteRows:
        """See `ports.RowSource`."""
        return SqliteRows(self, self._borrow(), statement, statement_seconds)

    def explain(self, statement: Statement) -> Sequence[str]:
        """See `ports.RowSource`."""
        with self._lock:
            try:
                rows = self._open_catalog().execute("EXPLAIN QUERY PLAN " + statement.text, statement.parameters)
                return [str(row[3]) for row in rows]
            except apsw.Error as error:
                raise translate_error(error) from error

    def close(self) -> None:
        """See `ports.RowSource`."""
        with self._lock:
            for _, connection in self._idle:
                connection.close()
            self._idle.clear()
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None

    def give_back(self, connection: apsw.Connection) -> None:
        """Take back a connection that `open_rows` lent."""
        with self._lock:
            file = self._lent.pop(connection)
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append((file, connection))
                return
        connection.close()

    def _borrow(self) -> apsw.Connection:
        file = self._identify_file()
        with self._lock:
            while self._idle:
                opened_on, connection = self._idle.pop()
                if opened_on == file:
                    self._lent[connection] = file
                    return connection
                connection.close()  # the file was replaced
        try:
            connection = self._connect()
        except apsw.Error as error:
            raise translate_error(error) from error
        connection.set_authorizer(_allow_reading)
        with self._lock:
            self._lent[connection] = file
        return connection

    def _connect(self) -> apsw.Connection:
        address = f"file:{quote(str(self._path))}?mode=ro"
        connection = apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        # "name" is an identifier and nothing else; schemas are data here, not code
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.pragma("query_only", 1)
        connection.create_scalar_function("rowgate_fold", _fold_value, 1, deterministic=True)
        return connection

    def _open_catalog(self) -> apsw.Connection:
        """Give the connection that reads the catalog; forget what it told when the schema or file has changed."""
        file = self._identify_file()
        if self._catalog is None or self._catalog_key is None or self._catalog_key[:2] != file:
            if self._catalog is not None:
                self._catalog.close()
            self._catalog = self._connect()
            self._catalog_key = None
        key = (*file, int(self._catalog.pragma("schema_version")))
        if key != self._catalog_key:
            self._descriptions.clear()
            self._catalog_key = key
        return self._catalog

    def _identify_file(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise EngineUnavailable("The database cannot be read at the moment.", detail=repr(error)) from error
        return status.st_dev, status.st_ino
