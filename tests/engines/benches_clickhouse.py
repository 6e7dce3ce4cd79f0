"""The bench of ClickHouse; see benches.py. Its owner writes values as literals.

It knows no key, so rows are told apart by the one that an administrator would name.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from rowgate.engines.generic import GenericSource
from rowgate.engines.known import open_manner
from rows.generated import Bench
from rows.tables import quoted
from support.clickhouse import ClickhouseServer

_KEY = ("n",)
_CHANGE = re.compile(r"(?:DELETE FROM generated|UPDATE generated SET (\w) = \?)(?: WHERE n = \?)?")


class ClickhouseWriter:
    """See `Writer`."""

    keeps_sign_of_zero = True

    def __init__(self, server: ClickhouseServer, database: str) -> None:
        self._server = server
        self._database = database
        columns = "n Int64, t Nullable(String), i Nullable(Int64), r Nullable(Float64)"
        self._run(f"CREATE TABLE generated ({columns}) ENGINE = MergeTree ORDER BY n")

    def _run(self, statement: str) -> None:
        self._server.execute(statement, database=self._database)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        changed = _CHANGE.fullmatch(statement)
        if changed is None:
            assert statement.startswith("INSERT INTO generated VALUES"), statement
            self.insert([values])
        elif changed[1]:
            value, n = values
            change = f"UPDATE {changed[1]} = {_write(value)} WHERE n = {n}"
            self._run(f"ALTER TABLE generated {change} SETTINGS mutations_sync = 2")
        elif values:
            self._run(f"ALTER TABLE generated DELETE WHERE n = {values[0]} SETTINGS mutations_sync = 2")
        else:
            self._run("TRUNCATE TABLE generated")

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            written = ", ".join(f"({', '.join(map(_write, row))})" for row in rows)
            self._run(f"INSERT INTO generated VALUES {written}")

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        self._run(
            f"CREATE TABLE {_quote(table)} ({_quote(column)} Nullable(String)) ENGINE = MergeTree ORDER BY tuple()"
        )
        self._run(f"INSERT INTO {_quote(table)} VALUES {', '.join(f'({_write(value)})' for value in values)}")

    def unmake(self, table: str) -> None:
        self._run(f"DROP TABLE {_quote(table)} SYNC")

    def takes(self, name: str) -> bool:
        return bool(name)

    def close(self) -> None:
        self._run("DROP TABLE generated SYNC")


def _write(value: Any) -> str:
    """Give a literal of ClickHouse's."""
    if value is None:
        return "NULL"
    return f"unhex('{value.encode().hex()}')" if isinstance(value, str) else repr(value)


def _quote(name: str) -> str:
    return quoted(name.replace("\\", "\\\\"))


@contextmanager
def open_clickhouse_bench(request: pytest.FixtureRequest, _: Path) -> Iterator[Bench]:
    server: ClickhouseServer = request.getfixturevalue("clickhouse")
    database = server.create_database()
    url = sqlalchemy.make_url(server.address(database))
    with (
        closing(ClickhouseWriter(server, database)) as writer,
        closing(GenericSource(open_manner(url, accept_unproven=True))) as source,
    ):
        yield Bench(writer, source, source._catalog.forget, key=_KEY)
