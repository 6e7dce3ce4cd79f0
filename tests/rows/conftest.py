"""One server for each database that the tests of rows read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from datasets.flights import flights_database
from rows import tables_postgres
from rows.cases import USERS
from rows.generated import BENCHES, Bench
from rows.harness import Reader, open_reader
from rows.tables import make_block_tables, make_names, make_types
from support.postgres import PostgresServer


@pytest.fixture(scope="package")
def sample(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The sample database; `users` is an alias."""
    home = tmp_path_factory.mktemp("sample-rows") / "home"
    with open_reader(sample_database, home, aliases={"users": USERS}, keys={USERS: ("UserId",)}) as reader:
        yield reader


@pytest.fixture(scope="package")
def flights_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """336,776 real flights."""
    return flights_database(tmp_path_factory.mktemp("flights-rows"))


@pytest.fixture(scope="package")
def flights(flights_path: Path) -> Iterator[Reader]:
    """The real flights over HTTP."""
    with open_reader(flights_path, flights_path.parent / "home") as reader:
        yield reader


@pytest.fixture(scope="package")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Every kind of value, hostile names, results at the edges of a block."""
    folder = tmp_path_factory.mktemp("odd-rows")
    path = folder / "odd.sqlite"
    with closing(sqlite3.connect(path)) as database:
        for make in (make_types, make_names, make_block_tables):
            make(database)
        database.commit()
    with open_reader(path, folder / "home") as reader:
        yield reader


@pytest.fixture(scope="package")
def odd_postgres(odd: Reader, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The same on PostgreSQL, with its own kinds of value."""
    name = postgres.create_database()
    with postgres.owner(name) as owner, owner.transaction():
        tables_postgres.make_types(owner)
        tables_postgres.make_names(owner)
    home = tmp_path_factory.mktemp("odd-postgres") / "home"
    with open_reader(odd.database, home, served=postgres.address(name)) as reader:
        yield reader


@pytest.fixture(params=["odd", "odd_postgres"])
def hostile(request: pytest.FixtureRequest) -> Reader:
    """Hostile names, on each engine."""
    reader: Reader = request.getfixturevalue(request.param)
    return reader


@pytest.fixture(scope="package", params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A table to be filled, on each engine."""
    with BENCHES[request.param](request, tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest.fixture(scope="package")
def sqlite_bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The same on SQLite, for what no other engine does."""
    with BENCHES["sqlite"](request, tmp_path_factory.mktemp("bench")) as made:
        yield made
