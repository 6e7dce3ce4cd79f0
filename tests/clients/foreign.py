"""Clients in other languages: each a program that takes one JSON command and prints one JSON answer.

A new ability (`introspect`, `revoke` …) is a function of that name in a client's program and its name in `CLIENTS`.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.prepare import GO_CLIENT, HERE, find_node

_SECONDS = 60
GRANTS = frozenset({"client_credentials", "refresh", "rows"})
CERTIFICATE = frozenset({"tls"})  # likewise, by its certificate
SIGNING = frozenset({"private_key_jwt", "dpop"})  # which a command of GRANTS asks for by its keys
CLIENTS = {
    "openid-client": GRANTS | SIGNING | CERTIFICATE | {"metadata", "exchange", "introspect", "revoke"},
    "oauth4webapi": GRANTS
    | SIGNING
    | CERTIFICATE
    | {"metadata", "exchange", "introspect", "revoke", "check_token", "signed", "register"},
    "simple-oauth2": GRANTS,
    "golang.org/x/oauth2": GRANTS | CERTIFICATE,
}


class Refused(Exception):
    """The client understood that the server said no; `told` is what it understood."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told)
        self.told = told


def list_clients(ability: str) -> list[str]:
    """Give the names of the clients that can do it."""
    return [name for name, abilities in CLIENTS.items() if ability in abilities]


@dataclass(frozen=True)
class ForeignClient:
    """One client and the certificate that it trusts."""

    name: str
    cert: Path

    def ask(self, ability: str, **command: Any) -> Any:
        """Run the client's program once; give what it got.

        Raises:
            Refused: The server said no, in words that the client understands.
        """
        assert ability in CLIENTS[self.name], f"{self.name} does not know {ability}"
        if self.name == "golang.org/x/oauth2":
            program, trusting = [str(GO_CLIENT)], {"SSL_CERT_FILE": str(self.cert)}
        else:
            program = [*find_node(), str(HERE / "node" / f"{self.name}.mjs")]
            trusting = {"NODE_EXTRA_CA_CERTS": str(self.cert)}
        done = subprocess.run(
            program,
            input=json.dumps({"ability": ability, **command}),
            env=trusting,  # and nothing else: no proxy, no other trust
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {done.stderr}\nWas `make test-clients` what started this?"
        answer = json.loads(done.stdout)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["given"]
