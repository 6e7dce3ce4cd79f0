"""Reads what a client says of itself. Strict in what it takes; members that this server knows nothing of are ignored.

What would change nothing but mislead is refused: redirect URIs, response types, keys at an address, `none`.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_auth import CLIENT_SECRET_BASIC, CLIENT_SECRET_POST
from rowgate.oauth.errors import InvalidClientMetadata, InvalidRedirectUri, InvalidRequest
from rowgate.oauth.json_body import parse_json_object
from rowgate.oauth.jwk_set import UnusableJwkSet, parse_jwk_set

CLIENT_CREDENTIALS = "client_credentials"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a grant type
SECRET_METHODS = frozenset({CLIENT_SECRET_BASIC, CLIENT_SECRET_POST})
METHODS = (CLIENT_SECRET_BASIC, CLIENT_SECRET_POST, PRIVATE_KEY_JWT)
MAX_CLIENT_NAME_LENGTH = 100  # an application's name has room for a handle behind it
_CLIENT_ID = re.compile(rb"[0-9A-Za-z_-]{1,64}")
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


def parse_client_id(query: bytes) -> str:
    """Give the client that the address of a registration names.

    >>> parse_client_id(b"client_id=k1x2")
    'k1x2'

    Raises:
        InvalidRequest: It names none, or more than one.

    Source: ours; RFC 7592 §3 leaves the form of registration_client_uri to the server
    """
    found = [part.partition(b"=")[2] for part in query.split(b"&") if part.partition(b"=")[0] == b"client_id"]
    if len(found) != 1 or not _CLIENT_ID.fullmatch(found[0]):
        raise InvalidRequest("The address is not the registration of a client.", reason="no_client_id")
    return found[0].decode("ascii")


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
