"""Requests that are read as a whole, decided without waiting, and answered as a whole from a callback.

The token endpoint is one. The ASGI way needs a task, an event, a queue of messages and a look through every header
that is sent: together more than the exchange itself. `web/protocol.py` serves such a request without them; under
another ASGI server `App` does the same by its messages.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from rowgate.service.origin import Origin
from rowgate.web.exchange import Head, PreparedHeaders, Scope
from rowgate.web.problems import Edge, Problem, describe_problem

# status, header lines each with its end, body, whether the connection must close
Write: TypeAlias = Callable[[int, bytes, bytes, bool], None]
_CLOSE_LINE = b"connection: close\r\n"


class Request(msgspec.Struct, eq=False):
    """A request of which everything is there but its body. Its head may be that of others on its connection too."""

    head: Head
    request_id: str
    origin: Origin


class Reply(msgspec.Struct, eq=False):
    """How an endpoint answers one request: exactly one call, now or later."""

    request_id: str
    edge: Edge  # what errors are described with
    tell: Callable[[Exception, Problem, str], None]  # and logged and counted with

    def send(self, headers: PreparedHeaders, body: bytes) -> None:
        """Answer 200."""
        self.put(200, headers, body)

    def fail(self, error: Exception) -> None:
        """Answer with an error, by the one map."""
        problem = describe_problem(error, self.request_id, self.edge)
        self.tell(error, problem, self.request_id)
        self.put(problem.status, PreparedHeaders(problem.headers), problem.body)

    def put(self, status: int, headers: PreparedHeaders, body: bytes) -> None:
        """Send the answer its way."""
        raise NotImplementedError


class WrittenReply(Reply, eq=False):
    """Over a connection that writes whole answers."""

    write: Write
    more: bytes  # further header lines, each with its end

    def put(self, status: int, headers: PreparedHeaders, body: bytes) -> None:
        """Write the answer."""
        lines = headers.lines
        if headers.closes:
            lines = lines.replace(_CLOSE_LINE, b"")  # the connection says it itself
        request_id = self.request_id.encode()
        head = b"%bcontent-length: %d\r\nx-request-id: %b\r\n%b" % (lines, len(body), request_id, self.more)
        self.write(status, head, body, headers.closes)


class AwaitedReply(Reply, eq=False):
    """For a task that waits for it and sends it by ASGI's messages."""

    answered: asyncio.Future[tuple[int, PreparedHeaders, bytes]]

    def put(self, status: int, headers: PreparedHeaders, body: bytes) -> None:
        """Wake the task, unless it is gone."""
        if not self.answered.done():
            self.answered.set_result((status, headers, body))


class WholeEndpoint(Protocol):
    """Answers POST requests of at most so many bytes."""

    max_body_bytes: int

    def answer(self, request: Request, body: bytes, reply: Reply) -> None:
        """Answer by `reply`, or raise before that.

        A body that is too large comes cut, one byte too long; one that was not waited for is zeros, as many.
        """


# What the protocol is handed: by path, how much of a body is wanted and what reads a head. That gives what answers
# the request, and after it all on the same connection whose heads are the same.
Answer: TypeAlias = Callable[[bytes, Write], None]
ReadHead: TypeAlias = Callable[[Scope], Answer]
WholeHandlers: TypeAlias = Mapping[str, tuple[int, ReadHead]]
WHOLE_HANDLERS = "rowgate.whole_handlers"  # the key in the lifespan's state
# and that of what counts an answer with an error, by its status and code, which the protocol itself has made
COUNT_ERROR = "rowgate.count_error"
CountError: TypeAlias = Callable[[int, str], None]
