"""Sends any bytes as a request, and judges the answer: never a fault, never what the client sent."""

import http.client
import json
import re
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from support.client_keys import ClientKey
from support.servers import RunningServer, ask_until

MARK = "zq7Xmark"  # stands in whatever is made up, and in no answer
FORM = b"application/x-www-form-urlencoded"
VIEW = "SA_ADInventory_UsersView"
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749 §5.2
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    """What came back; `head` is the status line's reason and every header, as text."""

    status: int
    head: str
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class World:
    """A server, two applications, and one connection that is kept for as long as the server keeps it."""

    server: RunningServer
    client_id: str
    client_secret: str
    signing_id: str
    key: ClientKey
    _socket: socket.socket | None = None
    _fresh_until: float = 0.0
    _kept: dict[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> list[str]:
        return [self.client_secret, *self._kept.values()]

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    def keep(self, token: str) -> None:
        """Remember a token: in the end it must not be on record."""
        self._kept[token[-24:]] = token

    def wait(self) -> None:
        """Wait until the server knows both applications; keep tokens to begin with."""
        ask_until(lambda: self.ask_token().status == 200)
        assertion = {"grant_type": "client_credentials"}
        ask_until(lambda: self.post_form("/token", {**assertion, **self.assert_client()}).status == 200)
        tokens = self.ask_token().members
        self._kept = {name: tokens[name] for name in ("access_token", "refresh_token")}

    def assert_client(self) -> dict[str, str]:
        return self.key.assert_client(self.signing_id, self.server.url, self.server.clock())

    @property
    def fresh_token(self) -> str:
        """An access token that is good now: the clock goes on from test to test."""
        if self.server.clock() > self._fresh_until:
            answer = self.ask_token().members
            self._fresh_until = self.server.clock() + answer["expires_in"] / 2
            self._kept["fresh"] = answer["access_token"]
        return self._kept["fresh"]

    @property
    def access_token(self) -> str:
        return self._kept["access_token"]

    @property
    def refresh_token(self) -> str:
        return self._kept["refresh_token"]

    def ask_token(self, **more: str) -> Answer:
        return self.post_form("/token", {"grant_type": "client_credentials", **self.credentials, **more})

    def post_form(self, path: str, members: dict[str, str]) -> Answer:
        return self.send(b"POST", path.encode(), [(b"content-type", FORM)], urlencode(members).encode())

    def send(self, method: bytes, target: bytes, headers: Headers, body: bytes = b"") -> Answer:
        """Send it as it is, with its true length; give the answer, judged."""
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        head = b"%b %b HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n" % (method, target, len(body))
        answer = self._exchange(head + lines + b"\r\n" + body, method.decode())
        judge(answer)
        return answer

    def _exchange(self, request: bytes, method: str) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        self._socket.sendall(request)
        with http.client.HTTPResponse(self._socket, method=method) as response:
            response.begin()
            body = response.read()
            answer = Answer(response.status, f"{response.reason} {response.getheaders()}", body)
            if response.will_close:
                self.close()
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def judge(answer: Answer) -> None:
    """Assert what holds of every answer, whatever was asked."""
    assert answer.status < 500, answer
    assert MARK not in answer.head, answer
    if answer.status < 400 or not answer.body.startswith(b"{"):
        assert MARK.encode() not in answer.body, answer
        return
    members = answer.members
    members.pop("field", None)  # rows name the field that is wrong, in JSON
    assert MARK not in json.dumps(members), answer
    assert _DESCRIPTION.fullmatch(members.get("error_description", "")), answer
