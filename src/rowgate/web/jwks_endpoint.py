"""/.well-known/jwks.json: the public keys by which others verify what this server signs."""

from rowgate.ports import Clock
from rowgate.service.keys import SigningKeys
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.preconditions import is_same, require_wanted
from rowgate.web.problems import require_get

JWKS_PATH = "/.well-known/jwks.json"


class JwksEndpoint:
    """Serves the JSON Web Key Set of the moment.

    Source: RFC 7517 §5, §8.5; RFC 9110 §13.1, §15.4.5; PROTOCOL 115
    """

    def __init__(self, keys: SigningKeys, clock: Clock, *, max_age_seconds: int) -> None:
        """Take the keys, and for how long a copy of the set may be kept."""
        self._keys = keys
        self._clock = clock
        self._kept = b"public, max-age=%d" % max_age_seconds

    async def __call__(self, exchange: Exchange) -> None:
        """Answer."""
        require_get(exchange.method)
        published = self._keys.publish(self._clock())
        # The first key of all signs at once: a copy of the empty set must not stand in its way.
        kept = b"public, max-age=0" if published.is_empty else self._kept
        require_wanted(exchange, published.etag)
        headers: Headers = [(b"cache-control", kept), (b"etag", published.etag)]
        if is_same(exchange.join_header(b"if-none-match"), published.etag):
            await exchange.begin(304, headers)  # no content-length: it would have to be that of the 200
            await exchange.send_part(b"", is_last=True)
            return
        await exchange.respond(200, [(b"content-type", b"application/jwk-set+json"), *headers], published.body)
