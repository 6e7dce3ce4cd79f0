"""A head that came before on a connection is not parsed again: what that may not change."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from rowgate.config import Settings
from rowgate.web.known_head import MAX_KNOWN_BYTES, learn_head
from rowgate.web.protocol import StrictHttpProtocol
from rowgate.web.server import ServerConfig, make_server_config
from rowgate.web.whole import COUNT_ERROR, WHOLE_HANDLERS, Answer, Write

MOST_BYTES = 16  # of a body
MOST_CONNECTIONS = 10_000  # none of them is ever closed here
_REQUEST_ID = re.compile(rb"(?<=x-request-id: )[0-9a-f]+|(?<=\"request_id\":\")[0-9a-f]+")

HEADERS = [
    "",
    "X: a\r\n",
    "X: b\r\n",
    "X: a\r\nX: b\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "Host: twice\r\n",
    "Content-Type: text/plain\r\n",
]
BODIES = [b"", b"a=1", b"a=2", b"\r\n\r\n", b"a=1\r\n", b"POST /t HTTP/1.1", b"x" * (MOST_BYTES + 5)]


@dataclass(frozen=True)
class Site:
    """What connections are made with; the loop never runs, so nothing is ever due."""

    config: ServerConfig
    loop: asyncio.AbstractEventLoop


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close
    pause_reading = resume_reading = lambda _self: None


class Connection:
    """One connection to a server that answers with what it was sent, and counts the heads that it reads."""

    def __init__(self, site: Site) -> None:
        self.heads = 0
        self.wire = Wire()
        state = {WHOLE_HANDLERS: {"/t": (MOST_BYTES, self._read_head)}, COUNT_ERROR: lambda _status, _code: None}
        self.protocol = StrictHttpProtocol(site.config, ServerState(), state, site.loop)
        self.protocol.connection_made(self.wire)

    def _read_head(self, scope: Any) -> Answer:
        self.heads += 1
        told = repr((scope["method"], scope["raw_path"], scope["headers"])).encode()

        def answer(body: bytes, write: Write) -> None:
            write(200, b"", b"%b %b\n" % (told, body), False)  # noqa: FBT003 - Write's shape

        return answer

    @property
    def sent(self) -> bytes:
        """What was answered, without the ids of refusals."""
        return _REQUEST_ID.sub(b"", self.wire.sent)

    def send(self, data: bytes, *, piece_bytes: int = 1 << 16) -> None:
        for begin in range(0, len(data), piece_bytes):
            if not self.wire.is_closed:
                self.protocol.data_received(data[begin : begin + piece_bytes])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    async def serve(*_messages: Any) -> None:
        raise AssertionError("no request goes the ASGI way here")

    config = make_server_config(
        Settings(home=Path("unused"), max_connections=MOST_CONNECTIONS, max_connections_per_address=0), lambda: serve
    )
    config.load()
    loop = asyncio.new_event_loop()
    yield Site(config, loop)
    loop.close()


def make_request(headers: str, body: bytes, *, chunked: bool = False) -> bytes:
    if chunked:
        framing, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        body += b"0\r\n\r\n"
    else:
        framing = f"Content-Length: {len(body)}"
    return f"POST /t HTTP/1.1\r\nHost: a\r\n{headers}{framing}\r\n\r\n".encode() + body


REQUESTS = st.builds(make_request, st.sampled_from(HEADERS), st.sampled_from(BODIES), chunked=st.booleans())


def check_kept(site: Site, requests: Iterable[bytes]) -> None:
    """Each on its own comes byte by byte, so that its head is never known."""
    kept = Connection(site)
    alone = b""
    for request in requests:
        kept.send(request)
        fresh = Connection(site)
        fresh.send(request, piece_bytes=1)
        alone += fresh.sent
        assert kept.sent == alone
        assert kept.wire.is_closed == fresh.wire.is_closed
        if fresh.wire.is_closed:
            break


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_that_comes_again_is_answered_as_on_its_own(site: Site, headers: str, chunked: bool) -> None:  # noqa: FBT001 - a parameter
    for body in BODIES:
        check_kept(site, [make_request(headers, body, chunked=chunked)] * 3)


@given(requests=st.lists(REQUESTS, max_size=3), order=st.lists(st.integers(0, 2), max_size=8))
def test_requests_of_a_kept_connection_are_answered_as_on_their_own(
    site: Site, requests: list[bytes], order: list[int]
) -> None:
    check_kept(site, (requests[number] for number in order if number < len(requests)))


@given(
    requests=st.lists(REQUESTS, max_size=4),
    behind=st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b"P", b"POST /t HTTP/1.1\r\n"]),
    piece_bytes=st.integers(1, 400),
)
def test_however_the_bytes_are_cut_the_answers_are_the_same(
    site: Site, requests: list[bytes], behind: bytes, piece_bytes: int
) -> None:
    data = b"".join(request + behind[:4] if behind.isspace() else request for request in requests)
    data += b"" if behind.isspace() else behind
    one, other = Connection(site), Connection(site)
    one.send(data, piece_bytes=piece_bytes)
    other.send(data, piece_bytes=1)
    assert one.sent == other.sent


def test_a_head_is_read_once_and_every_body_is_its_own(site: Site) -> None:
    connection = Connection(site)
    for body in (b"a=1", b"a=2", b"a=3"):
        connection.send(make_request("", body))
    assert connection.heads == 1
    assert connection.sent.count(b"HTTP/1.1 200 OK") == 3
    assert [connection.sent.count(b" a=%d\n" % number) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.parametrize(
    "second",
    [
        make_request("X: b\r\n", b"a=1"),
        make_request("X: a\r\n", b"a=12"),
        make_request("X: a\r\n", b"a=1") + b"\r\n",
        make_request("X: a\r\n", b"a=1") * 2,
    ],
    ids=["another-header", "another-length", "more-behind", "two-at-once"],
)
def test_what_is_not_the_same_head_alone_is_parsed(site: Site, second: bytes) -> None:
    connection = Connection(site)
    connection.send(make_request("X: a\r\n", b"a=1"))
    connection.send(second)
    assert connection.heads == 1 + second.count(b"POST")


def test_a_known_head_is_refused_where_the_server_is_full(site: Site) -> None:
    """How many connections there are is no matter of the head."""
    connection = Connection(site)
    connection.send(make_request("", b"a=1"))
    connection.protocol.connections.update(range(MOST_CONNECTIONS))  # type: ignore[arg-type]
    connection.send(make_request("", b"a=1"))
    assert b"HTTP/1.1 503 " in connection.sent
    assert connection.wire.is_closed


def test_a_client_that_takes_nothing_waits_with_a_known_head_too(site: Site) -> None:
    connection = Connection(site)
    connection.send(make_request("", b"a=1"))
    connection.protocol.pause_writing()
    connection.send(make_request("", b"a=2"))
    assert connection.sent.count(b"HTTP/1.1 200 OK") == 1
    connection.protocol.resume_writing()
    assert connection.sent.count(b"HTTP/1.1 200 OK") == 2


def test_little_is_kept_of_a_head() -> None:
    long = b"POST /t HTTP/1.1\r\nX: %b\r\n\r\n" % (b"x" * MAX_KNOWN_BYTES)
    assert learn_head(long, 0, lambda _body, _write: None) is None


def test_a_request_and_its_known_head_are_not_shown(site: Site) -> None:
    known = learn_head(b"POST /t HTTP/1.1\r\nAuthorization: Basic secret\r\n\r\n", 0, lambda _body, _write: None)
    assert known is not None
    assert "secret" not in repr(known)
    connection = Connection(site)
    connection.send(make_request("", b"secret"))
    assert "secret" not in repr(connection.protocol.cycle)
