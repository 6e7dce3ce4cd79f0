"""Reads the bearer token of a request for rows and decides whether it still holds."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from rowgate.access import Access
from rowgate.oauth.authorization_details import READ, index_allowed, read_details
from rowgate.oauth.errors import InvalidRequest, InvalidToken, MissingToken
from rowgate.oauth.jwt_access_token import MAX_JWT_LENGTH
from rowgate.oauth.lifetimes import find_end
from rowgate.oauth.model import Application
from rowgate.oauth.tokens import TokenRecord

# b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=", RFC 6750 §2.1
_B64TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")


class PresentedToken(msgspec.Struct, frozen=True):
    """An access token as it came, not yet checked."""

    token: str
    is_dpop: bool  # by the scheme DPoP: a proof must come with it (RFC 9449 §7.1)

    def __repr__(self) -> str:
        return "<presented token>"  # never the token


def parse_presented_token(authorization: Sequence[bytes]) -> PresentedToken:
    """Give the token of the one Authorization header.

    >>> parse_presented_token([b"bearer  rgat_abc"]).token
    'rgat_abc'
    >>> parse_presented_token([])
    Traceback (most recent call last):
    rowgate.oauth.errors.MissingToken: The request carries no access token.

    Raises:
        MissingToken: No header, or one of another scheme.
        InvalidToken: Characters that no token has, or too long.
        InvalidRequest: More than one header.

    Source: RFC 6750 §2.1, RFC 9449 §7.1, RFC 9110 §11.1 (the scheme in any case)
    """
    if not authorization:
        raise MissingToken("The request carries no access token.", reason="no_token")
    if len(authorization) > 1:
        raise InvalidRequest("There is more than one Authorization header.", reason="two_authorization_headers")
    scheme, _, rest = authorization[0].strip().partition(b" ")
    scheme = scheme.lower()
    if scheme not in (b"bearer", b"dpop"):
        raise MissingToken("The request carries no bearer token.", reason="other_scheme")
    token = rest.strip(b" ")
    if len(token) > MAX_JWT_LENGTH or not _B64TOKEN.fullmatch(token):
        raise InvalidToken("The access token is malformed.", reason="malformed_token")
    return PresentedToken(token.decode("ascii"), scheme == b"dpop")


def decide_bearer(
    token_id: bytes,
    record: TokenRecord,
    application: Application | None,
    *,
    resource: str,
    revoked: bool,
    now: float,
    most_seconds: int = 0,
) -> Access:
    """Give the access that an opened token stands for now.

    Args:
        token_id: 16 bytes.
        record: What the token stands for.
        application: Whose it is; None when it is gone.
        resource: Where it is used, as we publish it.
        revoked: By itself, by its family, or by a token that it was made of.
        now: Seconds since 1970.
        most_seconds: The longest that such a token may live; 0: as long as it was made to.

    Raises:
        InvalidToken: Expired, revoked by any of these, by its secret or its application.

    Source: RFC 6750 §3.1
    """
    expires_at = find_end(record.expires_at, record.issued_at, most_seconds)
    if now >= expires_at:
        raise InvalidToken("The access token has expired.", reason="expired_token")
    if application is None:
        raise InvalidToken("The access token is revoked.", reason="removed_application")
    if not application.enabled:
        raise InvalidToken("The access token is revoked.", reason="disabled_application")
    if revoked or application.has_killed(record.epoch, record.secret_number):
        raise InvalidToken("The access token is revoked.", reason="revoked_token")
    return Access(
        application_number=application.number,
        client_id=application.client_id,
        application_name=application.name,
        scope=frozenset(name for name in record.scope.split(" ") if name in application.scope),
        token_id=token_id.hex(),
        expires_at=expires_at,
        allowed=_index_details(record.details, resource) if record.details else None,
        actors=record.actors,
        proof=(token_id, record),
    )


def _index_details(details: bytes, resource: str) -> Mapping[str, frozenset[str] | None] | None:
    try:
        return index_allowed(read_details(details), action=READ, location=resource)
    except ValueError:
        raise InvalidToken("The access token is malformed.", reason="token_details") from None
