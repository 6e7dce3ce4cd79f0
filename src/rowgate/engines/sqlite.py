"""SQLite as a served database: read-only by the file's mode, by pragma and by an authorizer.

Rule: no connection here can write, attach, change a pragma or load an extension, whatever statement it gets.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Protocol

import apsw

from rowgate.engines.block_weight import BLOCK_BYTES, BLOCK_ROWS, choose_batch, weigh
from rowgate.engines.shared_look import SharedLook
from rowgate.engines.sqlite_catalog import describe, describe_query, list_catalog, write_table
from rowgate.engines.sqlite_connection import ReadingConnection, connect, go_on
from rowgate.engines.sqlite_errors import translate_call_error, translate_error
from rowgate.engines.sqlite_permissions import Authorizer, allow_catalog, allow_reading, allow_watching
from rowgate.engines.sqlite_version import VersionWatch
from rowgate.rows.dialects.sqlite import SqliteDialect
from rowgate.rows.errors import (
    EngineUnavailable,
    NotReadOnly,
    RowsError,
    StatementCancelled,
    StatementTimeout,
)
from rowgate.rows.model import Column, Format, ObjectDescription, ObjectListing, Plan, Statement, Value
from rowgate.rows.procedures import ParameterType, TableColumn

CATALOG_SECONDS = 1.0  # how long a look at the catalog counts
_STEPS_BETWEEN_LOOKS = 20_000  # virtual machine steps, about a millisecond, between looks at deadline and cancel
_STEPS_OF_TEXTS = 100  # between looks of a statement that looks through texts: each step may be a millisecond
_OF_TEXTS = ("instr(", "lower(", "substr(")
_FEW_ROWS = 128  # fetched in one call
_CACHED_DESCRIPTIONS = 20_000
_IDLE_CONNECTIONS = 16

_REPAIRED = "CASE typeof({0}) WHEN 'text' THEN rowgate_text(CAST({0} AS BLOB)) ELSE {0} END"


class Lender(Protocol):
    """Who lends connections to results."""

    def give_back(self, connection: ReadingConnection, *, is_good: bool) -> None:
        """Take one back; on one that is not good something has failed."""

    def look_again(self) -> None:
        """Look at the catalog before anything more is told of it: what was told may be out of date."""


class SqliteRows:
    """See `ports.RowBlocks`."""

    def __init__(self, source: Lender, connection: ReadingConnection, statement: Statement, seconds: float) -> None:
        self.is_exhausted = False
        self._source = source
        self._connection = connection
        self._cursor: apsw.Cursor | None = None
        self._statement = statement
        self._few = statement.most_rows is not None and statement.most_rows <= _FEW_ROWS
        self._given = 0  # rows
        self._seconds_left = seconds
        self._deadline = 0.0
        self._cancelled = False
        self._has_failed = False
        is_of_texts = any(function in statement.text for function in _OF_TEXTS)
        connection.set_progress_handler(self._must_stop, _STEPS_OF_TEXTS if is_of_texts else _STEPS_BETWEEN_LOOKS)
        connection.stopping.must_stop = self._must_stop  # SQLite looks between rows only, and a filter may be long

    def read_block(self) -> list[tuple[Value, ...]]:
        """See `ports.RowBlocks`."""
        begun = time.monotonic()
        self._deadline = begun + self._seconds_left
        rows: list[tuple[Value, ...]] = []
        try:
            if self._cancelled:
                raise StatementCancelled("The read was cancelled.")
            if self._cursor is None:
                self._cursor = self._connection.execute(self._statement.text, self._statement.parameters)
            try:
                self._fill(rows, self._cursor)
            except UnicodeDecodeError:
                self._cursor = self._repair(self._cursor, skipped=self._given + len(rows))
                self._fill(rows, self._cursor)
        except apsw.Error as error:
            self._has_failed = True
            raise self._translate(error) from error
        finally:
            self._seconds_left -= time.monotonic() - begun
        self._given += len(rows)
        return rows

    def _fill(self, rows: list[tuple[Value, ...]], cursor: apsw.Cursor) -> None:
        """Take rows until the block is full, or heavy: a table of documents must not fill the memory."""
        weight, wanted = 0, 1  # the first row alone: a hundred like it may be too many
        while len(rows) < BLOCK_ROWS and weight < BLOCK_BYTES:
            before = len(rows)
            rows += islice(cursor, wanted)
            taken = len(rows) - before
            if taken < wanted:
                self.is_exhausted = True
                return
            heavy = weigh(rows[-1])
            weight += taken * heavy
            if self._few and not self._given and heavy * _FEW_ROWS < BLOCK_BYTES:
                rows += cursor.fetchall()  # in one call: a tenth of a small read
                self.is_exhausted = True
                return
            wanted = choose_batch(BLOCK_ROWS - len(rows), weight, heavy)

    def _repair(self, cursor: apsw.Cursor, *, skipped: int) -> apsw.Cursor:
        """Go on after a text that is not UTF-8, with U+FFFD for what cannot be read.

        Only results that hold such a text pay for it. The old cursor is closed last: as long as one of the two is
        open, both see the same state of the database, so the rows skipped are the rows given.
        """
        rows = "rowgate_rows"
        while rows in self._statement.text:
            rows += "_"
        columns = [f"c{place}" for place in range(len(cursor.get_description()))]
        repaired = ", ".join(_REPAIRED.format(column) for column in columns)
        text = (
            f"WITH {rows}({', '.join(columns)}) AS ({self._statement.text}) "  # noqa: S608 - our own statement and names
            f"SELECT {repaired} FROM {rows} LIMIT -1 OFFSET ?"
        )
        opened = self._connection.execute(text, (*self._statement.parameters, skipped))
        cursor.close(force=True)
        return opened

    def cancel(self) -> None:
        """See `ports.RowBlocks`."""
        self._cancelled = True

    def close(self) -> None:
        """See `ports.RowBlocks`."""
        if self._cursor is not None:
            self._cursor.close(force=True)
        self._connection.set_progress_handler(None)
        self._connection.stopping.must_stop = go_on
        self._source.give_back(self._connection, is_good=not self._has_failed)

    def _must_stop(self) -> bool:
        return self._cancelled or time.monotonic() > self._deadline

    def _translate(self, error: Exception) -> RowsError:
        if isinstance(error, apsw.InterruptError):
            if self._cancelled:
                return StatementCancelled("The read was cancelled.")
            return StatementTimeout("The statement took longer than the server allows.")
        self._source.look_again()
        return translate_call_error(error) if self._statement.is_call else translate_error(error)


class SqliteSource:
    """See `ports.RowSource`. Safe for use from several threads."""

    name = "SQLite"
    computes_here = True

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the path, and the clock (seconds) by which a look at the catalog grows old; nothing is opened yet."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._looks = SharedLook()  # at the catalog; `_lock` is never held for long
        self._idle: list[tuple[tuple[int, int], ReadingConnection]] = []
        self._lent: dict[ReadingConnection, tuple[int, int]] = {}
        self._catalog: apsw.Connection | None = None
        self._catalog_key: tuple[int, int, int] | None = None
        self._looked_at = float("-inf")
        self._descriptions: dict[str, ObjectDescription] = {}
        self._listing: Sequence[ObjectListing] | None = None
        self._dialect: SqliteDialect | None = None
        self._versions = VersionWatch(path, lambda: self._connect(allow_watching), allow_watching)

    @property
    def dialect(self) -> SqliteDialect:
        """See `ports.RowSource`."""
        if self._dialect is None:
            self.give_back(self._borrow())
        assert self._dialect is not None, "internal error: a connection without its encoding"
        return self._dialect

    def prove_read_only(self) -> None:
        """See `ports.RowSource`."""
        with self._lend() as connection:
            if not connection.readonly("main"):
                raise NotReadOnly(f"{self._path} is open for writing")
            for attempt in ("CREATE TABLE rowgate_proof (a)", "PRAGMA user_version = 1", "ATTACH ':memory:' AS b"):
                try:
                    connection.execute(attempt)
                except (apsw.AuthError, apsw.ReadOnlyError):
                    continue
                raise NotReadOnly(f"{self._path} let the service write")

    def check_reachable(self) -> None:
        """See `ports.RowSource`."""
        with self._look():
            pass

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`."""
        with self._look() as catalog:
            if self._listing is None:
                self._listing = list_catalog(catalog)
            return self._listing

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`."""
        now = self._clock()
        if now - self._looked_at < CATALOG_SECONDS:
            found = self._descriptions.get(name)  # one look-up: another thread may empty it meanwhile
            if found is not None:
                return found
        with self._look() as catalog:
            if name not in self._descriptions:
                described = describe(catalog, name)
                if described is None:
                    return None  # not kept: the names of what does not exist are the clients' own
                if len(self._descriptions) >= _CACHED_DESCRIPTIONS:
                    self._descriptions.clear()
                self._descriptions[name] = described
            self._looked_at = now
            return self._descriptions[name]

    def look_again(self) -> None:
        """Look at the catalog before anything more is told of it: what was told may be out of date."""
        self._looked_at = float("-inf")

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> SqliteRows:
        """See `ports.RowSource`."""
        return SqliteRows(self, self._borrow(), statement, statement_seconds)

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> None:
        """See `ports.RowSource`. Rows come as values only."""

    def estimate_rows(self, plan: Plan) -> int | None:
        """See `ports.RowSource`. SQLite knows of whole tables, where ANALYZE has run."""
        if plan.conditions or plan.latest_run or plan.distinct or plan.aggregates:
            return None
        told = "SELECT stat FROM sqlite_stat1 WHERE tbl = ?"
        with self._lend() as connection:
            try:
                # the first number of each is of rows; an index that is partial has fewer
                rows = connection.execute(told, (plan.object.path[-1],)).fetchall()
                return max((int(str(stat).partition(" ")[0]) for (stat,) in rows), default=None)
            except (apsw.SQLError, ValueError):  # no such table: nobody has asked for statistics; or not SQLite's own
                return None

    def find_version(self, described: ObjectDescription) -> bytes | None:
        """See `ports.RowSource`."""
        return self._versions.find(described)

    def explain(self, statement: Statement) -> Sequence[str]:
        """See `ports.RowSource`."""
        with self._lend() as connection:
            rows = connection.execute("EXPLAIN QUERY PLAN " + statement.text, statement.parameters).fetchall()
        return [str(row[3]) for row in rows]

    def describe_query(self, text: str, places: int) -> Sequence[Column]:
        """See `ports.QuerySource`."""
        with self._lend() as connection:
            return describe_query(connection, text, places)

    def write_table(self, columns: Sequence[TableColumn]) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        return write_table(columns)

    def write_value(self, kind: ParameterType) -> tuple[str, str]:  # noqa: ARG002 - the port's shape
        """See `ports.QuerySource`."""
        return "", ""

    def write_text(self, text: str) -> str:
        """See `ports.QuerySource`."""
        return text

    def count_connections(self) -> int:
        """See `ports.RowSource`."""
        return len(self._lent)

    def close(self) -> None:
        """See `ports.RowSource`."""
        with self._lock:
            for _, connection in self._idle:
                connection.close()
            self._idle.clear()
        with self._looks.alone():
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None
        self._versions.close()

    @contextmanager
    def _look(self) -> Iterator[apsw.Connection]:
        """Lend the connection that reads the catalog."""
        with self._looks.alone():
            try:
                yield self._open_catalog()
            except apsw.Error as error:
                raise translate_error(error) from error

    @contextmanager
    def _lend(self) -> Iterator[apsw.Connection]:
        connection = self._borrow()
        is_good = False
        try:
            yield connection
            is_good = True
        except apsw.Error as error:
            self.look_again()
            raise translate_error(error) from error
        finally:
            self.give_back(connection, is_good=is_good)

    def give_back(self, connection: ReadingConnection, *, is_good: bool = True) -> None:
        """Take back a connection that `open_rows` lent; whoever gives it back has closed the cursors on it.

        One that is not good is closed, and with it the cursors that an error may hold: they would end on the thread
        that forgets the error, beside the connection's next user.
        """
        with self._lock:
            file = self._lent.pop(connection)
            if is_good and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append((file, connection))
                return
        connection.close(force=True)

    def _borrow(self) -> ReadingConnection:
        file = self._identify_file()
        with self._lock:
            while self._idle:
                opened_on, connection = self._idle.pop()
                if opened_on == file:
                    self._lent[connection] = file
                    return connection
                connection.close()  # the file was replaced
                self._versions.release({file, *(each for each, _ in self._idle), *self._lent.values()})
        try:
            connection = self._connect(allow_reading, is_lent=True)
        except apsw.Error as error:
            raise translate_error(error) from error
        with self._lock:
            self._lent[connection] = file
        return connection

    def _connect(self, authorizer: Authorizer, *, is_lent: bool = False) -> ReadingConnection:
        connection, self._dialect = connect(self._path, authorizer, is_lent=is_lent)
        return connection

    def _open_catalog(self) -> apsw.Connection:
        """Give the connection that reads the catalog; forget what it told when the schema or file has changed."""
        file = self._identify_file()
        if self._catalog is None or self._catalog_key is None or self._catalog_key[:2] != file:
            if self._catalog is not None:
                self._catalog.close()
            self._catalog = self._connect(allow_catalog)
            self._catalog_key = None
        key = (*file, int(self._catalog.pragma("schema_version")))
        if key != self._catalog_key:
            self._descriptions.clear()
            self._listing = None
            self._catalog_key = key
        return self._catalog

    def _identify_file(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise EngineUnavailable("The database cannot be read at the moment.", detail=str(error)) from error
        return status.st_dev, status.st_ino
