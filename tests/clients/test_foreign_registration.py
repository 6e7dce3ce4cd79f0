"""A client in JavaScript registers itself over TLS against `rowgate serve`, and works with what it was given."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.foreign import ForeignClient, Refused, list_clients
from rowgate.config import Settings
from support.certificates import make_certificate
from support.client_keys import ClientKey
from support.homes import administer, make_home
from support.servers import serve_process

pytestmark = pytest.mark.foreign_clients
VIEW = "SA_ADInventory_UsersView"
registering_client = pytest.mark.parametrize("name", list_clients("register"))


@dataclass(frozen=True)
class World:
    """A server process that speaks TLS and registers clients, and its home."""

    url: str
    cert: Path
    settings: Settings

    def ask(self, name: str, ability: str, **command: Any) -> Any:
        rows_url = f"{self.url}/api/v1/data/{VIEW}/rows?limit=3"
        return ForeignClient(name, self.cert).ask(ability, **{"issuer": self.url, "rows_url": rows_url, **command})

    def make_token(self) -> str:
        with administer(self.settings) as desks:
            made = desks.registrations.add_token((VIEW,), scope="read", lifetime_seconds=600)
        return made.initial_access_token


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("foreign-registration")
    cert, key = make_certificate(directory)
    settings = make_home(directory / "home", sample_database)
    lines = f'database = "sqlite:///{sample_database}"\nclient_registration = true\n'
    (settings.home / "rowgate.toml").write_text(lines, "utf-8")
    with serve_process(settings.home, "--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as server:
        yield World(server.url, cert, settings)


@registering_client
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_a_client_that_registered_itself_reads_rows(world: World, name: str, method: str) -> None:
    """RFC 7591 §3.2.1, judged by the client."""
    key = ClientKey("ES256")
    metadata: dict[str, Any] = {"client_name": f"foreign {method}", "token_endpoint_auth_method": method}
    if method == "private_key_jwt":
        metadata["jwks"] = {"keys": [key.public]}
    told = world.ask(name, "register", initial_access_token=world.make_token(), metadata=metadata)
    signs = {"private_key": key.private, "algorithm": "ES256"} if method == "private_key_jwt" else {}
    client = {"method": method, "client_id": told["client_id"], "client_secret": told.get("client_secret"), **signs}
    tokens = world.ask(name, "client_credentials", **client)
    assert len(world.ask(name, "rows", **client, access_token=tokens["access_token"])) == 3


@registering_client
def test_a_client_understands_why_it_is_not_registered(world: World, name: str) -> None:
    """RFC 7591 §3.2.2, and RFC 6750 §3.1 for the token."""
    token = world.make_token()
    for metadata, error in (
        ({"redirect_uris": ["https://client.example/"]}, "invalid_redirect_uri"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
    ):
        with pytest.raises(Refused) as refused:
            world.ask(name, "register", initial_access_token=token, metadata=metadata)
        assert refused.value.told == {"status": 400, "error": error}
    world.ask(name, "register", initial_access_token=token, metadata={})
    with pytest.raises(Refused) as refused:
        world.ask(name, "register", initial_access_token=token, metadata={})
    assert refused.value.told == {"status": 401, "scheme": "bearer", "error": "invalid_token"}
