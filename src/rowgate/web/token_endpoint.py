"""POST /api/v1/token: client credentials in, tokens out (RFC 6749 §3.2)."""

import msgspec

from rowgate.service.tokens import TokenService
from rowgate.web.exchange import Exchange, PreparedHeaders
from rowgate.web.problems import NO_STORE, HttpProblem

ALLOW = b"POST, OPTIONS"


class TokenResponse(msgspec.Struct, omit_defaults=True):
    """The body of a successful answer; RFC 6749 §5.1, client_secret_expires_at as in RFC 7591 §3.2.1."""

    access_token: str
    token_type: str | None
    expires_in: int
    scope: str
    client_secret_expires_at: int
    refresh_token: str | None = None


_HEADERS = PreparedHeaders(NO_STORE)
_encode = msgspec.json.Encoder().encode


class TokenEndpoint:
    """Handles one request; every error goes up to the dispatcher."""

    def __init__(self, tokens: TokenService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._tokens = tokens
        self._max_body_bytes = max_body_bytes

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a token request. The order of the checks: PROTOCOL 5.0."""
        if exchange.method != "POST":
            # RFC 6749 §3.2: the client MUST use the HTTP "POST" method.
            raise HttpProblem(405, "invalid_request", "Only POST gets a token.", [(b"allow", ALLOW)])
        body = await exchange.read_body(self._max_body_bytes)
        if exchange.content_encoding not in (b"", b"identity"):
            raise HttpProblem(415, "invalid_request", "Send the body without a content encoding.")
        issued = await self._tokens.issue_token(
            query=exchange.query,
            content_type=exchange.content_type,
            body=body,
            authorization=exchange.authorization,
            origin=exchange.origin,
        )
        response = TokenResponse(
            access_token=issued.access_token,
            token_type="bearer",  # noqa: S106 - the type's name, O-8
            expires_in=issued.expires_in,
            refresh_token=issued.refresh_token,
            scope=issued.scope,
            client_secret_expires_at=issued.client_secret_expires_at,
        )
        await exchange.respond_prepared(_HEADERS, _encode(response))
