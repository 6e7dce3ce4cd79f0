"""uvicorn's HTTP/1.1 protocol, made strict and given deadlines.

As it ships it takes a request without a Host or with two, and holds half a request for ever. Here both are
refused, the head of a request is bounded, a request must arrive in time, and a connection that is closing
must close. The handlers get two more things from the connection: a way to cut it, and word when it is gone.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from rowgate.web.exchange import ABORT, ON_DISCONNECT

MAX_HEADERS = 100
SWEEP_SECONDS = 1.0
_CLOSING_SECONDS = 5.0  # for the client to take what is buffered


class StrictHttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._max_header_bytes: int = self.config.max_header_bytes  # type: ignore[attr-defined]
        self._request_seconds: int = self.config.request_seconds  # type: ignore[attr-defined]
        self._sweeper: asyncio.TimerHandle | None = None
        self._head_bytes = 0  # of a head that is not complete; -1 while a body is due
        self._waiting_since: float | None = None  # when the request that is not yet whole began
        self._closing_since: float | None = None
        self._when_gone: Callable[[], None] | None = None
        self._refusal = (400, "The request is not valid HTTP.")
        self._extensions: dict[str, Any] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the first request is due from now on."""
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        self._extensions = {ABORT: transport.abort, ON_DISCONNECT: self._call_when_gone}

    def connection_lost(self, exc: Exception | None) -> None:
        """End: tell whoever works for this client."""
        super().connection_lost(exc)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._when_gone is not None:
            self._when_gone()
            self._when_gone = None

    def data_received(self, data: bytes) -> None:
        """Parse; a head that does not end is bounded too."""
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()
        super().data_received(data)
        if self._head_bytes >= 0 and self._waiting_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > self._max_header_bytes:
                self._refusal = (431, "The request's headers are too large.")
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, within the bounds."""
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._refuse(431, "The request has too many headers.")

    def on_headers_complete(self) -> None:
        """Check the head as a whole, then start the handler."""
        size = len(self.url)
        hosts = 0
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts += 1
        if size > self._max_header_bytes:
            self._refuse(431, "The request's headers are too large.")
        # RFC 9112 §3.2: a server MUST respond with 400 to a request that lacks a Host or has more than one.
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._refuse(400, "The request needs exactly one Host header.")
        self._head_bytes = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; the next one is not due before its first byte."""
        self._waiting_since = None
        self._head_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's shape; the text is our own
        """Refuse the connection's bytes and close it."""
        if self.transport.is_closing():
            return
        if not self._is_answering():
            status, text = self._refusal
            body = msgspec.json.encode({"error": "invalid_request", "error_description": text})
            head = (
                b"content-type: application/json\r\ncache-control: no-store\r\npragma: no-cache\r\n"
                b"connection: close\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
                % (os.urandom(8).hex().encode(), len(body))
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self._closing_since = self.loop.time()
        self.transport.close()

    def _sweep(self) -> None:
        now = self.loop.time()
        self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        if self.transport.is_closing():
            if self._closing_since is None:
                self._closing_since = now
            elif now - self._closing_since > _CLOSING_SECONDS:
                self.transport.abort()
        elif self._waiting_since is not None and now - self._waiting_since > self._request_seconds:
            self._refusal = (408, "The request did not arrive in time.")
            self.send_400_response("")

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn declares it without the None it starts with
        return cycle is not None and cycle.response_started and not cycle.response_complete

    def _refuse(self, status: int, text: str) -> None:
        self._refusal = (status, text)
        raise httptools.HttpParserError(text)

    def _call_when_gone(self, callback: Callable[[], None]) -> None:
        self._when_gone = callback
        if self.transport.is_closing():
            callback()
