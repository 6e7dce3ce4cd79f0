"""The benches of Trino and ClickHouse; see benches.py. Their owners write values as literals.

Neither knows a key, so rows are told apart by the one that an administrator would name.
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
from rowgate.engines.trino_plan import write_values_in
from rowgate.rows.model import Statement
from rows.generated import Bench
from rows.tables import quoted
from support.clickhouse import ClickhouseServer
from support.trino import TrinoServer

_KEY = ("n",)
_CHANGE = re.compile(r"(?:DELETE FROM generated|UPDATE generated SET (\w) = \?)(?: WHERE n = \?)?")


class TrinoWriter:
    """See `Writer`. Its memory connector changes no row: whatever is changed, the table is made anew."""

    keeps_sign_of_zero = True

    def __init__(self, server: TrinoServer) -> None:
        self._server = server
        self._rows: list[list[Any]] = []
        self._remake()

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        changed = _CHANGE.fullmatch(statement)
        if changed is None:
            assert statement.startswith("INSERT INTO generated VALUES"), statement
            self._rows.append(list(values))
        elif changed[1]:
            for row in self._rows:
                if row[0] == values[1]:
                    row["ntir".index(changed[1])] = values[0]
        elif values:
            self._rows = [row for row in self._rows if row[0] != values[0]]
        else:
            return  # it is filled next
        self._remake()

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = [list(row) for row in rows]
        self._remake()

    def _remake(self) -> None:
        place = "(CAST(? AS BIGINT), CAST(? AS VARCHAR), CAST(? AS BIGINT), CAST(? AS DOUBLE))"
        rows = self._rows or [[None] * 4]
        values = Statement(", ".join([place] * len(rows)), tuple(value for row in rows for value in row))
        made = f"SELECT * FROM (VALUES {write_values_in(values)}) made (n, t, i, r) WHERE n IS NOT NULL"
        self._server.execute("DROP TABLE IF EXISTS generated", f"CREATE TABLE generated AS {made}")

    def make(self, table: str, column: str, values: Sequence[Any]) -> None:
        places = Statement(", ".join(["(CAST(? AS VARCHAR))"] * len(values)), tuple(values))
        made = f"SELECT * FROM (VALUES {write_values_in(places)}) made ({quoted(column)})"
        self._server.execute(f"CREATE TABLE {quoted(table)} AS {made}")

    def unmake(self, table: str) -> None:
        self._server.execute(f"DROP TABLE {quoted(table)}")

    def takes(self, name: str) -> bool:
        return bool(name) and name == name.lower()  # it makes the others small

    def close(self) -> None:
        self._server.execute("DROP TABLE IF EXISTS generated")


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
def open_trino_bench(request: pytest.FixtureRequest, _: Path) -> Iterator[Bench]:
    server: TrinoServer = request.getfixturevalue("trino")
    with (
        closing(TrinoWriter(server)) as writer,
        closing(GenericSource(open_manner(sqlalchemy.make_url(server.address()), accept_unproven=True))) as source,
    ):
        yield Bench(writer, source, source._catalog.forget, key=_KEY)


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
