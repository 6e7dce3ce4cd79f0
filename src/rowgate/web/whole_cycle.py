"""One request of the kind `web/whole.py` describes, on a connection of uvicorn's.

It stands where uvicorn has a RequestResponseCycle, with those of its attributes that the protocol looks at.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from rowgate.web.exchange import DRAINED_BYTES, Scope
from rowgate.web.whole import Handle

if TYPE_CHECKING:
    from rowgate.web.protocol import StrictHttpProtocol


class _NobodyWaits:
    """In the place of an event that ASGI's receive would wait for."""

    def set(self) -> None:
        """Do nothing."""


_NOBODY_WAITS = _NobodyWaits()


class _DefaultHeaders:
    """uvicorn's default headers as lines; it makes a new list of them each second."""

    def __init__(self) -> None:
        self._source: list[tuple[bytes, bytes]] | None = None
        self._lines = b""

    def render(self, source: list[tuple[bytes, bytes]]) -> bytes:
        if source is not self._source:
            self._lines = b"".join(b"%b: %b\r\n" % pair for pair in source)
            self._source = source
        return self._lines


render_default_headers = _DefaultHeaders().render


class WholeCycle:
    """Collects the body, hands the request over when its turn has come, writes the answer."""

    __slots__ = (
        "_connection",
        "_handle",
        "_is_handed_over",
        "_most_bytes",
        "_received_bytes",
        "_transport",
        "body",
        "disconnected",
        "expects_continue",
        "has_turn",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
    )

    def __init__(self, connection: "StrictHttpProtocol", scope: Scope, most_bytes: int, handle: Handle) -> None:
        """Take what answers such requests, and the most bytes of a body it wants."""
        self._connection = connection
        self._transport: asyncio.Transport = connection.transport
        self.scope = scope
        self._most_bytes = most_bytes
        self._handle = handle
        self._received_bytes = 0
        self._is_handed_over = False
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.has_turn = False
        self.expects_continue = False
        self.keep_alive = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.message_event: Any = _NOBODY_WAITS

    def begin(self) -> None:
        """The requests before this one are answered."""
        self.has_turn = True
        if self.more_body and self.expects_continue:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.hand_over()

    def take(self, part: bytes) -> None:
        """Take a part of the body; of one that is too large no more than shows it."""
        self._received_bytes += len(part)
        room = self._most_bytes + 1 - len(self.body)
        if not self.body:
            self.body = part[:room]
        elif room > 0:
            self.body = bytearray(self.body) if isinstance(self.body, bytes) else self.body
            self.body += part[:room]
        if self._received_bytes > self._most_bytes + DRAINED_BYTES:
            self.keep_alive = False
            self.end()

    def end(self) -> None:
        """The body is whole, or more of it is not wanted."""
        self.more_body = False
        self.hand_over()

    def hand_over(self) -> None:
        """Start the work, once, when everything is there and the client takes what it is sent."""
        if self.has_turn and not self.more_body and not self._is_handed_over and not self._connection.flow.write_paused:
            self._is_handed_over = True
            self._handle(self.scope, bytes(self.body), self._write)

    def _write(self, status: int, head: bytes, body: bytes, closes: bool) -> None:  # noqa: FBT001 - Write's shape
        if self.disconnected or self._transport.is_closing():
            return
        default = render_default_headers(self._connection.server_state.default_headers)
        end = b"\r\n"
        if closes or not self.keep_alive:
            self.keep_alive = False
            end = b"connection: close\r\n\r\n"
        self._transport.write(b"".join((STATUS_LINE[status], default, head, end, body)))
        self.response_started = self.response_complete = True
        if not self.keep_alive:
            self._transport.close()
        self._connection.on_response_complete()
