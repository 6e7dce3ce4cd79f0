"""private_key_jwt: a client proves who it is by signing, so that no secret ever travels.

Rule: an assertion is for us alone, for a short time, and once. The last is the caller's: it must refuse a pair of
client id and `jti` that it has seen before `expires_at`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec

from rowgate.oauth.decoy_keys import work_alike
from rowgate.oauth.errors import InvalidClient, InvalidRequest
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.jws import UNREADABLE_JSON, UnverifiableJws, VerificationKeys, read_unverified_payload, verify_jws

PRIVATE_KEY_JWT = "private_key_jwt"  # the method's registered name, OpenID Connect Core §9
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
JWT_SPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"  # draft-ietf-oauth-spiffe-client-auth
ASSERTION_TYPES = (JWT_BEARER, JWT_SPIFFE)

MAX_ASSERTION_LENGTH = 8192  # 8 KiB
MAX_LIFETIME_SECONDS = 3600  # 1 h
SKEW_SECONDS = 30  # a clock ahead by 10 s must pass, by more than 60 s must not (PROTOCOL 51)
MAX_JTI_LENGTH = 255
# RFC 7523 names no type; draft-ietf-oauth-rfc7523bis-11 §4 names the last. Anything else was signed for another use.
_TYPES = (None, "jwt", "client-authentication+jwt")
_FAILED = "Client authentication failed."


class AssertionClaims(msgspec.Struct, frozen=True):
    """The claims of an assertion (RFC 7523 §3). Times are seconds since 1970, whole or not."""

    iss: str
    sub: str
    aud: str | tuple[str, ...]
    exp: int | float
    jti: str
    iat: int | float | None = None
    nbf: int | float | None = None


class _Names(msgspec.Struct, frozen=True):
    iss: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class PresentedAssertion:
    """An assertion as it came; issuer and subject are claims of somebody unknown, to find the keys by."""

    assertion_type: str
    unverified_assertion: str = field(repr=False)
    unverified_issuer: str  # empty when there is none
    unverified_subject: str
    client_id: str | None  # the parameter beside it

    @property
    def is_of_a_client(self) -> bool:
        """Tell whether a client signed it for itself: issuer and subject are one."""
        return self.unverified_issuer != "" and self.unverified_issuer == self.unverified_subject


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """A client that has proved who it is."""

    client_id: str
    jti: str  # with client_id the handle to refuse replays by, until expires_at
    expires_at: float
    key_id: str  # of the registered key that signed; empty when it has none


_WITHOUT_WORK = frozenset({"unknown_key", "wrong_algorithm"})  # no signature was looked at
_decode = msgspec.json.Decoder(AssertionClaims).decode
_decode_names = msgspec.json.Decoder(_Names).decode


def parse_client_assertion(parameters: TokenParameters) -> PresentedAssertion | None:
    """Give the assertion of a request, None when it carries none.

    Raises:
        InvalidRequest: Assertion or type without the other, a type that is not known, or an assertion of one
            client beside the client_id of another.
        InvalidClient: An assertion that cannot be read.

    Source: RFC 7521 §4.2, RFC 7523 §2.2; PROTOCOL 40, 48
    """
    assertion, assertion_type = parameters.client_assertion, parameters.client_assertion_type
    if assertion is None and assertion_type is None:
        return None
    if assertion_type is None or assertion_type not in ASSERTION_TYPES:
        raise InvalidRequest(
            "The client_assertion_type parameter is missing or not supported.", reason="client_assertion_type"
        )
    if assertion is None:
        raise InvalidRequest("The client_assertion parameter is missing.", reason="no_client_assertion")
    try:
        names = _decode_names(read_unverified_payload(assertion, max_length=MAX_ASSERTION_LENGTH))
    except UnverifiableJws as refused:
        raise InvalidClient(_FAILED, reason=f"assertion_{refused.reason}") from None
    except UNREADABLE_JSON:
        raise InvalidClient(_FAILED, reason="assertion_claims") from None
    presented = PresentedAssertion(assertion_type, assertion, names.iss, names.sub, parameters.client_id)
    if presented.is_of_a_client and parameters.client_id not in {None, names.sub}:
        raise InvalidRequest("The body names another client than the assertion.", reason="two_client_ids")
    return presented


def verify_in_vain(presented: PresentedAssertion) -> None:
    """Do the work that an assertion costs, for one that there is no key to verify with."""
    work_alike(presented.unverified_assertion, types=_TYPES, max_length=MAX_ASSERTION_LENGTH)


def verify_client_assertion(
    presented: PresentedAssertion,
    keys: VerificationKeys,
    *,
    client_id: str,
    issuer: str,
    now: float,
    compatible_audiences: Collection[str] = (),
) -> VerifiedAssertion:
    """Give the proof that an assertion is, for the application whose keys these are.

    1. The signature, by one of the keys, under an algorithm of that key. 2. Issuer and subject are the client.
    3. The audience is us and nobody else, as one text: an assertion for two could be carried from one to the
    other. 4. The times. 5. `jti` is there.

    Args:
        presented: What came.
        keys: The application's registered keys, from `parse_jwk_set`.
        client_id: The application's.
        issuer: Our own identifier, as the metadata spells it.
        now: Seconds since 1970.
        compatible_audiences: Other values of `aud` to accept, such as the token endpoint's address; behind a switch.

    Raises:
        InvalidClient: Any step failed.

    Source: RFC 7523 §3, draft-ietf-oauth-rfc7523bis-11 §3, RFC 8725 §3; PROTOCOL 49, 50, 51
    """
    try:
        payload, key = verify_jws(
            presented.unverified_assertion, keys.find, types=_TYPES, max_length=MAX_ASSERTION_LENGTH
        )
        claims = _decode(payload)
    except UnverifiableJws as refused:
        if refused.reason in _WITHOUT_WORK:
            verify_in_vain(presented)
        raise InvalidClient(_FAILED, reason=f"assertion_{refused.reason}") from None
    except UNREADABLE_JSON:
        raise InvalidClient(_FAILED, reason="assertion_claims") from None
    key_id = key.kid or ""
    if not claims.iss == claims.sub == client_id:
        raise InvalidClient(_FAILED, reason="assertion_subject", key_id=key_id)
    if not isinstance(claims.aud, str) or (claims.aud != issuer and claims.aud not in compatible_audiences):
        raise InvalidClient(_FAILED, reason="assertion_audience", key_id=key_id)
    reason = find_fault_in_times(claims.exp, claims.iat, claims.nbf, now=now, max_lifetime_seconds=MAX_LIFETIME_SECONDS)
    if reason:
        raise InvalidClient(_FAILED, reason=f"assertion_{reason}", key_id=key_id)
    if not 0 < len(claims.jti) <= MAX_JTI_LENGTH:
        raise InvalidClient(_FAILED, reason="assertion_jti", key_id=key_id)
    return VerifiedAssertion(client_id, claims.jti, float(claims.exp), key_id)


def find_fault_in_times(
    exp: float, iat: float | None, nbf: float | None, *, now: float, max_lifetime_seconds: int
) -> str:
    """Give what is wrong with the times of an assertion, or an empty text.

    The expiry has no grace; a clock that runs ahead has `SKEW_SECONDS`. How long it may live is counted from now
    and, where it says when it was made, from then.

    Source: RFC 7523 §3 (4 to 6); PROTOCOL 49, 51
    """
    if now >= exp:
        return "expired"
    if nbf is not None and nbf > now + SKEW_SECONDS:
        return "not_yet"
    if iat is not None and iat > now + SKEW_SECONDS:
        return "not_yet"
    if exp > now + max_lifetime_seconds + SKEW_SECONDS:
        return "lives_too_long"
    if iat is not None and now > iat + max_lifetime_seconds:
        return "too_old"
    return ""
