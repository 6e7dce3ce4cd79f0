"""One HTTP request at the edge: what the handlers read of it, and how they answer."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from rowgate.oauth.client_certificate import ClientCertificate
from rowgate.service.origin import Origin

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# The server's own extensions of the ASGI scope; web/protocol.py provides them.
ABORT = "rowgate.abort"
RESET = "rowgate.reset"
ON_DISCONNECT = "rowgate.on_disconnect"
FIND_CERTIFICATE = "rowgate.find_certificate"
WRITE_WHOLE = "rowgate.write_whole"
WRITE_END = "rowgate.write_end"
HOLDS_BODY_BACK = "rowgate.holds_body_back"

_NONE: dict[str, Any] = {}
DRAINED_BYTES = 1_048_576  # 1 MiB: read past a refused body, so that the refusal is not lost to a reset


class BodyTooLarge(Exception):
    """The body is larger than the endpoint takes."""


class ClientGone(Exception):
    """The client went away in the middle of its request."""


CLOSE = (b"connection", b"close")


class PreparedHeaders:
    """Headers that never vary, ready in both forms. Only for values that this server itself wrote."""

    def __init__(self, pairs: Headers) -> None:
        """Take them as ASGI does."""
        self.pairs = pairs
        self.closes = CLOSE in pairs
        self.lines = b"".join(b"%b: %b\r\n" % pair for pair in pairs)


NO_HEADERS = PreparedHeaders([])


class Head:
    """The head of a request. Header values are as sent; names are lower case."""

    __slots__ = (
        "authorization",
        "content_encoding",
        "content_type",
        "dpop",
        "find_certificate",
        "headers",
        "method",
        "query",
        "scope",
        "source",
    )

    def __init__(self, scope: Scope) -> None:
        """Take what ASGI gives; one pass over the headers."""
        self.scope = scope
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        self.headers: Headers = scope["headers"]
        self.content_type: bytes | None = None
        self.content_encoding = b""
        self.authorization: list[bytes] = []
        self.dpop: list[bytes] = []
        for name, value in self.headers:
            if name == b"content-type":
                self.content_type = value
            elif name == b"authorization":
                self.authorization.append(value)
            elif name == b"dpop":
                self.dpop.append(value)
            elif name == b"content-encoding":
                self.content_encoding = value
        client = scope["client"]
        self.source: str = client[0] if client else ""  # the client's address
        find = scope.get("extensions", _NONE).get(FIND_CERTIFICATE)
        # what gives the client's certificate; None where this server learns of none
        self.find_certificate: Callable[[], ClientCertificate | None] | None = (
            None if find is None else partial(find, self.headers)
        )

    def find_header(self, wanted: bytes) -> bytes | None:
        """Give the first value of a header, or None."""
        for name, value in self.headers:
            if name == wanted:
                return value
        return None

    def list_header(self, wanted: bytes) -> list[bytes]:
        """Give every value of a header."""
        return [value for name, value in self.headers if name == wanted]

    def join_header(self, wanted: bytes) -> bytes:
        """Give every value of a list header as one (RFC 9110 §5.3)."""
        return b",".join(self.list_header(wanted))


class Exchange(Head):
    """A request and its response, the ASGI way."""

    __slots__ = ("_receive", "_send", "extra_headers", "origin", "request_id", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Take what ASGI gives."""
        super().__init__(scope)
        self.request_id = request_id
        self.origin = Origin(request_id, self.source)
        self._receive = receive
        self._send = send
        self.extra_headers: Headers = []
        self.started = False  # the head of the response is out

    async def read_body(self, most: int) -> bytes:
        """Give the whole body.

        Raises:
            BodyTooLarge: It has more bytes than that.
            ClientGone: It never came whole.
        """
        if self._holds_body_back() and int(self.find_header(b"content-length") or 0) > most:
            raise BodyTooLarge  # to wait for it would tell the client to send it
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message["body"]
        if not message["more_body"] and len(body) <= most:
            return body
        parts = [body]
        size = len(body)
        while message["more_body"]:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message["body"])
            if size <= most:
                parts.append(message["body"])
            elif size > most + DRAINED_BYTES:
                break
        if size > most:
            raise BodyTooLarge
        return b"".join(parts)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole response."""
        head = [*headers, (b"content-length", b"%d" % len(body)), (b"x-request-id", self.request_id.encode())]
        if self.extra_headers:
            head += self.extra_headers
        if self._holds_body_back() and CLOSE not in head:
            head.append(CLOSE)
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        await self._send({"type": "http.response.body", "body": body})

    async def respond_prepared(self, headers: PreparedHeaders, body: bytes, more: PreparedHeaders = NO_HEADERS) -> None:
        """Send a whole 200 response whose headers are always the same, and `more`; the fast way where there is one."""
        write_whole = self.scope.get(WRITE_WHOLE)
        if write_whole is not None:
            head = b"%b%b%bcontent-length: %d\r\nx-request-id: %b\r\n" % (
                headers.lines,
                more.lines,
                b"".join([b"%b: %b\r\n" % pair for pair in self.extra_headers]),
                len(body),
                self.request_id.encode(),
            )
            self.started = write_whole(head, body)
            if self.started:
                return
        await self.respond(200, headers.pairs + more.pairs, body)

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of a streamed response."""
        head = [*headers, (b"x-request-id", self.request_id.encode()), *self.extra_headers]
        if self._holds_body_back():
            head.append(CLOSE)
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": head})

    async def send_part(self, part: bytes, *, is_last: bool) -> None:
        """Send the next bytes of a streamed response."""
        await self._send({"type": "http.response.body", "body": part, "more_body": not is_last})

    async def end(self, fields: PreparedHeaders) -> None:
        """End a streamed response with trailer fields, if the server can send any (RFC 9110 §6.5)."""
        write_end = self.scope.get(WRITE_END)
        if write_end is None:
            await self.send_part(b"", is_last=True)
        else:
            write_end(fields.lines)

    def _holds_body_back(self) -> bool:
        """Tell whether the client waits before it sends its body.

        An answer in the place of that body says that the connection closes (RFC 9110 §10.1.1): nobody could tell
        whether what comes next is the body or another request.
        """
        holds_body_back: Callable[[], bool] | None = self.scope.get(HOLDS_BODY_BACK)
        return holds_body_back is not None and holds_body_back()

    def abort(self) -> None:
        """Cut the connection, so that what was sent cannot be taken for the whole."""
        self.scope["extensions"][ABORT]()

    def reset(self) -> None:
        """Cut the connection with all that the client has not taken yet: it may not have that any more."""
        self.scope["extensions"][RESET]()

    def on_disconnect(self, callback: Callable[[str], None]) -> None:
        """Have the callback called, with a word why, when the connection is gone; the last one given counts."""
        self.scope["extensions"][ON_DISCONNECT](callback)

    async def wait_for_disconnect(self) -> None:
        """Return when the connection is gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
