"""Cross-origin requests from web pages: only from origins on the list, never with cookies (PROTOCOL 4 to 6)."""

from rowgate.web.exchange import Exchange, Head, Headers

_EXPOSED = (
    b"WWW-Authenticate, Retry-After, X-Request-Id, ETag, Link, Rowgate-Next-Cursor, Rowgate-Count, Rowgate-Rows, "
    b"Repr-Digest, Unencoded-Digest, DPoP-Nonce, Client-Secret-Expires"
)
_ALLOWED_HEADERS = b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, DPoP"
_MAX_AGE_SECONDS = b"600"


class Cors:
    """Marks answers for the origins that may read them."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        """Take the origins, as browsers write them: `https://app.example.com`."""
        self._origins = frozenset(origin.encode() for origin in origins)

    def mark(self, head: Head) -> Headers:
        """Give the headers for the answer, whatever it will be, errors included."""
        if not self._origins:
            return []
        origin = head.find_header(b"origin")
        if origin not in self._origins:
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    async def respond_options(self, exchange: Exchange, allow: bytes) -> None:
        """Answer OPTIONS, preflight or not; nobody has to authenticate for it (RFC 9110 §9.3.7)."""
        headers: Headers = [(b"allow", allow)]
        if exchange.find_header(b"origin") in self._origins:
            headers += [
                (b"access-control-allow-methods", allow),
                (b"access-control-allow-headers", _ALLOWED_HEADERS),
                (b"access-control-max-age", _MAX_AGE_SECONDS),
            ]
        await exchange.begin(204, headers)
        await exchange.send_part(b"", is_last=True)
