"""Databases with the same tables on each engine, served over HTTP to an application that may read all of them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rowgate import wiring
from rowgate.config import load_settings
from rowgate.served_databases import DatabaseSettings
from rows.harness import Reader, read_from
from support.homes import administer
from support.mariadb import PASSWORD, MariadbServer
from support.postgres import PostgresServer

OLD, NEW = "2018-11-05T13:15:30", "2018-11-06T13:15:30"
MADE = (
    """CREATE TABLE hosts (run TIMESTAMP NOT NULL, host VARCHAR(20) NOT NULL, cores INTEGER, note VARCHAR(20),
    PRIMARY KEY (run, host))""",
    """INSERT INTO hosts VALUES ('2018-11-05 13:15:30', 'a', 4, 'x'), ('2018-11-05 13:15:30', 'b', 4, NULL),
    ('2018-11-05 13:15:30', 'gone', 1, ''), ('2018-11-06 13:15:30', 'a', 8, 'x'),
    ('2018-11-06 13:15:30', 'b', 4, 'y'), ('2018-11-06 13:15:30', 'new', 2, 'é'),
    ('2018-11-06 13:15:30', 'B', 3, 'other case')""",
)
KEYS = ["", " ", "A", "a", "a ", "a!", "b", "B", "é", "É", "ß", "ss", "z", "Z", "😀", "%", "_", "''", "10", "9", "ﬁ"]
KEYED = (
    """CREATE TABLE keyed (run TIMESTAMP NOT NULL, k VARCHAR(20) NOT NULL, m DECIMAL(10, 2), r DOUBLE PRECISION,
    t DATE, PRIMARY KEY (run, k))""",
    *(
        f"INSERT INTO keyed VALUES ('{run.replace('T', ' ')}', '{key}', {m}, {r}, {t})"
        for place, key in enumerate(KEYS)
        for run, (m, r, t) in {
            OLD: ("1.10", "0.1", "NULL"),
            NEW: [("1.10", "0.1", "NULL"), ("1.1", "1e-1", "NULL"), ("1.11", "0.1", "'2020-02-29'")][place % 3],
        }.items()
        if (place % 5, run) not in ((0, OLD), (1, NEW))
    ),
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A row of the table that has every common type."""

    id: int
    i: int | None
    d: str | None
    r: float | None
    day: str | None
    m: str | None
    b: bool | None
    t: str | None


def _make_typed(n: int) -> Typed:
    """Give a row that differs from those around it; any value but the first may be NULL."""
    row = Typed(
        n,
        (n - 1000) * 3_000_000_007,
        f"{n * 39_999 - 7}.{n % 100:02}",  # their sum has more digits than any of them may have
        (n - 1000) / 8,
        f"20{n % 90 + 10}-0{n % 9 + 1}-1{n % 10}",
        f"2018-11-05T13:{n % 60:02}:{n % 60:02}",
        n % 3 == 0,
        ["a", "é", 'say "x", ', "😀", "", "NaN", "1\n2", "=1+1"][n % 8],
    )
    missing: dict[str, Any] = {name: None for place, name in enumerate(Typed.__slots__) if place and place == n % 11}
    return replace(row, **missing)


def _quote(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)


TYPED_ROWS = [_make_typed(n) for n in range(2500)]  # some blocks
_VALUES = ", ".join("(" + ", ".join(map(_quote, astuple(row))) + ")" for row in TYPED_ROWS)
TYPED = (
    """CREATE TABLE typed (id INTEGER PRIMARY KEY, i BIGINT, d DECIMAL(10, 2), r DOUBLE PRECISION, day DATE,
    m TIMESTAMP NULL, b BOOLEAN, t VARCHAR(20))""",
    f"INSERT INTO typed VALUES {_VALUES}",
)


@contextmanager
def serve(folder: Path, address: str) -> Iterator[Reader]:
    (folder / "password").write_text(PASSWORD)
    home = folder / "home"
    home.mkdir(mode=0o700)
    served = DatabaseSettings(address=address, password_file=str(folder / "password"))
    made = load_settings(home, {}, {"databases": (served,), "port": 0})
    wiring.create_home(made, "tests")
    with administer(made) as desks:
        for name in ("hosts", "keyed"):
            desks.objects.set_run_key(name, "run")
    with read_from(made, Path()) as reader:
        yield reader


@pytest.fixture(scope="session", params=["postgres", "duckdb", pytest.param("mariadb", marks=pytest.mark.engines)])
def roads(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A server on each engine, of which nothing is changed."""
    folder = tmp_path_factory.mktemp("roads")
    if request.param == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        name = postgres.create_database()
        with postgres.owner(name) as owner:
            for statement in (*MADE, *KEYED, *TYPED):
                owner.execute(statement.encode())
        address = postgres.address(name)
    elif request.param == "duckdb":
        with closing(duckdb.connect(str(folder / "served.duckdb"))) as writer:
            for statement in (*MADE, *KEYED, *TYPED):
                writer.execute(statement)
        address = f"duckdb:///{folder}/served.duckdb"
    else:
        server: MariadbServer = request.getfixturevalue("mariadb")
        name = server.create_database()
        binary = "SET collation_server = utf8mb4_nopad_bin", f"ALTER DATABASE {name} COLLATE utf8mb4_nopad_bin"
        server.execute(*binary, *MADE, *KEYED, *TYPED, database=name)
        address = server.address(name)
    with serve(folder, address) as served:
        yield served
