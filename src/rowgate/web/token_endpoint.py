"""POST /api/v1/token: client credentials in, tokens out (RFC 6749 §3.2)."""

import msgspec

from rowgate.oauth.errors import OAuthError
from rowgate.oauth.model import IssuedTokens
from rowgate.ports import AuditUnavailable
from rowgate.service.tokens import TokenService
from rowgate.web.exchange import BodyTooLarge, Exchange, PreparedHeaders, Request
from rowgate.web.problems import NO_STORE, HttpProblem
from rowgate.web.whole import Reply

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
    """Answers POST; every error goes up to the dispatcher."""

    def __init__(self, tokens: TokenService, *, max_body_bytes: int) -> None:
        """Take the service and the largest body."""
        self._tokens = tokens
        self.max_body_bytes = max_body_bytes

    def __call__(self, request: Request, body: bytes, reply: Reply) -> None:
        """Answer a token request. The order of the checks: PROTOCOL 5.0."""
        if len(body) > self.max_body_bytes:
            raise BodyTooLarge
        if request.content_encoding not in (b"", b"identity"):
            raise HttpProblem(415, "invalid_request", "Send the body without a content encoding.")

        def answer(outcome: IssuedTokens | OAuthError | AuditUnavailable) -> None:
            if isinstance(outcome, IssuedTokens):
                reply.send(_HEADERS, render_token_response(outcome))
            else:
                reply.fail(outcome)

        self._tokens.issue_token(
            query=request.query,
            content_type=request.content_type,
            body=body,
            authorization=request.authorization,
            origin=request.origin,
            reply=answer,
        )


async def refuse_method(_exchange: Exchange) -> None:
    """RFC 6749 §3.2: the client MUST use the HTTP "POST" method."""
    raise HttpProblem(405, "invalid_request", "Only POST gets a token.", [(b"allow", ALLOW)])


def render_token_response(issued: IssuedTokens) -> bytes:
    """Give the body of a successful answer, as RFC 6749 §5.1 has it."""
    response = TokenResponse(
        access_token=issued.access_token,
        token_type="bearer",  # noqa: S106 - the type's name, O-8
        expires_in=issued.expires_in,
        refresh_token=issued.refresh_token,
        scope=issued.scope,
        client_secret_expires_at=issued.client_secret_expires_at,
    )
    return _encode(response)
