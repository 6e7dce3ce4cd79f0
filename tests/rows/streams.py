"""Raw readers of rows: as slow as a test wants, and gone when it wants."""

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from rows.harness import Reader, address
from support.servers import wait_until

ENDLESS, STUCK, BEGUN = "endless", "stuck", "begun"
# Views that no machine reads to the end: one gives rows, one none, and one 10 MB at once, enough for a beginning in any
# format, and none from then on. A row of the first costs twenty steps: a statement's second is then the engine's, and
# little of it is spent on encoding rows that no test looks at.
_NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1e12)"
CREATE_VIEWS = (
    f"CREATE VIEW endless AS {_NUMBERS} SELECT n, 'some text to make the row longer' AS filler FROM c WHERE n % 20 = 0",
    f"CREATE VIEW begun AS {_NUMBERS} SELECT n, printf('%.1000c', 'x') AS filler FROM c WHERE n <= 10000 OR n > 1e12",
    f"CREATE VIEW stuck AS {_NUMBERS} SELECT max(n) AS most FROM c",
)


@contextmanager
def slow_reader(reader: Reader, name: str) -> Iterator[socket.socket]:
    """Ask for rows on a connection that holds little; nothing of the answer is taken yet."""
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", reader.server.port))
        token = reader.client.headers["authorization"]
        connection.sendall(f"GET {address(name)} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        yield connection


def receive_rest(connection: socket.socket) -> bytes:
    """Give everything until the connection ends, however it ends."""
    parts = []
    try:
        while part := connection.recv(1 << 20):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def looks_whole(received: bytes) -> bool:
    """Tell whether an answer in chunks ends as a whole one does: the last chunk, the trailer fields, an empty line."""
    return re.search(rb"\r\n0\r\n([a-z-]+: [^\r\n]+\r\n)*\r\n\Z", received[-256:]) is not None


def receive_answer(connection: socket.socket, *, on_part: Callable[[int], None] = lambda _received: None) -> int:
    """Take an answer in chunks up to the chunk that says that it is whole; give the number of bytes.

    Args:
        connection: It stays open.
        on_part: Called before each look at the connection with what was received so far.
    """
    received, end = 0, b""
    while not looks_whole(end):
        on_part(received)
        part = connection.recv(1 << 18)
        assert part, "the answer was cut"
        end = (end + part)[-256:]
        received += len(part)
    return received


def is_reading() -> bool:
    """Tell whether a thread of this process is inside the engine."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        if names.get(ident, "").startswith("rows") and frame.f_code.co_name in ("read_block", "_must_stop"):
            return True
    return False


def wait_for_event(reader: Reader, kind: str, name: str, *, after: int = 0, seconds: float = 10) -> dict[str, Any]:
    """Give the event of that kind on an object after so many of them."""

    def find() -> dict[str, Any] | None:
        found = events(reader, kind, name)
        return found[after] if len(found) > after else None

    found: dict[str, Any] = wait_until(find, seconds=seconds)
    return found


def wait_for_end_of(reader: Reader, request_id: str) -> dict[str, Any]:
    """Give the event that ends the read of this request."""
    found: list[dict[str, Any]] = wait_until(lambda: reader.server.events(kind="rows_ended", handle=request_id))
    return found[0]


def events(reader: Reader, kind: str, name: str) -> list[dict[str, Any]]:
    return [event for event in reader.server.events(kind=kind) if event.get("object") == name]
