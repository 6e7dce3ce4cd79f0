"""Nonces for DPoP proofs, made so that nothing has to be kept of them.

A nonce is base64url of these bytes:

    issued at, seconds since 1970 (5, big-endian) | random (8) | HMAC-SHA-256 over both (first 16)

Every worker and replica with the same key makes nonces that the others take. The key serves this alone.
"""

import hashlib
import hmac

from rowgate.oauth.dpop_key import decode_base64url, encode_base64url

NONCE_RANDOM_BYTES = 8
NONCE_LIFETIME_SECONDS = 300  # 5 min
MAX_SKEW_SECONDS = 10  # between the clocks of replicas
_TIME_BYTES = 5
_TAG_BYTES = 16
_NONCE_BYTES = _TIME_BYTES + NONCE_RANDOM_BYTES + _TAG_BYTES
NONCE_LENGTH = -(-_NONCE_BYTES * 4 // 3)
_PURPOSE = b"rowgate dpop nonce\x00"


def make_nonce(key: bytes, now: float, random: bytes) -> str:
    """Give a nonce for the DPoP-Nonce header.

    Args:
        key: 32 bytes, used for nonces only.
        now: Seconds since 1970.
        random: 8 fresh random bytes.

    Source: RFC 9449 §8 (the characters of a nonce), §11.1
    """
    assert len(random) == NONCE_RANDOM_BYTES, "internal error: a nonce takes 8 random bytes"
    head = int(now).to_bytes(_TIME_BYTES, "big") + random
    return encode_base64url(head + _tag(key, head))


def find_nonce_age(key: bytes, unverified_nonce: str, now: float) -> float | None:
    """Give how many seconds ago a nonce was made with this key, or None when it was not.

    The age of a nonce that another replica has just made may be a little below zero.
    """
    if len(unverified_nonce) != NONCE_LENGTH or not unverified_nonce.isascii():
        return None
    try:
        raw = decode_base64url(unverified_nonce.encode("ascii"))
    except ValueError:
        return None
    head, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(key, head)):
        return None
    return now - int.from_bytes(head[:_TIME_BYTES], "big")


def check_nonce(key: bytes, unverified_nonce: str, now: float, lifetime_seconds: int = NONCE_LIFETIME_SECONDS) -> bool:
    """Tell whether a nonce was made with this key and is not older than its lifetime."""
    age = find_nonce_age(key, unverified_nonce, now)
    return age is not None and -MAX_SKEW_SECONDS <= age < lifetime_seconds


def _tag(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + head, hashlib.sha256)[:_TAG_BYTES]
