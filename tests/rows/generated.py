"""One table, filled anew for each example, read through the rows core and an engine.

A new engine adds an entry to `BENCHES`, and no test; those that are not in the default suite: engines/benches.py.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from rowgate.engines.postgres import PostgresSource
from rowgate.engines.postgres_catalog import Traits
from rowgate.engines.sqlite import SqliteSource
from rowgate.ports.rows import RowSource
from rowgate.rows.encode import open_encoder
from rowgate.rows.holds import Collation
from rowgate.rows.model import Format, Plan
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select
from rows.oracle import Row
from rows.tables import quoted
from support.postgres import PostgresServer


class Writer(Protocol):
    """Changes the table as its owner."""

    keeps_sign_of_zero: bool  # the engine does, in a floating-point number

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run a statement whose values stand at question marks."""

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        """Put rows into the empty table."""

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        """Make a table of texts with any names; `unmake` takes it away."""

    def unmake(self, table: str) -> None:
        """Take a table away."""

    def takes(self, name: str) -> bool:
        """Tell whether a table or a column can be called so."""

    def close(self) -> None:
        """Let go of the connection."""


class SqliteWriter:
    """See `Writer`."""

    keeps_sign_of_zero = False  # sqlite.org/floatingpoint.html

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.execute("PRAGMA synchronous=OFF")
        self.execute("PRAGMA journal_mode=MEMORY")
        self.execute("CREATE TABLE generated (n INTEGER PRIMARY KEY, t TEXT, i INTEGER, r REAL)")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        self.connection.execute(statement, values)

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        with self.connection:
            self.execute("BEGIN")
            self.connection.executemany("INSERT INTO generated VALUES (?, ?, ?, ?)", rows)

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        self.execute(f"CREATE TABLE {quoted(table)} ({quoted(column)} TEXT)")
        self.connection.executemany(f"INSERT INTO {quoted(table)} VALUES (?)", [(value,) for value in values])

    def unmake(self, table: str) -> None:
        self.execute(f"DROP TABLE {quoted(table)}")

    def takes(self, name: str) -> bool:
        return not name.lower().startswith("sqlite_")

    def close(self) -> None:
        self.connection.close()


class PostgresWriter:
    """See `Writer`."""

    keeps_sign_of_zero = True

    def __init__(self, server: PostgresServer, database: str) -> None:
        self.connection = server.owner(database)
        self.execute("CREATE TABLE generated (n BIGINT PRIMARY KEY, t TEXT, i BIGINT, r DOUBLE PRECISION)")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        self.connection.execute(statement.replace("?", "%s").encode(), values)

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy("COPY generated FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        self.connection.execute(f"CREATE TABLE {quoted(table)} ({quoted(column)} TEXT)".encode())
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {quoted(table)} FROM STDIN".encode()) as copy:
            for value in values:
                copy.write_row((value,))

    def unmake(self, table: str) -> None:
        self.connection.execute(f"DROP TABLE {quoted(table)}".encode())

    def takes(self, name: str) -> bool:
        return len(name.encode()) <= 63  # it cuts longer ones, and says so

    def close(self) -> None:
        self.connection.close()


class Bench:
    """One table, filled anew for each example, read through the rows core and the engine."""

    def __init__(
        self, writer: Writer, source: RowSource, forget_catalog: Callable[[], None], *, key: Sequence[str] = ()
    ) -> None:
        self.key = key  # as an administrator names it, of an engine that knows none
        self.writer = writer
        self.source = source
        self.forget_catalog = forget_catalog  # has the next object found anew, though the last look was just now
        self.name = "generated"  # of the object that is read

    def fill(self, rows: list[tuple[Any, ...]]) -> list[Row]:
        """Give the rows as they were stored."""
        numbered = [(n, *self._keep(row)) for n, row in enumerate(rows)]
        self.writer.execute("DELETE FROM generated")
        self.writer.insert(numbered)
        return [dict(zip(("n", "t", "i", "r"), row, strict=True)) for row in numbered]

    def add(self, n: int, row: tuple[Any, ...]) -> None:
        self.writer.execute("INSERT INTO generated VALUES (?, ?, ?, ?)", (n, *self._keep(row)))

    def _keep(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Give the row as the engine can store it."""
        if not self.writer.keeps_sign_of_zero:
            row = tuple(value + 0.0 if isinstance(value, float) else value for value in row)
        if self.source.dialect.holds_nul:
            return row
        return tuple(value.replace("\0", "\1") if isinstance(value, str) else value for value in row)

    def plan(self, body: Row) -> Plan:
        described = self.source.find_object(self.name)
        assert described is not None
        return plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="", key=self.key)

    def count(self, body: Row) -> Any:
        blocks = self.source.open_rows(render_count(self.plan(body), self.source.dialect), statement_seconds=10)
        try:
            return blocks.read_block()[0][0]
        finally:
            blocks.close()

    def read(self, body: Row) -> list[Row]:
        plan = self.plan(body)
        encoder = open_encoder(plan, Format.JSON)
        blocks = self.source.open_rows(render_select(plan, self.source.dialect), statement_seconds=10)
        try:
            encoded = encoder.encode_block(blocks.read_block()) + encoder.encode_end()
        finally:
            blocks.close()
        return list(msgspec.json.decode(encoded))


@contextmanager
def open_sqlite_bench(_: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    path = folder / "generated.sqlite"
    with closing(SqliteWriter(path)) as writer, closing(SqliteSource(path)) as source:

        def forget_catalog() -> None:
            source._looked_at = float("-inf")

        yield Bench(writer, source, forget_catalog)


@contextmanager
def open_postgres_bench(request: pytest.FixtureRequest, _: Path) -> Iterator[Bench]:
    server: PostgresServer = request.getfixturevalue("postgres")
    database = server.create_database()
    with (
        closing(PostgresWriter(server, database)) as writer,
        closing(PostgresSource(server.address(database))) as source,
    ):
        # the package's server has no language but C: let text be compared as if it had, with the collation named
        source._traits = Traits(source.dialect, Collation.LINGUISTIC)
        yield Bench(writer, source, source.forget)


BENCHES: dict[str, Callable[[pytest.FixtureRequest, Path], Any]] = {
    "sqlite": open_sqlite_bench,
    "postgres": open_postgres_bench,
}
