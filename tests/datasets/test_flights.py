"""The flights database against counts and sums taken from the package's own files."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from datasets.flights import flights_database

COUNTS = {"flights": 336_776, "airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_115}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flights_database(tmp_path_factory.mktemp("flights"))


def test_every_row_of_the_package_is_there(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        counts = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTS}
    assert counts == COUNTS


def test_values_have_the_declared_type_and_na_is_null(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        first = database.execute("SELECT * FROM flights WHERE rowid = 1").fetchone()
        delays = database.execute("SELECT DISTINCT typeof(arr_delay) FROM flights ORDER BY 1").fetchall()
        cancelled = database.execute("SELECT count(*) FROM flights WHERE dep_time IS NULL").fetchone()
        temperature = database.execute("SELECT DISTINCT typeof(temp) FROM weather ORDER BY 1").fetchall()
    assert first == (
        *(2013, 1, 1, 517, 515, 2, 830, 819, 11, "UA", 1545, "N14228", "EWR", "IAH", 227, 1400, 5, 15),
        "2013-01-01T10:00:00Z",
    )
    assert delays == [("integer",), ("null",)]
    assert cancelled == (8_255,)
    assert temperature == [("null",), ("real",)]


def test_a_carrier_is_found_by_the_index(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        plan = database.execute("EXPLAIN QUERY PLAN SELECT * FROM flights WHERE carrier = 'HA'").fetchone()
    assert "flights_carrier" in plan[3]


def test_second_call_finds_the_same_file_and_nothing_else_is_left(path: Path) -> None:
    made_at = path.stat().st_mtime_ns
    assert flights_database(path.parent) == path
    assert path.stat().st_mtime_ns == made_at
    assert list(path.parent.iterdir()) == [path]
