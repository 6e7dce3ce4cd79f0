"""POST /api/v1/introspect (RFC 7662, RFC 9701) and POST /api/v1/revoke (RFC 7009)."""

from rowgate.oauth.introspection import INTROSPECTION_TYPE
from rowgate.service.inspection import InspectionService
from rowgate.service.mint import NoSigningKey
from rowgate.web.app import Endpoint
from rowgate.web.client_requests import read_client_request
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.metadata import INTROSPECTION_PATH, REVOCATION_PATH
from rowgate.web.problems import NO_STORE, HttpProblem

ALLOW = b"POST, OPTIONS"
INTROSPECTION_PATHS = (INTROSPECTION_PATH, "/introspect", "/oauth/introspect")
REVOCATION_PATHS = (REVOCATION_PATH, "/revoke", "/oauth/revoke")
INTROSPECTION_JWT = f"application/{INTROSPECTION_TYPE}"

_JSON_TYPES = ("application/json", "application/*", "*/*")
_EMPTY: Headers = [pair for pair in NO_STORE if pair[0] != b"content-type"]
_SIGNED: Headers = [(b"content-type", INTROSPECTION_JWT.encode()), *_EMPTY]


class IntrospectionEndpoint:
    """Answers introspection requests; every error goes up to the dispatcher."""

    def __init__(self, inspection: InspectionService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._inspection = inspection
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer; signed if the client asks for it, or would rather have it than JSON."""
        request = await read_client_request(exchange, max_body_bytes=self._max_body_bytes, allow=ALLOW)
        is_signed, takes_json = choose_answer(exchange.join_header(b"accept"))
        try:
            answer = await self._inspection.introspect(request, is_signed=is_signed, takes_json=takes_json)
        except NoSigningKey:
            raise HttpProblem(406, "not_acceptable", "There is no key to sign the answer with.") from None
        await exchange.respond(200, _SIGNED if answer.is_signed else NO_STORE, answer.body)


class RevocationEndpoint:
    """Answers revocation requests; every error goes up to the dispatcher."""

    def __init__(self, inspection: InspectionService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._inspection = inspection
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer: 200 and nothing, whether or not there was anything to revoke (RFC 7009 §2.2)."""
        request = await read_client_request(exchange, max_body_bytes=self._max_body_bytes, allow=ALLOW)
        await self._inspection.revoke(request)
        await exchange.respond(200, _EMPTY, b"")


def list_inspection_endpoints(
    inspection: InspectionService, *, max_body_bytes: int
) -> dict[str, tuple[Endpoint, bytes]]:
    """Give both endpoints by each of their paths, with the methods that they allow."""
    introspection = IntrospectionEndpoint(inspection, max_body_bytes=max_body_bytes)
    revocation = RevocationEndpoint(inspection, max_body_bytes=max_body_bytes)
    return {
        **dict.fromkeys(INTROSPECTION_PATHS, (introspection, ALLOW)),
        **dict.fromkeys(REVOCATION_PATHS, (revocation, ALLOW)),
    }


def choose_answer(accept: bytes) -> tuple[bool, bool]:
    """Tell whether the answer is to be signed, and whether it may be JSON.

    A client that accepts neither, by its header, gets JSON: one that says `text/html` out of habit is served.

    >>> choose_answer(b"application/token-introspection+jwt")
    (True, False)
    >>> choose_answer(b"application/json, application/token-introspection+jwt;q=0.5")
    (False, True)
    >>> choose_answer(b"")
    (False, True)

    Source: RFC 9701 §4; RFC 9110 §12.5.1
    """
    weights: dict[str, float] = {}
    for item in accept.decode("latin-1").lower().split(","):
        media_type, *parameters = (part.strip() for part in item.split(";"))
        weights[media_type] = _read_weight(parameters)
    signed = weights.get(INTROSPECTION_JWT, 0.0)
    json = next((weights[name] for name in _JSON_TYPES if name in weights), 0.0)
    return signed > 0 and signed >= json, json > 0 or signed <= 0


def _read_weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
