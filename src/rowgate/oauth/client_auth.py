"""Who is the client: reads the credentials of a request and checks them against an application's secrets.

Rule: an unknown client, a wrong secret and an expired wrong secret cost the same work and get the same answer.
"""

import binascii
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from rowgate.oauth.errors import InvalidClient, InvalidRequest
from rowgate.oauth.form import TokenParameters, find_credential_in_query
from rowgate.oauth.model import Application, Secret

CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the method's registered name, RFC 7591 §2
CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105 - the method's registered name, RFC 7591 §2
SECRET_PREFIX = "rgcs_"  # noqa: S105 - what secret scanners look for
MAX_CREDENTIAL_LENGTH = 1024

_SHA256_BLOCK_BYTES = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))  # RFC 2104 §2
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_FAILED = "Client authentication failed."
_DUMMY_DIGESTS = (b"\x00" * 32,)


class ClientSecret(str):
    """A client secret that a log or a traceback shows only by its handle."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<client secret {find_key_id(self.value) or 'of another make'}>"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, _specification: str) -> str:
        return repr(self)

    @property
    def value(self) -> str:
        """The secret itself, for the digest."""
        return str.__str__(self)


class PresentedCredentials(msgspec.Struct, frozen=True):
    """What a client claims, not yet checked."""

    client_id: str
    client_secret: ClientSecret
    method: str


def find_key_id(presented_secret: str) -> str:
    """Give the public key id inside a secret of our make (`rgcs_<key id>_…`), or an empty text."""
    prefix, _, rest = presented_secret.partition("_")
    key_id, separator, _ = rest.partition("_")
    if prefix + "_" == SECRET_PREFIX and separator and key_id.isalnum() and len(key_id) <= 16:  # noqa: PLR2004
        return key_id
    return ""


def refuse_credential_in_query(query: bytes, *, further: frozenset[str] = frozenset()) -> None:
    """Refuse a request whose URL, which logs keep, shows a credential.

    Args:
        query: Of the URL.
        further: Parameters that are secret at this endpoint besides those that always are.

    Raises:
        InvalidRequest: It does; `key_id` names a client secret that is exposed now.

    Source: RFC 6749 §2.3.1, RFC 7662 §4; PROTOCOL 25
    """
    if query and find_credential_in_query(query, further=further):
        _, _, rest = query.partition(SECRET_PREFIX.encode())
        key_id = find_key_id(SECRET_PREFIX + rest.decode("latin-1")) if rest else ""
        raise InvalidRequest("A credential stands in the URL.", reason="secret_in_url", key_id=key_id)


def digest_client_secret(key: bytes, client_id: str, client_secret: str) -> bytes:
    """Give the 32 bytes that are kept of a secret: HMAC-SHA-256 under the home's digest key.

    Source: RFC 2104 §4: the key's two blocks are hashed once and their states copied, at 40% of the time
    """
    inner_start, outer_start = _hash_key(key)
    inner, outer = inner_start.copy(), outer_start.copy()
    inner.update(f"{client_id}\x00{client_secret}".encode())
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=4)
def _hash_key(key: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    block = key.ljust(_SHA256_BLOCK_BYTES, b"\0")
    assert len(block) == _SHA256_BLOCK_BYTES, "internal error: a digest key longer than a block"
    return hashlib.sha256(block.translate(_INNER_PAD)), hashlib.sha256(block.translate(_OUTER_PAD))


def parse_client_authentication(authorization: Sequence[bytes], parameters: TokenParameters) -> PresentedCredentials:
    """Give the one set of credentials in the request.

    Args:
        authorization: The values of every Authorization header.
        parameters: The parameters of the body.

    Raises:
        InvalidRequest: Several Authorization headers, two mechanisms at once, two different client ids.
        InvalidClient: No credentials, or a header that cannot be read.

    Source: RFC 6749 §2.3.1, §3.2.1; RFC 7617 §2
    """
    if len(authorization) > 1:
        raise InvalidRequest("There is more than one Authorization header.", reason="two_authorization_headers")
    # RFC 6749 §2.3: the client MUST NOT use more than one authentication method in each request.
    has_assertion = parameters.client_assertion is not None or parameters.client_assertion_type is not None
    if bool(authorization) + (parameters.client_secret is not None) + has_assertion > 1:
        raise InvalidRequest("There is more than one client authentication.", reason="two_authentications")
    if authorization:
        presented = _parse_basic(authorization[0])
        if parameters.client_id is not None and parameters.client_id != presented.client_id:
            raise InvalidRequest("The body names another client than the header.", reason="two_client_ids")
        return presented
    if parameters.client_id is None or parameters.client_secret is None:
        raise InvalidClient("The request carries no client credentials.", reason="no_credentials")
    return _presented(parameters.client_id, parameters.client_secret, CLIENT_SECRET_POST)


def _parse_basic(header: bytes) -> PresentedCredentials:
    scheme, _, encoded = header.strip().partition(b" ")
    if scheme.lower() != b"basic":
        raise InvalidClient("The authentication scheme is not supported.", reason="unsupported_scheme")
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True)
        # RFC 7617 §2: the user-id cannot hold a colon, so the first one divides.
        raw_id, colon, raw_secret = decoded.partition(b":")
        if b"%" in decoded or b"+" in decoded:
            # RFC 6749 §2.3.1: both are encoded as a form value before they are joined.
            raw_id = unquote_to_bytes(raw_id.replace(b"+", b" "))
            raw_secret = unquote_to_bytes(raw_secret.replace(b"+", b" "))
        client_id, secret = raw_id.decode("utf-8"), raw_secret.decode("utf-8")
    except ValueError:
        raise InvalidClient(_FAILED, reason="unreadable_basic") from None
    if not colon or not client_id or not secret:
        raise InvalidClient(_FAILED, reason="unreadable_basic")
    return _presented(client_id, secret, CLIENT_SECRET_BASIC)


def _presented(client_id: str, client_secret: str, method: str) -> PresentedCredentials:
    if len(client_id) > MAX_CREDENTIAL_LENGTH or len(client_secret) > MAX_CREDENTIAL_LENGTH:
        raise InvalidClient(_FAILED, reason="credential_too_long")
    both = client_id + client_secret
    if not (both.isascii() and both.isprintable()):  # VSCHAR, RFC 6749 Appendix A.1
        raise InvalidClient(_FAILED, reason="credential_characters")
    return PresentedCredentials(client_id, ClientSecret(client_secret), method)


def verify_client(
    application: Application | None, presented: PresentedCredentials, *, key: bytes, now: float
) -> Secret:
    """Give the application's secret that the client proved to hold.

    1. One digest, whether or not the application exists.
    2. Compare it with every secret of the application, or with one that matches nothing.
    3. Only after a match say why the match does not count: expired, revoked, application disabled.

    Raises:
        InvalidClient: No match, or the match does not count.
    """
    presented_digest = digest_client_secret(key, presented.client_id, presented.client_secret.value)
    if application is None:
        for digest in _DUMMY_DIGESTS:
            hmac.compare_digest(digest, presented_digest)
        raise InvalidClient(_FAILED, reason="unknown_client", key_id=find_key_id(presented.client_secret.value))
    match: Secret | None = None
    for secret in application.secrets:
        if hmac.compare_digest(secret.digest, presented_digest):
            match = secret
    if match is None:
        raise InvalidClient(_FAILED, reason="wrong_secret", key_id=find_key_id(presented.client_secret.value))
    if match.revoked:
        raise InvalidClient("The client secret is revoked.", reason="revoked_secret", key_id=match.key_id)
    if match.is_expired(now):
        raise InvalidClient("The client secret has expired.", reason="expired_secret", key_id=match.key_id)
    if not application.enabled:
        raise InvalidClient("The application is disabled.", reason="disabled_application", key_id=match.key_id)
    return match
