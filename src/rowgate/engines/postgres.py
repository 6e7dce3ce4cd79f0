"""PostgreSQL as a served database: read-only by the account's privileges, by the session and by what is asked.

Rule: no statement writes, whatever its text: the account has no privilege to (`postgres_proof.py` shows it), every
session is read-only, and what gives no rows ends its connection.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from psycopg import pq

from rowgate.engines.block_weight import BLOCK_BYTES, BLOCK_ROWS, choose_batch, weigh
from rowgate.engines.held import HeldResult
from rowgate.engines.kept_catalog import KeptCatalog
from rowgate.engines.light_statements import LightStatements
from rowgate.engines.postgres_catalog import Traits, describe, find_estimate, list_catalog, read_traits
from rowgate.engines.postgres_functions import describe_function, list_functions
from rowgate.engines.postgres_lines import LINE_BLOCK_BYTES, PostgresLines, PostgresTuples
from rowgate.engines.postgres_pool import PostgresPool
from rowgate.engines.postgres_proof import prove_read_only
from rowgate.engines.postgres_queries import describe_query, write_table, write_text, write_value
from rowgate.engines.postgres_run import PostgresRun
from rowgate.engines.postgres_session import Session, ask
from rowgate.engines.postgres_values import ResultReader, write_parameters
from rowgate.engines.shared_look import SharedLook
from rowgate.ports.calls import HeldCall
from rowgate.rows.dialects.postgres import PostgresDialect
from rowgate.rows.errors import EngineFailure
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Format, ObjectDescription, ObjectListing, Plan, Row, Statement, Value
from rowgate.rows.procedures import Call, ParameterType, Procedure, TableColumn
from rowgate.rows.sql import render_select
from rowgate.rows.sql_call import render_call
from rowgate.rows.sql_lines import render_lines


class PostgresRows(PostgresRun[Row]):
    """See `ports.RowBlocks`."""

    _reader: ResultReader
    light: LightStatements
    _chunk_rows = 0  # that libpq gathers before it gives any, however heavy they are
    _heavy = BLOCK_BYTES  # what the last row that was looked at weighs; until then nobody knows
    _heaviest = 0
    _is_short = False  # whether the chunk that is held is the last

    def send(self) -> None:
        """See `PostgresRun`."""
        if self.statement.is_call:
            self.session.begin()
        self._chunk_rows = self.light.choose_rows(self.statement.text)
        self.session.send(self.statement.text, write_parameters(self.statement.parameters), chunk_rows=self._chunk_rows)
        self._reader = ResultReader(self.session.connection)

    def fill(self, parts: list[Row], deadline: float) -> None:
        """See `PostgresRun`. A block may be full, or heavy: a table of documents must not fill the memory.

        Where it ends depends on the rows alone: the same rows give the same document.
        """
        weight = 0
        while not self.has_ended and len(parts) < BLOCK_ROWS and weight < BLOCK_BYTES:
            before = len(parts)
            self._read(parts, choose_batch(BLOCK_ROWS - before, weight, self._heavy), deadline)
            if len(parts) > before and not self.has_ended:
                self._heavy = weigh(parts[-1])
                weight += (len(parts) - before) * self._heavy
                self._heaviest = max(self._heaviest, self._heavy)
        if self._heaviest:
            self.light.note(self.statement.text, self._heaviest)

    def _read(self, parts: list[Row], wanted: int, deadline: float) -> None:
        """Add so many rows, or those there are."""
        reader = self._reader
        while wanted and not self.has_ended:
            if not reader.held_rows:
                self.take(parts, deadline)
            rows = reader.read(wanted)
            parts += rows
            wanted -= len(rows)
        if self._is_short and not reader.held_rows and not self.has_ended:
            self.take(parts, deadline)  # the end is there: nobody should have to ask for a block of nothing

    def take(self, parts: list[Row], deadline: float) -> None:  # noqa: ARG002 - a chunk is held until blocks have room
        """See `PostgresRun`."""
        result = self.wait(deadline)
        match result.status:
            case pq.ExecStatus.TUPLES_CHUNK:
                self._reader.hold(result)
                self._is_short = result.ntuples < self._chunk_rows
            case pq.ExecStatus.TUPLES_OK:  # it has no rows
                self.end()
            case _:
                raise self.refuse(result)


class PostgresCalled(PostgresRows):
    """See `CalledBlocks`: the one row of what a procedure hands out, moments as statements that read write them."""

    columns: Sequence[Column] = ()

    def read_block(self) -> list[Row]:
        """See `ports.RowBlocks`."""
        return [tuple(map(_write_moment, row, self.columns)) for row in super().read_block()]


class PostgresSource:
    """See `ports.RowSource`. Safe for use from several threads."""

    name = "PostgreSQL"
    computes_here = False

    def __init__(self, address: str, *, max_connections: int = 32, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the address, as libpq does, and how many statements may run at once; nothing is opened yet.

        By the clock (seconds) what was learnt of the catalog grows old.
        """
        self.pool = PostgresPool(address, max_connections=max_connections)
        self._looks = SharedLook()
        self._lists = SharedLook()  # a list of thousands takes longer than an object that somebody waits for
        self._catalog = KeptCatalog(clock)
        self._light = LightStatements()
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
        if (known := self._catalog.find_list()) is not None:
            return known
        with self._lists.alone():
            # whoever waited has what the one before learnt
            return self._catalog.find_list() or self._catalog.keep_list(self._list)

    def _list(self) -> Sequence[ObjectListing]:
        with self.pool.borrowed() as session:
            listed = list_catalog(session)
            names = {found.name for found in listed}
            functions = [found for found in list_functions(session) if found.name not in names]
        return sorted([*listed, *functions], key=lambda found: found.name) if functions else listed

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`."""
        if (known := self._catalog.find(name)) is not None:
            return known
        with self._looks.alone():
            return self._catalog.find(name) or self._catalog.keep(name, lambda: self._describe(name))

    def _describe(self, name: str) -> ObjectDescription | None:
        with self.pool.borrowed() as session:
            collation = self._learn(session).collation
            return describe(session, name, collation) or describe_function(session, name, collation)

    def forget(self) -> None:
        """Forget what was learnt of the catalog: the database says that it is out of date."""
        self._catalog.forget()

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> PostgresRows:
        """See `ports.RowSource`."""
        rows = PostgresRows(self.pool, statement, seconds=statement_seconds, notice_change=self.forget)
        rows.light = self._light
        return rows

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> PostgresLines | None:
        """See `ports.RowSource`."""
        statement = render_lines(plan, form, self.dialect)
        if statement is None:
            return None
        make = PostgresLines if form is Format.CSV else PostgresTuples
        lines = make(self.pool, statement, seconds=statement_seconds, notice_change=self.forget)
        lines.block_bytes = LINE_BLOCK_BYTES[form]
        return lines

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

    def describe_query(self, text: str, places: int) -> Sequence[Column]:  # noqa: ARG002 - they are numbered
        """See `ports.QuerySource`."""
        with self.pool.borrowed() as session:
            return describe_query(session, text)

    def open_call(self, call: Call, *, statement_seconds: float) -> HeldCall:
        """See `ports.CallSource`."""
        _, statement = render_call(call, self.dialect)
        rows = PostgresCalled(self.pool, statement, seconds=statement_seconds, notice_change=self.forget)
        rows.columns, rows.light = call.procedure.columns, self._light
        return HeldResult(call, rows)

    def write_value(self, kind: ParameterType) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        return write_value(kind)

    def write_table(self, columns: Sequence[TableColumn]) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        return write_table(columns)

    def write_text(self, text: str) -> str:
        """See `ports.QuerySource`."""
        return write_text(text)

    @contextmanager
    def _lend(self) -> Iterator[Session]:
        """Lend a session for a statement that was made of a description."""
        with self.pool.borrowed() as session:
            try:
                yield session
            except EngineFailure:
                self.forget()
                raise

    def count_connections(self) -> int:
        """See `ports.RowSource`."""
        return self.pool.lent

    def close(self) -> None:
        """See `ports.RowSource`."""
        self.pool.close()


def _write_moment(value: Value, column: Column) -> Value:
    if not isinstance(value, str) or column.holds not in (Holds.MOMENT, Holds.INSTANT):
        return value
    written = value.replace(" ", "T", 1)
    return f"{written}:00" if column.holds is Holds.INSTANT and written.endswith("+00") else written
