"""A real server on a database with an application that may read all of it, and an independent reader beside it."""

import base64
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from rowgate.config import Settings
from rowgate.rows.fold import fold
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, ask_until, fetch_token, run_server

Members = dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """Reads over HTTP with a bearer token, and the same file with plain SQL."""

    server: RunningServer
    client: httpx.Client
    database: Path

    def get(self, name: str, query: str = "", **headers: str) -> httpx.Response:
        return self.client.get(f"{address(name)}{'?' if query else ''}{query}", headers=headers)

    def post(self, name: str, body: Any, **headers: str) -> httpx.Response:
        """POST a body: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.client.post(address(name), content=content, headers=headers)

    def rows(self, name: str, body: Any = b"") -> list[Members]:
        """Give the rows; the answer must be a success."""
        return success(self.post(name, body))

    def sql(self, statement: str, *parameters: Any) -> list[Members]:
        """Ask the file itself, past everything that is tested; `fold(x)` ignores case as rows/fold.py defines."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            connection.create_function("fold", 1, lambda text: fold(text) if isinstance(text, str) else text)
            return [dict(row) for row in connection.execute(statement, parameters)]


def address(name: str) -> str:
    return f"/api/v1/data/{quote(name, safe='')}/rows"


def success(answer: httpx.Response) -> list[Members]:
    assert answer.status_code == 200, answer.text
    rows = answer.json()
    assert isinstance(rows, list)
    return rows


def refusal(answer: httpx.Response) -> tuple[str, str]:
    """Give the field and what was expected; the answer must be a 400 that says both (O-36, R25)."""
    assert answer.status_code == 400, (answer.status_code, answer.text[:500])
    told = answer.json()
    assert told["error"] == "invalid_parameter"
    assert told["expected"]
    return told["field"], told["expected"]


def unordered(rows: Sequence[Members]) -> list[str]:
    """Give rows so that two lists of them can be compared where no order was asked for."""
    return sorted(json.dumps(row, default=_jsonable) for row in rows)


def _jsonable(value: Any) -> str:
    return base64.b64encode(value).decode()


def to_query(body: Members) -> str:
    """Give the GET form of a POST body (O-21)."""
    pairs = []
    for name, value in body.items():
        is_plain_list = isinstance(value, list) and all(isinstance(v, str) and "," not in v for v in value)
        if is_plain_list and name != "filters":
            value = ",".join(value)  # noqa: PLW2901 - the short spelling
        elif isinstance(value, list):
            value = json.dumps(value)  # noqa: PLW2901
        pairs.append((name, value))
    return urlencode(pairs)


@contextmanager
def read_from(settings: Settings, database: Path) -> Iterator[Reader]:
    """Serve a home, and read from it as an application that is granted everything."""
    made = add_application(settings, "reader", ("*",))
    with run_server(settings) as server:
        token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            yield Reader(server, client, database)


def register(server: RunningServer, name: str, objects: tuple[str, ...], **options: Any) -> tuple[str, str]:
    """Give the client id and secret of a new application, once the server that runs knows of it."""
    made = add_application(server.settings, name, objects, **options)
    credentials = (made.application.client_id, made.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{server.url}/token", data=form, auth=credentials).is_success)
    return credentials


def narrow(server: RunningServer, credentials: tuple[str, str], name: str, *columns: str) -> str:
    """Give the Authorization header with a token for these columns of one object (RFC 9396)."""
    details = json.dumps([{"type": "rowgate_object", "object": name, "columns": columns}])
    token = fetch_token(server.url, *credentials, authorization_details=details)["access_token"]
    return f"Bearer {token}"


@contextmanager
def open_reader(
    database: Path,
    home: Path,
    *,
    aliases: dict[str, str] | None = None,
    keys: dict[str, tuple[str, ...]] | None = None,
    served: str = "",
    **flags: Any,
) -> Iterator[Reader]:
    """Serve a database in a new home; `aliases` are second names for objects (O-24), `keys` tell their rows apart.

    `served` is the address of another database with the same rows; the SQLite file is what plain SQL is asked of.
    """
    settings = make_home(home, served or database, **flags)
    with administer(settings) as desks:
        for alias, name in (aliases or {}).items():
            desks.objects.add_alias(name, alias)
        for name, columns in (keys or {}).items():
            desks.objects.set_key(name, columns)
    with read_from(settings, database) as reader:
        yield reader
