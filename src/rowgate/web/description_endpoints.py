"""What a token may read: GET /api/v1/data, GET /api/v1/data/<object>, and both as GET /api/v1/openapi.json."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from rowgate.access import Access
from rowgate.oauth.errors import OAuthError
from rowgate.rows.coding import LEAST_CODED_BYTES, Coding, open_coder
from rowgate.rows.errors import InvalidParameter, RowsError
from rowgate.rows.model import Counting, Format
from rowgate.rows.request import parse_rows_query
from rowgate.service.descriptions import DescriptionService
from rowgate.web.data_requests import DataGate, read_object_name
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.negotiation import choose_coding
from rowgate.web.preconditions import is_same, require_wanted
from rowgate.web.problems import require_get

OPENAPI_PATH = "/api/v1/openapi.json"

_ETAG_BYTES = 16
_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"private, no-cache"),  # a copy may be kept, and asked about each time
    (b"vary", b"Authorization, Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
]
_encode = msgspec.json.Encoder().encode

Describe = Callable[[Access, str, bytes], Awaitable[Any]]  # of the object that the address names or "", and the query


class DescriptionEndpoint:
    """Answers with a JSON document about objects; every error goes up to the dispatcher, on record."""

    def __init__(self, gate: DataGate, describe: Describe, *, names_object: bool) -> None:
        """Take who lets requests in, what makes the document, and whether the address names an object."""
        self._gate = gate
        self._describe = describe
        self._names_object = names_object

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: 200, or 304 to who has the same already, or 412 to who wants another.

        Source: RFC 9110 §8.8.3, §13.1, §15.4.5
        """
        require_get(exchange.method)
        access: Access | None = None
        name = read_object_name(exchange, b"") if self._names_object else ""
        try:
            access = self._gate.authorize(exchange)
            accepted = choose_coding(exchange.join_header(b"accept-encoding"), Format.JSON)
            body = _encode(await self._describe(access, name, exchange.query))
            is_plain = accepted.may_be_plain and len(body) < LEAST_CODED_BYTES
            coding = Coding.IDENTITY if is_plain else accepted.best
            etag = _make_tag(body, coding)
            require_wanted(exchange, etag)
        except (OAuthError, RowsError) as refusal:
            await self._gate.record(refusal, exchange, access, name)
            raise
        headers = [*_HEADERS, (b"etag", etag)]
        if is_same(exchange.join_header(b"if-none-match"), etag):
            await exchange.begin(304, headers[1:])
            await exchange.send_part(b"", is_last=True)
            return
        coder = open_coder(coding)
        if coder is not None:
            body = await asyncio.to_thread(coder.end, body)
            headers.append((b"content-encoding", coding.value.encode()))
        await exchange.respond(200, headers, body)


def _make_tag(body: bytes, coding: Coding) -> bytes:
    """Give the tag of a document, which is another one where it is coded (RFC 9110 §8.8.3.3)."""
    digest = hashlib.blake2b(body, digest_size=_ETAG_BYTES).hexdigest()
    return f'"{digest}"'.encode() if coding is Coding.IDENTITY else f'"{digest}-{coding.value}"'.encode()


def make_list_endpoint(gate: DataGate, descriptions: DescriptionService) -> DescriptionEndpoint:
    """Give what lists the objects that a token may read."""

    async def describe(access: Access, _name: str, query: bytes) -> Any:
        counting = parse_rows_query(query, ("count",)).count
        if counting is Counting.EXACT:
            raise InvalidParameter(
                "Exact counts are read object by object.",
                field="count",
                expected="estimated",
            )
        return await descriptions.list_objects(access, with_estimates=counting is Counting.ESTIMATED)

    return DescriptionEndpoint(gate, describe, names_object=False)


def make_openapi_endpoint(gate: DataGate, descriptions: DescriptionService, *, version: str) -> DescriptionEndpoint:
    """Give what describes all that a token may read as an OpenAPI document."""

    async def describe(access: Access, _name: str, query: bytes) -> Any:
        parse_rows_query(query, ())
        # loaded when somebody asks for the document first
        from rowgate.web.openapi import render_openapi  # noqa: PLC0415

        described = await descriptions.describe_all(access)
        return await asyncio.to_thread(
            lambda: render_openapi(described, application=access.application_name, issuer=gate.issuer, version=version)
        )

    return DescriptionEndpoint(gate, describe, names_object=False)


def make_object_endpoint(gate: DataGate, descriptions: DescriptionService) -> DescriptionEndpoint:
    """Give what describes the object that the address names."""

    async def describe(access: Access, name: str, query: bytes) -> Any:
        parse_rows_query(query, ())
        return await descriptions.describe(access, name)

    return DescriptionEndpoint(gate, describe, names_object=True)
