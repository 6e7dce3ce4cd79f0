"""Which content coding a client gets, by its Accept-Encoding (RFC 9110 §12.5.3)."""

import pytest

from rowgate.rows.coding import Coding
from rowgate.rows.errors import NotAcceptable
from rowgate.web.negotiation import choose_coding

ZSTD, GZIP, IDENTITY = Coding.ZSTD, Coding.GZIP, Coding.IDENTITY
CHOICES = [
    ("", IDENTITY, True),
    ("identity", IDENTITY, True),
    ("br", IDENTITY, True),
    ("gzip", GZIP, True),
    ("GZip", GZIP, True),
    ("x-gzip", GZIP, True),
    ("gzip, deflate, br, zstd", ZSTD, True),
    ("zstd;q=0.5, gzip;q=0.8", GZIP, True),
    ("gzip;q=0.8,zstd;q=0.8", ZSTD, True),
    ("gzip ; q=0.5 , identity ; q=0.9", IDENTITY, True),
    ("gzip;q=0.5, identity;q=0.5", GZIP, True),
    ("gzip;q=0", IDENTITY, True),
    ("gzip;q=nonsense", IDENTITY, True),
    ("gzip;q=2", IDENTITY, True),
    ("gzip;q=nan", IDENTITY, True),
    ("*", ZSTD, True),
    ("*, zstd;q=0", GZIP, True),
    ("*;q=0", None, False),
    ("*;q=0, identity", IDENTITY, True),
    ("gzip, *;q=0", GZIP, False),
    ("identity;q=0", None, False),
    ("identity;q=0, br", None, False),
    ("identity;q=0, gzip;q=0.001", GZIP, False),
    ("gzip;q=1.000, identity;q=0.000", GZIP, False),
    (",,", IDENTITY, True),
]


@pytest.mark.parametrize(("accepted", "best", "may_be_plain"), CHOICES)
def test_coding_is_chosen(accepted: str, best: Coding | None, *, may_be_plain: bool) -> None:
    if best is None:
        with pytest.raises(NotAcceptable) as refused:
            choose_coding(accepted.encode())
        assert refused.value.field == "Accept-Encoding"
        return
    chosen = choose_coding(accepted.encode())
    assert (chosen.best, chosen.may_be_plain) == (best, may_be_plain)


def test_client_that_says_nothing_gets_no_coding() -> None:
    assert choose_coding(None).best is IDENTITY
