"""Writes what uvicorn's cycle of request and response has no message for.

A whole answer in one piece, and the end of a streamed one with what is known of it only then. And sees what it has
no message for: that a client waits before it sends its body.
"""

from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from rowgate.web.exchange import HOLDS_BODY_BACK, WRITE_END, WRITE_WHOLE


def extend_scope(cycle: RequestResponseCycle, server_state: ServerState) -> None:
    """Give the handlers of this request what is here, in the server's own extensions of the ASGI scope."""
    scope: dict[str, Any] = cycle.scope  # type: ignore[assignment]
    scope[WRITE_WHOLE] = partial(write_whole, cycle, server_state)
    scope[WRITE_END] = partial(write_end, cycle)
    if cycle.waiting_for_100_continue:
        scope[HOLDS_BODY_BACK] = partial(holds_body_back, cycle)


def write_whole(cycle: RequestResponseCycle, server_state: ServerState, head: bytes, body: bytes) -> bool:
    """Write a whole 200 answer at once; tell whether that was possible, else the ASGI way must be gone.

    ASGI's two messages, with every header looked through, cost as much as the rest of a token exchange.

    Args:
        cycle: The request that is answered; with pipelining not always the newest.
        server_state: Has the headers of every answer.
        head: Header lines that the server itself wrote, each with its end.
        body: As long as the head says.
    """
    if holds_body_back(cycle):
        return False  # what follows this answer is that body, or the next request: the ASGI way closes the connection
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    cycle.response_started = True
    parts = [STATUS_LINE[200]]
    for name, value in server_state.default_headers:
        parts += (name, b": ", value, b"\r\n")
    parts += (head, b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body)
    cycle.transport.write(b"".join(parts))
    _complete(cycle)
    return True


def write_end(cycle: RequestResponseCycle, fields: bytes) -> None:
    """Write the last chunk of a chunked answer and the trailer fields after it (RFC 9112 §7.1.2).

    Args:
        cycle: The request that is answered; the parts of its answer are out.
        fields: Lines that the server itself wrote, each with its end.
    """
    if cycle.disconnected:
        return
    assert cycle.chunked_encoding, "internal error: trailer fields after an answer that is not in chunks"
    cycle.transport.write(b"0\r\n%b\r\n" % fields)
    _complete(cycle)


def holds_body_back(cycle: RequestResponseCycle) -> bool:
    """Tell whether the client waits to be told to send its body, and has sent nothing of it (RFC 9110 §10.1.1)."""
    return cycle.waiting_for_100_continue and cycle.more_body and not cycle.body


def _complete(cycle: RequestResponseCycle) -> None:
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
