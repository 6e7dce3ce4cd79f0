"""POST /api/v1/secret: a client gets its next secret with the one it has. POST /api/v1/enrol: with a one-time code."""

import msgspec

from rowgate.config import Settings
from rowgate.ports import AuditSink, Clock, Entropy
from rowgate.service.clients import ClientAuthenticator
from rowgate.service.enrolments import EnrolmentService
from rowgate.service.secrets import SecretService
from rowgate.service.throttle import FailureThrottle
from rowgate.service.writes import Writes
from rowgate.web.app import Endpoint
from rowgate.web.client_requests import read_client_request
from rowgate.web.exchange import Exchange
from rowgate.web.metadata import ENROLMENT_PATH, SECRET_PATH
from rowgate.web.problems import NO_STORE

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
        request = await read_client_request(exchange, max_body_bytes=self._max_body_bytes, allow=ALLOW)
        await exchange.respond(200, NO_STORE, _encode(await self._secrets.renew(request)))


class EnrolmentEndpoint:
    """Answers redemptions; every error goes up to the dispatcher."""

    def __init__(self, enrolments: EnrolmentService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._enrolments = enrolments
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: client_id and either its secret or how its key is to be used."""
        request = await read_client_request(exchange, max_body_bytes=self._max_body_bytes, allow=ALLOW)
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
    secrets = SecretService(
        clients,
        digest_key=digest_key,
        max_secret_seconds=settings.max_secret_seconds,
        writes=writes,
        audit=audit,
        clock=clock,
        entropy=entropy,
    )
    enrolments = EnrolmentService(
        digest_key=digest_key,
        max_secret_seconds=settings.max_secret_seconds,
        throttle=FailureThrottle(workers=settings.workers),
        writes=writes,
        audit=audit,
        clock=clock,
        entropy=entropy,
    )
    return {
        SECRET_PATH: (SecretEndpoint(secrets, max_body_bytes=max_body_bytes), ALLOW),
        ENROLMENT_PATH: (EnrolmentEndpoint(enrolments, max_body_bytes=max_body_bytes), ALLOW),
    }
