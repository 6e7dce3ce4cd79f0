"""One request of the kind `web/whole.py` describes, on a connection of uvicorn's.

It stands where uvicorn has a RequestResponseCycle, with those of its attributes that the protocol looks at.
"""

from typing import TYPE_CHECKING, Any

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from rowgate.web.exchange import DRAINED_BYTES
from rowgate.web.known_head import KnownHead, learn_head
from rowgate.web.whole import Answer

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


class WholeCycle(msgspec.Struct, eq=False):
    """Collects the body, hands the request over when its turn has come, writes the answer."""

    connection: "StrictHttpProtocol"
    answer: Answer  # answers this request
    most_bytes: int = 0  # of a body
    body: bytes | bytearray = b""
    received_bytes: int = 0
    more_body: bool = True
    has_turn: bool = False  # the requests before this one are answered
    is_handed_over: bool = False
    expects_continue: bool = False
    declared_bytes: int = 0  # of the body, where the client waits before it sends it
    keep_alive: bool = True
    disconnected: bool = False
    response_started: bool = False
    response_complete: bool = False
    message_event: Any = _NOBODY_WAITS

    def __repr__(self) -> str:
        return "<a whole request>"  # never the body; asyncio shows whose callback failed

    def begin(self) -> None:
        """The requests before this one are answered."""
        self.has_turn = True
        if self.more_body and self.expects_continue:
            if self.declared_bytes > self.most_bytes:
                self.connection.loop.call_soon(self._refuse_unsent)  # after what came with the head is taken
            else:
                self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.hand_over()

    def take(self, part: bytes) -> None:
        """Take a part of the body; of one that is too large no more than shows it."""
        self.received_bytes += len(part)
        room = self.most_bytes + 1 - len(self.body)
        if not self.body:
            self.body = part[:room]
        elif room > 0:
            self.body = bytearray(self.body) if isinstance(self.body, bytes) else self.body
            self.body += part[:room]
        if self.received_bytes > self.most_bytes + DRAINED_BYTES:
            self.keep_alive = False
            self.end()

    def end(self) -> None:
        """The body is whole, or more of it is not wanted."""
        self.more_body = False
        self.hand_over()

    def _refuse_unsent(self) -> None:
        """Refuse a body that is declared too large before it is sent; one that has begun is read past."""
        if self.received_bytes or self.disconnected:
            return
        self.keep_alive = False  # nobody knows whether what follows is the body
        self.body = bytes(self.most_bytes + 1)
        self.end()

    def hand_over(self) -> None:
        """Start the work, once, when everything is there and the client takes what it is sent."""
        if self.has_turn and not self.more_body and not self.is_handed_over and not self.connection.flow.write_paused:
            self.is_handed_over = True
            self.answer(bytes(self.body), self.write)

    def learn_head(self, data: bytes) -> KnownHead | None:
        """Give this request's head, or None when the next that has it is not taken as it was; see `known_head`."""
        if not self.keep_alive or self.expects_continue or self.received_bytes > self.most_bytes:
            return None
        return learn_head(data, self.received_bytes, self.answer)

    def write(self, status: int, head: bytes, body: bytes, closes: bool) -> None:  # noqa: FBT001 - Write's shape
        """Write the answer; the next request has its turn."""
        connection = self.connection
        transport = connection.transport
        if self.disconnected or transport.is_closing():
            return
        default = render_default_headers(connection.server_state.default_headers)
        end = b"\r\n"
        if closes or not self.keep_alive:
            self.keep_alive = False
            end = b"connection: close\r\n\r\n"
        transport.write(b"".join((STATUS_LINE[status], default, head, end, body)))
        self.response_started = self.response_complete = True
        if not self.keep_alive:
            transport.close()
        connection.on_response_complete()
