"""gzip and zstd on the way: what arrives is the same, a block at a time, and proven as sent and as read."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.coding import LEAST_CODED_BYTES, Coding, open_coder
from rowgate.rows.encode import COMPRESSED
from rowgate.rows.model import Format
from rows.harness import Reader, address
from rows.raw import ask_raw
from rows.streams import wait_for_end_of

CODED = (Coding.GZIP, Coding.ZSTD)


def _unzstd(coded: bytes) -> bytes:
    """Give what was coded; it must be one whole frame."""
    reader = zstandard.ZstdDecompressor().decompressobj()
    plain = reader.decompress(coded)
    assert reader.eof
    assert not reader.unused_data
    return plain


DECODERS: dict[Coding, Callable[[bytes], bytes]] = {Coding.GZIP: gzip.decompress, Coding.ZSTD: _unzstd}


def told(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize("form", [form for form in Format if form not in COMPRESSED])
@pytest.mark.parametrize("coding", CODED)
def test_streamed_answer_is_the_same_after_decoding(odd: Reader, form: str, coding: Coding) -> None:
    (plain,) = ask_raw(odd, "numbers", f"format={form}&orderby=n")
    coded, again = ask_raw(odd, "numbers", f"format={form}&orderby=n", accept_encoding=coding, times=2)
    assert coded.headers["content-encoding"] == coding
    assert "content-length" not in coded.headers
    assert len(coded.body) < len(plain.body)
    assert DECODERS[coding](coded.body) == DECODERS[coding](again.body) == plain.body
    assert coded.trailers["repr-digest"] == told(coded.body)
    assert coded.trailers["unencoded-digest"] == told(plain.body) == plain.trailers["repr-digest"]
    assert {name.lower() for name in coded.headers["trailer"].split(", ")} == coded.trailers.keys()


@pytest.mark.parametrize("coding", CODED)
def test_answer_that_is_whole_at_once_is_coded_unless_it_is_short(odd: Reader, coding: Coding) -> None:
    (plain,) = ask_raw(odd, "numbers", "limit=900")
    (coded,) = ask_raw(odd, "numbers", "limit=900", accept_encoding=coding)
    assert coded.headers["content-encoding"] == coding
    assert coded.headers["content-length"] == str(len(coded.body))
    assert DECODERS[coding](coded.body) == plain.body
    assert coded.headers["repr-digest"] == told(coded.body)
    assert coded.headers["unencoded-digest"] == told(plain.body)
    (short,) = ask_raw(odd, "numbers", "limit=9", accept_encoding=coding)
    assert len(short.body) < LEAST_CODED_BYTES
    assert "content-encoding" not in short.headers
    assert short.headers["repr-digest"] == told(short.body)
    (forced,) = ask_raw(odd, "numbers", "limit=9", accept_encoding=f"{coding}, identity;q=0")
    assert DECODERS[coding](forced.body) == short.body


@pytest.mark.parametrize("form", sorted(COMPRESSED))
def test_what_is_compressed_by_itself_is_coded_only_where_it_must(odd: Reader, form: str) -> None:
    plain, coded = (
        ask_raw(odd, "numbers", f"format={form}&orderby=n", accept_encoding=accepted)[0]
        for accepted in ("gzip", "gzip, identity;q=0")
    )
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(coded.body) == plain.body


def test_client_that_accepts_no_coding_that_there_is_gets_406(odd: Reader) -> None:
    (answer,) = ask_raw(odd, "numbers", accept_encoding="br, identity;q=0")
    assert answer.status == 406
    assert b"Accept-Encoding" in answer.body


@pytest.mark.parametrize("query", ["limit=9", "limit=900", "cursor=&limit=2000", ""])
@pytest.mark.parametrize("accepted", ["identity", "gzip", "zstd"])
def test_head_tells_what_get_does(odd: Reader, query: str, accepted: str) -> None:
    url = f"{address('numbers')}?{query}"
    (got,) = ask_raw(odd, "numbers", query, accept_encoding=accepted)
    head = odd.client.head(url, headers={"accept-encoding": accepted}).headers
    volatile = {"date", "x-request-id", "transfer-encoding", "rowgate-next-cursor", "link"}
    assert {k: v for k, v in head.items() if k not in volatile} == {
        k: v for k, v in got.headers.items() if k not in volatile
    }
    assert {"Accept", "Accept-Encoding"} <= set(got.headers["vary"].split(", "))


@pytest.mark.parametrize("coding", CODED)
def test_record_tells_the_coding_and_the_digest_before_it(odd: Reader, coding: Coding) -> None:
    (answer,) = ask_raw(odd, "numbers", accept_encoding=coding)
    ended = wait_for_end_of(odd, answer.headers["x-request-id"])
    plain = DECODERS[coding](answer.body)
    assert (ended["coding"], ended["sent_bytes"]) == (coding, len(answer.body))
    assert (ended["sha256"], ended["bytes"]) == (hashlib.sha256(plain).hexdigest(), len(plain))


def test_other_clients_decode_it(odd: Reader) -> None:
    """httpx asks for what it can decode by itself."""
    answer = odd.get("numbers", "orderby=n")
    assert answer.headers["content-encoding"] in CODED
    assert [row["n"] for row in answer.json()] == list(range(4000))


@pytest.mark.parametrize("coding", CODED)
@given(parts=st.lists(st.binary(max_size=3000), min_size=1, max_size=5))
def test_every_part_can_be_read_as_soon_as_it_is_there(coding: Coding, parts: list[bytes]) -> None:
    """And the whole is not taken for whole before its end."""
    coder = open_coder(coding)
    assert coder is not None
    reader = zlib.decompressobj(31) if coding is Coding.GZIP else zstandard.ZstdDecompressor().decompressobj()
    for part in parts:
        assert reader.decompress(coder.code(part)) == part
        assert not reader.eof
    assert reader.decompress(coder.end(b"the end")) == b"the end"
    assert reader.eof
