"""A client's key, and what it signs that is good once only: assertions (RFC 7523) and DPoP proofs (RFC 9449)."""

import hashlib
import json
import time
import urllib.parse
import uuid
from base64 import urlsafe_b64encode
from dataclasses import replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from load import Request

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 600


class ClientKey:
    """A P-256 key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        self.public = {"kty": "EC", "crv": "P-256", "x": _encode_number(numbers.x), "y": _encode_number(numbers.y)}

    @property
    def jwks(self) -> str:
        """The public key as a set of one."""
        return json.dumps({"keys": [{**self.public, "kid": "bench", "alg": "ES256"}]})

    def sign(self, header: dict[str, object], claims: dict[str, object]) -> str:
        """A JWT by ES256."""
        text = ".".join(_encode(json.dumps(part).encode()) for part in ({**header, "alg": "ES256"}, claims))
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def prove(self, request: Request, access_token: str = "") -> Request:
        """The request with a fresh proof of this key; with `access_token` a proof of holding that too."""
        claims = {"jti": uuid.uuid4().hex, "htm": request.method, "htu": request.url.partition("?")[0]}
        claims |= {"ath": _encode(hashlib.sha256(access_token.encode()).digest())} if access_token else {}
        proof = self.sign({"typ": "dpop+jwt", "jwk": self.public}, {**claims, "iat": int(time.time())})
        return replace(request, headers=(*request.headers, ("DPoP", proof)))

    def assert_client(self, request: Request, client_id: str, issuer: str) -> Request:
        """The form with a fresh assertion that the client signs for the server of that issuer."""
        claims = {"iss": client_id, "sub": client_id, "aud": issuer, "jti": uuid.uuid4().hex}
        claims |= {"exp": int(time.time()) + _ASSERTION_SECONDS}
        signed = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.sign({"kid": "bench"}, claims)}
        return replace(request, body=f"{request.body}&{urllib.parse.urlencode(signed)}")


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _encode_number(number: int) -> str:
    return _encode(number.to_bytes(32, "big"))
