"""Signing keys: which one signs, which ones are shown, and when the next one is made.

A key's life is four times: made, first signature (`not_before`), last signature (`retired_at`), gone
(`forget_at`). It is shown from the first to the last of them. Rule: whoever holds a copy of the key set that is
`max_age_seconds` old can still verify every token that lives.

No randomness here: `derive_signing_key` makes EdDSA and ES256 keys from random bytes that the caller brings; an
RSA key, whose search for primes wants a generator, is made by the caller and read by `read_signing_key`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey, OKPKey, RSAKey

from rowgate.oauth.jwk_set import MIN_RSA_BITS
from rowgate.oauth.jws import JwsSigner, PrivateKey, SigningAlgorithm, VerificationKey, VerificationKeys
from rowgate.oauth.model import NEVER

SKEW_SECONDS = 60  # between replicas, and for a new key to reach them all
RANDOM_BYTES: Final = {"EdDSA": 32, "ES256": 48}  # ES256: 16 more than the order, so that reducing is not biased
# Order of the group of P-256, SEC 2 §2.4.2
_P256_ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551


class UnusableSigningKey(ValueError):
    """The private key cannot be read or is of no supported kind."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the times of its life, in seconds since 1970."""

    kid: str  # RFC 7638 thumbprint
    algorithm: SigningAlgorithm
    private_key: bytes = field(repr=False)  # PKCS#8 PEM, not encrypted: the store encrypts it
    created_at: int  # from then on shown
    not_before: int  # its first signature
    retired_at: int = NEVER  # no signature from then on
    forget_at: int = NEVER  # not shown from then on, and may be removed

    def may_sign(self, now: float) -> bool:
        """Tell whether it signs: begun and not retired."""
        return self.not_before <= now and (self.retired_at == NEVER or now < self.retired_at)

    def is_shown(self, now: float) -> bool:
        """Tell whether the key set shows it: made and not to be forgotten."""
        return self.forget_at == NEVER or now < self.forget_at


def derive_signing_key(
    algorithm: SigningAlgorithm, random_bytes: bytes, *, created_at: int, not_before: int
) -> SigningKey:
    """Give an EdDSA or ES256 key that the random bytes determine.

    Args:
        algorithm: Not RS256.
        random_bytes: As many as `RANDOM_BYTES` says, fresh, used for nothing else.
        created_at: Seconds since 1970.
        not_before: When it may first sign; `plan_rotation` tells.

    Source: RFC 8032 §5.1.5; FIPS 186-5 A.2.1
    """
    assert len(random_bytes) == RANDOM_BYTES.get(algorithm), "internal error: an RSA key, or too few random bytes"
    private_key: PrivateKey
    if algorithm == "EdDSA":
        private_key = ed25519.Ed25519PrivateKey.from_private_bytes(random_bytes)
    else:
        number = int.from_bytes(random_bytes, "big") % (_P256_ORDER - 1) + 1
        private_key = ec.derive_private_key(number, ec.SECP256R1())
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return read_signing_key(pem, created_at=created_at, not_before=not_before)


def read_signing_key(private_key_pem: bytes, *, created_at: int, not_before: int) -> SigningKey:
    """Give the signing key of a private key: Ed25519, P-256, or RSA of at least 2048 bits.

    Raises:
        UnusableSigningKey: Not such a key.

    Source: RFC 7638 §3 (kid)
    """
    algorithm, private_key = load_private_key(private_key_pem)
    kid = _import_public(private_key).thumbprint()
    return SigningKey(kid, algorithm, private_key_pem, created_at, not_before)


def load_private_key(private_key_pem: bytes) -> tuple[SigningAlgorithm, PrivateKey]:
    """Give the key and the one algorithm that it signs with.

    Raises:
        UnusableSigningKey: Not PEM, encrypted, or of another kind.
    """
    try:
        private_key = load_pem_private_key(private_key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableSigningKey("The private key cannot be read.") from None
    match private_key:
        case ed25519.Ed25519PrivateKey():
            return "EdDSA", private_key
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
            return "ES256", private_key
        case rsa.RSAPrivateKey(key_size=bits) if bits >= MIN_RSA_BITS:
            return "RS256", private_key
        case _:
            raise UnusableSigningKey("The private key is of no supported kind: Ed25519, P-256 or RSA from 2048 bits.")


def make_signer(key: SigningKey, typ: str) -> JwsSigner:
    """Give what signs one type of token with a key; keep it, for reading the key costs more than a signature."""
    algorithm, private_key = load_private_key(key.private_key)
    return JwsSigner(private_key, algorithm=algorithm, kid=key.kid, typ=typ)


def choose_signing_key(keys: Iterable[SigningKey], algorithm: SigningAlgorithm, now: float) -> SigningKey | None:
    """Give the key that signs now, the one that began last; None when no key of the algorithm may sign."""
    may_sign = (key for key in keys if key.algorithm == algorithm and key.may_sign(now))
    return max(may_sign, key=lambda key: (key.not_before, key.kid), default=None)


def read_verification_keys(keys: Iterable[SigningKey], now: float) -> VerificationKeys:
    """Give our own public keys, to verify our own tokens by; read once, until the keys change or one is forgotten."""
    return VerificationKeys(
        tuple(
            VerificationKey(key.kid, frozenset({key.algorithm}), _import_public(load_private_key(key.private_key)[1]))
            for key in keys
            if key.is_shown(now)
        )
    )


class PublishedJwk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public key as the key set shows it. It has no place for a private member."""

    kty: str
    use: str
    alg: str
    kid: str
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None


def render_jwks(keys: Iterable[SigningKey], now: float) -> bytes:
    """Give the JSON Web Key Set: keys that will sign, do sign, and signed what still lives.

    The same keys give the same bytes, whatever their order, so that a digest of it can serve as its ETag.

    Source: RFC 7517 §4, §5; PROTOCOL 115, 116
    """
    shown = sorted((key for key in keys if key.is_shown(now)), key=lambda key: (key.algorithm, key.not_before, key.kid))
    return msgspec.json.encode({"keys": [_render_jwk(key) for key in shown]})


def _render_jwk(key: SigningKey) -> PublishedJwk:
    algorithm, private_key = load_private_key(key.private_key)
    members = _import_public(private_key).as_dict(private=False)
    return msgspec.convert({**members, "use": "sig", "alg": algorithm, "kid": key.kid}, PublishedJwk)


def _import_public(private_key: PrivateKey) -> OKPKey | ECKey | RSAKey:
    public_key = private_key.public_key()
    match public_key:
        case ed25519.Ed25519PublicKey():
            return OKPKey.import_key(public_key)
        case ec.EllipticCurvePublicKey():
            return ECKey.import_key(public_key)
        case _:
            return RSAKey.import_key(public_key)


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """A key to make now: shown from `created_at`, signing from `not_before`."""

    algorithm: SigningAlgorithm
    created_at: int
    not_before: int


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """What to do now. Doing it and planning again at the same time gives an empty plan."""

    make: tuple[PlannedKey, ...]
    promote: tuple[str, ...]  # kid of each key that has taken over from one in `retire`: for the record only
    retire: tuple[SigningKey, ...]  # as they are to be kept from now on
    forget: tuple[str, ...]  # kid of each key to remove

    def __bool__(self) -> bool:
        return bool(self.make or self.retire or self.forget)


def plan_rotation(
    keys: Collection[SigningKey],
    now: int,
    *,
    algorithms: Collection[SigningAlgorithm],
    max_age_seconds: int,
    longest_lifetime_seconds: int,
    rotate_every_seconds: int,
) -> RotationPlan:
    """Give what to make, promote, retire and forget. Called as often as one likes; late is safe.

    1. Forget what has been retired for longer than any token lives.
    2. For each algorithm: what signs now stays; older keys that could still sign are retired, and shown until
       the last token that they may have signed is dead.
    3. A successor is made so early that it is `max_age_seconds` on show before it signs. Where nothing can sign
       it signs at once: a verifier that has to fetch the set again is better off than one without tokens.
    4. Keys of algorithms that are no longer wanted are retired.

    Args:
        keys: All that are kept.
        now: Seconds since 1970.
        algorithms: What is to be signed with.
        max_age_seconds: How long a copy of the key set may be kept.
        longest_lifetime_seconds: Of anything that is signed.
        rotate_every_seconds: From one first signature to the next; more than `max_age_seconds`.

    Source: PROTOCOL 116; RFC 7517 §8.5 leaves it to us
    """
    lead_seconds = max_age_seconds + SKEW_SECONDS
    forget_at = now + longest_lifetime_seconds + SKEW_SECONDS
    make: list[PlannedKey] = []
    promote: list[str] = []
    retire: list[SigningKey] = []
    for algorithm in sorted(algorithms):
        living = [key for key in keys if key.algorithm == algorithm and key.retired_at == NEVER]
        current = choose_signing_key(living, algorithm, now)
        coming = [key for key in living if key.not_before > now]
        older = [key for key in living if current is not None and key.may_sign(now) and key.kid != current.kid]
        retire += [replace(key, retired_at=now, forget_at=forget_at) for key in older]
        if current is None:
            # a coming key is left to begin in its time: a copy of the set that lacks it may be about
            make += [PlannedKey(algorithm, now, now)]
        elif not coming and now + lead_seconds >= current.not_before + rotate_every_seconds:
            make += [PlannedKey(algorithm, now, now + lead_seconds)]
        if current is not None and older:
            promote.append(current.kid)
    unwanted = [key for key in keys if key.algorithm not in algorithms and key.retired_at == NEVER]
    retire += [replace(key, retired_at=now, forget_at=forget_at) for key in unwanted]
    forget = tuple(key.kid for key in keys if not key.is_shown(now))
    return RotationPlan(tuple(make), tuple(promote), tuple(retire), forget)
