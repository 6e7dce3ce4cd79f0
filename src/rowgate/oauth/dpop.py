"""Reads and verifies DPoP proofs: that whoever sends a request holds a key (RFC 9449).

What is left to the caller: to refuse a proof whose `replay_handle` it has seen (until `forget_at`), to compare
`jkt` with the key that a token is bound to, and to send a new nonce when `renew_nonce` says so.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from rowgate.oauth.dpop_key import ALGORITHMS, Jwk, UnusableKey, decode_base64url, encode_base64url, load_verifier
from rowgate.oauth.dpop_nonce import MAX_SKEW_SECONDS, NONCE_LIFETIME_SECONDS, find_nonce_age
from rowgate.oauth.errors import (
    BearerRefusal,
    DpopRefusal,
    InvalidDpopProof,
    InvalidDpopProofAtResource,
    InvalidToken,
    MissingToken,
    OAuthError,
    UseDpopNonce,
    UseDpopNonceAtResource,
)
from rowgate.oauth.target_uri import match_target_uri

DPOP = "DPoP"  # the token_type and the authentication scheme, RFC 9449 §5, §7.1
PROOF_TYPE = "dpop+jwt"
DEFAULT_ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")
MAX_PROOF_LENGTH = 4096  # 4 KiB; an RSA-4096 key and its signature take 1.6 KiB
MAX_JTI_LENGTH = 256
MAX_AGE_SECONDS = 60
MAX_AHEAD_SECONDS = 10

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TOO_FAR = 2.0**53  # no time that a clock shows


class _Header(msgspec.Struct, frozen=True):
    typ: str
    alg: str
    jwk: Jwk
    crit: object = msgspec.UNSET


class _Claims(msgspec.Struct, frozen=True):
    jti: str
    htm: str
    htu: str
    iat: int | float
    ath: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class DpopPolicy:
    """What this server takes."""

    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    max_age_seconds: int = MAX_AGE_SECONDS
    max_ahead_seconds: int = MAX_AHEAD_SECONDS
    nonce_keys: tuple[bytes, ...] = field(default=(), repr=False)  # any of them may have made the nonce
    nonce_required: bool = False
    nonce_lifetime_seconds: int = NONCE_LIFETIME_SECONDS

    def __post_init__(self) -> None:
        assert set(self.algorithms) <= set(ALGORITHMS), "internal error: an algorithm that no proof can have"
        assert self.nonce_keys or not self.nonce_required, "internal error: nonces are required and cannot be made"


@dataclass(frozen=True, slots=True)
class DpopProof:
    """A proof that holds for one request."""

    jkt: str  # RFC 7638 thumbprint of the key, SHA-256, base64url
    jti: str  # the client's own text, bounded; not for logs
    issued_at: float  # seconds since 1970, by the client's clock
    forget_at: float  # from then on the proof is refused for its age
    replay_handle: bytes  # 16 bytes: the same for every sending of this jti under this key
    renew_nonce: bool  # more than half of the nonce's life is over: send a new one (RFC 9449 §8.2)


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_claims = msgspec.json.Decoder(_Claims).decode


def verify_dpop_proof(
    headers: Sequence[bytes],
    *,
    method: str,
    url: str,
    now: float,
    policy: DpopPolicy,
    access_token: str | None = None,
) -> DpopProof:
    """Give what the one DPoP header of a request proves.

    1. One header, bounded, of the compact form.
    2. Type, algorithm, no extension that must be understood; the required claims.
    3. Method, URL, time, and with an access token its hash.
    4. The signature, with the key in the header. Everything before it is cheap.
    5. The nonce, so that only who can sign learns whether a nonce is good.

    Args:
        headers: The values of every DPoP header; at least one.
        method: The request's method.
        url: The absolute URL that the client asked for, as the server's configuration says it; a query and a
            fragment are not compared.
        now: Seconds since 1970.
        policy: What the server takes.
        access_token: The token that came with the proof at the resource; None at the token endpoint. With it,
            refusals are those of the resource.

    Raises:
        InvalidDpopProof: The proof does not hold (InvalidDpopProofAtResource with an access token).
        UseDpopNonce: It holds and lacks a good nonce (UseDpopNonceAtResource with an access token).

    Source: RFC 9449 §4.3, §5, §7.1, §8, §9
    """
    try:
        return _verify(headers, method=method, url=url, now=now, policy=policy, access_token=access_token)
    except DpopRefusal as refusal:
        if access_token is None:
            raise
        at_resource = UseDpopNonceAtResource if isinstance(refusal, UseDpopNonce) else InvalidDpopProofAtResource
        raise at_resource(refusal.description, reason=refusal.reason) from None


def _verify(
    headers: Sequence[bytes], *, method: str, url: str, now: float, policy: DpopPolicy, access_token: str | None
) -> DpopProof:
    signed, signature, header, claims = _parse(headers)
    _check_header(header, policy)
    _check_claims(claims, method=method, url=url, now=now, policy=policy)
    if access_token is not None:
        expected = encode_base64url(hashlib.sha256(access_token.encode("utf-8")).digest())
        if claims.ath != expected:
            raise InvalidDpopProof("The DPoP proof is for another access token.", reason="wrong_ath")
    try:
        verify, jkt = load_verifier(header.alg, header.jwk)
    except UnusableKey:
        raise InvalidDpopProof("The key in the DPoP proof is not usable.", reason="unusable_key") from None
    if not verify(signature, signed):
        raise InvalidDpopProof("The signature of the DPoP proof is wrong.", reason="bad_signature")
    handle = hashlib.sha256(f"{jkt}\x00{claims.jti}".encode()).digest()[:16]
    return DpopProof(
        jkt=jkt,
        jti=claims.jti,
        issued_at=claims.iat,
        forget_at=claims.iat + policy.max_age_seconds,
        replay_handle=handle,
        renew_nonce=_check_nonce(claims.nonce, now, policy),
    )


def _parse(headers: Sequence[bytes]) -> tuple[bytes, bytes, _Header, _Claims]:
    # RFC 9449 §4.3: there is not more than one DPoP HTTP request header field.
    if len(headers) != 1:
        raise InvalidDpopProof("There must be one DPoP header.", reason="no_proof" if not headers else "two_proofs")
    text = headers[0].strip(b" \t")
    match = _COMPACT.fullmatch(text) if len(text) <= MAX_PROOF_LENGTH else None
    if match is None:
        raise InvalidDpopProof("The DPoP proof is not a signed JWT.", reason="malformed_proof")
    try:
        header = _decode_header(decode_base64url(match[1]))
        claims = _decode_claims(decode_base64url(match[2]))
        signature = decode_base64url(match[3])
    except (ValueError, RecursionError):  # what msgspec raises is a ValueError
        raise InvalidDpopProof("The DPoP proof cannot be read or lacks a claim.", reason="malformed_proof") from None
    return text[: match.end(2)], signature, header, claims


def _check_header(header: _Header, policy: DpopPolicy) -> None:
    if header.typ != PROOF_TYPE:
        raise InvalidDpopProof("The JWT is not a DPoP proof.", reason="wrong_typ")
    if header.alg not in policy.algorithms:
        raise InvalidDpopProof("The algorithm of the DPoP proof is not accepted.", reason="algorithm_not_accepted")
    if header.crit is not msgspec.UNSET:
        # RFC 7515 §4.1.11: what is listed as critical MUST be understood; nothing is.
        raise InvalidDpopProof("The DPoP proof asks for an extension.", reason="critical_extension")


def _check_claims(claims: _Claims, *, method: str, url: str, now: float, policy: DpopPolicy) -> None:
    if not 0 < len(claims.jti) <= MAX_JTI_LENGTH:
        raise InvalidDpopProof("The jti of the DPoP proof is empty or too long.", reason="bad_jti")
    if claims.htm != method:
        raise InvalidDpopProof("The DPoP proof is for another method.", reason="wrong_htm")
    if not match_target_uri(claims.htu, url):
        raise InvalidDpopProof("The DPoP proof is for another URL.", reason="wrong_htu")
    if not -_TOO_FAR < claims.iat < _TOO_FAR or claims.iat - now > policy.max_ahead_seconds:
        raise InvalidDpopProof("The DPoP proof is from the future.", reason="future_proof")
    if now - claims.iat >= policy.max_age_seconds:
        raise InvalidDpopProof("The DPoP proof is too old.", reason="old_proof")


def _check_nonce(nonce: str | None, now: float, policy: DpopPolicy) -> bool:
    """Tell whether the client should get a new nonce."""
    if not policy.nonce_keys:
        return False  # this server gives none, so the claim means nothing here
    if nonce is None:
        if policy.nonce_required:
            raise UseDpopNonce("The DPoP proof must carry the nonce of this server.", reason="no_nonce")
        return False
    for key in policy.nonce_keys:
        age = find_nonce_age(key, nonce, now)
        if age is not None and -MAX_SKEW_SECONDS <= age < policy.nonce_lifetime_seconds:
            return age * 2 > policy.nonce_lifetime_seconds
    raise UseDpopNonce("The nonce in the DPoP proof is not of this server or too old.", reason="stale_nonce")


def check_bound_key(bound_jkt: str, proof: DpopProof | None) -> None:
    """Refuse an access token that is bound to another key than the one that was proved.

    Args:
        bound_jkt: The key that the token is bound to; empty: to none.
        proof: What the request proved; None when it came as a plain bearer token.

    Raises:
        InvalidToken: A bound token without its proof, or a token bound to none that is sent as DPoP.

    Source: RFC 9449 §4.3 (12), §7.1, §7.2
    """
    if (proof.jkt if proof else "") != bound_jkt:
        raise InvalidToken("The access token is not bound to this key.", reason="other_key")


def render_dpop_challenge(
    refusal: OAuthError | None, *, algorithms: Sequence[str] = DEFAULT_ALGORITHMS, realm: str = "rowgate"
) -> str:
    """Give the WWW-Authenticate value of the scheme DPoP.

    Args:
        refusal: Why; None, or a missing token, gives a challenge without an error code.
        algorithms: What a proof may be signed with.
        realm: Of the server's own choice: no quote and no backslash.

    Source: RFC 9449 §7.1, RFC 6750 §3
    """
    parts = [f'realm="{realm}"']
    if isinstance(refusal, (DpopRefusal, BearerRefusal)) and not isinstance(refusal, MissingToken):
        parts += [f'error="{refusal.code}"', f'error_description="{refusal.description}"']
    parts.append(f'algs="{" ".join(algorithms)}"')
    return f"{DPOP} " + ", ".join(parts)
