"""The signing keys as a worker uses them: read once, kept until the keys change or the time of one comes.

Reading an RSA key takes some hundred times as long as a signature, so nothing is read for a request.
"""

import hashlib
from dataclasses import dataclass, field

from rowgate.oauth.jws import SIGNING_ALGORITHMS, JwsSigner, SigningAlgorithm, VerificationKeys
from rowgate.oauth.model import NEVER
from rowgate.oauth.signing import (
    SigningKey,
    choose_signing_key,
    make_signer,
    read_verification_keys,
    render_jwks,
)
from rowgate.records import KeyMaterial
from rowgate.service.key_plan import read_signing_keys
from rowgate.service.state import LiveState


@dataclass(frozen=True, slots=True)
class PublishedKeySet:
    """The JSON Web Key Set with what caches ask about it."""

    body: bytes
    etag: bytes  # quoted
    is_empty: bool


@dataclass(slots=True)
class _Read:
    """What the keys come to between two moments; no key begins or ends in between."""

    material: KeyMaterial
    since: float
    until: float
    keys: list[SigningKey]
    chosen: dict[SigningAlgorithm, SigningKey | None] = field(default_factory=dict)
    verification: VerificationKeys | None = None
    published: PublishedKeySet | None = None


class SigningKeys:
    """Our own keys, to sign with, to verify by and to show. Follows the state; used on the event loop."""

    def __init__(self, state: LiveState) -> None:
        """Take the state that holds the keys."""
        self._state = state
        self._signers: dict[tuple[str, str], JwsSigner] = {}  # by kid and type
        self._read: _Read | None = None

    def find_signer(self, algorithm: SigningAlgorithm, typ: str, now: float) -> JwsSigner | None:
        """Give what signs now, or None when there is no key of that algorithm that may.

        Args:
            algorithm: Which one the application asks for.
            typ: The type of token, for its header (RFC 8725 §3.11); one of few.
            now: Seconds since 1970.
        """
        read = self._look(now)
        if algorithm not in read.chosen:
            read.chosen[algorithm] = choose_signing_key(read.keys, algorithm, now)
        key = read.chosen[algorithm]
        if key is None:
            return None
        signer = self._signers.get((key.kid, typ))
        if signer is None:
            signer = self._signers[key.kid, typ] = make_signer(key, typ)
        return signer

    def list_algorithms(self, now: float) -> list[SigningAlgorithm]:
        """Give the algorithms that something can be signed with now."""
        keys = self._look(now).keys
        return [name for name in SIGNING_ALGORITHMS if choose_signing_key(keys, name, now) is not None]

    def verification_keys(self, now: float) -> VerificationKeys:
        """Give the public keys that what we signed is verified by."""
        read = self._look(now)
        if read.verification is None:
            read.verification = read_verification_keys(read.keys, now)
        return read.verification

    def jwks(self, now: float) -> bytes:
        """Give the JSON Web Key Set; see `publish`."""
        return self.publish(now).body

    def publish(self, now: float) -> PublishedKeySet:
        """Give the JSON Web Key Set with its ETag; the same object until it changes.

        Source: RFC 7517 §5; PROTOCOL 115
        """
        read = self._look(now)
        if read.published is None:
            body = render_jwks(read.keys, now)
            etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
            shown = any(key.is_shown(now) for key in read.keys)
            read.published = PublishedKeySet(body, etag, is_empty=not shown)
        return read.published

    def _look(self, now: float) -> _Read:
        read = self._read
        material = self._state.keys
        if read is None or read.material is not material or not read.since <= now < read.until:
            keys = read_signing_keys(material.signing)
            moments = [
                moment for key in keys for moment in (key.not_before, key.retired_at, key.forget_at) if moment != NEVER
            ]
            since = max((moment for moment in moments if moment <= now), default=float("-inf"))
            until = min((moment for moment in moments if moment > now), default=float("inf"))
            read = self._read = _Read(material, since, until, keys)
            kept = {key.kid for key in keys}
            self._signers = {name: signer for name, signer in self._signers.items() if name[0] in kept}
        return read
