"""The cursor of a page: where it ended, sealed, good for its application and its query alone.

It may hold values of columns that the reader does not get, so it is encrypted: AES-256-GCM-SIV (RFC 8452). The nonce
is made of what is sealed; the mode is safe when nonces come again, and the same place gives the same cursor.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from rowgate.oauth.jws import decode_base64url, encode_base64url
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Plan, Value
from rowgate.rows.paging import go_on_after, identify_query
from rowgate.rows.request import MAX_CURSOR

_PURPOSE = b"rowgate page cursor\x00"
_NONCE_BYTES = 12
_STEP_BYTES = 64  # cursors are as long as several of these: the length of what is in them is not told
_END = b"\x80"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Seal = Callable[[Sequence[Value]], str]


class Cursors:
    """Seals and opens cursors with a key of the home, so that every worker takes those of the others."""

    def __init__(self, digest_key: bytes) -> None:
        """Take the key that the key of the cursors is made of (32 bytes)."""
        self._key = hmac.digest(digest_key, _PURPOSE, hashlib.sha256)
        self._cipher = AESGCMSIV(self._key)

    def open_page(self, plan: Plan, cursor: str, application_number: int) -> tuple[Plan, Seal]:
        """Give the plan of the page that a cursor asks for, and what seals the cursor of the one after it.

        Args:
            plan: The plan of the first page.
            cursor: What the reader sent; empty for the first page.
            application_number: Who reads.

        Raises:
            InvalidParameter: It is not a cursor of this query.
        """
        query = b"%d:%b" % (application_number, identify_query(plan))

        def seal(place: Sequence[Value]) -> str:
            return self._seal(place, query)

        if not cursor:
            return plan, seal
        going_on = go_on_after(plan, self._open(cursor, query))
        if going_on is None:
            raise _refuse()
        return going_on, seal

    def _seal(self, place: Sequence[Value], query: bytes) -> str:
        content = _encode(tuple(place)) + _END
        content += bytes(-len(content) % _STEP_BYTES)
        nonce = hmac.digest(self._key, query + content, hashlib.sha256)[:_NONCE_BYTES]
        sealed = encode_base64url(nonce + self._cipher.encrypt(nonce, content, query)).decode()
        if len(sealed) > MAX_CURSOR:
            raise InvalidParameter(
                "The values sorted by are too long for a cursor.", field="orderby", expected="columns of short values"
            )
        return sealed

    def _open(self, cursor: str, query: bytes) -> tuple[Value, ...]:
        try:
            raw = decode_base64url(cursor)
            content = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], query)
        except (ValueError, InvalidTag):  # UnverifiableJws is one
            raise _refuse() from None
        return tuple(_decode(content.rstrip(b"\0")[: -len(_END)]))


def _refuse() -> InvalidParameter:
    return InvalidParameter(
        "The cursor is not one of this query.",
        field="cursor",
        expected="the cursor of the page before, with the same object, filters and orderby; or nothing, to begin again",
    )
