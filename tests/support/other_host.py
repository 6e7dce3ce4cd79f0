"""Another host, for tests of what the server calls: HTTPS on this machine, saying what the test wants."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.certificates import make_certificate, serve_tls


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Said:
    """What is answered; `length` overrides the Content-Length, `seconds` is waited before each part of the body."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    parts: int = 1
    seconds: float = 0.0


@dataclass
class OtherHost:
    """A host that notes what it is asked."""

    url: str
    host: str
    ca_file: str
    say: Callable[[Asked], Said]
    asked: list[Asked] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)  # cleared: answers wait

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a server that may call it."""
        return {"outgoing_private_hosts": (self.host,), "outgoing_ca_file": self.ca_file}


@contextmanager
def run_other_host(directory: Path, *, tls: bool = True) -> Iterator[OtherHost]:
    """Serve until the block ends."""
    cert, key = make_certificate(directory)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            other.asked.append(asked)
            other.hold.wait(20)
            said = other.say(asked)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            size = max(1, -(-len(said.body) // said.parts))
            try:
                for start in range(0, len(said.body), size):
                    time.sleep(said.seconds)
                    self.wfile.write(said.body[start : start + size])
                    self.wfile.flush()
            except OSError:
                self.close_connection = True  # the caller has had enough

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's shape
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A caller that hangs up is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = serve_tls(cert, key).wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    other = OtherHost(
        f"{'https' if tls else 'http'}://127.0.0.1:{port}", f"127.0.0.1:{port}", str(cert), lambda _asked: Said()
    )
    other.hold.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield other
    finally:
        other.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
