"""A schema of thousands of objects costs nothing at the start: objects are described when they are first asked for."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rowgate import wiring
from rowgate.config import load_settings
from rowgate.engines import duckdb as duckdb_engine
from rowgate.engines import sqlite

OBJECTS = 500


def make_sqlite(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "large.db")) as connection:
        connection.executescript(";".join(f"CREATE TABLE t{n} (id INTEGER PRIMARY KEY)" for n in range(OBJECTS)))
    return f"sqlite:///{folder}/large.db"


def make_duckdb(folder: Path) -> str:
    with closing(duckdb.connect(str(folder / "large.duckdb"))) as connection:
        connection.execute("BEGIN")
        for n in range(OBJECTS):
            connection.execute(f"CREATE TABLE t{n} (id INTEGER)")
        connection.execute("COMMIT")
    return f"duckdb:///{folder}/large.duckdb"


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Any) -> None:
        self.calls = 0
        self._function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        return self._function(*arguments, **named)


@pytest.mark.parametrize(("make", "module"), [(make_sqlite, sqlite), (make_duckdb, duckdb_engine)])
def test_start_lists_and_describes_nothing_and_a_read_describes_one(
    make: Any, module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing, describing = Counted(module.list_catalog), Counted(module.describe)
    monkeypatch.setattr(module, "list_catalog", listing)
    monkeypatch.setattr(module, "describe", describing)
    settings = load_settings(tmp_path, {}, {"database": make(tmp_path)})
    with closing(wiring.open_databases(settings)) as databases:
        assert not wiring.prove_databases(databases)
        assert (listing.calls, describing.calls) == (0, 0)
        for _ in range(3):
            found = databases.find_object("t42")
            assert found is not None
        assert (listing.calls, describing.calls) == (0, 1)
        assert len(databases.list_objects()) == OBJECTS
        assert (listing.calls, describing.calls) == (1, 1)
