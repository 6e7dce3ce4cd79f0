"""Keys and tokens for the laws, and a forger that writes any header over any payload."""

import json
from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from rowgate.oauth.jwk_set import parse_jwk_set
from rowgate.oauth.jws import JwsSigner, VerificationKeys, encode_base64url
from rowgate.oauth.signing import (
    SigningKey,
    derive_signing_key,
    load_private_key,
    make_signer,
    read_signing_key,
    render_jwks,
)

ALGORITHMS = ("EdDSA", "ES256", "RS256")
NOW = 1_700_000_000


@cache
def make_key(algorithm: str, number: int = 1) -> SigningKey:
    """Give the same key for the same number, except RSA: those are made once a run."""
    if algorithm == "EdDSA":
        return derive_signing_key("EdDSA", bytes([number]) * 32, created_at=0, not_before=0)
    if algorithm == "ES256":
        return derive_signing_key("ES256", bytes([number]) * 48, created_at=0, not_before=0)
    private_key = rsa.generate_private_key(65537, 2048)
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return read_signing_key(pem, created_at=0, not_before=0)


@cache
def make_p384_key() -> tuple[ECKey, bytes]:
    """Give a private key of P-384 and its public set."""
    key = ECKey.import_key(ec.derive_private_key(7, ec.SECP384R1()), parameters={"kid": "p384"})
    return key, json.dumps({"keys": [key.as_dict(private=False)]}).encode()


@cache
def make_jwks(*keys: SigningKey) -> bytes:
    return render_jwks(keys, NOW)


@cache
def make_keys(*keys: SigningKey) -> VerificationKeys:
    return parse_jwk_set(make_jwks(*keys))


def sign(key: SigningKey, payload: Any, typ: str = "JWT") -> str:
    return make_signer(key, typ).sign(payload if isinstance(payload, bytes) else msgspec.json.encode(payload))


def sign_with_header(key: SigningKey, header: Any, payload: Any) -> str:
    """Sign truly, under whatever header."""
    algorithm, private_key = load_private_key(key.private_key)
    signer = JwsSigner(private_key, algorithm=algorithm, kid=key.kid, typ="JWT")
    signer._head = encode_base64url(json.dumps(header).encode()) + b"."
    return signer.sign(msgspec.json.encode(payload))


def write(header: Any, payload: Any, signature: bytes = b"no signature") -> str:
    """Write a token that nobody signed."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return b".".join(encode_base64url(part) for part in parts).decode()


def to_joserfc(key: SigningKey) -> OKPKey | ECKey | RSAKey:
    """Give the private key as another library holds it."""
    kinds: dict[str, type[OKPKey | ECKey | RSAKey]] = {"EdDSA": OKPKey, "ES256": ECKey, "RS256": RSAKey}
    return kinds[key.algorithm].import_key(key.private_key, parameters={"kid": key.kid})
