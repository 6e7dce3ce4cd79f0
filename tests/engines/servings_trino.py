"""The serving of Trino; see servings.py. A rule that does not apply to it is skipped, and the matrix says so."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from rowgate.engines.generic import GenericSource
from rowgate.engines.trino import TrinoManner
from rowgate.rows.model import Statement
from support.clock import MovableClock
from support.trino import TrinoServer

OF_TRINO = frozenset(
    {
        "columns_come_in_order_with_their_spelling",  # all its names are in small letters
        "locked_database_is_unavailable_and_then_available",  # it has no locks
        "missing_or_corrupt_database_is_unavailable",  # the tables of the tests are in its memory
    }
)


class TrinoServing:
    """See `Serving`."""

    runaway = Statement(
        "SELECT sum(a.n * b.n) FROM UNNEST(sequence(1, 10000)) a(n), UNNEST(sequence(1, 10000)) b(n), "
        "UNNEST(sequence(1, 10000)) c(n)",
        (),
    )
    endless = Statement(
        "SELECT a.n FROM UNNEST(sequence(1, 10000)) a(n), UNNEST(sequence(1, 10000)) b(n), "
        "UNNEST(sequence(1, 10000)) c(n)",
        (),
    )
    prompt_seconds = 5.0

    def __init__(self, server: TrinoServer) -> None:
        self.server = server
        self._empty()
        self.execute("CREATE TABLE made (n INTEGER)")
        self.clock = MovableClock()
        self.source = GenericSource(
            TrinoManner(sqlalchemy.make_url(server.address()), accept_unproven=True), clock=self.clock
        )

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.server.execute(*_translate(statement))

    def _empty(self) -> None:
        listed = self.server.execute(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'default'"
        )
        for name, kind in listed:
            self.server.execute(f'DROP {"VIEW" if kind == "VIEW" else "TABLE"} "{name}"')

    @contextmanager
    def locked(self) -> Iterator[None]:
        raise NotImplementedError
        yield

    def replace(self, *statements: str) -> None:
        self._empty()
        self.execute(*statements)

    def corrupt(self) -> None:
        raise NotImplementedError

    remove = corrupt


def _translate(statement: str) -> list[str]:
    """Give what the tests say in Trino's words: it has no keys, and its literals have types."""
    counted = re.search(r"INSERT INTO made WITH RECURSIVE .* n < (\d+)\)", statement)
    if counted:
        thousands = f"UNNEST(sequence(0, {int(counted[1]) // 1000})) a(n), UNNEST(sequence(1, 1000)) b(n)"
        numbers = f"SELECT 1000 * a.n + b.n AS n FROM {thousands}"  # a sequence has 10,000 at most
        return [f"INSERT INTO made SELECT n FROM ({numbers}) WHERE n <= {counted[1]}"]
    if statement.startswith("ALTER TABLE added ADD COLUMN b"):  # which the memory connector does not have
        return ["DROP TABLE added", "CREATE TABLE added (a INTEGER, b VARCHAR)"]
    statement = statement.replace(" PRIMARY KEY", "").replace("DOUBLE PRECISION", "DOUBLE")
    statement = re.sub(r"\bTIMESTAMP\b", "TIMESTAMP(6)", statement)
    statement = re.sub(r"\bTEXT\b", "VARCHAR", statement)
    if statement.startswith("INSERT INTO facts"):
        statement = re.sub(r"'(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)'", r"TIMESTAMP '\1 \2'", statement)
        statement = re.sub(r"'(\d{4}-\d\d-\d\d)'", r"DATE '\1'", statement)
        statement = re.sub(r"(?<= )(-?\d+e-?\d+|-?\d+\.\d{17})(?=,)", r"DOUBLE '\1'", statement)
    return [statement]


@contextmanager
def serve_trino(request: pytest.FixtureRequest, _: Path) -> Iterator[Any]:
    serving = TrinoServing(request.getfixturevalue("trino"))
    with closing(serving.source):
        yield serving
