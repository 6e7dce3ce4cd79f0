"""Asks over a plain socket and takes an answer apart, trailer fields and all: most clients drop those."""

import socket
from contextlib import closing
from dataclasses import dataclass
from typing import IO

from rows.harness import Reader, address

Fields = dict[str, str]


@dataclass(frozen=True)
class RawAnswer:
    """What came, as it came: `body` is not decoded."""

    status: int
    headers: Fields
    body: bytes
    trailers: Fields


def ask_raw(reader: Reader, name: str, query: str = "", *, times: int = 1, **headers: str) -> list[RawAnswer]:
    """GET rows so many times, one after the other on one connection."""
    told = {"host": "x", "authorization": reader.client.headers["authorization"], **headers}
    lines = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in told.items())
    head = f"GET {address(name)}{'?' if query else ''}{query} HTTP/1.1\r\n{lines}\r\n".encode()
    address_of_server = ("127.0.0.1", reader.server.port)
    with closing(socket.create_connection(address_of_server, 30)) as connection, connection.makefile("rb") as stream:
        answers = []
        for _ in range(times):
            connection.sendall(head)
            answers.append(take_answer(stream))
        return answers


def take_answer(stream: IO[bytes]) -> RawAnswer:
    """Give one answer; it must be whole."""
    status = int(stream.readline().split()[1])
    headers = _take_fields(stream)
    if "content-length" in headers:
        length = int(headers["content-length"])
        body = stream.read(length)
        assert len(body) == length, "the answer was cut"
        return RawAnswer(status, headers, body, {})
    assert headers["transfer-encoding"] == "chunked"
    parts = []
    while size := int(stream.readline(), 16):
        parts.append(stream.read(size))
        assert stream.read(2) == b"\r\n"
    return RawAnswer(status, headers, b"".join(parts), _take_fields(stream))


def _take_fields(stream: IO[bytes]) -> Fields:
    fields: Fields = {}
    while line := stream.readline().decode("latin-1").removesuffix("\r\n"):
        name, _, value = line.partition(": ")
        name = name.lower()
        assert name not in fields or name == "vary", "a field that stands there twice"
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields
