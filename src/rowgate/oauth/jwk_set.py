"""Reads a JSON Web Key Set into keys that verify, each bound to its own algorithms.

Rule: only public keys come in. A symmetric or private key in a set refuses the whole set, loudly: whoever
published it has a problem that a skipped key would hide.
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from rowgate.oauth.jws import UNREADABLE_JSON, UnverifiableJws, VerificationKey, VerificationKeys, decode_base64url

MAX_JWK_SET_BYTES = 65_536  # 64 KiB
MAX_KEYS = 32
MAX_KEY_ID_LENGTH = 256
MIN_RSA_BITS = 2048  # RFC 7518 §3.3
MAX_RSA_BITS = 8192  # the work of one verification grows with the square of it
MAX_RSA_EXPONENT_BITS = 32

# RFC 9864 gives Ed25519 its own name; most clients still write EdDSA.
_ED25519: Final = frozenset({"EdDSA", "Ed25519"})
_RSA: Final = frozenset({"RS256", "PS256"})
_BY_CURVE: Final = {"P-256": frozenset({"ES256"}), "P-384": frozenset({"ES384"})}
VERIFICATION_ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"})

_SECRET_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


class UnusableJwkSet(ValueError):
    """The set cannot serve; its text tells an administrator why, `reason` is a stable word."""

    def __init__(self, description: str, *, reason: str) -> None:
        super().__init__(description)
        self.reason = reason


class _Jwk(msgspec.Struct, frozen=True):
    """The members of a key that matter here (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2)."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    key_ops: tuple[str, ...] | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None


class _JwkSet(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, Any], ...]  # as it came: which members are there at all is one of the questions


_decode = msgspec.json.Decoder(_JwkSet).decode


_SIGNATURES = frozenset({"sig"})  # RFC 7517 §4.2


def parse_jwk_set(
    data: bytes, *, algorithms: Collection[str] = VERIFICATION_ALGORITHMS, uses: Collection[str] = _SIGNATURES
) -> VerificationKeys:
    """Give the keys of a set that can verify one of the algorithms.

    Keys of other types, curves or uses are left out, as the standard says: a set may hold keys that are meant
    for somebody else.

    >>> parse_jwk_set(b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}')
    Traceback (most recent call last):
    rowgate.oauth.jwk_set.UnusableJwkSet: The key set holds a symmetric key.

    Raises:
        UnusableJwkSet: Too long, not a set, a symmetric or private key, a weak or malformed one, one key id for
            two keys, or no key that serves.

    Source: RFC 7517 §5, §4.5; RFC 8725 §3.2, §3.5
    """
    if len(data) > MAX_JWK_SET_BYTES:
        raise UnusableJwkSet("The key set is too long.", reason="jwks_too_long")
    try:
        members = _decode(data).keys
    except UNREADABLE_JSON:
        raise UnusableJwkSet("The key set cannot be read.", reason="jwks_malformed") from None
    if len(members) > MAX_KEYS:
        raise UnusableJwkSet("The key set holds too many keys.", reason="jwks_too_many_keys")
    keys = tuple(key for key in (_parse_key(member, algorithms, uses) for member in members) if key is not None)
    if not keys:
        raise UnusableJwkSet("The key set holds no key that can be used.", reason="jwks_no_key")
    named = [key.kid for key in keys if key.kid is not None]
    if len(set(named)) != len(named):
        raise UnusableJwkSet("Two keys of the set have the same key id.", reason="jwks_same_kid")
    return VerificationKeys(keys)


def _parse_key(member: dict[str, Any], algorithms: Collection[str], uses: Collection[str]) -> VerificationKey | None:
    if member.get("kty") == "oct":
        raise UnusableJwkSet("The key set holds a symmetric key.", reason="jwks_symmetric_key")
    if any(name in member for name in _SECRET_MEMBERS):
        raise UnusableJwkSet("The key set holds a private key.", reason="jwks_private_key")
    try:
        jwk = msgspec.convert(member, _Jwk)
    except msgspec.ValidationError:
        raise UnusableJwkSet("A key of the set is malformed.", reason="jwks_malformed_key") from None
    if jwk.kid is not None and len(jwk.kid) > MAX_KEY_ID_LENGTH:
        raise UnusableJwkSet("A key id of the set is too long.", reason="jwks_malformed_key")
    allowed = _list_algorithms(jwk) & frozenset(algorithms)
    if jwk.alg is not None:
        allowed &= {jwk.alg} | (_ED25519 if jwk.alg in _ED25519 else frozenset())
    is_of_use = jwk.use is None or jwk.use in uses
    if not is_of_use or (jwk.key_ops is not None and "verify" not in jwk.key_ops) or not allowed:
        return None
    return VerificationKey(jwk.kid, allowed, _import(jwk))


def _list_algorithms(jwk: _Jwk) -> frozenset[str]:
    match jwk.kty, jwk.crv:
        case "RSA", _:
            return _RSA
        case "EC", str(curve):
            return _BY_CURVE.get(curve, frozenset())
        case "OKP", "Ed25519":
            return _ED25519
        case _:
            return frozenset()


def _import(jwk: _Jwk) -> ECKey | OKPKey | RSAKey:
    """Hand joserfc the members that make the key and no other: its own `use` and `alg` rules are not needed."""
    names = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}[jwk.kty]
    members: dict[str, str | list[str]] = {name: value for name in names if (value := getattr(jwk, name)) is not None}
    kinds: dict[str, type[ECKey | OKPKey | RSAKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    if jwk.kty == "RSA":
        _check_rsa(jwk)  # before joserfc, which warns of a weak key and takes it
    try:
        return kinds[jwk.kty].import_key(members)
    except (JoseError, ValueError, TypeError, OverflowError):
        raise UnusableJwkSet("A key of the set is malformed.", reason="jwks_malformed_key") from None


def _check_rsa(jwk: _Jwk) -> None:
    if not MIN_RSA_BITS <= _count_bits(jwk.n) <= MAX_RSA_BITS:
        raise UnusableJwkSet(
            "An RSA key of the set has fewer than 2048 or more than 8192 bits.", reason="jwks_rsa_size"
        )
    if _count_bits(jwk.e) > MAX_RSA_EXPONENT_BITS:
        raise UnusableJwkSet("An RSA key of the set has too large an exponent.", reason="jwks_rsa_exponent")


def _count_bits(encoded: str | None) -> int:
    try:
        return int.from_bytes(decode_base64url(encoded or ""), "big").bit_length()
    except UnverifiableJws:
        raise UnusableJwkSet("A key of the set is malformed.", reason="jwks_malformed_key") from None
