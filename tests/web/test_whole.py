"""The token endpoint is answered without a task: what that way must not lose."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rowgate import wiring
from support.homes import add_application, make_home
from support.servers import RunningServer, run_server, wait_until

_FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def server(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = make_home(tmp_path_factory.mktemp("whole") / "home", sample_database, send_stall_seconds=2)
    with run_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def body(server: RunningServer) -> bytes:
    made = add_application(server.settings, "inventory")
    text = f"grant_type=client_credentials&client_id={made.application.client_id}&client_secret={made.client_secret}"
    wait_until(
        lambda: httpx.post(f"{server.url}/token", content=text, headers={"Content-Type": _FORM}).status_code == 200
    )
    return text.encode()


def _request(body: bytes, path: str = "/api/v1/token", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {_FORM}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _connect(server: RunningServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def _read_answers(connection: socket.socket, count: int) -> list[bytes]:
    received = b""
    while received.count(b'"client_secret_expires_at"') + received.count(b'"error"') < count:
        part = connection.recv(65_536)
        assert part, received
        received += part
    return received.split(b"HTTP/1.1 ")[1:]


def test_body_in_many_parts_is_one_request(server: RunningServer, body: bytes) -> None:
    request = _request(body)
    with _connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(request)):
            connection.sendall(request[place : place + 1])
        assert _read_answers(connection, 1)[0].startswith(b"200 ")


def test_requests_sent_ahead_are_answered_in_their_order(server: RunningServer, body: bytes) -> None:
    """Tokens, rows (by a task) and health among each other on one connection."""
    with _connect(server) as connection:
        other = b"GET /api/v1/data/SA_ADInventory_UsersView/rows HTTP/1.1\r\nHost: a\r\n\r\n"
        wrong = _request(b"grant_type=password&" + body.partition(b"&")[2])
        connection.sendall(_request(body) + other + wrong + _request(body) + other + _request(body))
        answers = _read_answers(connection, 6)
    assert [answer[:3] for answer in answers] == [b"200", b"401", b"400", b"200", b"401", b"200"]


def test_client_that_reads_nothing_is_cut_and_keeps_little(server: RunningServer, body: bytes) -> None:
    """Answers do not heap up in memory: the server reads no further request before they are taken."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(10)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 1_000_000:
                connection.sendall(_request(body))
                sent += 1
    assert 0 < sent < 200_000
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_client_that_asks_first_is_told_to_go_on(server: RunningServer, body: bytes) -> None:
    """RFC 9110 §10.1.1."""
    request = _request(body, more="Expect: 100-continue\r\n")
    with _connect(server) as connection:
        connection.sendall(request[: -len(body)])
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert _read_answers(connection, 1)[0].startswith(b"200 ")


def test_large_body_is_refused_and_the_connection_ends(server: RunningServer) -> None:
    """RFC 9110 §15.5.14; the body is read past, so that the answer is not lost."""
    with _connect(server) as connection:
        connection.sendall(_request(b"a" * 70_000))
        (answer,) = _read_answers(connection, 1)
        assert answer.startswith(b"413 ")
        assert answer.lower().count(b"connection: close") == 1
        assert connection.recv(1) == b""


def test_body_without_end_is_not_read_to_its_end(server: RunningServer) -> None:
    """The server closes; whether the client still gets to see why, its own system decides."""
    with _connect(server) as connection:
        connection.sendall(_request(b"").replace(b"Length: 0", b"Length: 1000000000"))
        with pytest.raises(ConnectionError):
            _send_for_ever(connection, most_bytes=50_000_000)
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def _send_for_ever(connection: socket.socket, *, most_bytes: int) -> None:
    for _ in range(most_bytes // 65_536):
        connection.sendall(b"a" * 65_536)


def test_another_spelling_of_the_address_gets_the_same(server: RunningServer, body: bytes) -> None:
    """What the fast way does not know at sight goes the way of every other request."""
    with _connect(server) as connection:
        connection.sendall(
            _request(body, "/api/v1/t%6Fken") + _request(body, "http://a/token") + _request(body, "/token?x")
        )
        assert [answer[:3] for answer in _read_answers(connection, 3)] == [b"200"] * 3


def test_client_that_leaves_before_its_answer_harms_nobody(server: RunningServer, body: bytes) -> None:
    for _ in range(50):
        with _connect(server) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(_request(body) * 3)
    assert httpx.post(f"{server.url}/token", content=body, headers={"Content-Type": _FORM}).status_code == 200


def test_under_another_server_the_answers_are_the_same(sample_database: Path, tmp_path: Path) -> None:
    """By ASGI's own messages, as any server speaks them."""
    settings = make_home(tmp_path / "home", sample_database)
    made = add_application(settings, "inventory")
    app = wiring.build_app(settings)

    async def ask() -> list[httpx.Response]:
        messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        started: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        await messages.put({"type": "lifespan.startup"})
        life = asyncio.create_task(app({"type": "lifespan"}, messages.get, started.put))  # type: ignore[arg-type]
        assert (await started.get())["type"] == "lifespan.startup.complete"
        credentials = {"client_id": made.application.client_id, "client_secret": made.client_secret}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
            answers = [
                await client.post("/token", data={"grant_type": grant_type, **credentials})
                for grant_type in ("client_credentials", "password")
            ]
            answers.append(await client.post("/token", content=b"x" * 70_000, headers={"Content-Type": _FORM}))
            answers.append(await client.get("/token"))
        await messages.put({"type": "lifespan.shutdown"})
        await life
        return answers

    answers = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200, 400, 413, 405]
    assert json.loads(answers[0].content)["token_type"] == "bearer"
    assert json.loads(answers[1].content)["error"] == "unsupported_grant_type"
