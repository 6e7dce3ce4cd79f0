"""Rowgate as the benchmark drives it: a home by its command line, then plain HTTP."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from data import ROWS_PER_VALUE, TABLE, values
from load import Request, Subject, check_token, form
from serving import Running, Server

ROWGATE = Path(sys.executable).with_name("rowgate")
NAME = "Rowgate"


@dataclass(frozen=True, slots=True)
class Home:
    """A home and the one application that asks."""

    folder: Path
    client_id: str
    client_secret: str


def make_home(folder: Path, database: Path | str) -> Home:
    """A home made anew, with one application that may read the benchmark's table in a file or at an address."""
    shutil.rmtree(folder, ignore_errors=True)
    address = database if isinstance(database, str) else f"sqlite:///{database}"
    _rowgate("init", "--home", str(folder), "--database", address)
    shown = json.loads(_rowgate("app", "add", "bench", "--object", TABLE, "--home", str(folder), "--json"))
    return Home(folder, client_id=shown["client_id"], client_secret=shown["client_secret"])


def add_signing_application(home: Home, algorithm: str) -> Home:
    """A further application in the same home, whose access tokens are JWTs signed by this algorithm."""
    return add_application(home, f"signed-{algorithm}", "--token-format", "jwt", "--token-algorithm", algorithm)


def add_application(home: Home, name: str, *policy: str) -> Home:
    """A further application in the same home, which has a secret."""
    where = ("--object", TABLE, "--home", str(home.folder), "--json")
    shown = json.loads(_rowgate("app", "add", name, *policy, *where))
    return Home(home.folder, client_id=shown["client_id"], client_secret=shown["client_secret"])


def add_keyed_application(home: Home, jwks: str) -> str:
    """A further application in the same home, which signs in with its key and has no secret; its client id."""
    file = home.folder / "bench-public.json"
    file.write_text(jwks)
    policy = ("--jwks", str(file), "--auth-method", "private_key_jwt", "--no-secret")
    shown = json.loads(
        _rowgate("app", "add", "keyed", *policy, "--object", TABLE, "--home", str(home.folder), "--json")
    )
    client_id: str = shown["client_id"]
    return client_id


def register_many(home: Home, count: int) -> None:
    """Adds so many further applications, each with a secret and a grant, while no server runs.

    Straight into the state's tables, since 100,000 commands would take hours; the shapes are those `app add` writes.
    """
    now = int(time.time())
    with closing(sqlite3.connect(home.folder / "state.db")) as state, state:
        first = state.execute("SELECT max(number) FROM applications").fetchone()[0] + 1
        numbers = range(first, first + count)
        for table, key, own in (
            ("applications", "number", lambda number: {"client_id": f"bench-{number}", "name": f"bench-{number}"}),
            ("secrets", "application", lambda number: {"key_id": f"bench{number}", "digest": os.urandom(32)}),
            ("grants", "application", lambda _number: {}),
        ):
            _copy_rows(state, table, [{key: number, "created_at": now, **own(number)} for number in numbers])


def _copy_rows(state: sqlite3.Connection, table: str, changes: list[dict[str, object]]) -> None:
    """Copies the table's first row once per change, with that change's values; unknown columns are left out."""
    cursor = state.execute(f"SELECT * FROM {table} ORDER BY 1 LIMIT 1")
    names = [column[0] for column in cursor.description]
    model = dict(zip(names, cursor.fetchone(), strict=True))
    if table == "secrets":
        del model["number"]  # given by the database
        names.remove("number")
    rows = [[change.get(name, model[name]) for name in names] for change in changes]
    state.executemany(f"INSERT INTO {table} ({','.join(names)}) VALUES ({','.join('?' * len(names))})", rows)


def server(home: Home) -> Server:
    """`rowgate serve` with one worker."""
    command = [str(ROWGATE), "serve", "--home", str(home.folder), "--workers", "1", "--port"]
    return Server(f"rowgate-{home.folder.name}", lambda port: [*command, str(port)], ready_path="/readyz")


def token(running: Running, home: Home) -> Subject:
    """A token by client credentials."""
    fields = {"grant_type": "client_credentials", "client_id": home.client_id, "client_secret": home.client_secret}
    return Subject(running, form(running.url("/api/v1/token"), **fields))


def page(running: Running, home: Home, column: str, rows: int) -> Subject:
    """The rows of one value of an indexed column after another."""
    query = f"filter={column}:equals:{{}}&limit={ROWS_PER_VALUE}"
    return Subject(running, _read(running, home, f"?{query}", spread=values(rows)))


def row(running: Running, bearer: str, scheme: str = "Bearer") -> Request:
    """One row by its number, with a token that is there."""
    url = running.url(f"/api/v1/data/{TABLE}/rows?filter=id:equals:1&limit=1")
    return Request(url, headers=(("Authorization", f"{scheme} {bearer}"),))


def full(running: Running, home: Home) -> Subject:
    """The whole table."""
    return Subject(running, _read(running, home, "", spread=0))


def _read(running: Running, home: Home, query: str, *, spread: int) -> Request:
    bearer = check_token(token(running, home).request)
    url = running.url(f"/api/v1/data/{TABLE}/rows{query}")
    return Request(url, headers=(("Authorization", f"Bearer {bearer}"),), spread=spread)


def _rowgate(*arguments: str) -> str:
    done = subprocess.run([ROWGATE, *arguments], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"rowgate {arguments[0]} failed with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
