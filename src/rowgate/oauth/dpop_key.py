"""The public key inside a DPoP proof: which kinds are taken, its thumbprint, and what verifies with it.

A proof is the one place where a client's own key is right: it proves possession of that key and nothing more.
The key is never used for anything else. Rule: only asymmetric algorithms stand in the table, and each names the
one kind of key it goes with, so `none`, a MAC or a key of another kind cannot be reached (RFC 8725 §3.1, §3.2).

The proof is read here and not through a JOSE library: a general one spends twice the time of the signature on
headers and keys, and a proof comes with every request.
"""

import binascii
import hashlib
import re
from collections.abc import Callable
from functools import partial

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

Verifier = Callable[[bytes, bytes], bool]  # (signature, signed bytes)

MIN_RSA_BITS = 2048  # RFC 7518 §3.3
MAX_RSA_BITS = 4096  # a longer key only makes the server work
_MAX_EXPONENT_BYTES = 4

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")


class UnusableKey(ValueError):
    """The key is not a public key that the algorithm goes with."""


class Jwk(msgspec.Struct, frozen=True):
    """The members of a JSON Web Key that matter here.

    Source: RFC 7517 §4, RFC 7518 §6, RFC 8037 §2
    """

    kty: str
    crv: str = ""
    x: str = ""
    y: str = ""
    n: str = ""
    e: str = ""
    # private or symmetric: their presence alone refuses the key
    d: object = msgspec.UNSET
    p: object = msgspec.UNSET
    q: object = msgspec.UNSET
    dp: object = msgspec.UNSET
    dq: object = msgspec.UNSET
    qi: object = msgspec.UNSET
    oth: object = msgspec.UNSET
    k: object = msgspec.UNSET

    def is_private(self) -> bool:
        """Tell whether a member stands in it that a public key does not have."""
        private = (self.d, self.p, self.q, self.dp, self.dq, self.qi, self.oth, self.k)
        return any(member is not msgspec.UNSET for member in private)


def decode_base64url(text: bytes) -> bytes:
    r"""Give the bytes of base64url without padding; one value has one spelling.

    >>> decode_base64url(b"AQAB")
    b'\x01\x00\x01'

    Raises:
        ValueError: Another character, padding, an impossible length, or spare bits that are not zero.

    Source: RFC 7515 §2, RFC 4648 §3.5
    """
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    raw = binascii.a2b_base64(text.translate(_FROM_URL) + b"=" * (-len(text) % 4), strict_mode=True)
    if len(raw) % 3 and encode_base64url(raw[-(len(raw) % 3) :]).encode() != text[-(len(raw) % 3) - 1 :]:
        raise ValueError("spare bits")
    return raw


def encode_base64url(raw: bytes) -> str:
    """Give the bytes as base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def load_verifier(algorithm: str, jwk: Jwk) -> tuple[Verifier, str]:
    """Give what verifies signatures of this algorithm with this key, and the key's thumbprint.

    Args:
        algorithm: A name in `ALGORITHMS`.
        jwk: The presented key; nothing of it has been checked.

    Raises:
        UnusableKey: Private, of another kind or curve, not on the curve, too short or too long.

    Source: RFC 7638 §3 (thumbprint), RFC 7518 §3, RFC 8037 §3.1, RFC 9864 §2
    """
    if jwk.is_private():
        raise UnusableKey
    try:
        return _LOADERS[algorithm](jwk)
    except (ValueError, UnsupportedAlgorithm):  # also what is not base64url, or no point of the curve
        raise UnusableKey from None


def _load_ec(curve: ec.EllipticCurve, name: str, size: int, hashing: ec.ECDSA, jwk: Jwk) -> tuple[Verifier, str]:
    x, y = decode_base64url(jwk.x.encode()), decode_base64url(jwk.y.encode())
    # RFC 7518 §6.2.1.2: the length of this octet string MUST be the full size of a coordinate.
    if jwk.kty != "EC" or jwk.crv != name or len(x) != size or len(y) != size:
        raise UnusableKey
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y)

    def verify(signature: bytes, signed: bytes) -> bool:
        if len(signature) != 2 * size:  # RFC 7518 §3.4
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        return _holds(partial(key.verify, encode_dss_signature(r, s), signed, hashing))

    return verify, _digest(f'{{"crv":"{name}","kty":"EC","x":"{jwk.x}","y":"{jwk.y}"}}')


def _load_ed25519(jwk: Jwk) -> tuple[Verifier, str]:
    if jwk.kty != "OKP" or jwk.crv != "Ed25519":
        raise UnusableKey
    key = Ed25519PublicKey.from_public_bytes(decode_base64url(jwk.x.encode()))

    def verify(signature: bytes, signed: bytes) -> bool:
        return _holds(partial(key.verify, signature, signed))

    return verify, _digest(f'{{"crv":"Ed25519","kty":"OKP","x":"{jwk.x}"}}')


def _load_rsa(scheme: padding.AsymmetricPadding, hashing: SHA256 | SHA384 | SHA512, jwk: Jwk) -> tuple[Verifier, str]:
    modulus, exponent = decode_base64url(jwk.n.encode()), decode_base64url(jwk.e.encode())
    # RFC 7518 §6.3.1.1: the minimum number of octets, so that one key has one thumbprint.
    if jwk.kty != "RSA" or not exponent or len(exponent) > _MAX_EXPONENT_BYTES or 0 in (modulus[:1] + exponent[:1]):
        raise UnusableKey
    number = int.from_bytes(modulus, "big")
    if not MIN_RSA_BITS <= number.bit_length() <= MAX_RSA_BITS:
        raise UnusableKey
    key = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), number).public_key()

    def verify(signature: bytes, signed: bytes) -> bool:
        return _holds(partial(key.verify, signature, signed, scheme, hashing))

    return verify, _digest(f'{{"e":"{jwk.e}","kty":"RSA","n":"{jwk.n}"}}')


def _digest(required_members: str) -> str:
    # The members were decoded strictly, so nothing in them needs escaping.
    return encode_base64url(hashlib.sha256(required_members.encode()).digest())


def _holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except InvalidSignature:
        return False
    return True


def _pss(hashing: SHA256 | SHA384 | SHA512) -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(hashing), salt_length=hashing.digest_size)  # RFC 7518 §3.5


_LOADERS: dict[str, Callable[[Jwk], tuple[Verifier, str]]] = {
    "ES256": partial(_load_ec, ec.SECP256R1(), "P-256", 32, ec.ECDSA(SHA256())),
    "ES384": partial(_load_ec, ec.SECP384R1(), "P-384", 48, ec.ECDSA(SHA384())),
    "ES512": partial(_load_ec, ec.SECP521R1(), "P-521", 66, ec.ECDSA(SHA512())),
    "EdDSA": _load_ed25519,
    "Ed25519": _load_ed25519,
    "PS256": partial(_load_rsa, _pss(SHA256()), SHA256()),
    "PS384": partial(_load_rsa, _pss(SHA384()), SHA384()),
    "PS512": partial(_load_rsa, _pss(SHA512()), SHA512()),
    "RS256": partial(_load_rsa, padding.PKCS1v15(), SHA256()),
    "RS384": partial(_load_rsa, padding.PKCS1v15(), SHA384()),
    "RS512": partial(_load_rsa, padding.PKCS1v15(), SHA512()),
}
ALGORITHMS = tuple(_LOADERS)
