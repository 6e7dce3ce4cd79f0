"""A bare connection, for what no HTTP client would send."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class WireAnswer:
    """One response as it came; header names in lower case, the last of repeated ones."""

    status: int
    headers: dict[str, str]
    body: bytes


def finish_request(request: str) -> bytes:
    """Give the bytes of a request, its length filled in."""
    head, _, body = request.partition("\r\n\r\n")
    raw = body.encode("latin-1")
    return f"{head}\r\n\r\n".replace("<length>", str(len(raw))).encode("latin-1") + raw


def talk(port: int, data: bytes, *, answers: int, half_close: bool = False) -> tuple[list[WireAnswer], bool]:
    """Send bytes; give the answers, at most so many, and whether the server then closed the connection.

    It is not waited for a close that does not come: after the last answer the server gets half a second.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        parsed: list[WireAnswer] = []
        while len(parsed) < answers and (part := connection.recv(65_536)):
            received += part
            while (found := _parse(received)) is not None:
                parsed.append(found[0])
                received = received[found[1] :]
        connection.settimeout(0.5)
        return parsed, _is_closed(connection)


def _parse(received: bytes) -> tuple[WireAnswer, int] | None:
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if len(rest) < length:
        return None
    answer = WireAnswer(int(status_line.split(" ")[1]), headers, rest[:length])
    return answer, len(head) + len(separator) + length


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
