"""Homes whose database holds short and endless objects, and clients that put load on a server."""

import dataclasses
import http.client
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from rowgate.audit.reader import Search, find_break, find_events, list_segments
from rowgate.config import CONFIG_NAME, Settings, dump
from rowgate.service.admin.applications import NewCredentials
from support.homes import add_application, make_home

_COUNTED = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {}) SELECT x, 'padding padding' p FROM c"
)


@dataclasses.dataclass
class Home:
    """A home with one application that may read everything."""

    settings: Settings
    made: NewCredentials

    @property
    def path(self) -> Path:
        return self.settings.home

    @property
    def form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.made.application.client_id,
            "client_secret": self.made.client_secret,
        }

    def list_events(self, **search: str) -> list[dict[str, Any]]:
        """Give the record; every segment must hold together."""
        assert all(find_break(path) is None for path in list_segments(self.settings.audit_path))
        return list(find_events(self.settings.audit_path, Search(**search)))  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    database = tmp_path / "served.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE small (a INTEGER, b TEXT)")
        connection.executemany("INSERT INTO small VALUES (?, ?)", [(n, f"row {n}") for n in range(20)])
        connection.execute("CREATE VIEW long AS " + _COUNTED.format(300_000))
        connection.execute("CREATE VIEW endless AS " + _COUNTED.format(10**9))
        # which no coding makes much smaller, so that a reader who waits stops the server soon
        connection.execute("CREATE VIEW noise AS SELECT x, hex(randomblob(500)) AS p FROM endless")
        connection.commit()
    settings = make_home(tmp_path / "home", database)
    (settings.home / CONFIG_NAME).write_text(dump(settings))
    return Home(settings, add_application(settings, "app"))


@dataclasses.dataclass
class Load:
    """What clients were told, and what they complain of."""

    tokens: list[str] = dataclasses.field(default_factory=list)
    reads: list[str] = dataclasses.field(default_factory=list)  # request ids
    wrong: list[str] = dataclasses.field(default_factory=list)


@contextmanager
def put_load(url: str, form: dict[str, str], *, clients: int = 4) -> Iterator[Load]:
    """Have clients get tokens and read rows until the block ends or the server is gone."""
    load = Load()
    over = threading.Event()
    threads = [threading.Thread(target=_ask, args=(url, form, load, over)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


def _ask(url: str, form: dict[str, str], load: Load, over: threading.Event) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    with closing(connection):
        while not over.is_set():
            try:
                _ask_once(connection, form, load)
            except (OSError, http.client.HTTPException):
                return  # the server is gone: nothing was acknowledged


def _ask_once(connection: http.client.HTTPConnection, form: dict[str, str], load: Load) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/api/v1/token", urlencode(form), headers)
    _, body = _take_answer(connection, load)
    token = json.loads(body)["access_token"]
    load.tokens.append(token)
    connection.request("GET", "/api/v1/data/small/rows", headers={"Authorization": f"Bearer {token}"})
    request_id, body = _take_answer(connection, load)
    if len(json.loads(body)) == 20:
        load.reads.append(request_id)


def _take_answer(connection: http.client.HTTPConnection, load: Load) -> tuple[str, bytes]:
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        load.wrong.append(f"{answer.status} {content[:200]!r}")
        raise http.client.HTTPException(content)
    return answer.headers["x-request-id"], content
