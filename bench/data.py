"""The table every row benchmark reads: made by a seeded generator, the same on every machine.

Ten columns: integers, reals, dates as ISO text, words with and without non-ASCII letters, and some NULL. `bucket` is
indexed and holds every value exactly ROWS_PER_BUCKET times, spread over the whole table as a foreign key would be.
"""

import contextlib
import datetime as dt
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

SEED = 6749
ROWS_PER_BUCKET = 100
TABLE = "measurements"
SCHEMA = f"""
CREATE TABLE {TABLE} (
  id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, host TEXT NOT NULL, name TEXT NOT NULL, visits INTEGER,
  amount REAL NOT NULL, ratio REAL, day TEXT NOT NULL, seen TEXT NOT NULL, note TEXT
);
"""
INDEX = f"CREATE INDEX {TABLE}_bucket ON {TABLE} (bucket);"
NAMES = ("Ada Lovelace", "Zoë Müller", "Łukasz Nowak", "François Lefèvre", "小林 直子", "Grace Hopper", "Søren Ås")
NOTES = (None, "checked", "to be read again", 'said "yes"', "naïve café", "line one\nline two", "none so far")
FIRST_DAY = dt.date(2020, 1, 1)

Row: TypeAlias = tuple[int, int, str, str, int | None, float, float | None, str, str, str | None]


def data_file(folder: Path, rows: int) -> Path:
    """A SQLite file with the table of so many rows; made once, then kept."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = folder / f"{TABLE}-{rows}.sqlite3"
    if not finished.exists():
        unfinished = finished.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        _write(unfinished, rows)
        unfinished.rename(finished)
    return finished


def buckets(rows: int) -> int:
    """How many values `bucket` takes, from 0 upwards."""
    return max(1, rows // ROWS_PER_BUCKET)


def _write(path: Path, rows: int) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + SCHEMA + "BEGIN;")
        places = ",".join("?" * 10)
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({places})", generate(rows))
        connection.execute("COMMIT")
        connection.executescript(INDEX + "ANALYZE; PRAGMA journal_mode=WAL;")


def generate(rows: int) -> Iterator[Row]:
    """The rows in order of `id`."""
    draw = random.Random(SEED).random
    days = [(FIRST_DAY + dt.timedelta(days=number)).isoformat() for number in range(2000)]
    modulus = buckets(rows)
    for number in range(1, rows + 1):
        one, two, three = draw(), draw(), draw()
        day = days[int(one * 2000)]
        yield (
            number,
            number % modulus,
            f"srv-{int(two * 5000):04d}.example",
            NAMES[int(three * 7)],
            None if two < 0.05 else int(three * 1e6),
            round(one * 1e5, 2),
            None if one < 0.1 else three,
            day,
            f"{day}T{int(two * 24):02d}:{int(three * 60):02d}:07Z",
            NOTES[int(draw() * 7)],
        )
