"""POST /api/v1/secret: a client gets its next secret with the one it has. POST /api/v1/enrol: with a one-time code."""

import msgspec

from rowgate.service.client_requests import ClientRequest
from rowgate.service.enrolments import EnrolmentService
from rowgate.service.secrets import SecretService
from rowgate.web.exchange import Exchange
from rowgate.web.problems import NO_STORE, HttpProblem

ALLOW = b"POST, OPTIONS"

_encode = msgspec.json.Encoder().encode


class SecretEndpoint:
    """Answers renewals; every error goes up to the dispatcher."""

    def __init__(self, secrets: SecretService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._secrets = secrets
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: client_id, client_secret, when it and the one before end, key_id."""
        request = await _read_request(exchange, self._max_body_bytes)
        await exchange.respond(200, NO_STORE, _encode(await self._secrets.renew(request)))


class EnrolmentEndpoint:
    """Answers redemptions; every error goes up to the dispatcher."""

    def __init__(self, enrolments: EnrolmentService, *, issuer: str, max_body_bytes: int) -> None:
        """Take the service, the address that clients use, and the largest body."""
        self._enrolments = enrolments
        self._issuer = issuer
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: client_id and either its secret or how its key is to be used."""
        request = await _read_request(exchange, self._max_body_bytes)
        enrolled = await self._enrolments.redeem(request)
        await exchange.respond(200, NO_STORE, _encode(enrolled))


async def _read_request(exchange: Exchange, max_body_bytes: int) -> ClientRequest:
    if exchange.method != "POST":
        raise HttpProblem(405, "invalid_request", "Only POST gets a secret.", [(b"allow", ALLOW)])
    body = await exchange.read_body(max_body_bytes)
    if exchange.content_encoding not in (b"", b"identity"):
        raise HttpProblem(415, "invalid_request", "Send the body without a content encoding.")
    return ClientRequest(exchange.query, exchange.content_type, body, tuple(exchange.authorization), exchange.origin)
