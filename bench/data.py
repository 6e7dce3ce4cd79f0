"""The table every row benchmark reads: made by a seeded generator, the same on every machine.

Ten columns: integers, reals, dates as ISO text, words with and without non-ASCII letters, and some NULL. Two are
indexed and hold every value exactly ROWS_PER_VALUE times: the rows of a `batch` lie together, as what was written
together does; those of a `bucket` are spread over the whole table, as a foreign key's would be.
"""

import contextlib
import datetime as dt
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
from pyarrow import parquet

SEED = 6749
ROWS_PER_VALUE = 100
TABLE = "measurements"
TOGETHER, SPREAD = "batch", "bucket"  # the indexed columns
_EDITION = 2  # of what is generated, so that a file of another one is not taken for it
COLUMNS = ("id", SPREAD, TOGETHER, "host", "name", "amount", "ratio", "day", "seen", "note")
SCHEMA = f"""
CREATE TABLE {TABLE} (
  id INTEGER PRIMARY KEY, {SPREAD} INTEGER NOT NULL, {TOGETHER} INTEGER NOT NULL, host TEXT NOT NULL,
  name TEXT NOT NULL, amount REAL NOT NULL, ratio REAL, day TEXT NOT NULL, seen TEXT NOT NULL, note TEXT
);
"""
INDEXES = "".join(f"CREATE INDEX {TABLE}_{name} ON {TABLE} ({name});" for name in (SPREAD, TOGETHER))
NAMES = ("Ada Lovelace", "Zoë Müller", "Łukasz Nowak", "François Lefèvre", "小林 直子", "Grace Hopper", "Søren Ås")
NOTES = (None, "checked", "to be read again", 'said "yes"', "naïve café", "line one\nline two", "none so far")
FIRST_DAY = dt.date(2020, 1, 1)

Row: TypeAlias = tuple[int, int, int, str, str, float, float | None, str, str, str | None]


def data_file(folder: Path, rows: int) -> Path:
    """A SQLite file with the table of so many rows; made once, then kept."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = folder / f"{TABLE}-{_EDITION}-{rows}.sqlite3"
    if not finished.exists():
        unfinished = finished.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        _write(unfinished, rows)
        unfinished.rename(finished)
    return finished


def parquet_file(folder: Path, database: Path) -> Path:
    """The same table as a Parquet file, in a folder of its own; made once, then kept."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = folder / f"{TABLE}.parquet"
    if not finished.exists():
        unfinished = finished.with_suffix(".part")
        with contextlib.closing(sqlite3.connect(database)) as connection:
            cursor = connection.execute(f"SELECT * FROM {TABLE} ORDER BY id")
            names = [column[0] for column in cursor.description]
            columns = zip(names, zip(*cursor, strict=True), strict=True)
            parquet.write_table(pa.table({name: pa.array(column) for name, column in columns}), unfinished)
        unfinished.rename(finished)
    return finished


def values(rows: int) -> int:
    """How many values each of the indexed columns takes, from 0 upwards."""
    return max(1, rows // ROWS_PER_VALUE)


def _write(path: Path, rows: int) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + SCHEMA + "BEGIN;")
        places = ",".join("?" * 10)
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({places})", generate(rows))
        connection.execute("COMMIT")
        connection.executescript(INDEXES + "ANALYZE; PRAGMA journal_mode=WAL;")


def generate(rows: int) -> Iterator[Row]:
    """The rows in order of `id`."""
    draw = random.Random(SEED).random
    days = [(FIRST_DAY + dt.timedelta(days=number)).isoformat() for number in range(2000)]
    modulus = values(rows)
    for number in range(1, rows + 1):
        one, two, three = draw(), draw(), draw()
        day = days[int(one * 2000)]
        yield (
            number,
            number % modulus,
            (number - 1) // ROWS_PER_VALUE,
            f"srv-{int(two * 5000):04d}.example",
            NAMES[int(three * 7)],
            round(one * 1e5, 2),
            None if one < 0.1 else three,
            day,
            f"{day}T{int(two * 24):02d}:{int(three * 60):02d}:07Z",
            NOTES[int(draw() * 7)],
        )
