"""ClickHouse's HTTP interface before chDB, which is ClickHouse as a library: as much of it as its driver asks for.

Run by itself: PORT FOLDER. The engine parses, plans and runs all that comes; each request is a session of its own, with
the settings of its address. Whoever is not the owner has `readonly = 2`, as an account's profile would. What has a
`query_id` bears it as a comment, since the library gives its statements names of their own: KILL QUERY is told so.
"""

import base64
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

OWNER = "owner"
_NO_SETTINGS = frozenset(
    {"client_protocol_version", "compress", "database", "decompress", "default_format", "enable_http_compression"}
    | {"query", "query_id", "quota_key", "role", "session_check", "session_id", "session_timeout", "wait_end_of_query"}
    | {"http_headers_progress_interval_ms", "send_progress_in_http_headers"}
)
_KILL = re.compile(r"KILL QUERY WHERE query_id = '(\w+)'")
_FORMAT = re.compile(r"\s+FORMAT (\w+)\s*\Z")
_CODE = re.compile(r"Code: (\d+)")
_opening = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = ""

    def do_POST(self) -> None:
        told = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        text = f"{told.get('query', '')}\n{body}".strip()
        self._answer(text, told)

    def _answer(self, text: str, told: dict[str, str]) -> None:
        is_begun = False
        with _opening:
            session = chdb.connect(self.folder)
        try:
            for piece in self._run(session, text, told):
                if not is_begun:
                    self._begin(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    is_begun = True
                self._write(piece)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # who asked is gone
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 - the library has one kind; what it is its text says
            said = f"{error}".encode()
            self.close_connection = is_begun
            if is_begun:
                self._write(b"\n" + said)  # as the server does it, and then the answer has no end
                return
            found = _CODE.search(f"{error}")
            self._begin(500)
            self.send_header("X-ClickHouse-Exception-Code", found[1] if found else "0")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
        finally:
            with _opening:
                session.close()

    def _run(self, session: "chdb.connection", text: str, told: dict[str, str]) -> Iterator[bytes]:
        if told.get("database"):
            session.query(f"USE `{told['database']}`")
        for name, value in told.items():
            if name not in _NO_SETTINGS:
                session.query(f"SET {name} = '{value}'")
        if self._find_user() != OWNER:
            session.query("SET readonly = 2")
        named = _FORMAT.search(text)
        form = named[1] if named else told.get("default_format", "TabSeparated")
        text = _KILL.sub(r"KILL QUERY WHERE query LIKE '/* \1 */%'", text)
        if not text.upper().startswith(("SELECT", "WITH")):
            yield session.query(text, form).bytes()
            return
        result = session.send_query(f"/* {told.get('query_id', '')} */ {text}", form)
        try:
            piece = b""
            while (got := result.fetch()) is not None and (piece := got.bytes()):
                yield piece
            if not piece:
                yield b""
        finally:
            result.cancel()

    def _begin(self, status: int) -> None:
        self.send_response(status)
        self.send_header("X-ClickHouse-Timezone", "UTC")

    def _write(self, piece: bytes) -> None:
        if piece:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _find_user(self) -> str:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            return base64.b64decode(given).decode().partition(":")[0]
        return self.headers.get("X-ClickHouse-User", "")

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(port: int, folder: str) -> None:
    _Handler.folder = folder
    keeper = chdb.connect(folder)  # with the last session the engine would end
    with _Server(("127.0.0.1", port), _Handler) as server:
        sys.stdout.write(str(keeper.query("SELECT version()", "TSVRaw")).strip() + "\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
