"""One-time enrolment codes: reads a redemption, and registers the keys that it brings.

Rule: whatever is refused here leaves the code good; `service.enrolments` says what becomes of the code.
"""

from urllib.parse import unquote_to_bytes

import msgspec

from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.errors import InvalidClientMetadata, InvalidRequest
from rowgate.oauth.json_body import parse_json_object
from rowgate.oauth.jwk_set import UnusableJwkSet, parse_jwk_set
from rowgate.oauth.model import ClientPolicy

MAX_CODE_LENGTH = 128  # a code has 48


class Redemption(msgspec.Struct, frozen=True):
    """What a client sends with its code; nothing of it is checked yet."""

    presented_code: str
    unverified_jwks: bytes | None  # JSON text; None: the client wants a secret

    def __repr__(self) -> str:
        return "<redemption of a one-time code>"  # never the code


def parse_redemption(content_type: bytes | None, body: bytes, query: bytes) -> Redemption:
    """Give what a client sends to the enrolment endpoint: a JSON object with `code`, and `jwks` if it has keys.

    >>> parse_redemption(b"application/json", b'{"code": "rgen_x"}', b"").unverified_jwks is None
    True
    >>> parse_redemption(b"application/json", b"{}", b"")
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidRequest: The code is missing.

    Raises:
        InvalidRequest: Another media type, no JSON object, a repeated member, no code, a code in the URL.

    Source: ours; RFC 7591 §2 for `jwks`
    """
    names = {unquote_to_bytes(part.partition(b"=")[0]).strip().lower() for part in query.split(b"&")}
    if b"code" in names:
        raise InvalidRequest("A credential stands in the URL.", reason="code_in_url")
    members = parse_json_object(content_type, body)
    try:
        jwks = members.get("jwks")
        encoded = None if jwks is None else msgspec.json.encode(jwks)
    except (ValueError, RecursionError):  # half a character, or too deep
        raise InvalidRequest("The body is not a JSON object.", reason="unreadable_body") from None
    code = members.get("code")
    if code is None or code == "":
        raise InvalidRequest("The code is missing.", reason="no_code")
    if not isinstance(code, str):
        raise InvalidRequest("The code must be a string.", reason="not_a_string")
    return Redemption(code, encoded)


def are_registered(policy: ClientPolicy, unverified_jwks: bytes) -> bool:
    """Tell whether a set that can serve holds no key but those that the application has registered."""
    try:
        parse_jwk_set(unverified_jwks)
    except UnusableJwkSet:
        return False
    registered = msgspec.json.decode(policy.jwks)["keys"] if policy.jwks else []
    return all(key in registered for key in msgspec.json.decode(unverified_jwks)["keys"])


def register_keys(policy: ClientPolicy, unverified_jwks: bytes) -> ClientPolicy:
    """Give the policy with the client's public keys added to those it has, and with `private_key_jwt`.

    A key that is registered already is no error: keys are added, never replaced, so that a second instance of an
    application does not lock out the first.

    Raises:
        InvalidClientMetadata: The keys cannot serve, alone or together with those that are there; or the application's
            keys stand at an address, which they would take the place of.

    Source: RFC 7591 §2 (jwks and jwks_uri MUST NOT both be there), §3.2.2
    """
    if policy.jwks_uri:
        raise InvalidClientMetadata("The keys of the application stand elsewhere.", reason="keys_at_an_address")
    try:
        parse_jwk_set(unverified_jwks)
        added = msgspec.json.decode(unverified_jwks)["keys"]
        keys = list(msgspec.json.decode(policy.jwks)["keys"]) if policy.jwks else []
        keys += [key for key in added if key not in keys]
        together = msgspec.json.encode({"keys": keys})
        parse_jwk_set(together)
    except UnusableJwkSet as error:
        raise InvalidClientMetadata("The jwks cannot be used.", reason=error.reason) from None
    methods = policy.authentication_methods
    if PRIVATE_KEY_JWT not in methods:
        methods = (*methods, PRIVATE_KEY_JWT)
    return msgspec.structs.replace(policy, jwks=together.decode(), authentication_methods=methods)
