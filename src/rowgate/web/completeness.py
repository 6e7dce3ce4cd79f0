"""What a client is told so that it can prove an answer whole: how many rows there were, and digests of the body.

A whole answer has them among its headers. A streamed one announces them, and has them after its last part.
"""

from base64 import b64encode

from rowgate.rows.coding import Coding
from rowgate.service.reading import Reading
from rowgate.web.exchange import Headers, PreparedHeaders


def announce(reading: Reading) -> Headers:
    """Give the headers of an answer whose end is not yet known.

    Sent without waiting for `TE: trailers`: whoever has no use for trailer fields reads past them.

    Source: RFC 9110 §6.6.2
    """
    if reading.body.coding is Coding.IDENTITY:
        return [(b"trailer", b"Repr-Digest, Rowgate-Rows")]
    return [*_tell_coding(reading), (b"trailer", b"Repr-Digest, Unencoded-Digest, Rowgate-Rows")]


def tell_end(reading: Reading) -> PreparedHeaders:
    """Give the fields that tell of an answer whose last part is in hand.

    Repr-Digest is of what is sent, coded as it is; Unencoded-Digest of what a client has when it has decoded that.

    Source: RFC 9530 §3; draft-ietf-httpbis-unencoded-digest; a number, RFC 9651 §3.3.1
    """
    body = reading.body
    fields = [(b"repr-digest", _render_digest(body.sent_digest))]
    if body.coding is not Coding.IDENTITY:
        fields.append((b"unencoded-digest", _render_digest(body.digest)))
    return PreparedHeaders([*fields, (b"rowgate-rows", b"%d" % reading.rows)])


def tell_whole(reading: Reading) -> PreparedHeaders:
    """Give the headers of an answer that is sent at once."""
    end = tell_end(reading)
    coding = _tell_coding(reading)
    return PreparedHeaders([*coding, *end.pairs]) if coding else end


def _tell_coding(reading: Reading) -> Headers:
    coding = reading.body.coding
    return [] if coding is Coding.IDENTITY else [(b"content-encoding", coding.value.encode())]


def _render_digest(digest: bytes) -> bytes:
    return b"sha-256=:%b:" % b64encode(digest)
