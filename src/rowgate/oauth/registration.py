"""Dynamic client registration: what a client may say of itself, and what becomes of it.

What this server chose (docs/choices.md):

- Members are taken from a short list; all others are ignored (RFC 7591 §2), and the answer shows what was registered.
- What would change nothing but mislead is refused: redirect URIs, response types, keys at an address, `none`.
- An update never widens: what an administrator has narrowed since stays narrow, and a client with a key of its own
  does not go back to a secret.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_auth import CLIENT_SECRET_BASIC, CLIENT_SECRET_POST
from rowgate.oauth.errors import InvalidClientMetadata, InvalidRedirectUri, InvalidScope
from rowgate.oauth.json_body import parse_json_object
from rowgate.oauth.jwk_set import UnusableJwkSet, parse_jwk_set
from rowgate.oauth.lineage import sooner
from rowgate.oauth.model import NEVER, Application, ClientPolicy, Secret
from rowgate.oauth.scope import narrow_scope, render_scope

CLIENT_CREDENTIALS = "client_credentials"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a grant type
SECRET_METHODS = frozenset({CLIENT_SECRET_BASIC, CLIENT_SECRET_POST})
METHODS = (CLIENT_SECRET_BASIC, CLIENT_SECRET_POST, PRIVATE_KEY_JWT)
MAX_CLIENT_NAME_LENGTH = 100  # an application's name has room for a handle behind it
# RFC 7592 §2.2: these MUST NOT be included in an update, for they are the server's
_OF_THE_SERVER = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


class RequestedMetadata(msgspec.Struct, frozen=True):
    """What a client wants to be registered with; well formed, nothing of it allowed yet."""

    client_name: str  # empty: it has none
    refresh_tokens: bool
    authentication_method: str
    jwks: str  # JSON text; empty: no keys
    scope: str | None  # None: all that is allowed


class RequestedUpdate(msgspec.Struct, frozen=True):
    """What a client wants its registration to be from now on."""

    metadata: RequestedMetadata
    client_id: str
    presented_secret: str | None

    def __repr__(self) -> str:
        return f"<update of {self.client_id!r}>"  # never the secret


class ClientMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """A client as it is registered.

    Source: RFC 7591 §2, §3.2.1
    """

    client_id: str
    client_id_issued_at: int  # seconds since 1970
    grant_types: tuple[str, ...]
    response_types: list[str]  # always empty; left out it would mean "code"
    token_endpoint_auth_method: str
    scope: str
    client_name: str | None = None
    jwks: msgspec.Raw | None = None


def parse_client_metadata(content_type: bytes | None, body: bytes) -> RequestedMetadata:
    """Give what a client wants to be registered with.

    >>> parse_client_metadata(b"application/json", b"{}").authentication_method
    'client_secret_basic'
    >>> parse_client_metadata(b"application/json", b'{"redirect_uris": ["https://a.example/"]}')
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidRedirectUri: No client is redirected to here.

    Raises:
        InvalidRequest: Another media type, no JSON object, a repeated member.
        InvalidRedirectUri: There is one.
        InvalidClientMetadata: A member that is malformed, unknown to this server or contradicts another.

    Source: RFC 7591 §2, §2.1, §3.1, §3.2.2
    """
    return _read_metadata(parse_json_object(content_type, body))


def parse_client_update(content_type: bytes | None, body: bytes) -> RequestedUpdate:
    """Give what a client wants its registration to be: all of it, what is left out is no longer so.

    Raises:
        InvalidRequest: As `parse_client_metadata`, and so are the next two.
        InvalidRedirectUri: There is one.
        InvalidClientMetadata: Also without a client id, or with members that only the server sets.

    Source: RFC 7592 §2.2
    """
    members = parse_json_object(content_type, body)
    if any(name in members for name in _OF_THE_SERVER):
        raise InvalidClientMetadata("The metadata has a member that only the server sets.", reason="server_member")
    client_id = _read_text(members, "client_id")
    if client_id is None:
        raise InvalidClientMetadata("The client_id is missing.", reason="no_client_id")
    return RequestedUpdate(_read_metadata(members), client_id, _read_text(members, "client_secret"))


def decide_scope(requested: RequestedMetadata, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Give the scope to be registered: all that is allowed when nothing was asked.

    Raises:
        InvalidClientMetadata: Malformed, or not a part of what is allowed.

    Source: RFC 7591 §2 (scope)
    """
    try:
        return narrow_scope(requested.scope, allowed)
    except InvalidScope as error:
        raise InvalidClientMetadata("The scope is malformed or not allowed.", reason=error.reason) from None


def decide_policy(requested: RequestedMetadata, before: ClientPolicy) -> ClientPolicy:
    """Give the policy with how the client signs in from now on; everything else is left as it is."""
    return msgspec.structs.replace(
        before,
        authentication_methods=(requested.authentication_method,),
        jwks=requested.jwks,
        jwks_uri="" if requested.jwks else before.jwks_uri,
    )


def check_update(application: Application, requested: RequestedMetadata) -> tuple[str, ...]:
    """Give the scope to be registered by an update, which never widens what the application may do.

    Raises:
        InvalidClientMetadata: More scope than it has, refresh tokens that it does not get, a weaker or another way of
            signing in than it has.

    Source: RFC 7592 §2.2 (the server may refuse or replace values)
    """
    if requested.refresh_tokens and not application.refresh_tokens:
        raise InvalidClientMetadata("The grant types are more than the client has.", reason="wider_grant_types")
    methods = set(application.policy.authentication_methods)
    if requested.authentication_method not in methods and not methods <= SECRET_METHODS:
        raise InvalidClientMetadata("The client cannot change to that method.", reason="weaker_method")
    return decide_scope(requested, application.scope)


def decide_new_secret(application: Application, method: str, now: float) -> tuple[int, int] | None:
    """Give when a new secret ends and when its line began, in seconds since 1970, if an update is to give one.

    It does when the newest is past its end or in the last quarter of its life: the old one stays good until its own
    end. It does not when an administrator has revoked the newest, forbidden renewals or let the line grow no older:
    the registration access token is no way around that.

    Source: RFC 7592 §2.2 (a new client_secret may be in the response), RFC 7591 §3.2.1
    """
    policy = application.policy
    if method not in SECRET_METHODS or not policy.renew_secrets:
        return None
    newest = max(application.secrets, key=lambda secret: secret.number, default=None)
    if newest is None:  # it had a key until now
        return _find_end(policy, int(now), now), int(now)
    began_at = newest.lineage_began_at or newest.created_at
    if newest.revoked or not newest.ends_soon(now):
        return None
    if policy.lineage_seconds and now >= began_at + policy.lineage_seconds:
        return None
    return _find_end(policy, began_at, now), began_at


def list_good_secrets(application: Application, now: float) -> Sequence[Secret]:
    """Give the secrets of an application that authenticate now."""
    return [secret for secret in application.secrets if not secret.revoked and not secret.is_expired(now)]


def describe_client(application: Application) -> ClientMetadata:
    """Give the metadata of a client as it is registered."""
    policy = application.policy
    kept = policy.registration
    methods = policy.authentication_methods
    return ClientMetadata(
        client_id=application.client_id,
        client_id_issued_at=application.created_at,
        grant_types=(CLIENT_CREDENTIALS, REFRESH_TOKEN) if application.refresh_tokens else (CLIENT_CREDENTIALS,),
        response_types=[],
        token_endpoint_auth_method=methods[0],
        scope=render_scope(application.scope),
        client_name=(kept.client_name if kept else "") or None,
        jwks=msgspec.Raw(policy.jwks.encode()) if policy.jwks else None,
    )


def name_application(client_name: str, client_id: str) -> str:
    """Give the name that administrators know an application by, when what the client calls itself is taken or empty.

    >>> name_application("", "k1x2"), name_application("report", "k1x2")
    ('registered-k1x2', 'report-k1x2')
    """
    return f"{client_name or 'registered'}-{client_id}"


def _find_end(policy: ClientPolicy, began_at: int, now: float) -> int:
    ends_at = int(now) + policy.renewed_secret_seconds if policy.renewed_secret_seconds else NEVER
    return sooner(ends_at, began_at + policy.lineage_seconds if policy.lineage_seconds else NEVER)


def _read_metadata(members: dict[str, Any]) -> RequestedMetadata:
    if members.get("redirect_uris"):
        raise InvalidRedirectUri("No client is redirected to here.", reason="redirect_uris")
    if members.get("response_types"):
        # RFC 7591 §2.1: client_credentials goes with no response type
        raise InvalidClientMetadata("There are no response types here.", reason="response_types")
    if members.get("jwks_uri") is not None:
        raise InvalidClientMetadata("Send the keys as jwks, not their address.", reason="jwks_uri")
    method = _read_text(members, "token_endpoint_auth_method") or CLIENT_SECRET_BASIC  # RFC 7591 §2
    if method not in METHODS:
        raise InvalidClientMetadata("The token_endpoint_auth_method is not supported.", reason="unknown_method")
    jwks = _read_jwks(members)
    if method == PRIVATE_KEY_JWT and not jwks:
        raise InvalidClientMetadata("The method needs the public keys as jwks.", reason="no_jwks")
    grant_types = _read_grant_types(members)
    return RequestedMetadata(
        client_name=_read_name(members),
        refresh_tokens=REFRESH_TOKEN in grant_types,
        authentication_method=method,
        jwks=jwks,
        scope=_read_text(members, "scope"),
    )


def _read_text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidClientMetadata("A member of the metadata must be a string.", reason="not_a_string")
    return value


def _read_name(members: dict[str, Any]) -> str:
    name = (_read_text(members, "client_name") or "").strip()
    # printable, so that it cannot pretend in a terminal or a log to be more than a name
    if len(name) > MAX_CLIENT_NAME_LENGTH or not name.isprintable():
        raise InvalidClientMetadata("The client_name is too long or not printable.", reason="unfit_client_name")
    return name


def _read_grant_types(members: dict[str, Any]) -> Sequence[str]:
    found = members.get("grant_types")
    if found is None:
        return (CLIENT_CREDENTIALS,)  # RFC 7591 §2 has authorization_code here, which this server has not
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise InvalidClientMetadata("The grant_types are no list of strings.", reason="malformed_grant_types")
    if not set(found) <= {CLIENT_CREDENTIALS, REFRESH_TOKEN} or CLIENT_CREDENTIALS not in found:
        raise InvalidClientMetadata(
            "The grant_types are client_credentials, and refresh_token with it.", reason="unknown_grant_types"
        )
    return found


def _read_jwks(members: dict[str, Any]) -> str:
    jwks = members.get("jwks")
    if jwks is None:
        return ""
    try:
        encoded = msgspec.json.encode(jwks)
        parse_jwk_set(encoded)
    except UnusableJwkSet as error:
        raise InvalidClientMetadata("The jwks cannot be used.", reason=error.reason) from None
    except (ValueError, RecursionError):  # half a character, or too deep
        raise InvalidClientMetadata("The jwks cannot be used.", reason="jwks_malformed") from None
    return encoded.decode()
