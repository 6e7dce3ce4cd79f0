"""What a hostile client tried, each a hole that was once open."""

import contextlib
import socket
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from rowgate.audit.events import redact
from rowgate.sample import build_sample
from rowgate.service.admin.desk import AdminError
from rowgate.service.quiet_record import QuietRecord
from rowgate.wiring import worker
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, ask_until, fetch_token, run_server, wait_until
from support.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on a table that does not fit into the socket's buffers."""
    folder = tmp_path_factory.mktemp("large")
    build_sample(folder / "large.sqlite", rows=60_000)
    settings = make_home(folder / "home", folder / "large.sqlite")
    with run_server(settings) as running:
        yield running


def _bearer(server: RunningServer, name: str) -> str:
    made = add_application(server.settings, name)

    def ask() -> str | None:
        with contextlib.suppress(AssertionError):
            return str(fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"])
        return None

    return str(ask_until(ask))


def _connect(server: RunningServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def _read_all(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def _reading(server: RunningServer, token: str, *, receive_bytes: int) -> Iterator[socket.socket]:
    """A read of the large table that has begun, whose client's side takes so much unread.

    The bound is set before the window is agreed on: set later, the window stays so narrow that reading what was sent
    takes minutes.
    """
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", server.port))
        line = "GET /api/v1/data/SA_Activity_Events/rows HTTP/1.1"
        connection.sendall(f"{line}\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")
        yield connection


def _is_healthy(server: RunningServer) -> bool:
    with Stopwatch() as watch:
        answer = httpx.get(f"{server.url}/healthz", timeout=10)
    return answer.status_code == 200 and watch.seconds < 2


def test_requests_sent_ahead_are_bounded(large: RunningServer) -> None:
    """Thousands of requests in one packet are not kept waiting in memory."""
    with _connect(large) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 3000)
        answers = _read_all(connection).count(b"HTTP/1.1 ")
    assert answers <= 40
    assert _is_healthy(large)


def test_offers_of_another_protocol_do_not_recurse(large: RunningServer) -> None:
    """Each offer is read once more without it, but not without end."""
    offer = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    with _connect(large) as connection:
        connection.sendall(offer * 3000)
        assert _read_all(connection).count(b"HTTP/1.1 ") <= 40
    assert _is_healthy(large)


def test_trailers_without_end_are_cut(large: RunningServer) -> None:
    """What follows the last chunk is bounded as the head is."""
    head = b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
    with _connect(large) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(b"a" * 65_536)
        pytest.fail("6 MB of a trailer were taken")
    assert _is_healthy(large)


def test_token_revoked_while_the_body_arrives_opens_nothing(large: RunningServer) -> None:
    """The token is judged when the read begins, not only when the request did (R12)."""
    token = _bearer(large, "half-sent")
    head = (
        f"POST /api/v1/data/SA_ADInventory_Users/rows HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{"
    )
    with _connect(large) as connection:
        connection.sendall(head.encode())
        with administer(large.settings) as desks:
            desks.applications.revoke_tokens("half-sent")
        url, bearer = f"{large.url}/api/v1/data/SA_ADInventory_Users/rows", {"Authorization": f"Bearer {token}"}
        wait_until(lambda: httpx.get(url, headers=bearer).status_code == 401)
        connection.sendall(b"}")
        assert _read_all(connection).startswith(b"HTTP/1.1 401 ")


def test_running_read_is_cut_when_its_application_is_disabled(large: RunningServer) -> None:
    """What is withdrawn stops within a second, in the middle of a stream too; it does not look whole."""
    token = _bearer(large, "streaming")
    with _reading(large, token, receive_bytes=131_072) as connection:
        with administer(large.settings) as desks:
            desks.applications.set_enabled("streaming", enabled=False)
        url, bearer = f"{large.url}/api/v1/data/SA_ADInventory_Users/rows", {"Authorization": f"Bearer {token}"}
        wait_until(lambda: httpx.get(url, headers=bearer).status_code == 401)
        assert b"\r\n0\r\n" not in _read_all(connection)[-256:], "the last chunk"
    (ended,) = wait_until(lambda: large.events(kind="rows_ended", object="SA_Activity_Events"))
    assert (ended["outcome"], ended["reason"]) == ("cut", "disabled_application")
    assert ended["rows"] < 60_000


def test_running_read_of_a_client_that_takes_nothing_is_cut_too(large: RunningServer) -> None:
    """It is not asked for more: neither what the server holds nor what the system holds for it is sent any more."""
    token = _bearer(large, "stalled")
    with _reading(large, token, receive_bytes=4096) as connection:
        with administer(large.settings) as desks:
            desks.objects.block("SA_Activity_Events", reason="")
        try:
            (ended,) = wait_until(lambda: large.events(kind="rows_ended", application="stalled"), seconds=2)
            assert (ended["outcome"], ended["reason"]) == ("cut", "blocked_object")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_048_576)
            assert len(_read_all(connection)) < 1_000_000
        finally:
            with administer(large.settings) as desks:
                desks.objects.unblock("SA_Activity_Events")


def test_change_of_an_unknown_kind_does_not_stop_the_follower(sample_database: Path, tmp_path: Path) -> None:
    """A newer release may write what this one does not know; revocations still arrive."""
    settings = make_home(tmp_path / "home", sample_database)
    with run_server(settings) as server:
        token = _bearer(server, "followed")
        with contextlib.closing(sqlite3.connect(settings.state_path)) as state, state:
            state.execute("INSERT INTO changes (entity, name) VALUES ('comet', 'x')")
        with administer(settings) as desks:
            desks.applications.set_enabled("followed", enabled=False)
        url, bearer = f"{server.url}/api/v1/data/SA_ADInventory_Users/rows", {"Authorization": f"Bearer {token}"}
        wait_until(lambda: httpx.get(url, headers=bearer).status_code == 401, seconds=3)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("inventory", "inventory"),
        ("id:rgcs_abcd1234_c2VjcmV0LXNlY3JldA", "id:rgcs_abcd1234…"),
        (" rgcs_abcd1234_c2VjcmV0", " rgcs_abcd1234…"),
        ("rgat_AQABz3pJLsFCp78A", "rgat_…"),
        ("x" * 500, "x" * 200),
    ],
)
def test_what_clients_type_reaches_the_record_without_secrets(typed: str, kept: str) -> None:
    """A secret pasted into the wrong field leaves its handle there (R31)."""
    assert redact(typed) == kept


def test_alias_of_another_object_is_not_taken_away(large: RunningServer) -> None:
    """Both names on the command line count."""
    with administer(large.settings) as desks:
        desks.objects.add_alias("SA_Activity_Events", "events")
        with pytest.raises(AdminError):
            desks.objects.remove_alias("SA_ServiceAccounts", "events")
        assert desks.objects.remove_alias("SA_Activity_Events", "events").aliases == ()


def test_refusals_of_nobody_do_not_fill_the_record(
    sample_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the endpoint; the stranger is answered as before, and who proves itself is on record always."""
    monkeypatch.setattr(worker, "QuietRecord", partial(QuietRecord, at_once=5))
    settings = make_home(tmp_path / "home", sample_database)
    made = add_application(settings, "behind the same address")
    rows = "/api/v1/data/SA_ServiceAccounts/rows?limit=1"
    with run_server(settings) as server, httpx.Client(base_url=server.url) as client:
        server.clock.freeze()
        for _ in range(10):
            answers = (
                client.post("/token", data={"grant_type": "client_credentials"}),
                client.post("/token", content=b"x", headers={"content-type": "a/b"}),
                client.post("/introspect", data={"token": "x"}),
                client.post("/api/v1/enrol", json={}),
                client.get(rows),
                client.get(rows, headers={"authorization": "Bearer x"}),
            )
            assert [answer.status_code for answer in answers] == [401, 400, 401, 400, 401, 401]
            token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
            assert client.get(rows, headers={"authorization": f"Bearer {token}"}).status_code == 200
        server.clock.advance(1)
        client.get(rows)
        kinds = [event["kind"] for event in server.events()]
        refused = kinds.count("token_refused") + kinds.count("rows_refused")
        assert (kinds.count("token_issued"), kinds.count("rows_opened"), refused) == (10, 10, 6)
        assert sum(event.get("left_out", 0) for event in server.events()) == 60 - 5
