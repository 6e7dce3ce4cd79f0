"""One table on each engine, filled anew for each example: rows/generated.py with the engines of these tests too."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy

from engines.benches_http import open_clickhouse_bench, open_trino_bench
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.generic import GenericSource
from rowgate.engines.mariadb import MariadbManner
from rowgate.engines.other import OtherManner
from rows.generated import BENCHES, Bench, PostgresWriter
from rows.tables import quoted
from support.mariadb import PASSWORD, MariadbServer
from support.postgres import PostgresServer


class DuckdbInMemory(DuckdbManner):
    """DuckDB with a database in its memory: a file would be written anew for each example, which takes 100 ms."""

    def identify(self) -> str:
        return "one"

    def _open_files(self, keeper: Any) -> None:
        super()._open_files(keeper)
        keeper.execute("DETACH served")
        keeper.execute("ATTACH ':memory:' AS served")

    def connect_owner(self) -> Any:
        """Give the owner's connection, which may write."""
        connection = self._keeper.duplicate()
        connection.execute("USE served")
        return connection

    def forget(self) -> None:
        """Have the list of objects asked for again: a file that is open would not change."""
        self._kinds = None


class DuckdbWriter:
    """See `Writer`."""

    keeps_sign_of_zero = True

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.execute("CREATE TABLE generated (n BIGINT PRIMARY KEY, t VARCHAR, i BIGINT, r DOUBLE)")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        self.connection.execute(statement, values)

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self.connection.executemany("INSERT INTO generated VALUES (?, ?, ?, ?)", rows)

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        self.execute(f"CREATE TABLE {quoted(table)} ({quoted(column)} VARCHAR)")
        self.connection.executemany(f"INSERT INTO {quoted(table)} VALUES (?)", [(value,) for value in values])

    def unmake(self, table: str) -> None:
        self.execute(f"DROP TABLE {quoted(table)}")

    def takes(self, name: str) -> bool:
        return bool(name)

    def close(self) -> None:
        self.connection.close()


class MariadbWriter:
    """See `Writer`."""

    keeps_sign_of_zero = False

    def __init__(self, server: MariadbServer, database: str) -> None:
        self.connection = server.connect(database)
        self.execute("CREATE TABLE generated (n BIGINT PRIMARY KEY, t VARCHAR(100), i BIGINT, r DOUBLE)")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        with self.connection.cursor() as cursor:
            statement = re.sub(r" generated\b", " `generated`", statement)  # to MySQL it is a word of its own
            cursor.execute(statement.replace("?", "%s") if values else statement, values or None)

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany("INSERT INTO `generated` VALUES (%s, %s, %s, %s)", rows)

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        self.execute(f"CREATE TABLE {_quote(table)} ({_quote(column)} VARCHAR(100))")
        for value in values:
            with self.connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {_quote(table).replace('%', '%%')} VALUES (%s)", (value,))

    def unmake(self, table: str) -> None:
        self.execute(f"DROP TABLE {_quote(table)}")

    def takes(self, name: str) -> bool:
        """See `Writer`. What the manual says of identifiers."""
        return len(name) <= 64 and name[-1] not in " \t\n\v\f\r" and all(ord(sign) <= 0xFFFF for sign in name)

    def close(self) -> None:
        self.connection.close()


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@contextmanager
def open_duckdb_bench(_: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    path = folder / "empty.duckdb"
    duckdb.connect(str(path)).close()
    manner = DuckdbInMemory(path)
    with closing(GenericSource(manner)) as source:
        source.check_reachable()

        def forget_catalog() -> None:
            manner.forget()
            source._catalog.forget()

        with closing(DuckdbWriter(manner.connect_owner())) as writer:
            yield Bench(writer, source, forget_catalog)


@contextmanager
def _open_mariadb_bench(server: MariadbServer) -> Iterator[Bench]:
    database = server.create_database()
    manner = MariadbManner(server.address(database), password=PASSWORD)
    with closing(MariadbWriter(server, database)) as writer, closing(GenericSource(manner)) as source:
        yield Bench(writer, source, source._catalog.forget)


def open_mariadb_bench(request: pytest.FixtureRequest, _: Path) -> AbstractContextManager[Bench]:
    return _open_mariadb_bench(request.getfixturevalue("mariadb"))


def open_mysql_bench(request: pytest.FixtureRequest, _: Path) -> AbstractContextManager[Bench]:
    return _open_mariadb_bench(request.getfixturevalue("mysql"))


@contextmanager
def open_other_bench(request: pytest.FixtureRequest, _: Path) -> Iterator[Bench]:
    server: PostgresServer = request.getfixturevalue("postgres")
    database = server.create_database()
    url = sqlalchemy.make_url(server.address(database)).set(drivername="postgresql+psycopg")
    manner = OtherManner(url, accept_unproven=True)
    with closing(PostgresWriter(server, database)) as writer, closing(GenericSource(manner)) as source:

        def forget_catalog() -> None:
            manner._kept.forget()
            source._catalog.forget()

        yield Bench(writer, source, forget_catalog)


ALL_BENCHES: dict[str, Callable[[pytest.FixtureRequest, Path], Any]] = {
    **BENCHES,
    "duckdb": open_duckdb_bench,
    "mariadb": open_mariadb_bench,
    "mysql": open_mysql_bench,
    "other": open_other_bench,
    "clickhouse": open_clickhouse_bench,
    "trino": open_trino_bench,
}
