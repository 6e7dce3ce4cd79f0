"""A server that is killed in the middle of answers: in no format does a part look whole."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import pytest

from processes.conftest import Home
from rowgate.rows.model import Format
from support.servers import ServerProcess, fetch_token, serve_process


@contextmanager
def open_stream(server: ServerProcess, token: str, query: str) -> Iterator[http.client.HTTPResponse]:
    """Begin to read; the first bytes are there, and little more."""
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as connection:
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.request("GET", f"/api/v1/data/endless/rows?{query}", headers={"Authorization": f"Bearer {token}"})
        with connection.getresponse() as answer:
            assert answer.status == 200
            assert answer.read(100)
            yield answer


def test_killed_server_leaves_no_answer_that_looks_whole(home: Home) -> None:
    with serve_process(home.path) as server, ExitStack() as held:
        token = fetch_token(server.url, home.made.application.client_id, home.made.client_secret)["access_token"]
        streams = {form: held.enter_context(open_stream(server, token, f"format={form}")) for form in Format}
        server.kill()
        for stream in streams.values():
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                stream.read()
    assert not any(event["outcome"] == "complete" for event in home.list_events(kind="rows_ended"))
