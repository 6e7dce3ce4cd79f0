"""JSON Web Signatures in compact form: signs our own, verifies whatever comes.

Rule: a key says which algorithms it is for; a token only says which key. Nothing in a token's header is ever
used as a key, fetched, or obeyed.

Signing goes to `cryptography` with the header encoded once per key; verifying goes through joserfc. Measured for
an access token of 530 characters, in microseconds on a shared core (medians of three runs), signature alone /
whole token by joserfc / whole token here: Ed25519 54 / 119 / 64, ES256 51 / 122 / 59. joserfc spends more than
the signature on header checks and key conversions that are the same for every token of ours. A token from outside
is the other way round: there the checks are the point.
"""

import binascii
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, deserialize_compact

SigningAlgorithm = Literal["EdDSA", "ES256", "RS256"]
SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("EdDSA", "ES256", "RS256")

MAX_JWS_LENGTH = 8192  # 8 KiB; a Kubernetes token has about 1,200 characters, a GitHub one 2,000
MAX_HEADER_LENGTH = 1024
MAX_KEYS_TRIED = 4  # when a token names no key
_P256_BYTES = 32
_TO_URL = bytes.maketrans(b"+/", b"-_")
_TYPE_PREFIX = "application/"
# msgspec raises UnicodeDecodeError as it is, and nesting has the interpreter's limit
UNREADABLE_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class UnverifiableJws(ValueError):
    """The text is not a signature that one of the keys made; `reason` is a private stable word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class JwsHeader(msgspec.Struct, frozen=True):
    """The members of a protected header that matter, not yet verified.

    Others are ignored, as the standard says, but for those in `FORBIDDEN`, whose presence alone is a refusal:
    keys and addresses of keys that a token brings along, what changes the meaning of the bytes, and `crit`.

    Source: RFC 7515 §4.1, RFC 8725 §3.1, §3.10
    """

    alg: str
    kid: str | None = None
    typ: str | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    jwk: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    jku: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    x5u: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    x5c: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    cty: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    zip: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    enc: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


FORBIDDEN: Final = ("crit", "b64", "jwk", "jku", "x5u", "x5c", "cty", "zip", "enc")


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the only algorithms that it verifies."""

    kid: str | None
    algorithms: frozenset[str]
    key: ECKey | OKPKey | RSAKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerificationKeys:
    """The keys of one owner, found by key id."""

    keys: tuple[VerificationKey, ...]

    def find(self, header: JwsHeader) -> tuple[VerificationKey, ...]:
        """Give the keys that may have signed under this header, none when the key id is unknown.

        A header without a key id is tried against the first few keys of its algorithm (RFC 7515 §4.1.4: `kid` is
        optional), so that a client that never sends one survives the exchange of its key.
        """
        if header.kid is not None:
            return tuple(key for key in self.keys if key.kid == header.kid)
        return tuple(key for key in self.keys if header.alg in key.algorithms)[:MAX_KEYS_TRIED]


class _Registry(JWSRegistry):
    """joserfc's checks with one list of algorithms that cannot be empty, and our limits.

    joserfc falls back to its own list, with the symmetric HS256 on it, when it is handed an empty one; and it
    warns of the name EdDSA (RFC 9864), which is what most clients still write.
    """

    max_header_length = MAX_HEADER_LENGTH
    max_payload_length = MAX_JWS_LENGTH

    def get_alg(self, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - its type is private to joserfc
        if self.allowed is None or name not in self.allowed:
            raise JoseError("The algorithm is not allowed.")
        return self.algorithms[name]


_decode_header = msgspec.json.Decoder(JwsHeader).decode


def read_unverified_header(unverified_text: str, *, max_length: int = MAX_JWS_LENGTH) -> JwsHeader:
    """Give the header of a compact signature, to choose the key by; nothing of it is proved.

    Raises:
        UnverifiableJws: Too long, not three parts, not a header, or one that brings what no header may.

    Source: RFC 7515 §5.2, RFC 8725 §3
    """
    header, _, _ = _split(unverified_text, max_length)
    return _read_header(header)


def read_unverified_payload(unverified_text: str, *, max_length: int = MAX_JWS_LENGTH) -> bytes:
    """Give the payload of a compact signature, to find its owner by; nothing of it is proved.

    Raises:
        UnverifiableJws: As for `read_unverified_header`.
    """
    header, payload, _ = _split(unverified_text, max_length)
    _read_header(header)
    return decode_base64url(payload)


def verify_jws(
    unverified_text: str,
    find_keys: Callable[[JwsHeader], Iterable[VerificationKey]],
    *,
    types: Collection[str | None],
    max_length: int = MAX_JWS_LENGTH,
) -> tuple[bytes, VerificationKey]:
    """Give the payload of a compact signature, and the key that made it.

    1. Length, before anything is decoded. 2. Header: readable, nothing forbidden, of a type that is expected.
    3. Keys by key id. 4. The algorithm is one of that key's own. 5. The signature.

    Args:
        unverified_text: What came.
        find_keys: Gives the keys that may have signed under a header, mostly `VerificationKeys.find`.
        types: Values of `typ` to accept, lower case, without "application/"; None stands for its absence.
        max_length: Characters.

    Raises:
        UnverifiableJws: Any step failed; whether it may be believed (audience, time) is the caller's question.

    Source: RFC 7515 §5.2, RFC 8725 §3.1, §3.11
    """
    header = read_unverified_header(unverified_text, max_length=max_length)
    if _normalize_type(header.typ) not in types:
        raise UnverifiableJws("wrong_type")
    keys = tuple(find_keys(header))
    if not keys:
        raise UnverifiableJws("unknown_key")
    fitting = [key for key in keys if header.alg in key.algorithms]
    if not fitting:
        raise UnverifiableJws("wrong_algorithm")
    for key in fitting:
        # joserfc gets one key and the one algorithm, both chosen here: it has no choice left to make.
        registry = _Registry(algorithms=(header.alg,), strict_check_header=False)
        try:
            verified = deserialize_compact(unverified_text, key.key, registry=registry)
        except (JoseError, ValueError, TypeError, OverflowError, RecursionError):
            continue
        return verified.payload, key
    raise UnverifiableJws("forged_signature")


def _split(text: str, max_length: int) -> tuple[str, str, str]:
    if len(text) > max_length:
        raise UnverifiableJws("too_long")
    match text.split("."):
        case [header, payload, signature] if text.isascii() and payload and signature:
            return header, payload, signature
        case _:
            raise UnverifiableJws("malformed")


def _read_header(encoded: str) -> JwsHeader:
    if len(encoded) > MAX_HEADER_LENGTH:
        raise UnverifiableJws("too_long")
    try:
        header = _decode_header(decode_base64url(encoded))
    except UNREADABLE_JSON:
        raise UnverifiableJws("malformed") from None
    for name in FORBIDDEN:
        if getattr(header, name) is not msgspec.UNSET:
            raise UnverifiableJws("forbidden_header")
    return header


def _normalize_type(typ: str | None) -> str | None:
    """RFC 7515 §4.1.9: a media type, in any letter case, mostly without "application/"."""
    return None if typ is None else typ.lower().removeprefix(_TYPE_PREFIX)


def decode_base64url(text: str) -> bytes:
    """Give the bytes of base64url without padding; one spelling only.

    Raises:
        UnverifiableJws: Other characters, padding, or spare bits set.

    Source: RFC 7515 §2
    """
    try:
        decoded = binascii.a2b_base64(
            text.translate(_FROM_URL).encode("ascii") + b"=" * (-len(text) % 4), strict_mode=True
        )
    except ValueError:  # UnicodeEncodeError is one
        raise UnverifiableJws("malformed") from None
    if encode_base64url(decoded) != text.encode("ascii"):
        raise UnverifiableJws("malformed")
    return decoded


_FROM_URL = str.maketrans("-_+/=", "+/!!!")


def encode_base64url(data: bytes) -> bytes:
    """Give base64url without padding.

    >>> encode_base64url(bytes([251, 239]))
    b'--8'
    """
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


class JwsSigner:
    """Signs with one key, for one type of token."""

    def __init__(self, private_key: PrivateKey, *, algorithm: SigningAlgorithm, kid: str, typ: str) -> None:
        """Encode the header, once.

        Args:
            private_key: Of the algorithm's own kind: anything else is an internal error.
            algorithm: Written as `alg`.
            kid: The public key's thumbprint.
            typ: The type of what is signed, such as `at+jwt`.
        """
        self._sign = _choose_signature(private_key, algorithm)
        header = msgspec.json.encode({"alg": algorithm, "typ": typ, "kid": kid})
        self._head = encode_base64url(header) + b"."

    def sign(self, payload: bytes) -> str:
        """Give the compact serialization: header, payload, signature (RFC 7515 §7.1)."""
        signed = self._head + encode_base64url(payload)
        return (signed + b"." + encode_base64url(self._sign(signed))).decode("ascii")


def _choose_signature(private_key: PrivateKey, algorithm: SigningAlgorithm) -> Callable[[bytes], bytes]:
    match private_key, algorithm:
        case ed25519.Ed25519PrivateKey(), "EdDSA":
            return private_key.sign
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()), "ES256":
            ecdsa = ec.ECDSA(hashes.SHA256())

            def sign_es256(message: bytes) -> bytes:
                r, s = decode_dss_signature(private_key.sign(message, ecdsa))
                return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")  # RFC 7518 §3.4

            return sign_es256
        case rsa.RSAPrivateKey(), "RS256":
            pkcs1, sha256 = padding.PKCS1v15(), hashes.SHA256()
            return lambda message: private_key.sign(message, pkcs1, sha256)
    raise AssertionError("internal error: a signing key of another kind than its algorithm")
