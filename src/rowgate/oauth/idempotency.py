"""A request that is sent again because its answer was lost: what makes it the same one, and gives the same answer.

A one-time code or an initial access token is good once, and whoever comes with it a second time may hold a copy. So
the client may send a key of its own making beside it, `Idempotency-Key`, that never went by the way the code came.
Everything that would be random in the answer is then derived from the two together under a key of the home: the same
request gets the same answer, and a copy of the code alone gets nothing. Nothing of it is kept.

Source: draft-ietf-httpapi-idempotency-key-header (the header); what it binds is ours (docs/choices.md)
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence

from rowgate.oauth.errors import InvalidRequest

REPEAT_SECONDS = 600  # 10 min: how long after the first time an answer is given again
SKEW_SECONDS = 10  # between the clocks of replicas
_KEY = re.compile(rb'("?)([A-Za-z0-9_-]{32,128})\1')  # 32 signs hold 128 bits even in hexadecimal
_PURPOSE = b"rowgate repeated request\x00"
_MAX_BYTES = 32  # of one draw: one HMAC


def parse_idempotency_key(values: Sequence[bytes]) -> bytes:
    """Give the key that a request carries, or nothing; the quotes of a structured field may be there.

    >>> parse_idempotency_key([b'"8e03978e-40d5-43e8-bc93-6894a57f9324"'])
    b'8e03978e-40d5-43e8-bc93-6894a57f9324'
    >>> parse_idempotency_key([b"1"])
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidRequest: An Idempotency-Key has 32 to 128 letters, digits, - and _, made at random.

    Raises:
        InvalidRequest: More than one header, or a value that could be guessed by its length.
    """
    if not values:
        return b""
    found = _KEY.fullmatch(values[0].strip())
    if len(values) > 1 or found is None:
        raise InvalidRequest(
            "An Idempotency-Key has 32 to 128 letters, digits, - and _, made at random.", reason="idempotency_key"
        )
    return found[2]


def derive_entropy(key: bytes, *parts: bytes) -> Callable[[int], bytes]:
    """Give what stands in for randomness: the same bytes for the same parts, in the order in which they are drawn.

    As hard to guess as the key and the parts together. The order of the draws is part of what is derived: a draw that
    is added later comes last, or answers that were lost during an upgrade are refused.

    Args:
        key: 32 random bytes of the home.
        parts: What makes the request the same: the code or token, the client's key, and what else must be equal.
    """
    message = _PURPOSE + b"".join(b"%d:%b" % (len(part), part) for part in parts)  # lengths: no two lists are one
    seed = hmac.digest(key, message, hashlib.sha256)
    drawn = 0

    def draw(count: int) -> bytes:
        nonlocal drawn
        assert count <= _MAX_BYTES, "internal error: a draw that is longer than one block"
        drawn += 1
        return hmac.digest(seed, drawn.to_bytes(8, "big"), hashlib.sha256)[:count]

    return draw


def is_repeat_in_time(first_at: float, now: float) -> bool:
    """Tell whether an answer may be given again; a clock that was set back gives no longer time, but ends it."""
    return -SKEW_SECONDS <= now - first_at < REPEAT_SECONDS
