"""What a client is told so that it can prove an answer whole: how many rows there were, and a digest of the body.

A whole answer has both among its headers. A streamed one announces them, and has them after its last part.
"""

from base64 import b64encode

from rowgate.service.reading import Reading
from rowgate.web.exchange import PreparedHeaders

# RFC 9110 §6.6.2. Sent without waiting for `TE: trailers`: whoever has no use for trailer fields reads past them.
ANNOUNCEMENT = (b"trailer", b"Repr-Digest, Rowgate-Rows")


def tell_whole(reading: Reading) -> PreparedHeaders:
    """Give the fields for an answer whose last part is in hand.

    Source: RFC 9530 §3; a number, RFC 9651 §3.3.1
    """
    return PreparedHeaders(
        [
            (b"repr-digest", b"sha-256=:%b:" % b64encode(reading.body.digest)),
            (b"rowgate-rows", b"%d" % reading.rows),
        ]
    )
