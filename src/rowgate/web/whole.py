"""Requests that are read as a whole, decided without waiting, and answered as a whole from a callback.

The token endpoint is one. The ASGI way needs a task, an event, a queue of messages and a look through every header
that is sent: together more than the exchange itself. `web/protocol.py` serves such a request without them; under
another ASGI server `App` does the same by its messages.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from rowgate.web.exchange import Headers, PreparedHeaders, Request, Scope
from rowgate.web.problems import Edge, describe_problem

# status, header lines each with its end, body, whether the connection must close
Write: TypeAlias = Callable[[int, bytes, bytes, bool], None]
Put: TypeAlias = Callable[[int, PreparedHeaders, bytes], None]
_CLOSE_LINE = b"connection: close\r\n"


class Reply:
    """How an endpoint answers one request: exactly one call, now or later."""

    __slots__ = ("_edge", "_put", "_tell", "request")

    def __init__(self, request: Request, put: Put, edge: Edge, tell: Callable[[Exception, Request], None]) -> None:
        """Take the way out, and what errors are described and logged with."""
        self.request = request
        self._put = put
        self._edge = edge
        self._tell = tell

    def send(self, headers: PreparedHeaders, body: bytes) -> None:
        """Answer 200."""
        self._put(200, headers, body)

    def fail(self, error: Exception) -> None:
        """Answer with an error, by the one map."""
        self._tell(error, self.request)
        status, headers, body = describe_problem(error, self.request.request_id, self._edge)
        self._put(status, PreparedHeaders(headers), body)


class WholeEndpoint(Protocol):
    """Answers POST requests of at most so many bytes."""

    max_body_bytes: int

    def __call__(self, request: Request, body: bytes, reply: Reply) -> None:
        """Answer by `reply`, or raise before that; a body that is too large comes cut, one byte too long."""


# What the protocol is handed: by path, how much of a body is wanted and what takes the request.
Handle: TypeAlias = Callable[[Scope, bytes, Write], None]
WholeHandlers: TypeAlias = Mapping[str, tuple[int, Handle]]
WHOLE_HANDLERS = "rowgate.whole_handlers"  # the key in the lifespan's state


def put_by(write: Write, request: Request, extra: Headers) -> Put:
    """Give the way out over a connection that writes whole answers."""
    more = PreparedHeaders(extra).lines if extra else b""

    def put(status: int, headers: PreparedHeaders, body: bytes) -> None:
        lines = headers.lines
        if headers.closes:
            lines = lines.replace(_CLOSE_LINE, b"")  # the connection says it itself
        request_id = request.request_id.encode()
        head = b"%bcontent-length: %d\r\nx-request-id: %b\r\n%b" % (lines, len(body), request_id, more)
        write(status, head, body, headers.closes)

    return put
