"""Streams over HTTP on every engine, in each format and coding: a whole one proves itself, a cut one never looks it."""

import base64
import gzip
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from engines.road_tables import TYPED_ROWS
from engines.roads import Road
from engines.test_formats_served import READERS
from rows.harness import address
from rows.raw import RawAnswer, ask_raw
from rows.streams import wait_for_end_of

CODINGS = ("identity", "gzip", "zstd")
_ALWAYS = (("json", "identity"), ("csv", "gzip"), ("arrow", "zstd"))  # the others by `make test-engines`
WAYS = [
    pytest.param(form, coding, marks=() if (form, coding) in _ALWAYS else pytest.mark.engines)
    for form in READERS
    for coding in CODINGS
]
# Engines that compute what the tests have before they give the first row: there a read that fails is refused.
COMPUTE_FIRST = ("trino", "clickhouse")
_unzstd = zstandard.ZstdDecompressor()


def accept(coding: str) -> str:
    """Give what has an answer sent in that coding alone, also one that is compressed by itself."""
    return coding if coding == "identity" else f"{coding}, identity;q=0"


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "zstd": lambda coded: _unzstd.decompressobj().decompress(coded),
}


def _digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize(("form", "coding"), WAYS)
def test_a_whole_stream_proves_itself(every_road: Road, form: str, coding: str) -> None:
    """By the number of its rows and the digests, at its end and on record."""
    answer: RawAnswer
    (answer,) = ask_raw(every_road, "typed", f"format={form}", accept_encoding=accept(coding))
    plain = DECODERS[coding](answer.body)
    assert answer.headers.get("content-encoding", "identity") == coding
    told = answer.trailers or answer.headers  # of what is one block the head tells
    assert told["rowgate-rows"] == str(len(TYPED_ROWS))
    assert told["repr-digest"] == _digest(answer.body)
    assert told.get("unencoded-digest", _digest(plain)) == _digest(plain)
    assert len(READERS[form](httpx.Response(200, content=plain))) == len(TYPED_ROWS)
    ended = wait_for_end_of(every_road, answer.headers["x-request-id"])
    assert (ended["outcome"], ended["rows"]) == ("complete", len(TYPED_ROWS))
    assert ended["sha256"] == hashlib.sha256(plain).hexdigest()


def _begin(coding: str) -> Any:
    """Give what decodes as much of a stream as there is, and tells whether that was all."""
    return zlib.decompressobj(31) if coding == "gzip" else _unzstd.decompressobj()


# What the readers of a format say of a file that has lost its end; those of the others take what there is.
REFUSE: dict[str, tuple[Callable[[bytes], Any], type[Exception]]] = {
    "json": (json.loads, ValueError),
    "parquet": (lambda body: parquet.read_table(io.BytesIO(body)), pa.ArrowInvalid),
    "xlsx": (lambda body: zipfile.ZipFile(io.BytesIO(body)), zipfile.BadZipFile),
}


@pytest.mark.parametrize(("form", "coding"), WAYS)
def test_a_stream_that_fails_late_never_looks_whole(every_road: Road, form: str, coding: str) -> None:
    """To a client of HTTP, to what decodes it, to what reads its format; and it is on record as failed."""
    parts: list[bytes] = []
    asked = {"params": {"format": form}, "headers": {"accept-encoding": accept(coding)}}
    with every_road.client.stream("GET", address("late"), **asked) as answer:  # type: ignore[arg-type]
        if every_road.engine in COMPUTE_FIRST and answer.status_code != 200:
            assert answer.status_code >= 500
            return
        assert answer.status_code == 200, answer.read()[:500]
        with pytest.raises(httpx.RemoteProtocolError):  # so there were no trailer fields either: they follow the end
            parts.extend(answer.iter_raw())
    sent = b"".join(parts)
    plain = sent
    if coding != "identity":
        decoder = _begin(coding)
        plain = decoder.decompress(sent)
        assert not decoder.eof
    assert plain
    if form in REFUSE:
        read, error = REFUSE[form]
        with pytest.raises(error):
            read(plain)
    ended = wait_for_end_of(every_road, answer.headers["x-request-id"])
    assert ended["outcome"] == "failed"
    assert ended["reason"]
