"""A client that asks before it sends its body (RFC 9110 §10.1.1): it is told at once, and never to send in vain."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.wire import WireAnswer, talk
from support.homes import add_application, make_home
from support.servers import RunningServer, fetch_token, run_server, wait_until

_ROWS = "/api/v1/data/SA_ADInventory_UsersView/rows"
_TOKEN_ENDPOINTS = ("/api/v1/token", "/token", "/oauth/token", "/token?x=1")
_CLIENT_ENDPOINTS = ("/api/v1/introspect", "/api/v1/revoke", "/api/v1/secret", "/api/v1/enrol", "/api/v1/register")
_TOO_LARGE = 100_000_000
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def server(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = make_home(
        tmp_path_factory.mktemp("expect") / "home",
        sample_database,
        client_registration=True,
        # far beyond a test's patience: whoever waits for a body fails the test
        request_seconds=60,
    )
    with run_server(settings) as running:
        yield running


@pytest.fixture(scope="module")
def bearer(server: RunningServer) -> str:
    made = add_application(server.settings, "inventory")

    def ask() -> str | None:
        try:
            return str(fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"])
        except AssertionError:
            return None

    return f"Authorization: Bearer {wait_until(ask)}\r\n"


def _render_head(
    path: str, *, more: str = "", length: int = _TOO_LARGE, method: str = "POST", version: str = "1.1"
) -> bytes:
    line = f"{method} {path} HTTP/{version}\r\nHost: a\r\nContent-Type: application/json\r\n"
    return f"{line}Content-Length: {length}\r\nExpect: 100-continue\r\n{more}\r\n".encode()


def _ask(server: RunningServer, head: bytes) -> tuple[WireAnswer, bool]:
    (answer, *more), is_closed = talk(server.port, head, answers=1)
    assert more == []
    return answer, is_closed


@pytest.mark.parametrize("path", [*_TOKEN_ENDPOINTS, *_CLIENT_ENDPOINTS, _ROWS])
def test_body_that_is_declared_too_large_is_refused_before_it_is_sent(
    server: RunningServer, bearer: str, path: str
) -> None:
    """RFC 9110 §15.5.14: at once, without a 100, on every endpoint that takes a body."""
    answer, is_closed = _ask(server, _render_head(path, more=bearer))
    assert (answer.status, answer.headers["connection"], is_closed) == (413, "close", True)
    assert answer.body.count(b'"invalid_request"') == 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (_render_head("/nowhere"), 404),
        (_render_head("/token", method="PUT"), 405),
        (_render_head("/api/v1/introspect", method="GET"), 405),
        (_render_head(_ROWS, length=10), 401),
        (_render_head(_ROWS, more="Authorization: Bearer rgat_x\r\n", length=10), 401),
        (_render_head("/token", more="Expect: a-miracle\r\n"), 417),
        (_render_head(_ROWS, more="Expect: 100-continue, x=y\r\n"), 417),
    ],
    ids=["path", "method", "method-of-a-client", "no-token", "wrong-token", "unknown", "one-of-them-unknown"],
)
def test_what_is_refused_whatever_the_body_says_is_refused_before_it_is_sent(
    server: RunningServer, head: bytes, status: int
) -> None:
    """The connection closes: nobody could tell whether what comes next is that body or another request."""
    answer, is_closed = _ask(server, head)
    assert (answer.status, answer.headers["connection"], is_closed) == (status, "close", True)


def test_body_that_fits_is_asked_for_and_the_connection_stays(server: RunningServer, bearer: str) -> None:
    body = b'{"limit": 1}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(_render_head(_ROWS, more=bearer, length=len(body)))
            assert connection.recv(1024) == _CONTINUE
            connection.sendall(body)
            answer = b""
            while not answer.endswith(b"}]"):
                answer += connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" not in answer


@pytest.mark.parametrize("path", ["/token", "/token?x=1"])
def test_body_that_has_begun_is_not_asked_for(server: RunningServer, path: str) -> None:
    """Who does not wait gets what everybody gets: the body is read past, so that the refusal is not lost."""
    size = 70_000
    answer, is_closed = _ask(server, _render_head(path, length=size) + b"a" * size)
    assert (answer.status, is_closed) == (413, True)


@pytest.mark.parametrize("path", ["/token", _ROWS])
def test_http_1_0_expects_nothing(server: RunningServer, bearer: str, path: str) -> None:
    """RFC 9110 §10.1.1: such an expectation MUST be ignored there."""
    body = b'{"limit": 1}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(_render_head(path, more=bearer, length=len(body), version="1.0"))
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        connection.sendall(body)
        assert connection.recv(1024)[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 401")


@pytest.mark.parametrize("path", ["/token", _ROWS])
def test_curl_is_refused_without_sending(server: RunningServer, bearer: str, path: str, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"a" * 3_000_000)
    told = subprocess.run(
        [
            *("curl", "-s", "-o", tmp_path / "answer", "-w", "%{http_code} %{size_upload}"),
            *("--expect100-timeout", "20", "-H", "Expect: 100-continue", "-H", bearer.strip()),
            *("--data-binary", f"@{body}", server.url + path),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert told.stdout == "413 0"
