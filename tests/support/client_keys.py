"""Keys of clients, with what they sign: assertions (RFC 7523) and DPoP proofs (RFC 9449), made by joserfc."""

import hashlib
import hmac
import json
import uuid
import warnings
from base64 import urlsafe_b64encode
from functools import cached_property
from typing import Any

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def encode_base64url(raw: bytes) -> str:
    """Give the text without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_by_hand(header: Any, payload: Any, secret: bytes = b"") -> str:
    """Write a token with an HMAC over it, or with an empty signature: what no honest library writes."""
    text = ".".join(encode_base64url(json.dumps(part).encode()) for part in (header, payload))
    return f"{text}.{encode_base64url(hmac.digest(secret, text.encode(), 'sha256')) if secret else ''}"


class ClientKey:
    """A private key that a client keeps."""

    def __init__(self, algorithm: str = "ES256", key_id: str = "first") -> None:
        """Make a new one."""
        self.algorithm = algorithm
        self.key_id = key_id

    @cached_property
    def key(self) -> ECKey | OKPKey | RSAKey:
        """The key itself, made when it is first used: many modules of tests have one, and few runs need them all."""
        parameters: Any = {"kid": self.key_id}
        if self.algorithm in ("EdDSA", "Ed25519"):
            return OKPKey.generate_key("Ed25519", parameters)
        if self.algorithm == "RS256":
            return RSAKey.generate_key(2048, parameters)
        return ECKey.generate_key("P-256", parameters)

    @property
    def public(self) -> dict[str, Any]:
        """The public key as a JWK."""
        return dict(self.key.as_dict(private=False))

    @property
    def private(self) -> dict[str, Any]:
        """The private key as a JWK."""
        return dict(self.key.as_dict(private=True))

    @property
    def jwks(self) -> str:
        """The public key as a set, which is what an administrator gets."""
        return json.dumps({"keys": [self.public]})

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        return str(self.key.thumbprint())

    def sign(self, payload: Any, **header: Any) -> str:
        """Sign truly, under whatever header; a member that is `...` is left out."""
        protected = _without({"alg": self.algorithm, "kid": self.key_id, **header})
        registry = jws.JWSRegistry(algorithms=[self.algorithm], strict_check_header=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of the name EdDSA, which most clients write
            return str(jws.serialize_compact(protected, json.dumps(payload), self.key, registry=registry))

    def claim(self, client_id: str, audience: Any, now: float, **changed: Any) -> dict[str, Any]:
        """Give the claims of an assertion; those that are `...` are left out."""
        standing = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": int(now),
            "exp": int(now) + 60,
            "jti": uuid.uuid4().hex,
        }
        return _without({**standing, **changed})

    def assert_client(self, client_id: str, audience: Any, now: float, **changed: Any) -> dict[str, str]:
        """Give the form members that authenticate a client."""
        assertion = self.sign(self.claim(client_id, audience, now, **changed))
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    def prove(self, method: str, url: str, now: float, *, access_token: str = "", **changed: Any) -> str:
        """Give a DPoP proof; changed claims that are `...` are left out, `header` changes its header."""
        header = {"typ": "dpop+jwt", "kid": ..., "jwk": self.public, **changed.pop("header", {})}
        claims = {"jti": uuid.uuid4().hex, "htm": method, "htu": url, "iat": int(now)}
        if access_token:
            claims["ath"] = encode_base64url(hashlib.sha256(access_token.encode()).digest())
        return self.sign(_without({**claims, **changed}), **header)


def _without(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ...}
