"""One address cannot take the connections of all others."""

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rowgate.config import Settings
from support.homes import make_home
from support.servers import RunningServer, run_server, wait_until

MOST = 3
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, sample_database: Path) -> Settings:
    home = tmp_path_factory.mktemp("connections") / "home"
    return make_home(home, sample_database, max_connections_per_address=MOST)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[RunningServer]:
    with run_server(settings) as running:
        yield running


def connect(server: RunningServer, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(source, 0))


def ask(connection: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionError):
        connection.sendall(HEALTH)
        return connection.recv(65_536)
    return b""


def test_one_address_is_refused_beyond_its_share_and_others_are_not(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(connect(server)) for _ in range(MOST)]
        assert all(ask(connection).startswith(b"HTTP/1.1 200 ") for connection in mine)
        beyond = stack.enter_context(connect(server))
        refusal = ask(beyond)
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"Your address has too many connections." in refusal
        assert b"retry-after: 5" in refusal
        (request_id,) = re.findall(rb"x-request-id: (\S+)", refusal)
        assert b'"request_id":"%b"' % request_id in refusal
        assert beyond.recv(100) == b""
        other = stack.enter_context(connect(server, "127.0.0.2"))
        assert ask(other).startswith(b"HTTP/1.1 200 ")
        mine[0].close()
        wait_until(lambda: _is_served(server))


def _is_served(server: RunningServer) -> bool:
    with connect(server) as again:
        return ask(again).startswith(b"HTTP/1.1 200 ")


def test_a_silent_connection_beyond_the_share_is_let_go_soon(server: RunningServer) -> None:
    """The others may take `request_seconds`, which are 20."""
    wait_until(lambda: _is_served(server))
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(connect(server))
        silent = stack.enter_context(connect(server))
        silent.settimeout(10)
        assert b" 408 " in silent.recv(65_536)


def test_far_beyond_the_share_nothing_is_said(server: RunningServer) -> None:
    wait_until(lambda: _is_served(server))
    with contextlib.ExitStack() as stack:
        for _ in range(2 * MOST):
            stack.enter_context(connect(server))
        last = stack.enter_context(connect(server))
        with contextlib.suppress(ConnectionError):
            assert last.recv(100) == b""
    wait_until(lambda: _is_served(server))


def test_a_trusted_proxy_may_have_all(tmp_path: Path, sample_database: Path) -> None:
    behind = make_home(
        tmp_path / "home", sample_database, max_connections_per_address=MOST, trusted_proxies=("127.0.0.1",)
    )
    with run_server(behind) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(3 * MOST)]
        assert all(ask(connection).startswith(b"HTTP/1.1 200 ") for connection in connections)
        strangers = [stack.enter_context(connect(server, "127.0.0.3")) for _ in range(MOST + 1)]
        assert [ask(connection)[9:12] for connection in strangers] == [b"200"] * MOST + [b"503"]
