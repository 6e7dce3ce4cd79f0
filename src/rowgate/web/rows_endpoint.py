"""GET and POST /api/v1/data/<object>/rows, POST /api/v1/data/<object>/proc: rows for a bearer token (O-20 to O-44)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote_to_bytes

import msgspec

from rowgate.access import Access
from rowgate.oauth.errors import InvalidRequest, OAuthError
from rowgate.oauth.form import FORM, find_credential_in_query
from rowgate.rows.encode import CONTENT_TYPES
from rowgate.rows.errors import InvalidParameter, RowsError
from rowgate.rows.model import RowsRequest
from rowgate.rows.procedures import Call
from rowgate.rows.request import parse_rows_body, parse_rows_query
from rowgate.rows.request_call import CallRequest, parse_call_body
from rowgate.rows.runs import parse_runs_query
from rowgate.service.reading import Reading
from rowgate.service.rows import RowsService
from rowgate.service.rows_record import FAILED
from rowgate.web.completeness import announce, tell_end, tell_whole
from rowgate.web.data_requests import DataGate, read_object_name
from rowgate.web.disposition import FILES, render_disposition
from rowgate.web.exchange import Exchange, Headers, PreparedHeaders
from rowgate.web.negotiation import choose_coding, choose_format
from rowgate.web.preconditions import find_wanted, is_same
from rowgate.web.problems import NO_STORE, HttpProblem, require_plain_body

_HEADERS = {
    form: PreparedHeaders(
        [
            (b"content-type", content_type.encode()),
            (b"cache-control", b"no-store"),  # RFC 9111 §3.5
            (b"vary", b"Accept, Accept-Encoding"),
            (b"x-content-type-options", b"nosniff"),
        ]
    )
    for form, content_type in CONTENT_TYPES.items()
}
_VARY = (b"vary", b"Authorization")  # and what every answer with rows varies by
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for at an address: what stands in it after the object's name, and how requests are read."""

    suffix: bytes
    parse_query: Callable[[bytes], RowsRequest] | None  # None: there is no GET
    parse_body: Callable[[bytes], RowsRequest | CallRequest] | None  # None: there is no POST

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that ask."""
        return (("GET", "HEAD") if self.parse_query else ()) + (("POST",) if self.parse_body else ())

    @property
    def allow(self) -> bytes:
        """The methods that it answers."""
        return ", ".join((*self.methods, "OPTIONS")).encode()


ROWS = Asked(b"/rows", parse_rows_query, parse_rows_body)
RUNS = Asked(b"/runs", parse_runs_query, None)
PROC = Asked(b"/proc", None, parse_call_body)  # O-39


class RowsEndpoint:
    """Handles one request; every error goes up to the dispatcher, on record."""

    def __init__(
        self,
        gate: DataGate,
        rows: RowsService,
        asked: Asked,
        *,
        max_body_bytes: int,
    ) -> None:
        """Take who lets requests in, who reads, what, and the limits."""
        self._asked = asked
        self._methods = asked.methods
        self._gate = gate
        self._rows = rows
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a rows request: bearer, request, decision, rows."""
        if exchange.method not in self._methods:
            answered = f"Only {', '.join(self._methods)} is answered here."
            raise HttpProblem(405, "invalid_request", answered, [(b"allow", self._asked.allow)])
        access: Access | None = None
        failed_calls: list[Call] = []
        name = read_object_name(exchange, self._asked.suffix)
        try:
            access = self._gate.authorize(exchange)
            request = await self._parse(exchange)
            form = choose_format(request.format, exchange.join_header(b"accept"))
            coding = choose_coding(exchange.join_header(b"accept-encoding"), form)
            if request.dry_run:
                preview = await self._rows.preview(
                    access, name, request, exchange.origin, form=form, is_wanted=find_wanted(exchange)
                )
                await exchange.respond(200, NO_STORE, _encode(preview))
                return
            reading = await self._rows.open_rows(
                access,
                name,
                request,
                exchange.origin,
                form=form,
                coding=coding,
                on_disconnect=exchange.on_disconnect,
                has_copy=partial(_has_copy, exchange) if exchange.method != "POST" else None,
                is_wanted=find_wanted(exchange),
                on_failed_call=failed_calls.append,
            )
        except (OAuthError, RowsError) as refusal:
            await self._gate.record(refusal, exchange, access, name, failed_calls=failed_calls)
            raise
        await self._send(exchange, reading)

    async def _parse(self, exchange: Exchange) -> RowsRequest | CallRequest:
        asked = self._asked
        if exchange.method != "POST" or asked.parse_body is None:
            assert asked.parse_query is not None, "internal error: a method that is not answered"
            return asked.parse_query(exchange.query)
        require_plain_body(exchange.content_encoding)
        if exchange.query:
            raise InvalidParameter("A POST carries its parameters in the body.", field="query", expected="no query")
        body = await exchange.read_body(self._max_body_bytes)
        media_type = (exchange.content_type or b"").partition(b";")[0].strip().lower()
        if media_type == FORM.encode() and find_credential_in_query(body):
            # RFC 6750 §3.1: more than one method of sending the token makes the request malformed
            raise InvalidRequest("A credential stands in the body.", reason="token_in_body")
        return asked.parse_body(body)

    async def _send(self, exchange: Exchange, reading: Reading) -> None:
        headers = _HEADERS[reading.format]
        if reading.tag:
            exchange.extra_headers = [*exchange.extra_headers, (b"etag", reading.tag), _VARY]
        if reading.is_unchanged:
            await self._rows.discard(reading, "not_modified")
            await exchange.begin(304, headers.pairs[1:])  # RFC 9110 §15.4.5
            await exchange.send_part(b"", is_last=True)
            return
        if reading.format in FILES:
            file_name = (b"content-disposition", render_disposition(reading.plan.object.name, reading.format.value))
            exchange.extra_headers = [*exchange.extra_headers, file_name]
        if reading.next_cursor or reading.count is not None:
            exchange.extra_headers = [*exchange.extra_headers, *self._tell_pages(exchange, reading)]
        if exchange.method == "HEAD":
            told = _tell_head(reading)
            await self._rows.end_with_head(reading)
            await exchange.begin(200, headers.pairs + told)
            await exchange.send_part(b"", is_last=True)
            return
        if reading.is_complete:

            async def send_whole(block: bytes, _is_last: bool) -> None:  # noqa: FBT001 - the port's shape
                await exchange.respond_prepared(headers, block, tell_whole(reading))

            await self._rows.deliver(reading, send_whole, exchange.reset)
            return
        await self._stream(exchange, reading)

    async def _stream(self, exchange: Exchange, reading: Reading) -> None:
        if exchange.scope["http_version"] == "1.0":
            # HTTP/1.0 has no chunks: the end of the connection would make a cut answer look whole.
            await self._rows.discard(reading, "http_version", outcome=FAILED)
            raise HttpProblem(505, "http_version_not_supported", "So many rows need HTTP/1.1, or a limit.")

        async def send_part(block: bytes, is_last: bool) -> None:  # noqa: FBT001 - the port's shape
            if not exchange.started:
                await exchange.begin(200, [*_HEADERS[reading.format].pairs, *announce(reading)])
            await exchange.send_part(block, is_last=False)
            if is_last:
                await exchange.end(tell_end(reading))

        is_whole = False
        try:
            is_whole = await self._rows.deliver(reading, send_part, exchange.reset)
        finally:
            if not is_whole:
                exchange.abort()
        if not is_whole:
            await exchange.wait_for_disconnect()

    def _tell_pages(self, exchange: Exchange, reading: Reading) -> Headers:
        """Give where the next page is (RFC 8288), and how many rows there are (a number, RFC 9651 §3.3.1)."""
        told: Headers = []
        cursor = reading.next_cursor.encode()
        if cursor:
            told.append((b"rowgate-next-cursor", cursor))
            if exchange.method != "POST":  # a link leads nowhere without the body
                path: bytes = exchange.scope["raw_path"]
                query = _replace_cursor(exchange.query, cursor).replace(b"<", b"%3C").replace(b">", b"%3E")
                told.append((b"link", b'<%b%b?%b>; rel="next"' % (self._gate.issuer.encode(), path, query)))
        if reading.count is not None:
            estimated = b";estimated" if reading.count_is_estimate else b""
            told.append((b"rowgate-count", b"%d%b" % (reading.count, estimated)))
        return told


def _has_copy(exchange: Exchange, tag: bytes) -> bool:
    return is_same(exchange.join_header(b"if-none-match"), tag)


def _replace_cursor(query: bytes, cursor: bytes) -> bytes:
    # whoever follows the links has been told the count with the first page, and it costs a statement each time
    left_out = (b"cursor", b"count")
    kept = [part for part in query.split(b"&") if unquote_to_bytes(part.partition(b"=")[0]).lower() not in left_out]
    return b"&".join([*kept, b"cursor=" + cursor])


def _tell_head(reading: Reading) -> Headers:
    """Give the headers by which GET would tell the size and the end of its answer (RFC 9110 §9.3.2)."""
    if not reading.is_complete:
        return announce(reading)
    return [(b"content-length", b"%d" % len(reading.first)), *tell_whole(reading).pairs]
