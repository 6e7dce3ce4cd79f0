"""Homes and key sets for the tests of keys on real servers."""

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rowgate import wiring
from rowgate.config import Settings
from rowgate.oauth.model import JWT, ClientPolicy
from rowgate.records import KeyMaterial
from rowgate.service.admin.applications import NewCredentials
from rowgate.store.following import SqlReader
from support.homes import add_application, make_home
from support.servers import wait_until

ISSUER = "https://data.example.com"
JWKS = "/.well-known/jwks.json"
GRANTED = "SA_ServiceAccounts"
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def settings(tmp_path: Path, sample_database: Path) -> Settings:
    """A new home, its keys on a daily schedule, its servers one issuer wherever they listen."""
    return make_home(tmp_path / "home", sample_database, signing_key_days=1, sealing_key_days=1, public_url=ISSUER)


def ask_for_jwt(settings: Settings, algorithm: str) -> NewCredentials:
    """Register an application that asks for tokens signed so."""
    made = add_application(settings, f"signed-{algorithm}", (GRANTED,), secret_expires_at=0)
    chosen: dict[str, Any] = {"access_token_format": JWT, "access_token_algorithm": algorithm}
    with closing(wiring.open_store(settings)) as store, store.changing() as change:
        change.set_policy(made.application.number, ClientPolicy(**chosen))
    return made


def fetch_kids(url: str) -> set[str]:
    """Give the key ids that a server shows; each set is fit to be shown."""
    return check_key_set(fetch_key_set(url))


def fetch_key_set(url: str) -> bytes:
    """Give the key set that a server shows; cheaper than a new httpx client each time."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request("GET", JWKS)
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == 200, body
    return body


def check_key_set(body: bytes) -> set[str]:
    """Hold a key set against PROTOCOL 115; give its key ids."""
    members = json.loads(body)["keys"]
    kids = [member["kid"] for member in members]
    assert len(kids) == len(set(kids))
    assert not any(PRIVATE_MEMBERS & set(member) for member in members)
    return set(kids)


def wait_for_kids(url: str, count: int) -> set[str]:
    """Wait until a server shows so many keys; give their ids."""
    return set(wait_until(lambda: kids if len(kids := fetch_kids(url)) == count else None))


@pytest.fixture
def reader(settings: Settings) -> Iterator[SqlReader]:
    """The home's state, to look at."""
    with closing(wiring.open_reader(settings)) as reader:
        yield reader


def list_private(keys: KeyMaterial) -> list[bytes]:
    """Give what must be found nowhere: every key, as bytes, in hex, and in the base64 of its PEM."""
    raw = [keys.digest, *keys.sealing.values()]
    lines = [line for key in keys.signing for line in key.private_key.splitlines() if not line.startswith(b"--")]
    return [*raw, *(key.hex().encode() for key in raw), *(line for line in lines if len(line) > 20)]


def read_sealing_number(token: str) -> int:
    """Give the number of the key that sealed a token: it stands in the clear in its head."""
    raw = base64.urlsafe_b64decode(token[5:] + "=" * (-len(token[5:]) % 4))
    return int.from_bytes(raw[1:3], "big")
