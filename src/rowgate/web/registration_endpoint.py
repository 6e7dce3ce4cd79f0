"""POST /api/v1/register: a client registers itself (RFC 7591). GET, PUT, DELETE: it manages that (RFC 7592)."""

import msgspec

from rowgate.ports import AuditSink, Clock, Entropy
from rowgate.service.client_configuration import ClientConfigurationService
from rowgate.service.registration_tools import RegistrationTools
from rowgate.service.registrations import RegistrationService
from rowgate.service.state import LiveState
from rowgate.service.throttle import FailureThrottle
from rowgate.service.writes import Writes
from rowgate.web.app import Endpoint
from rowgate.web.client_requests import read_client_request
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.metadata import REGISTRATION_PATH
from rowgate.web.problems import NO_STORE

METHODS = ("POST", "GET", "PUT", "DELETE")
ALLOW = b"POST, GET, PUT, DELETE, OPTIONS"
REGISTRATION_PATHS = (REGISTRATION_PATH, "/register", "/oauth/register")

_EMPTY: Headers = [pair for pair in NO_STORE if pair[0] != b"content-type"]
_encode = msgspec.json.Encoder().encode


class RegistrationEndpoint:
    """Answers all four; every error goes up to the dispatcher."""

    def __init__(
        self, registrations: RegistrationService, configuration: ClientConfigurationService, *, max_body_bytes: int
    ) -> None:
        """Take the services and the largest body."""
        self._registrations = registrations
        self._configuration = configuration
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: 201 with the client's information, 200 with the same, or 204 when it is gone.

        Source: RFC 7591 §3.2.1, RFC 7592 §2, §3
        """
        request = await read_client_request(exchange, max_body_bytes=self._max_body_bytes, allow=ALLOW, methods=METHODS)
        match exchange.method:
            case "POST":
                await exchange.respond(201, NO_STORE, _encode(await self._registrations.register(request)))
            case "GET":
                await exchange.respond(200, NO_STORE, _encode(await self._configuration.read(request)))
            case "PUT":
                await exchange.respond(200, NO_STORE, _encode(await self._configuration.update(request)))
            case _:
                await self._configuration.delete(request)
                await exchange.begin(204, _EMPTY)
                await exchange.send_part(b"", is_last=True)


def list_registration_endpoints(
    state: LiveState,
    writes: Writes,
    audit: AuditSink,
    *,
    clock: Clock,
    entropy: Entropy,
    issuer: str,
    max_body_bytes: int,
    max_secret_seconds: int,
    workers: int,
) -> dict[str, tuple[Endpoint, bytes]]:
    """Give the endpoint by its paths, with the methods it allows."""
    tools = RegistrationTools(
        state,
        endpoint_uri=issuer + REGISTRATION_PATH,
        max_secret_seconds=max_secret_seconds,
        throttle=FailureThrottle(workers=workers),
        writes=writes,
        audit=audit,
        clock=clock,
        entropy=entropy,
    )
    endpoint = RegistrationEndpoint(
        RegistrationService(tools), ClientConfigurationService(tools), max_body_bytes=max_body_bytes
    )
    return dict.fromkeys(REGISTRATION_PATHS, (endpoint, ALLOW))
