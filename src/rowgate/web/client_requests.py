"""Reads the requests that clients make about tokens and about their own credentials."""

from collections.abc import Collection

from rowgate.service.client_requests import RepeatableRequest
from rowgate.web.exchange import Exchange
from rowgate.web.problems import HttpProblem, require_plain_body


async def read_client_request(
    exchange: Exchange, *, max_body_bytes: int, allow: bytes, methods: Collection[str] = ("POST",)
) -> RepeatableRequest:
    """Give a request as it came, whole.

    Raises:
        HttpProblem: Another method (405), or a content encoding (415).
        BodyTooLarge: The body is.
    """
    if exchange.method not in methods:
        raise HttpProblem(405, "invalid_request", f"Only {', '.join(methods)} is answered here.", [(b"allow", allow)])
    body = await exchange.read_body(max_body_bytes)
    require_plain_body(exchange.content_encoding)
    return RepeatableRequest(
        exchange.query,
        exchange.content_type,
        body,
        exchange.authorization,
        exchange.origin,
        exchange.find_certificate,
        exchange.list_header(b"idempotency-key"),
    )
