"""POST /api/v1/secret: a client gets its next secret with the one it has. POST /api/v1/enrol: with a one-time code."""

import msgspec

from rowgate.config import Settings
from rowgate.ports import AuditSink, Clock, Entropy
from rowgate.service.client_requests import ClientRequest
from rowgate.service.clients import ClientAuthenticator
from rowgate.service.enrolments import EnrolmentService
from rowgate.service.secrets import SecretService
from rowgate.service.throttle import FailureThrottle
from rowgate.service.writes import Writes
from rowgate.web.app import Endpoint
from rowgate.web.exchange import Exchange
from rowgate.web.metadata import ENROLMENT_PATH, SECRET_PATH
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

    def __init__(self, enrolments: EnrolmentService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._enrolments = enrolments
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: client_id and either its secret or how its key is to be used."""
        request = await _read_request(exchange, self._max_body_bytes)
        enrolled = await self._enrolments.redeem(request)
        await exchange.respond(200, NO_STORE, _encode(enrolled))


def list_secret_endpoints(
    clients: ClientAuthenticator,
    writes: Writes,
    audit: AuditSink,
    *,
    clock: Clock,
    entropy: Entropy,
    digest_key: bytes,
    settings: Settings,
) -> dict[str, tuple[Endpoint, bytes]]:
    """Give both endpoints by their paths, each with the methods it allows."""
    max_body_bytes = settings.max_token_body_bytes
    secrets = SecretService(clients, digest_key=digest_key, writes=writes, audit=audit, clock=clock, entropy=entropy)
    enrolments = EnrolmentService(
        digest_key=digest_key,
        throttle=FailureThrottle(),
        writes=writes,
        audit=audit,
        clock=clock,
        entropy=entropy,
    )
    return {
        SECRET_PATH: (SecretEndpoint(secrets, max_body_bytes=max_body_bytes), ALLOW),
        ENROLMENT_PATH: (EnrolmentEndpoint(enrolments, max_body_bytes=max_body_bytes), ALLOW),
    }


async def _read_request(exchange: Exchange, max_body_bytes: int) -> ClientRequest:
    if exchange.method != "POST":
        raise HttpProblem(405, "invalid_request", "Only POST gets a secret.", [(b"allow", ALLOW)])
    body = await exchange.read_body(max_body_bytes)
    if exchange.content_encoding not in (b"", b"identity"):
        raise HttpProblem(415, "invalid_request", "Send the body without a content encoding.")
    return ClientRequest(exchange.query, exchange.content_type, body, tuple(exchange.authorization), exchange.origin)
