"""Decides what a token request gets, for a client that has proved who it is. Pure choices."""

import msgspec

from rowgate.oauth.errors import InvalidGrant, InvalidRequest, InvalidScope, UnauthorizedClient, UnsupportedGrantType
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.lifetimes import find_end
from rowgate.oauth.model import Application
from rowgate.oauth.scope import narrow_scope
from rowgate.oauth.token_exchange import TOKEN_EXCHANGE, TokenExchangeRequest, parse_token_exchange
from rowgate.oauth.tokens import TokenRecord

CLIENT_CREDENTIALS = "client_credentials"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the grant type's registered name
GRANT_TYPES = (
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
)  # always on; TOKEN_EXCHANGE is for the applications that are allowed it


class ClientCredentialsRequest(msgspec.Struct, frozen=True):
    """RFC 6749 §4.4.2."""

    scope: str | None


class RefreshRequest(msgspec.Struct, frozen=True):
    """RFC 6749 §6."""

    refresh_token: str
    scope: str | None

    def __repr__(self) -> str:
        return "<refresh request>"  # never the token


def decide_grant(
    parameters: TokenParameters, application: Application
) -> ClientCredentialsRequest | RefreshRequest | TokenExchangeRequest:
    """Give the request that the parameters make, for an application that may make it.

    A refresh token together with grant_type=client_credentials is a refresh (O-14).

    Raises:
        InvalidRequest: No grant_type, a refresh without its refresh_token, or an exchange that is not well formed.
        UnsupportedGrantType: A grant type that the server does not have.
        UnauthorizedClient: A refresh by an application that is issued no refresh tokens, or an exchange by one that
            may not exchange.

    Source: RFC 6749 §4.4.2, §5.2, §6; RFC 8693 §2.1
    """
    grant_type = parameters.grant_type
    if grant_type is None:
        raise InvalidRequest("The grant_type parameter is missing.", reason="no_grant_type")
    if grant_type == TOKEN_EXCHANGE:
        if not application.policy.token_exchange:
            raise UnauthorizedClient("The application may not exchange tokens.", reason="exchange_not_allowed")
        return parse_token_exchange(parameters)
    if grant_type not in GRANT_TYPES:
        raise UnsupportedGrantType("The grant type is not supported.", reason="unsupported_grant_type")
    if grant_type == CLIENT_CREDENTIALS and parameters.refresh_token is None:
        return ClientCredentialsRequest(parameters.scope)
    if not application.refresh_tokens:
        raise UnauthorizedClient("The application may not use refresh tokens.", reason="refresh_not_allowed")
    if parameters.refresh_token is None:
        raise InvalidRequest("The refresh_token parameter is missing.", reason="no_refresh_token")
    return RefreshRequest(parameters.refresh_token, parameters.scope)


def decide_refresh(
    record: TokenRecord,
    application: Application,
    requested_scope: str | None,
    *,
    revoked: bool,
    now: float,
    most_seconds: int = 0,
) -> tuple[str, ...]:
    """Give the scope of the access token that a refresh gets.

    It is a part of what the refresh token was issued for and of what the application may have today. `most_seconds`
    is the longest that a refresh token may live; 0: as long as it was made to.

    Raises:
        InvalidGrant: Another application's token, expired, revoked, or of an earlier epoch.
        InvalidScope: More than the refresh token was issued for, or nothing of it is allowed any more.

    Source: RFC 6749 §6
    """
    if record.application_number != application.number:
        raise InvalidGrant("The refresh token is not valid.", reason="another_applications_token")
    if now >= find_end(record.expires_at, record.issued_at, most_seconds):
        raise InvalidGrant("The refresh token has expired.", reason="expired_token")
    if revoked or application.has_killed(record.epoch, record.secret_number):
        raise InvalidGrant("The refresh token is revoked.", reason="revoked_token")
    original = tuple(record.scope.split(" "))
    scope = tuple(name for name in narrow_scope(requested_scope, original) if name in application.scope)
    if not scope:
        raise InvalidScope("Nothing of this scope is allowed any more.", reason="scope_withdrawn")
    return scope
