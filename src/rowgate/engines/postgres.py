"""PostgreSQL as a served database: read-only by the account's privileges, by the session and by what is asked.

Rule: no statement writes, whatever its text: the account has no privilege to (`postgres_proof.py` shows it), every
session is read-only, and what gives no rows ends its connection.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from psycopg import pq

from rowgate.engines.postgres_catalog import Traits, describe, find_estimate, list_catalog, read_traits
from rowgate.engines.postgres_functions import describe_function, list_functions, translate_call_error
from rowgate.engines.postgres_pool import PostgresPool, Session, ask
from rowgate.engines.postgres_proof import prove_read_only
from rowgate.engines.postgres_values import ResultReader, write_parameters
from rowgate.engines.shared_look import SharedLook
from rowgate.rows.dialects.postgres import PostgresDialect
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError, StatementCancelled, StatementTimeout
from rowgate.rows.model import ObjectDescription, ObjectListing, Plan, Statement, Value
from rowgate.rows.procedures import Procedure
from rowgate.rows.sql import render_select

BLOCK_ROWS = 1000
BLOCK_BYTES = 1_048_576  # 1 MiB of text and binary, about
BATCH_ROWS = 100  # that the server's rows are taken in, and weighed
CATALOG_SECONDS = 5.0  # how long a description counts
_LOOK_SECONDS = 0.1  # between looks at deadline and cancel
_CACHED_DESCRIPTIONS = 20_000
_GONE = ("42", "3F")  # undefined, of another type or no longer allowed; no such schema: the catalog has changed


class PostgresRows:
    """See `ports.RowBlocks`."""

    def __init__(self, source: "PostgresSource", session: Session, statement: Statement, seconds: float) -> None:
        self.is_exhausted = False
        self._source = source
        self._session = session
        self._statement = statement
        self._seconds_left = seconds
        self._reader: ResultReader | None = None
        self._given = 0  # rows
        self._has_ended = False  # the server has nothing more to say
        self._cancelled = False

    def read_block(self) -> list[tuple[Value, ...]]:
        """See `ports.RowBlocks`."""
        begun = time.monotonic()
        deadline = begun + self._seconds_left
        rows: list[tuple[Value, ...]] = []
        try:
            if self._cancelled:
                raise StatementCancelled("The read was cancelled.")
            if self._reader is None:
                self._start(rows, deadline)
            self._fill(rows, deadline)
        finally:
            self._seconds_left -= time.monotonic() - begun
        self._given += len(rows)
        return rows

    def _start(self, rows: list[tuple[Value, ...]], deadline: float) -> None:
        """Send the statement and take its first rows; once more when an idle connection turns out to be gone."""
        self._send()
        try:
            self._take(rows, deadline)
        except EngineUnavailable:
            if not self._session.is_lost or not self._session.was_idle:
                raise
            self._session = self._source.pool.renew(self._session)
            self._send()
            self._take(rows, deadline)

    def _send(self) -> None:
        if self._statement.is_call:
            self._session.begin()
        self._session.send(self._statement.text, write_parameters(self._statement.parameters), chunk_rows=BATCH_ROWS)
        self._reader = ResultReader(self._session.connection)

    def _fill(self, rows: list[tuple[Value, ...]], deadline: float) -> None:
        """Take rows until the block is full, or heavy: a table of documents must not fill the memory."""
        weight = 0
        while not self._has_ended and len(rows) < BLOCK_ROWS and weight < BLOCK_BYTES:
            before = len(rows)
            self._take(rows, deadline)
            if len(rows) > before:
                # one row speaks for its batch: to weigh every one would cost more than it saves
                heavy = sum(len(value) for value in rows[-1] if isinstance(value, (str, bytes)))
                weight += (len(rows) - before) * heavy
        self.is_exhausted = self._has_ended

    def _take(self, rows: list[tuple[Value, ...]], deadline: float) -> None:
        """Take the next rows that the server sends, or learn that there are none."""
        result = self._wait(deadline)
        reader = self._reader
        assert reader is not None, "internal error: rows before the statement"
        match result.status:
            case pq.ExecStatus.TUPLES_CHUNK:
                rows += reader.read(result)
                if result.ntuples < BATCH_ROWS:
                    self._take(rows, deadline)
            case pq.ExecStatus.TUPLES_OK:
                rows += reader.read(result)
                self._session.finish()
                self._has_ended = True
            case pq.ExecStatus.FATAL_ERROR:
                raise self._translate(result)
            case _:
                # what gives no rows is none of ours, and who knows what it has changed in the session
                self._session.condemn()
                raise EngineFailure("The database could not answer.", detail="the statement gives no rows")

    def _wait(self, deadline: float) -> pq.abc.PGresult:
        while not self._session.wait(min(_LOOK_SECONDS, max(deadline - time.monotonic(), 0))):
            if self._cancelled:
                self._session.stop()
                raise StatementCancelled("The read was cancelled.")
            if time.monotonic() >= deadline:
                self._session.stop()
                raise StatementTimeout("The statement took longer than the server allows.")
        if self._cancelled:
            self._session.stop()
            raise StatementCancelled("The read was cancelled.")
        return self._session.take_result()

    def cancel(self) -> None:
        """See `ports.RowBlocks`. Who waits for rows looks at it; nobody is kept waiting here."""
        self._cancelled = True

    def close(self) -> None:
        """See `ports.RowBlocks`."""
        if self._reader is not None and not self._has_ended:
            self._session.stop()
        elif self._reader is not None and self._statement.is_call:
            self._session.undo()  # a function may have set something for the whole session
        self._source.pool.give_back(self._session)

    def _translate(self, result: pq.abc.PGresult) -> RowsError:
        error = self._session.take_error(result)
        if self._statement.is_call:
            error = translate_call_error(error, self._session.last_code)
        if isinstance(error, EngineFailure) and self._session.last_code.startswith(_GONE):
            self._source.forget()
        self._has_ended = True
        return error


class PostgresSource:
    """See `ports.RowSource`. Safe for use from several threads."""

    name = "PostgreSQL"
    computes_here = False

    def __init__(self, address: str, *, max_connections: int = 32) -> None:
        """Take the address, as libpq does, and how many statements may run at once; nothing is opened yet."""
        self.pool = PostgresPool(address, max_connections=max_connections)
        self._catalog = SharedLook()
        self._descriptions: dict[str, tuple[float, ObjectDescription]] = {}
        self._traits: Traits | None = None

    @property
    def dialect(self) -> PostgresDialect:
        """See `ports.RowSource`."""
        if self._traits is None:
            with self.pool.borrowed() as session:
                return self._learn(session).dialect
        return self._traits.dialect

    def _learn(self, session: Session) -> Traits:
        traits = self._traits
        if traits is None:
            traits = self._traits = read_traits(session)
        return traits

    def prove_read_only(self) -> None:
        """See `ports.RowSource`."""
        with self.pool.borrowed() as session:
            prove_read_only(session)

    def check_reachable(self) -> None:
        """See `ports.RowSource`."""
        with self.pool.borrowed() as session:
            ask(session, "SELECT 1")

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`."""
        with self.pool.borrowed() as session:
            listed = list_catalog(session)
            names = {found.name for found in listed}
            functions = [found for found in list_functions(session) if found.name not in names]
        return sorted([*listed, *functions], key=lambda found: found.name) if functions else listed

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`."""
        if (known := self._find_known(name)) is not None:
            return known
        with self._catalog.alone():
            # whoever waited has what the one before learnt
            return self._find_known(name) or self._describe(name)

    def _find_known(self, name: str) -> ObjectDescription | None:
        known = self._descriptions.get(name)  # one look-up: another thread may empty it meanwhile
        return None if known is None or time.monotonic() - known[0] >= CATALOG_SECONDS else known[1]

    def _describe(self, name: str) -> ObjectDescription | None:
        now = time.monotonic()
        with self.pool.borrowed() as session:
            collation = self._learn(session).collation
            described = describe(session, name, collation) or describe_function(session, name, collation)
            if described is None:
                self._descriptions.pop(name, None)
                return None  # not kept: the names of what does not exist are the clients' own
            if len(self._descriptions) >= _CACHED_DESCRIPTIONS:
                self._descriptions.clear()
            self._descriptions[name] = (now, described)
            return described

    def forget(self) -> None:
        """Forget the descriptions: the database says that they are out of date."""
        self._descriptions.clear()

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> PostgresRows:
        """See `ports.RowSource`."""
        return PostgresRows(self, self.pool.borrow(), statement, statement_seconds)

    def estimate_rows(self, plan: Plan) -> int | None:
        """See `ports.RowSource`. The planner's own estimate; it knows little of groups, so those are counted."""
        if plan.distinct or plan.aggregates or isinstance(plan.object, Procedure):
            return None
        whole = replace(plan, order_by=(), group_by=(), columns=(*plan.group_by, *plan.columns), limit=None, offset=0)
        statement = render_select(replace(whole, page=None), self.dialect)
        with self._lend() as session:
            return find_estimate(session, statement)

    def find_version(self, described: ObjectDescription) -> bytes | None:  # noqa: ARG002 - the port's shape
        """See `ports.RowSource`. PostgreSQL tells nothing of a table that changes with every commit, and only then."""
        return None

    def explain(self, statement: Statement) -> Sequence[str]:
        """See `ports.RowSource`."""
        with self._lend() as session:
            return session.explain(statement.text)

    @contextmanager
    def _lend(self) -> Iterator[Session]:
        """Lend a session for a statement that was made of a description."""
        with self.pool.borrowed() as session:
            try:
                yield session
            except EngineFailure:
                self.forget()
                raise

    def close(self) -> None:
        """See `ports.RowSource`."""
        self.pool.close()
