"""The two tokens of client registration: one that lets a client register, one by which it manages that afterwards.

Neither is kept: both are 256 bits from the server's randomness and known by a keyed SHA-256, as client secrets are.
"""

import hashlib
import hmac
import re

from rowgate.oauth.jws import encode_base64url

INITIAL_PREFIX = "rgit_"
MANAGEMENT_PREFIX = "rgra_"
TOKEN_RANDOM_BYTES = 32  # 256 bits
HANDLE_RANDOM_BYTES = 8
_INITIAL_PURPOSE = b"rowgate initial access token\x00"
_MANAGEMENT_PURPOSE = b"rowgate registration access token\x00"
_INITIAL = re.compile(r"rgit_([0-9a-z]{8})_[A-Za-z0-9_-]{43}")


def render_initial_access_token(handle: str, value: bytes) -> str:
    """Give the text of an initial access token: its handle, and 32 random bytes as 43 signs.

    >>> render_initial_access_token("k1x2y3z4", bytes(32))[:18]
    'rgit_k1x2y3z4_AAAA'

    Source: RFC 7591 §3
    """
    return f"{INITIAL_PREFIX}{handle}_{encode_base64url(value).decode()}"


def find_initial_handle(presented: str) -> str:
    """Give the public handle inside an initial access token of our make, or an empty text."""
    found = _INITIAL.fullmatch(presented)
    return found[1] if found else ""


def digest_initial_access_token(key: bytes, presented: str) -> bytes:
    """Give the 32 bytes that an initial access token is kept as."""
    return hmac.digest(key, _INITIAL_PURPOSE + presented.encode(), hashlib.sha256)


def render_registration_access_token(value: bytes) -> str:
    """Give the text of a registration access token of 32 random bytes.

    Source: RFC 7592 §1.2
    """
    return MANAGEMENT_PREFIX + encode_base64url(value).decode()


def digest_registration_access_token(key: bytes, client_id: str, presented: str) -> bytes:
    """Give the 32 bytes that the registration access token of a client is kept as.

    The client id is part of it: what is kept of one client says nothing of another, even when it is copied there.
    """
    named = b"%d:%b" % (len(client_id.encode()), client_id.encode())
    return hmac.digest(key, _MANAGEMENT_PURPOSE + named + presented.encode(), hashlib.sha256)


def is_registration_access_token(key: bytes, client_id: str, presented: str, kept_digest: str) -> bool:
    """Tell whether it is the one that was kept, in a time that does not depend on the answer."""
    digest = digest_registration_access_token(key, client_id, presented)
    return hmac.compare_digest(digest.hex(), kept_digest)
