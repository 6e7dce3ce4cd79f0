"""Databases with the same tables on each engine, served over HTTP to an application that may read all of them.

A new engine adds an entry to `ROADS` and to `TYPES`, and no test.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import duckdb
import pytest

from engines.heavy import HEAVY
from engines.iceberg_commits import open_catalog
from engines.road_tables import (
    HOSTS,
    KEYED,
    LATE_FILES,
    LATE_PART,
    PROCEDURES,
    TYPED,
    Table,
    damage,
    make_placed,
    make_runs,
    render_late,
)
from rowgate import wiring
from rowgate.config import load_settings
from rowgate.served_databases import DatabaseSettings
from rows.harness import Reader, read_from
from support.clickhouse import ClickhouseServer
from support.homes import administer
from support.mariadb import PASSWORD, MariadbServer
from support.postgres import PostgresServer
from support.trino import TrinoServer

# What the tables' types are to an engine; what is not named here it has by that name. Empty: it has no such type.
TYPES: dict[str, dict[str, str]] = {
    "sqlite": {"MOMENT": "TIMESTAMP", "DOUBLE": "DOUBLE PRECISION", "SINGLE": "REAL", "BINARY": "BLOB", "UUID": ""},
    "postgres": {"MOMENT": "TIMESTAMP", "DOUBLE": "DOUBLE PRECISION", "SINGLE": "REAL", "BINARY": "BYTEA"},
    "duckdb": {"MOMENT": "TIMESTAMP", "SINGLE": "FLOAT", "BINARY": "BLOB"},
    "parquet": {"MOMENT": "TIMESTAMP", "SINGLE": "FLOAT", "BINARY": "BLOB"},
    "iceberg": {"MOMENT": "TIMESTAMP", "SINGLE": "FLOAT", "BINARY": "BLOB", "SMALLINT": "INTEGER"},
    "mariadb": {"MOMENT": "DATETIME(6)", "TIME": "TIME(6)", "SINGLE": "FLOAT", "BINARY": "VARBINARY(40)"},
    "mysql": {"MOMENT": "DATETIME(6)", "TIME": "TIME(6)", "SINGLE": "FLOAT", "BINARY": "VARBINARY(40)", "UUID": ""},
    "trino": {"MOMENT": "TIMESTAMP(6)", "TIME": "TIME(6)", "SINGLE": "REAL", "BINARY": "VARBINARY"},
    "clickhouse": {
        "SMALLINT": "Nullable(Int16)",
        "INTEGER": "Nullable(Int32)",
        "BIGINT": "Nullable(Int64)",
        "DOUBLE": "Nullable(Float64)",
        "SINGLE": "Nullable(Float32)",
        "DATE": "Nullable(Date32)",
        "MOMENT": "Nullable(DateTime64(6))",
        "BOOLEAN": "Nullable(Bool)",
        "UUID": "Nullable(UUID)",
        "TIME": "",
        "BINARY": "",
    },
}
_ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Road(Reader):
    """A reader of the tables on one engine."""

    engine: str


OpenRoad = Callable[[str], Road]


def list_tables(engine: str) -> list[Table]:
    """Give the tables that an engine gets."""
    own = "duckdb" if engine == "parquet" else engine
    placed = make_placed(own, [kind for kind, native in TYPES[engine].items() if not native])
    return [HOSTS, KEYED, TYPED, placed, *make_runs(own)]


def _name_type(engine: str, kind: str) -> str:
    native = TYPES[engine].get(kind, kind)
    if engine == "clickhouse" and native.startswith(("DECIMAL", "VARCHAR")):
        return f"Nullable({re.sub('VARCHAR.*', 'String', native)})"
    return native


def _create(engine: str, table: Table, close: str = ")") -> str:
    """Give the statement that makes a table; `close` ends it, if not its key."""
    columns = [f"{name} {_name_type(engine, kind)}" for name, kind in table.columns.items()]
    if table.keys and engine not in _KEYLESS:
        columns.append(f"PRIMARY KEY ({', '.join(_list_keys(table))})")
    return f"CREATE TABLE {table.name} ({', '.join(columns)}{close}"


def _list_keys(table: Table) -> tuple[str, ...]:
    return tuple(table.columns)[: table.keys]


def _quote(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def _insert(table: Table, quote: Callable[[str | None], str] = _quote) -> str:
    rows = ", ".join(f"({', '.join(map(quote, row))})" for row in table.rows)
    return f"INSERT INTO {table.name} VALUES {rows}"


def _write(engine: str) -> Iterator[str]:
    for table in list_tables(engine):
        yield _create(engine, table)
        yield _insert(table)
    if engine not in _OF_FILES:
        yield render_late(engine)


def make_sqlite(_: pytest.FixtureRequest, folder: Path) -> str:
    with closing(apsw.Connection(str(folder / "served.sqlite"))) as owner, owner:
        for table in list_tables("sqlite"):
            owner.execute(_create("sqlite", table))
            binary = [kind == "BINARY" for kind in table.columns.values()]
            owner.executemany(
                f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(binary))})",
                [
                    [
                        value.encode() if raw and value is not None else value
                        for raw, value in zip(binary, row, strict=True)
                    ]
                    for row in table.rows
                ],
            )
        owner.execute(render_late("sqlite"))
    return f"sqlite:///{folder}/served.sqlite"


def make_postgres(request: pytest.FixtureRequest, _: Path) -> str:
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    with server.owner(name) as owner:
        for statement in _write("postgres"):
            owner.execute(statement.encode())
    return server.address(name)


def make_duckdb(_: pytest.FixtureRequest, folder: Path) -> str:
    with closing(duckdb.connect(str(folder / "served.duckdb"))) as owner:
        for statement in _write("duckdb"):
            owner.execute(statement)
    return f"duckdb:///{folder}/served.duckdb"


def make_parquet(_: pytest.FixtureRequest, folder: Path) -> str:
    (folder / "served").mkdir()
    with closing(duckdb.connect()) as owner:
        for statement in _write("parquet"):
            owner.execute(statement)
        for table in list_tables("parquet"):
            owner.execute(f"COPY {table.name} TO '{folder}/served/{table.name}.parquet' (ROW_GROUP_SIZE 2048)")
        owner.execute(f"COPY ({LATE_FILES}) TO '{folder}/served/late.parquet' (ROW_GROUP_SIZE {LATE_PART})")
    damage(folder / "served" / "late.parquet")
    return f"duckdb:///{folder}/served"


def make_iceberg(_: pytest.FixtureRequest, folder: Path) -> str:
    with open_catalog(folder) as catalog, closing(duckdb.connect()) as owner:
        for statement in _write("iceberg"):
            owner.execute(statement)
        read = {table.name: f"SELECT * FROM {table.name}" for table in list_tables("iceberg")} | {"late": LATE_FILES}
        for name, statement in read.items():
            rows = owner.sql(statement).to_arrow_table()
            place = f"file://{folder}/served/{name}"
            parts = {"write.parquet.row-group-limit": str(LATE_PART)}
            made = catalog.create_table(f"n.{name}", schema=rows.schema, location=place, properties=parts)
            size = len(rows) if name == "late" else LATE_PART
            for start in range(0, len(rows), size):
                made.append(rows.slice(start, size))
    (late,) = (folder / "served" / "late" / "data").glob("*.parquet")
    damage(late)
    return f"duckdb:///{folder}/served"


def _make_mariadb(request: pytest.FixtureRequest, engine: str, collation: str) -> str:
    server: MariadbServer = request.getfixturevalue(engine)
    name = server.create_database()
    modes = f"SET sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES', collation_server = {collation}"
    server.execute(modes, f"ALTER DATABASE {name} COLLATE {collation}", *_write(engine), database=name)
    return server.address(name)


def make_mariadb(request: pytest.FixtureRequest, _: Path) -> str:
    return _make_mariadb(request, "mariadb", "utf8mb4_nopad_bin")


def make_mysql(request: pytest.FixtureRequest, _: Path) -> str:
    return _make_mariadb(request, "mysql", "utf8mb4_0900_bin")


def make_trino(request: pytest.FixtureRequest, _: Path) -> str:
    """It has no keys, and takes no text for a value of another type: each is cast."""
    server: TrinoServer = request.getfixturevalue("trino")

    def quote(value: str | None) -> str:
        return _quote(value and re.sub(r"^(\d{4}-\d\d-\d\d)T", r"\1 ", value))

    for table in list_tables("trino"):
        server.execute(f"DROP TABLE IF EXISTS {table.name}", _create("trino", table))
        names = ", ".join(table.columns)
        cast = ", ".join(f"CAST({name} AS {_name_type('trino', kind)})" for name, kind in table.columns.items())
        for start in range(0, len(table.rows), _ROWS_AT_ONCE):
            some = table.rows[start : start + _ROWS_AT_ONCE]
            rows = ", ".join(f"({', '.join(map(quote, row))})" for row in some)
            server.execute(f"INSERT INTO {table.name} SELECT {cast} FROM (VALUES {rows}) AS made ({names})")
    server.execute("DROP VIEW IF EXISTS late", render_late("trino"))
    return server.address()


def make_clickhouse(request: pytest.FixtureRequest, _: Path) -> str:
    server: ClickhouseServer = request.getfixturevalue("clickhouse")
    name = server.create_database()
    close = ") ENGINE = MergeTree ORDER BY ({}) SETTINGS allow_nullable_key = 1"

    def quote(value: str | None) -> str:
        return _quote(value and value.replace("\\", "\\\\"))

    for table in list_tables("clickhouse"):
        made = _create("clickhouse", table, close.format(", ".join(_list_keys(table))))
        server.execute(made, _insert(table, quote), database=name)
    server.execute(render_late("clickhouse"), database=name)
    return server.address(name)


ROADS: Mapping[str, Callable[[pytest.FixtureRequest, Path], str]] = {
    "sqlite": make_sqlite,
    "postgres": make_postgres,
    "duckdb": make_duckdb,
    "parquet": make_parquet,
    "iceberg": make_iceberg,
    "mariadb": make_mariadb,
    "mysql": make_mysql,
    "trino": make_trino,
    "clickhouse": make_clickhouse,
}
_KEEPING_TYPES = ("postgres", "duckdb", "mariadb")
_OF_FILES = frozenset({"parquet", "iceberg"})
_UNPROVEN = frozenset({"trino", "clickhouse"})
_KEYLESS = frozenset({"parquet", "iceberg", "trino", "clickhouse"})  # an administrator names the keys


@contextmanager
def serve(engine: str, address: str, folder: Path) -> Iterator[Road]:
    password = folder / "password"
    password.write_text(PASSWORD)
    home = folder / "home"
    home.mkdir(mode=0o700)
    kept = "" if engine in _UNPROVEN else str(password)
    served = DatabaseSettings(address=address, password_file=kept, accept_unproven=engine in _UNPROVEN)
    made = load_settings(home, {}, {"databases": (served,), "port": 0})
    wiring.create_home(made, "tests")
    made.procedures_path.mkdir()
    for name, text in PROCEDURES.items():
        (made.procedures_path / f"{name}.sql").write_text(text)
    with administer(made) as desks:
        for table in list_tables(engine):
            if table.run_key:
                desks.objects.set_run_key(table.name, table.run_key)
                desks.objects.add_alias(table.name, f"other {table.name}")
            if table.keys and engine in _KEYLESS:
                desks.objects.set_key(table.name, _list_keys(table))
    with read_from(made, Path()) as reader:
        yield Road(reader.server, reader.client, reader.database, engine)


def list_parameters(engines: Iterable[str]) -> list[Any]:
    """Give a parameter for each engine, for `make test` or the command that runs it."""
    return [pytest.param(name, marks=HEAVY.get(name, ())) for name in engines]


@pytest.fixture(scope="session")
def open_road(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenRoad]:
    """Give what serves an engine, once."""
    opened: dict[str, Road] = {}
    with ExitStack() as closing_all:

        def open_one(engine: str) -> Road:
            if engine not in opened:
                folder = tmp_path_factory.mktemp("roads")
                address = ROADS[engine](request, folder)
                opened[engine] = closing_all.enter_context(serve(engine, address, folder))
            return opened[engine]

        yield open_one


@pytest.fixture(scope="session", params=list_parameters(ROADS))
def every_road(request: pytest.FixtureRequest, open_road: OpenRoad) -> Road:
    """A server on each engine, of which nothing is changed."""
    return open_road(request.param)


@pytest.fixture(scope="session", params=list_parameters(_KEEPING_TYPES))
def roads(request: pytest.FixtureRequest, open_road: OpenRoad) -> Road:
    """The same on databases that keep to their types."""
    return open_road(request.param)
