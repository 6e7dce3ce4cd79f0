"""The serving of PostgreSQL; see servings.py."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from rowgate.engines import postgres_settings
from rowgate.engines.postgres import PostgresSource
from rowgate.ports.rows import RowSource
from rowgate.rows.model import Statement
from support.clock import MovableClock
from support.postgres import PostgresServer

_NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} FROM c"


class PostgresServing:
    """See `Serving`."""

    runaway = Statement(_NUMBERS.format("max(n)"), ())
    endless = Statement(_NUMBERS.format("n"), ())
    prompt_seconds = 0.3

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = server.create_database()
        self.execute("CREATE TABLE made (n INTEGER)")
        self.clock = MovableClock()
        self.source = self.open_source()

    def open_source(self) -> RowSource:
        return PostgresSource(self.server.address(self.name), clock=self.clock)

    def execute(self, *statements: str) -> None:
        with self.server.owner(self.name) as owner:
            for statement in statements:
                owner.execute(statement.encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.server.owner(self.name) as owner, owner.transaction():
            owner.execute("LOCK TABLE made IN ACCESS EXCLUSIVE MODE")
            yield

    def replace(self, *statements: str) -> None:
        self.remove()
        self.server.create_database(name=self.name)
        self.execute(*statements)

    def corrupt(self) -> None:
        with self.server.owner() as owner:
            owner.execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.name,))

    def remove(self) -> None:
        self.server.drop_database(self.name)


@contextmanager
def serve_postgres(request: pytest.FixtureRequest, _: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_settings, "BUSY_MILLISECONDS", 50)
        serving = PostgresServing(request.getfixturevalue("postgres"))
        with closing(serving.source):
            yield serving
        serving.remove()
