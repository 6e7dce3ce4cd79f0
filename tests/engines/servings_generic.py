"""The servings of engines behind the generic fetcher; see servings.py."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rowgate.engines import mysql_session
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.generic import GenericSource
from rowgate.engines.mariadb import MariadbManner
from rowgate.rows.model import Statement
from support.clock import MovableClock
from support.mariadb import PASSWORD, MariadbServer

_THOUSANDS = (
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 1000) SELECT {} FROM t a, t b, t c"
)


class DuckdbServing:
    """See `Serving`. Its owner writes another file and puts it in the place of the old one, as DuckDB wants it."""

    runaway = Statement("SELECT max(a.range * b.range) FROM range(1000000) a, range(1000000) b", ())
    endless = Statement("SELECT range AS n FROM range(10000000000)", ())
    prompt_seconds = 0.3

    def __init__(self, path: Path) -> None:
        self.path = path
        self.execute("CREATE TABLE made (n INTEGER)")
        self.clock = MovableClock()
        self.source = GenericSource(DuckdbManner(path), clock=self.clock)

    def execute(self, *statements: str) -> None:
        beside = self.path.with_name("beside.duckdb")
        if self.path.exists():
            beside.write_bytes(self.path.read_bytes())
        with closing(duckdb.connect(str(beside))) as owner:
            for statement in statements:
                owner.execute(statement)
        beside.replace(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        away = self.path.rename(self.path.with_name("away"))
        yield
        away.rename(self.path)

    def replace(self, *statements: str) -> None:
        self.remove()
        self.execute(*statements)

    def corrupt(self) -> None:
        self.remove()
        self.path.write_bytes(b"this is no database. " * 500)

    def remove(self) -> None:
        self.path.unlink()


class MariadbServing:
    """See `Serving`."""

    runaway = Statement("SELECT sum(a.seq * b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b", ())
    endless = Statement("SELECT seq AS n FROM seq_1_to_10000000000", ())
    prompt_seconds = 0.3
    recursion = "max_recursive_iterations"

    def __init__(self, server: MariadbServer) -> None:
        self.server = server
        self.name = server.create_database()
        self.execute("CREATE TABLE made (n INTEGER)")
        self.clock = MovableClock()
        manner = MariadbManner(server.address(self.name), password=PASSWORD)
        self.source = GenericSource(manner, clock=self.clock)

    def execute(self, *statements: str) -> None:
        self.server.execute(
            f"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', {self.recursion} = 1000000",
            *statements,
            database=self.name,
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(self.server.connect(self.name)) as owner:
            owner.cursor().execute("LOCK TABLES made WRITE")
            yield

    def replace(self, *statements: str) -> None:
        self.remove()
        self.server.create_database(self.name)
        self.execute(*statements)

    def corrupt(self) -> None:
        self.server.execute(f"REVOKE ALL ON {self.name}.* FROM reader@localhost")
        kill = "SELECT concat('KILL CONNECTION ', id) FROM information_schema.processlist WHERE user = 'reader'"
        for (statement,) in self.server.execute(kill):
            self.server.execute(statement)

    def remove(self) -> None:
        self.server.execute(f"DROP DATABASE {self.name}")


class MysqlServing(MariadbServing):
    """See `Serving`."""

    runaway = Statement(_THOUSANDS.format("sum(length(sha2(a.n * b.n * c.n, 256)))"), ())
    endless = Statement(_THOUSANDS.format("a.n"), ())
    recursion = "cte_max_recursion_depth"


@contextmanager
def serve_duckdb(_: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    serving = DuckdbServing(folder / "served.duckdb")
    with closing(serving.source):
        yield serving


def serve_mariadb(request: pytest.FixtureRequest, _: Path) -> AbstractContextManager[Any]:
    return serve_either(request.getfixturevalue("mariadb"))


def serve_mysql(request: pytest.FixtureRequest, _: Path) -> AbstractContextManager[Any]:
    return serve_either(request.getfixturevalue("mysql"))


def serve_either(server: MariadbServer) -> AbstractContextManager[Any]:
    """Give the one that is of this server's kind."""
    return _serve(MariadbServing if server.is_mariadb else MysqlServing, server)


@contextmanager
def _serve(kind: type[MariadbServing], server: MariadbServer) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mysql_session, "BUSY_SECONDS", 1)
        serving = kind(server)
        with closing(serving.source):
            yield serving
        serving.server.execute(f"DROP DATABASE IF EXISTS {serving.name}")
