"""POST /api/v1/token: client credentials in, tokens out (RFC 6749 §3.2)."""

from email.utils import formatdate
from functools import partial

import msgspec

from rowgate.oauth.model import IssuedTokens
from rowgate.service.client_requests import TokenRequest
from rowgate.service.tokens import TokenService
from rowgate.web.exchange import BodyTooLarge, Exchange, PreparedHeaders
from rowgate.web.problems import NO_STORE, NONCE_HEADER, HttpProblem, require_plain_body
from rowgate.web.whole import Reply, Request

ALLOW = b"POST, OPTIONS"


class TokenResponse(msgspec.Struct, omit_defaults=True):
    """The body of a successful answer; RFC 6749 §5.1, client_secret_expires_at as in RFC 7591 §3.2.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    client_secret_expires_at: int
    refresh_token: str | None = None
    issued_token_type: str | None = None
    authorization_details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_HEADERS = PreparedHeaders(NO_STORE)
EXPIRY_HEADER = b"client-secret-expires"  # an HTTP date, in the last quarter of the secret's life
_encode = msgspec.json.Encoder().encode


class TokenEndpoint:
    """Answers POST; every error goes up to the dispatcher."""

    def __init__(self, tokens: TokenService, *, issuer: str, max_body_bytes: int) -> None:
        """Take the service, the address that clients use, and the largest body."""
        self._tokens = tokens
        self._issuer = issuer
        self.max_body_bytes = max_body_bytes

    def answer(self, request: Request, body: bytes, reply: Reply) -> None:
        """Answer a token request. The order of the checks: PROTOCOL 5.0."""
        if len(body) > self.max_body_bytes:
            raise BodyTooLarge
        head = request.head
        require_plain_body(head.content_encoding)

        self._tokens.issue_token(
            TokenRequest(
                head.query,
                head.content_type,
                body,
                head.authorization,
                request.origin,
                head.find_certificate,
                head.dpop,
                self._issuer + head.scope["raw_path"].decode("ascii") if head.dpop else "",
            ),
            partial(_answer, reply),
        )


def _answer(reply: Reply, outcome: IssuedTokens | Exception) -> None:
    if not isinstance(outcome, IssuedTokens):
        reply.fail(outcome)
    elif outcome.secret_ends_soon or outcome.dpop_nonce:
        reply.send(_render_further_headers(outcome), render_token_response(outcome))
    else:
        reply.send(_HEADERS, render_token_response(outcome))


def _render_further_headers(issued: IssuedTokens) -> PreparedHeaders:
    headers = [*NO_STORE]
    if issued.secret_ends_soon:
        headers.append((EXPIRY_HEADER, formatdate(issued.client_secret_expires_at, usegmt=True).encode()))
    if issued.dpop_nonce:
        headers.append((NONCE_HEADER, issued.dpop_nonce.encode()))
    return PreparedHeaders(headers)


async def refuse_method(_exchange: Exchange) -> None:
    """RFC 6749 §3.2: the client MUST use the HTTP "POST" method."""
    raise HttpProblem(405, "invalid_request", "Only POST gets a token.", [(b"allow", ALLOW)])


def render_token_response(issued: IssuedTokens) -> bytes:
    """Give the body of a successful answer, as RFC 6749 §5.1 has it."""
    response = TokenResponse(
        access_token=issued.access_token,
        token_type=issued.token_type,
        expires_in=issued.expires_in,
        refresh_token=issued.refresh_token,
        scope=issued.scope,
        client_secret_expires_at=issued.client_secret_expires_at,
        issued_token_type=issued.issued_token_type,
        authorization_details=msgspec.Raw(issued.authorization_details)
        if issued.authorization_details
        else msgspec.UNSET,
    )
    return _encode(response)
