"""A schema of 10,000 tables: how soon the server is ready, and what the first read and the list of objects take."""

import contextlib
import json
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import product
from data import TABLE
from load import Request, check_token, fetch
from measures.postgres import run_postgres
from peers.install import WORK
from report import Goal, Section, Table
from serving import Running, running

OBJECTS = 10_000
ROUNDS = 3
READY_LIMIT_SECONDS = 2
COLUMNS = (
    "(id integer PRIMARY KEY, a varchar(40) NOT NULL, b varchar(40), c integer, d numeric(10, 2), e date, f timestamp, "
    "g double precision)"
)
STATEMENTS = [f"CREATE TABLE {name} {COLUMNS}" for name in (TABLE, *(f"t{n}" for n in range(1, OBJECTS)))]
NOTE = (
    f"{OBJECTS:,} empty tables of 8 columns, from exec to the first 200 of /readyz on one core; medians of {ROUNDS} "
    "starts. The first read is of an object that nobody has asked for yet, and later ones are of the same. One "
    "application may read one object, the other all of them. PostgreSQL runs on both cores."
)


def measure_schema(_seconds: float) -> Section:
    """One engine after the other, each started anew for every round."""
    rows, goals = [], []
    with contextlib.ExitStack() as stack:
        for name, address in _serve_all(stack):
            home = product.make_home(WORK / "homes" / f"schema-{name}", address)
            everything = product.add_application(home, "everything", "--object", "*")
            took = [_measure_once(home, everything) for _ in range(ROUNDS)]
            ready, *milliseconds = [statistics.median(round_) for round_ in zip(*took, strict=True)]
            rows.append([name, f"{ready:.2f}", *(f"{one:,.0f}" for one in milliseconds)])
            what = f"ready with {OBJECTS:,} objects, {name}"
            held = ready < READY_LIMIT_SECONDS
            goals.append(Goal(what, f"< {READY_LIMIT_SECONDS} s", f"{ready:.2f} s", held=held))
    head = ["", "ready after s", "first read ms", "later reads ms", "list of 1 ms", f"list of {OBJECTS:,} ms"]
    return Section("A large schema", [Table(head, rows)], goals, [NOTE])


def _measure_once(home: product.Home, everything: product.Home) -> list[float]:
    with running(product.server(home), logs=WORK / "logs") as server:
        few, all_ = (check_token(product.token(server, who).request) for who in (home, everything))
        read = f"/api/v1/data/{TABLE}/rows"
        took = [_time(server, few, path) for path in (read, read, "/api/v1/data")]
        listed = _time(server, all_, "/api/v1/data", count=OBJECTS)
        return [server.ready_seconds, *took, listed]


def _time(server: Running, token: str, path: str, *, count: int | None = None) -> float:
    """Milliseconds of one request; the answer must have so many members."""
    request = Request(server.url(path), headers=(("Authorization", f"Bearer {token}"),))
    begin = time.perf_counter()
    body = fetch(request)
    took = time.perf_counter() - begin
    if count is not None and len(json.loads(body)) != count:
        raise RuntimeError(f"{path} does not list {count} objects")
    return took * 1000


def _serve_all(stack: contextlib.ExitStack) -> Iterator[tuple[str, str | Path]]:
    """Each engine's name, and a database of the schema."""
    folder = WORK / "data" / "schema"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    with contextlib.closing(sqlite3.connect(folder / "large.sqlite3")) as connection:
        connection.executescript(";".join(["BEGIN", *STATEMENTS, "COMMIT"]))
    yield "SQLite", folder / "large.sqlite3"
    server = stack.enter_context(run_postgres())
    name = server.create_database()
    with server.owner(name) as owner:
        for first in range(0, OBJECTS, 500):
            owner.execute(";".join(STATEMENTS[first : first + 500]).encode())
    yield "PostgreSQL", server.address(name)
    with contextlib.closing(duckdb.connect(str(folder / "large.duckdb"))) as writer:
        for statement in ("BEGIN", *STATEMENTS, "COMMIT"):
            writer.execute(statement)
    yield "DuckDB", f"duckdb:///{folder}/large.duckdb"
