"""Rotated refresh tokens: what a presented token gets, decided from a record of three numbers.

The tokens of a family are numbered from 0, the first that was issued. The store keeps one record for a family: the
number of the current token and when it became current. Nothing is kept of a token itself, for everything in it is
settled by family and number:

- its token id is `derive_token_id(key, family, number)`, and number 0 is the family's own handle;
- sealing takes its nonce from the token id, so equal records give equal tokens;
- the record of a successor is that of the presented token with `issued_at` = `int(rotated_at)` of the family. Its
  expiry is the family's, never moved (PROTOCOL 83).

So a client whose answer was lost, and every one of twenty that asked at once, is given the same successor. (After a
change of the sealing key in between, another text of the same successor: it has the same token id and both open.)

The caller's part: read the family, decide, and for `Rotate` write `current = successor, rotated_at = now` only where
`current` is still what was read (one statement); if it was not, read and decide again. `Reuse` is written (revoked)
before the refusal is answered.
"""

import hashlib
import hmac
from dataclasses import dataclass

from rowgate.oauth.errors import InvalidGrant
from rowgate.oauth.model import RefreshFamily

GRACE_SECONDS = 10
TOKEN_ID_BYTES = 16
_PURPOSE = b"rowgate refresh token id\x00"


@dataclass(frozen=True, slots=True)
class Rotate:
    """The presented token is the current one: make its successor current, and give that."""

    successor: int


@dataclass(frozen=True, slots=True)
class Same:
    """The presented token was rotated a moment ago: give the same successor again, and write nothing."""

    successor: int


@dataclass(frozen=True, slots=True)
class Reuse:
    """A token that was replaced has come back: revoke the family, then refuse with invalid_grant.

    A value and no error, for it changes something.
    """

    reason: str  # private, stable word


RotationDecision = Rotate | Same | Reuse


def derive_token_id(key: bytes, family: bytes, number: int) -> bytes:
    """Give the token id of a family's token: 16 bytes that nobody can foretell without the key.

    Args:
        key: 32 bytes, used for this alone, the same for the family's whole life.
        family: 16 bytes, the handle of the family.
        number: 0 for the first token.
    """
    if number == 0:
        return family
    return hmac.digest(key, _PURPOSE + family + number.to_bytes(8, "big"), hashlib.sha256)[:TOKEN_ID_BYTES]


def find_presented_number(key: bytes, family: bytes, token_id: bytes, current: int) -> int | None:
    """Give the number of a token that has been opened, when it is the current one or the one before.

    None means every other token of the family: older, or of a state that this store has never seen.
    """
    for number in (current, current - 1):
        if number >= 0 and hmac.compare_digest(derive_token_id(key, family, number), token_id):
            return number
    return None


def decide_rotation(
    presented_number: int | None, family: RefreshFamily, *, now: float, grace_seconds: int = GRACE_SECONDS
) -> RotationDecision:
    """Give what is to happen with a presented refresh token that opened, is its client's and has not expired.

    Args:
        presented_number: What `find_presented_number` gave.
        family: As it stands now.
        now: Seconds since 1970.
        grace_seconds: How long after its rotation a token may be repeated; 0 = never.

    Raises:
        InvalidGrant: The family is revoked already; nothing changes.

    Source: RFC 9700 §4.14.2; PROTOCOL 79-81 (the token before the previous one is reuse within the grace, too)
    """
    if family.revoked:
        raise InvalidGrant("The refresh token is revoked.", reason="revoked_family")
    if presented_number == family.current:
        return Rotate(family.current + 1)
    if presented_number is None or presented_number != family.current - 1:
        return Reuse("replaced_long_ago")
    # as far before the rotation as after it, for workers' clocks differ; one that jumped back gives no longer grace
    if abs(now - family.rotated_at) < grace_seconds:
        return Same(family.current)
    return Reuse("replaced_before_the_grace")
