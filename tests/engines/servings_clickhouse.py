"""The serving of ClickHouse; see servings.py. A rule that does not apply to it is skipped, and the matrix says so."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from rowgate.engines.generic import GenericSource
from rowgate.engines.known import open_manner
from rowgate.rows.model import Statement
from support.clickhouse import ClickhouseServer
from support.clock import MovableClock

OF_CLICKHOUSE = frozenset({"locked_database_is_unavailable_and_then_available"})  # it has no locks
_TYPES = {
    r"VARCHAR(\(\d+\))?|TEXT": "String",
    r"DECIMAL\((\d+), (\d+)\)": r"Decimal(\1, \2)",
    "DOUBLE PRECISION": "Float64",
    "REAL": "Float32",
    "BIGINT": "Int64",
    "INTEGER": "Int32",
    "TIMESTAMP": "DateTime64(6)",
    "DATE": "Date32",
}


class ClickhouseServing:
    """See `Serving`."""

    runaway = Statement("SELECT max(a.number * b.number) FROM numbers(10000000) a, numbers(10000000) b", ())
    endless = Statement("SELECT number AS n FROM numbers(100000000000)", ())
    prompt_seconds = 1.0

    def __init__(self, server: ClickhouseServer) -> None:
        self.server = server
        self.name = server.create_database()
        self.execute("CREATE TABLE made (n INTEGER)")
        self.clock = MovableClock()
        manner = open_manner(sqlalchemy.make_url(server.address(self.name)), accept_unproven=True)
        self.source = GenericSource(manner, clock=self.clock)

    def execute(self, *statements: str) -> None:
        self.server.execute(*map(_translate, statements), database=self.name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        raise NotImplementedError
        yield

    def replace(self, *statements: str) -> None:
        self.remove()
        self.server.create_database(self.name)
        self.execute(*statements)

    def corrupt(self) -> None:
        self.server.execute(f"DETACH DATABASE {self.name}")

    def remove(self) -> None:
        self.server.execute(f"DROP DATABASE IF EXISTS {self.name} SYNC")


def _translate(statement: str) -> str:
    """Give what the tests say in ClickHouse's words: nothing is NULL unless it may be, a table has an engine."""
    counted = re.search(r"INSERT INTO made WITH RECURSIVE .* n < (\d+)\)", statement)
    if counted:
        return f"INSERT INTO made SELECT number + 1 FROM numbers({counted[1]})"
    if statement.startswith("CREATE TABLE"):
        head, _, columns = statement.replace(" PRIMARY KEY", "").partition("(")
        columns = re.sub(r"\b(" + "|".join(_TYPES) + r")(?=[,)])", _translate_type, columns)
        return f"{head}({columns} ENGINE = MergeTree ORDER BY tuple()"
    if statement.startswith("ALTER TABLE"):
        return re.sub(r"\b(INTEGER|TEXT)\b", _translate_type, statement)
    return statement.replace("\\", "\\\\") if statement.startswith("INSERT") else statement


def _translate_type(found: re.Match[str]) -> str:
    for pattern, name in _TYPES.items():
        if re.fullmatch(pattern, found[0]):
            return f"Nullable({re.sub(f'^(?:{pattern})$', name, found[0])})"
    raise AssertionError(found[0])


@contextmanager
def serve_clickhouse(request: pytest.FixtureRequest, _: Path) -> Iterator[Any]:
    serving = ClickhouseServing(request.getfixturevalue("clickhouse"))
    with closing(serving.source):
        yield serving
    serving.remove()
