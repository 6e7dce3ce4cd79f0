"""Requests sent ahead of their answers: whatever comes after a good one, it gets its whole answer (RFC 9112 §9.3.2)."""

import gc
import json
import logging
import socket
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from support.homes import add_application, make_home
from support.servers import RunningServer, fetch_token, run_server, wait_until

BAD_CHUNK = b"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"
BAD_ROWS_CHUNK = BAD_CHUNK.replace(b"/api/v1/token", b"/api/v1/data/SA_ServiceAccounts/rows")
NO_HOST = b"GET / HTTP/1.1\r\n\r\n"
ROWS = 20_000
NOISE = b"\x16\x03\x01 noise\r\n\r\n"
HALF_A_BODY = b"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant"
BAD = {
    "bad-chunk": BAD_CHUNK,
    "bad-chunk-of-rows": BAD_ROWS_CHUNK,
    "no-host": NO_HOST,
    "noise": NOISE,
    "half-a-body": HALF_A_BODY,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, bytes, str]]:
    """A server with a short patience and a table of several blocks, a good token request, and a token."""
    folder = tmp_path_factory.mktemp("ahead")
    settings = make_home(folder / "home", make_long_table(folder / "long.sqlite"), request_seconds=1)
    made = add_application(settings, "ahead", ("*",))
    with run_server(settings) as server:
        token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
        body = (
            f"grant_type=client_credentials&client_id={made.application.client_id}&client_secret={made.client_secret}"
        )
        form = "Content-Type: application/x-www-form-urlencoded"
        good = f"POST /token HTTP/1.1\r\nHost: x\r\n{form}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        yield server, good.encode(), token


def make_long_table(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE long (n INTEGER, filler TEXT)")
        database.executemany("INSERT INTO long VALUES (?, ?)", ((n, "x" * 200) for n in range(ROWS)))
        database.commit()
    return path


def receive(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def read_rows(name: str, token: str) -> bytes:
    return f"GET /api/v1/data/{name}/rows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("count", [1, 2])
def test_tokens_come_before_the_end_that_a_bad_request_makes(
    site: tuple[RunningServer, bytes, str], bad: bytes, count: int
) -> None:
    server, good, _ = site
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as connection:
        connection.sendall(good * count + bad)
        answers = receive(connection)
    assert answers.startswith(b"HTTP/1.1 200")
    assert answers.count(b"HTTP/1.1 200") == answers.count(b'"access_token"') == count
    # only a request that began after the others were answered may be told what was wrong with it
    assert answers.count(b"HTTP/1.1 4") <= 1


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_stream_is_whole_whatever_was_sent_behind_its_request(
    site: tuple[RunningServer, bytes, str], bad: bytes
) -> None:
    """The bad request comes while rows are on their way; nothing of its refusal stands among them."""
    server, _, token = site
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(read_rows("long", token))
        begun = connection.recv(1024)
        connection.sendall(bad)
        answer = begun + receive(connection)
    head, _, chunks = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    rows = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            trailers, _, chunks = chunks.partition(b"\r\n\r\n")
            assert b"rowgate-rows: %d" % ROWS in trailers
            break
        rows += chunks[:length]
        assert chunks[length : length + 2] == b"\r\n"
        chunks = chunks[length + 2 :]
    assert [row["n"] for row in json.loads(rows)] == list(range(ROWS))
    # behind the whole answer a refusal may stand, nothing else
    assert not chunks or chunks.startswith(b"HTTP/1.1 4")
    ended = server.events(kind="rows_ended")[-1]
    assert ended["outcome"] == "complete"


@pytest.mark.parametrize("count", [1, 3])
def test_client_that_has_nothing_more_to_send_gets_its_tokens(
    site: tuple[RunningServer, bytes, str], count: int
) -> None:
    server, good, _ = site
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as connection:
        connection.sendall(good * count)
        connection.shutdown(socket.SHUT_WR)
        answers = receive(connection)
    assert answers.count(b"HTTP/1.1 200") == answers.count(b'"access_token"') == count


def test_client_that_goes_away_with_requests_waiting_is_noticed_as_any_other(
    site: tuple[RunningServer, bytes, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, _, token = site
    ended_before = len(server.events(kind="rows_ended"))
    with closing(socket.socket()) as connection, caplog.at_level(logging.ERROR):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        connection.settimeout(10)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(read_rows("long", token) * 3)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        connection.close()
        (ended,) = wait_until(lambda: server.events(kind="rows_ended")[ended_before:])
    assert (ended["outcome"], ended["reason"]) == ("cut", "client_went_away")
    wait_until(_nobody_is_served)
    assert not caplog.records


def _nobody_is_served() -> bool:
    """Tell whether nothing is left of any request: a task that waits for the end of its connection holds its cycle."""
    gc.collect()
    return not any(isinstance(found, RequestResponseCycle) for found in gc.get_objects())
