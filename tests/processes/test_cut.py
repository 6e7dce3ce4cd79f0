"""A server that is killed in the middle of answers: in no format and no coding does a part look whole."""

import http.client
import socket
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import product
from urllib.parse import urlsplit

import pytest
import zstandard

from processes.conftest import Home
from rowgate.rows.coding import Coding
from rowgate.rows.model import Format
from support.servers import ServerProcess, fetch_token, serve_process

FIRST_BYTES = 100


@contextmanager
def open_stream(server: ServerProcess, token: str, form: Format, coding: Coding) -> Iterator[http.client.HTTPResponse]:
    """Begin to read; the system holds little for this client."""
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as connection:
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
        accepted = coding if coding is Coding.IDENTITY else f"{coding}, identity;q=0"
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": accepted}
        connection.request("GET", f"/api/v1/data/noise/rows?format={form}", headers=headers)
        with connection.getresponse() as answer:
            assert answer.status == 200
            assert answer.headers.get("content-encoding", Coding.IDENTITY) == coding
            yield answer


def read_until_cut(stream: http.client.HTTPResponse, received: bytearray) -> None:
    while part := stream.read1(1 << 20):
        received.extend(part)


@pytest.mark.slow
def test_killed_server_leaves_no_answer_that_looks_whole(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWGATE_MAX_READS_PER_APPLICATION", "32")
    with serve_process(home.path) as server, ExitStack() as held:
        token = fetch_token(server.url, home.made.application.client_id, home.made.client_secret)["access_token"]
        streams = {
            (form, coding): held.enter_context(open_stream(server, token, form, coding))
            for form, coding in product(Format, Coding)
        }
        received = {kind: bytearray(stream.read(FIRST_BYTES)) for kind, stream in streams.items()}
        server.kill()
        for kind, stream in streams.items():
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                read_until_cut(stream, received[kind])
    for (_, coding), part in received.items():
        assert len(part) >= FIRST_BYTES
        if coding is not Coding.IDENTITY:
            reader = zlib.decompressobj(31) if coding is Coding.GZIP else zstandard.ZstdDecompressor().decompressobj()
            assert reader.decompress(bytes(part))
            assert not reader.eof
    assert not any(event["outcome"] == "complete" for event in home.list_events(kind="rows_ended"))
