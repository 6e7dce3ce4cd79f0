"""uvicorn's HTTP/1.1 protocol, made strict and given deadlines.

As it ships it takes a request without a Host or with two, and holds half a request for ever. Here both are
refused, the head of a request is bounded, a request must arrive in time, and a connection that is closing
must close. The handlers get two more things from the connection: a way to cut it, and word when it is gone.
"""

import asyncio
import contextlib
import re
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from rowgate.web.client_certificates import ClientCertificates
from rowgate.web.connection_limits import REFUSED_REQUEST_SECONDS, Admission, ConnectionLimits
from rowgate.web.connection_refusal import find_code, render_refusal
from rowgate.web.exchange import ABORT, FIND_CERTIFICATE, ON_DISCONNECT, RESET
from rowgate.web.finishing import extend_scope
from rowgate.web.forwarded import ForwardedHeaders
from rowgate.web.head_checks import expects_continue, find_declared_bytes, find_fault
from rowgate.web.known_head import KnownHead
from rowgate.web.stall import StallWatch
from rowgate.web.whole import COUNT_ERROR, WHOLE_HANDLERS, CountError, ReadHead, WholeHandlers
from rowgate.web.whole_cycle import WholeCycle, render_default_headers

MAX_HEADERS = 100
MAX_TRAILER_BYTES = 8192  # 8 KiB
MAX_PIPELINED = 16  # requests sent ahead of their answers
SWEEP_SECONDS = 1.0
_CLOSING_SECONDS = 5.0  # for the client to take what is buffered
_DROP_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for no time: the close is a reset
_METHOD = re.compile(rb"[A-Z]{1,20} ")  # what looks like a method, unlike a TLS handshake or noise


class StrictHttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._max_header_bytes: int = self.config.max_header_bytes  # type: ignore[attr-defined]
        self._request_seconds: int = self.config.request_seconds  # type: ignore[attr-defined]
        self._stall = StallWatch(self.config.send_stall_seconds)  # type: ignore[attr-defined]
        self._limits: ConnectionLimits = self.config.connection_limits  # type: ignore[attr-defined]
        self._address = ""
        self._admission = Admission.SERVED
        self._look_at_forwarded: ForwardedHeaders | None = self.config.look_at_forwarded  # type: ignore[attr-defined]
        self._client_certificates: ClientCertificates | None = self.config.client_certificates  # type: ignore[attr-defined]
        self._sweeper: asyncio.TimerHandle | None = None
        self._data = b""  # what is being parsed
        self._began_inside = False  # a request began in the middle of it
        self._head_bytes = 0  # of a head that is not complete; -1 while a body is due
        self._waiting_since: float | None = None  # when the request that is not yet whole began
        self._closing_since: float | None = None
        self._body_bytes = 0  # of this request so far
        self._framing_bytes = 0  # chunk sizes and trailers around them
        self._replays = 0
        self._when_gone: Callable[[str], None] | None = None
        self._gone_because = "client_went_away"
        self._refusal = (400, "The request is not valid HTTP.")
        self._idle_since: float | None = None  # between requests
        self._in_turn: RequestResponseCycle | WholeCycle | None = None  # the oldest that may not be answered yet
        self._is_over = False  # nothing more is read: what is due is answered, then the connection closes
        self._known: KnownHead | None = None  # of the last request, where the next may have the same
        self._extensions: dict[str, Any] = {}
        handlers: WholeHandlers = self.app_state.get(WHOLE_HANDLERS, {})
        self._whole = {path.encode(): handler for path, handler in handlers.items()}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the first request is due from now on."""
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._address = self.client[0] if self.client else ""
        self._admission = self._limits.enter(self._address)
        if self._admission is Admission.DROPPED:
            transport.abort()
        elif self._admission is Admission.REFUSED:
            self._request_seconds = REFUSED_REQUEST_SECONDS
        self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        self._extensions = {ABORT: transport.abort, RESET: self._reset, ON_DISCONNECT: self._call_when_gone}
        if self._client_certificates is not None:
            self._extensions[FIND_CERTIFICATE] = self._client_certificates.look_at(
                transport.get_extra_info("ssl_object"),
                is_from_proxy=self._look_at_forwarded is not None
                and self._look_at_forwarded.trusts(self.client[0] if self.client else ""),
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """End: tell whoever works for this client."""
        at_work = self._in_turn
        if at_work is not None and not at_work.response_complete:  # uvicorn tells the newest of those sent ahead alone
            at_work.disconnected = True
            at_work.message_event.set()
        super().connection_lost(exc)
        self._limits.leave(self._address)
        self._known = None  # it may hold credentials
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._when_gone is not None:
            self._when_gone(self._gone_because)
            self._when_gone = None

    def pause_writing(self) -> None:
        """The client takes less than there is; see `_sweep`."""
        super().pause_writing()
        self._stall.begin(self.loop.time())

    def resume_writing(self) -> None:
        """The client has taken what there was."""
        super().resume_writing()
        self._stall.end()
        if isinstance(self._in_turn, WholeCycle):
            self._in_turn.hand_over()  # it may have waited for the client to take an answer before it

    def on_response_complete(self) -> None:
        """Let go of whoever worked for this request; the next one has its turn."""
        self._when_gone = None
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            if self._waiting_since is not None:
                self._waiting_since = self.loop.time()  # what is left of the newest was not read while it waited
            self._start_asgi_task(*self.pipeline.pop())
        elif self._waiting_since is None:  # else the next request has begun
            self._idle_since = self.loop.time()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._in_turn = cycle
        if isinstance(cycle, WholeCycle):
            cycle.begin()
        else:
            super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Parse; a head that does not end is bounded too."""
        if self._is_over:
            return
        known = self._known
        if known is not None and self._idle_since is not None and known.begins(data) and not self._find_crowd():
            self._begin_again(known, data)
            return
        self._idle_since = None
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()
        is_beginning = self._head_bytes == 0
        self._data = data
        self._began_inside = False
        body_bytes = self._body_bytes
        super().data_received(data)
        if self._head_bytes < 0:
            # A chunk of one byte takes six; what is far beyond that is trailers without an end.
            self._framing_bytes += len(data) - max(self._body_bytes - body_bytes, 0)
            if self._framing_bytes > self._max_header_bytes + MAX_TRAILER_BYTES + 8 * self._body_bytes:
                self._refusal = (431, "The request's trailers are too large.")
                self.send_400_response("")
        if self._head_bytes >= 0 and self._waiting_since is not None:
            self._head_bytes += 1 if self._began_inside else len(data)  # the rest was another request's
            if self._head_bytes > self._max_header_bytes:
                self._refusal = (431, "The request's headers are too large.")
                self.send_400_response("")
        cycle: Any = self.cycle
        is_one_whole = is_beginning and self._waiting_since is None and isinstance(cycle, WholeCycle)
        self._known = cycle.learn_head(data) if is_one_whole else None

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio: True keeps the connection open for writing
        """Tell a client that ended its side in the middle of a request (RFC 9112 §8).

        One that only has nothing more to send still gets what is answered without a task. For rows its going away
        must be seen at once, and looks the same.
        """
        if self._head_bytes != 0:
            self._refusal = (400, "The request ended before it was whole.")
            self.send_400_response("")
        last = self._find_last_due()
        if last is None or self.transport.get_extra_info("ssl_object") is not None:
            return False
        if not all(
            isinstance(cycle, WholeCycle) for cycle in (self._in_turn, *(waiting for waiting, _ in self.pipeline))
        ):
            return False
        self._close_after(last)
        return True

    def on_message_begin(self) -> None:
        """Begin a request; uvicorn makes its scope here, which most requests for tokens would throw away."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._body_bytes = 0
        self._framing_bytes = 0
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()
            self._began_inside = True  # it came in one piece with the end of another

    def _make_scope(self) -> None:
        """Make the scope as uvicorn does when a request begins, of what was read of it since."""
        url, headers, expects_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects_continue
        self.scope["headers"] = headers
        self.scope["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those that come after a body are dropped (RFC 9110 §6.5.1: MAY discard)."""
        if self._head_bytes < 0:
            return
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        if isinstance(self.cycle, WholeCycle):
            if not self.cycle.response_complete:
                self.cycle.take(body)
        else:
            self.cycle.waiting_for_100_continue = False  # RFC 9110 §10.1.1: MAY be omitted when content has come
            super().on_body(body)

    def on_headers_complete(self) -> None:
        """Check the head as a whole, then start the handler."""
        if self._head_bytes + len(self._data) > self._max_header_bytes:  # perhaps; a part may be body
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._max_header_bytes:
                self._refuse(431, "The request's headers are too large.")
        if len(self.headers) > MAX_HEADERS:
            self._refuse(431, "The request has too many headers.")
        if fault := find_fault(self.headers, self.parser.get_http_version()):
            self._refuse(*fault)
        self.expect_100_continue = expects_continue(self.headers, self.parser.get_http_version())
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(501, "The method is not known.")
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(400, "Too many requests were sent ahead.")
        if crowd := self._find_crowd():
            self._refuse(503, crowd)
        if self.parser.should_upgrade():
            return  # it comes once more, without the offer
        self._head_bytes = -1
        whole = self._whole.get(self.url)  # another spelling of the address goes the ASGI way
        if whole is not None and method == b"POST":
            self._begin_whole(*whole)
            return
        self._make_scope()
        super().on_headers_complete()
        extend_scope(self.cycle, self.server_state)

    def on_message_complete(self) -> None:
        """The request is whole; the next one is not due before its first byte."""
        if self.parser.should_upgrade():
            return
        self._waiting_since = None
        self._head_bytes = 0
        if isinstance(self.cycle, WholeCycle):
            if not self.cycle.response_complete:
                self.cycle.end()
        else:
            super().on_message_complete()

    def _find_crowd(self) -> str:
        return self._limits.find_refusal(len(self.connections), self._admission)

    def _begin_again(self, known: KnownHead, data: bytes) -> None:
        """Take a request that begins as the one before; the parser, between two requests, sees nothing of it."""
        self._idle_since = None
        cycle = WholeCycle(self, known.answer, body=data[len(known.head) :], more_body=False, has_turn=True)
        self._in_turn = cycle
        self.cycle = cycle  # type: ignore[assignment]
        cycle.hand_over()

    def _begin_whole(self, most_bytes: int, read_head: ReadHead) -> None:
        """Take a request whose answer needs no task; see `web/whole.py`."""
        http_version = self.parser.get_http_version()
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "raw_path": self.url,
            "query_string": b"",
            "client": self.client,
            "scheme": self.scheme,
            "headers": self.headers,
            "extensions": self._extensions,
        }
        if self._look_at_forwarded is not None:
            self._look_at_forwarded(scope)
        cycle = WholeCycle(self, read_head(scope), most_bytes)
        cycle.keep_alive = http_version != "1.0" and self.parser.should_keep_alive()
        if self.expect_100_continue:
            cycle.expects_continue = True
            cycle.declared_bytes = find_declared_bytes(self.headers)
        before: RequestResponseCycle | None = self.cycle  # uvicorn declares it without the None it starts with
        self.cycle = cycle  # type: ignore[assignment]
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)  # type: ignore[arg-type]
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # type: ignore[arg-type]

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request that offers another protocol as if it did not (RFC 9110 §7.8: MAY ignore).

        The parser stops at the end of such a head and would take the body for that other protocol. Java's and
        curl's HTTP/2 clients make the offer with a POST: the head is parsed anew without it, then the body.
        """
        stop = sys.exc_info()[1]
        assert isinstance(stop, httptools.HttpParserUpgrade), "internal error: no upgrade was offered"
        rest = self._data[stop.args[0] :]
        head = [b"%b %b HTTP/1.1\r\n" % (self.parser.get_method(), self.url)]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        self._replays += 1
        if self._replays > MAX_PIPELINED:
            self._refusal = (400, "Too many requests were sent ahead.")
            self.send_400_response("")
            return
        self.data_received(b"".join(head) + b"\r\n" + rest)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's shape; the text is our own
        """Refuse the connection's bytes and close it."""
        if self.transport.is_closing():
            return
        if (last := self._find_last_due()) is not None:
            # RFC 9112 §9.3.2: answers go out in the order of the requests. The whole ones before this get theirs.
            self._close_after(last)
            return
        if isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError) and _METHOD.match(self._data):
            self._refusal = (501, "The method is not known.")  # RFC 9110 §9.1
        status, text = self._refusal
        count_error: CountError = self.app_state[COUNT_ERROR]
        count_error(status, find_code(status))
        default = render_default_headers(self.server_state.default_headers)
        self.transport.write(STATUS_LINE[status] + default + render_refusal(status, text))
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
        elif self._stall.lasts_too_long(now, self.transport):
            self._gone_because = "client_stalled"
            self.transport.abort()  # whatever it was sent is cut, and what was held for it is free
        elif self._idle_since is not None:
            if now - self._idle_since > self.timeout_keep_alive:
                self.transport.close()
        elif self._waiting_since is None or self._find_last_due() is not None:
            pass  # nothing is due before the answer is out
        elif now - self._waiting_since > self._request_seconds:
            self._refusal = (408, "The request did not arrive in time.")
            self.send_400_response("")

    def _find_last_due(self) -> RequestResponseCycle | WholeCycle | None:
        """Give the last request whose answer must go out before anything else is said; None when there is none."""
        for waiting, _ in self.pipeline:  # the newest comes first
            if not waiting.more_body:
                return waiting
        at_work = self._in_turn
        if at_work is None or at_work.response_complete:
            return None
        return at_work if at_work.response_started or not at_work.more_body else None

    def _close_after(self, last: RequestResponseCycle | WholeCycle) -> None:
        """Let the answers go out up to this one; what came after it is not read any more."""
        self._is_over = True
        last.keep_alive = False
        while self.pipeline and self.pipeline[0][0] is not last:
            self.pipeline.popleft()
        self.flow.pause_reading()

    def _reset(self) -> None:
        """Drop the connection with what the kernel still holds for the client: it may not have that any more."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_AT_ONCE)
        self.transport.abort()

    def _refuse(self, status: int, text: str) -> None:
        self._refusal = (status, text)
        raise httptools.HttpParserError(text)

    def _call_when_gone(self, callback: Callable[[str], None]) -> None:
        self._when_gone = callback
        if self.transport.is_closing():
            callback(self._gone_because)
