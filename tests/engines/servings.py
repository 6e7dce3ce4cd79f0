"""The engines under contract. A new engine adds an entry to `ENGINES`, and no test.

A serving is a database that the tests can fill and harm, with the source under test open on it. `execute` gets
only SQL that every engine understands.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

import apsw
import pytest

from engines.servings_clickhouse import OF_CLICKHOUSE, serve_clickhouse
from engines.servings_generic import serve_duckdb, serve_mariadb, serve_mysql
from engines.servings_other import OF_OTHERS, serve_other
from engines.servings_postgres import serve_postgres
from engines.servings_trino import OF_TRINO, serve_trino
from rowgate.engines import sqlite, sqlite_connection
from rowgate.ports.rows import RowSource
from rowgate.rows.model import Statement
from support.clock import MovableClock


class Serving(Protocol):
    """A database in the tests' hands."""

    runaway: Statement  # gives no row for minutes
    endless: Statement  # gives rows for minutes
    clock: MovableClock  # by which the source forgets what it knows of the catalog
    prompt_seconds: float  # within which two blocks are read

    @property
    def source(self) -> RowSource:
        """The source under test."""

    def execute(self, *statements: str) -> None:
        """Change the database as its owner, and commit."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep everybody else from reading for a while; waiting for it is short."""

    def replace(self, *statements: str) -> None:
        """Put another database, made by the statements, in the place of this one."""

    def corrupt(self) -> None:
        """Make it something that is no database."""

    def remove(self) -> None:
        """Take it away."""


_NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} FROM c"


class SqliteServing:
    """See `Serving`."""

    runaway = Statement(_NUMBERS.format("max(n)"), ())
    endless = Statement(_NUMBERS.format("n"), ())
    prompt_seconds = 0.3

    def __init__(self, path: Path) -> None:
        self.path = path
        self.execute("CREATE TABLE made (n INTEGER)")
        self.clock = MovableClock()
        self.source = sqlite.SqliteSource(path, clock=self.clock)

    def execute(self, *statements: str) -> None:
        # apsw, as the source: two SQLite libraries in one process undo each other's file locks.
        with closing(apsw.Connection(str(self.path))) as owner, owner:
            for statement in statements:
                owner.execute(statement)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(apsw.Connection(str(self.path))) as owner:
            owner.execute("BEGIN EXCLUSIVE")
            yield
            owner.execute("ROLLBACK")

    def replace(self, *statements: str) -> None:
        other = SqliteServing(self.path.with_name("other.sqlite"))
        other.execute("DROP TABLE made", *statements)
        other.path.replace(self.path)

    def corrupt(self) -> None:
        self.remove()
        self.path.write_bytes(b"this is no database. " * 500)

    def remove(self) -> None:
        self.path.unlink()


@contextmanager
def serve_sqlite(_: pytest.FixtureRequest, folder: Path) -> Iterator[Serving]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_connection, "BUSY_MILLISECONDS", 50)
        serving = SqliteServing(folder / "served.sqlite")
        with closing(serving.source):
            yield serving


ENGINES: dict[str, Callable[[pytest.FixtureRequest, Path], AbstractContextManager[Serving]]] = {
    "sqlite": serve_sqlite,
    "postgres": serve_postgres,
    "duckdb": serve_duckdb,
    "mariadb": serve_mariadb,
    "mysql": serve_mysql,
    "clickhouse": serve_clickhouse,
    "trino": serve_trino,
    "other": serve_other,
}
DOES_NOT_APPLY = {"clickhouse": OF_CLICKHOUSE, "other": OF_OTHERS, "trino": OF_TRINO}
