"""What a client makes an answer depend on: If-Match and If-None-Match (RFC 9110 §13).

Rule: a precondition is looked at once everything else would let the request through, If-Match first (§13.2.2). Tags are
quoted bytes, ours have no comma; b"" stands for an answer that has none.
"""

from collections.abc import Callable, Sequence
from functools import partial

from rowgate.rows.errors import PreconditionFailed
from rowgate.web.exchange import Exchange

_ANY = b"*"


def is_same(if_none_match: bytes, etag: bytes) -> bool:
    """Tell whether a client's copy is the one of this tag; weak ones are compared too.

    >>> is_same(b'"a", W/"b"', b'"b"'), is_same(b"*", b'"b"'), is_same(b'"a"', b'"b"'), is_same(b"", b'"b"')
    (True, True, False, False)

    Source: RFC 9110 §8.8.3.2, §13.1.2
    """
    presented = [tag.removeprefix(b"W/") for tag in _list_tags(if_none_match)]
    return etag in presented or presented == [_ANY]


def is_wanted(if_match: bytes, etag: bytes) -> bool:
    """Tell whether an answer with this tag is one that the client takes; a weak tag is never the same.

    >>> is_wanted(b'"a", "b"', b'"b"'), is_wanted(b'W/"b"', b'"b"'), is_wanted(b'"b"', b""), is_wanted(b"*", b"")
    (True, False, False, True)

    Source: RFC 9110 §8.8.3.2, §13.1.1
    """
    presented = _list_tags(if_match)
    return presented == [_ANY] or (etag != b"" and etag in presented)


def find_wanted(exchange: Exchange) -> Callable[[bytes], bool] | None:
    """Give what tells whether an answer with a tag is wanted; None: any is."""
    return partial(is_wanted, exchange.join_header(b"if-match")) if exchange.list_header(b"if-match") else None


def require_wanted(exchange: Exchange, etag: bytes) -> None:
    """Refuse an answer that is not what the client has made it depend on.

    Raises:
        PreconditionFailed: It has another tag than those in If-Match.
    """
    wanted = find_wanted(exchange)
    if wanted is not None and not wanted(etag):
        raise PreconditionFailed


def _list_tags(header: bytes) -> Sequence[bytes]:
    return [item.strip(b" \t") for item in header.split(b",")]
