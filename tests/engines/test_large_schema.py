"""A schema of thousands of objects costs nothing at the start: objects are described when they are first asked for."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from rowgate import wiring
from rowgate.config import load_settings
from rowgate.engines import duckdb as duckdb_engine
from rowgate.engines import mariadb as mariadb_engine
from rowgate.engines import postgres as postgres_engine
from rowgate.engines import sqlite as sqlite_engine
from rowgate.served_databases import DatabaseSettings
from support.mariadb import PASSWORD

OBJECTS = 500
TABLES = [f"CREATE TABLE t{n} (id INTEGER PRIMARY KEY)" for n in range(OBJECTS)]


def make_sqlite(_: pytest.FixtureRequest, folder: Path) -> str:
    with closing(sqlite3.connect(folder / "large.db")) as connection:
        connection.executescript(";".join(TABLES))
    return f"sqlite:///{folder}/large.db"


def make_duckdb(_: pytest.FixtureRequest, folder: Path) -> str:
    with closing(duckdb.connect(str(folder / "large.duckdb"))) as connection:
        connection.execute("BEGIN")
        for statement in TABLES:
            connection.execute(statement)
        connection.execute("COMMIT")
    return f"duckdb:///{folder}/large.duckdb"


def make_postgres(request: pytest.FixtureRequest, _: Path) -> str:
    server = request.getfixturevalue("postgres")
    name = server.create_database()
    with server.owner(name) as owner:
        owner.execute(";".join(TABLES))
    return str(server.address(name))


def make_mariadb(request: pytest.FixtureRequest, folder: Path) -> str:
    server = request.getfixturevalue("mariadb")
    name = server.create_database()
    server.execute(*[f"{statement} ENGINE=MyISAM" for statement in TABLES], database=name)
    (folder / "password").write_text(f"{PASSWORD}\n")
    return str(server.address(name))


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Any) -> None:
        self.calls = 0
        self._function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        return self._function(*arguments, **named)


@pytest.mark.parametrize(
    ("make", "module", "lister"),
    [
        pytest.param(make_sqlite, sqlite_engine, "list_catalog", id="sqlite"),
        pytest.param(make_duckdb, duckdb_engine, "list_kinds", id="duckdb"),
        pytest.param(make_postgres, postgres_engine, "list_catalog", id="postgres"),
        pytest.param(make_mariadb, mariadb_engine, "list_catalog", id="mariadb", marks=pytest.mark.engines),
    ],
)
def test_start_lists_and_describes_nothing_and_a_read_describes_one(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    make: Callable[[pytest.FixtureRequest, Path], str],
    module: ModuleType,
    lister: str,
) -> None:
    listing, describing = Counted(getattr(module, lister)), Counted(module.describe)
    monkeypatch.setattr(module, lister, listing)
    monkeypatch.setattr(module, "describe", describing)
    address = make(request, tmp_path)
    password_file = str(tmp_path / "password") if (tmp_path / "password").exists() else ""
    served = DatabaseSettings(address=address, password_file=password_file)
    settings = load_settings(tmp_path, {}, {"databases": (served,)})
    with closing(wiring.open_databases(settings)) as databases:
        assert not wiring.prove_databases(databases)
        assert (listing.calls, describing.calls) == (0, 0)
        for _ in range(3):
            assert databases.find_object("t42") is not None
        # DuckDB keeps all names, once: they cannot change while it has the file open
        assert (listing.calls, describing.calls) == (int(lister == "list_kinds"), 1)
        for _ in range(3):
            assert len(databases.list_objects()) == OBJECTS
        assert (listing.calls, describing.calls) == (1, 1)
