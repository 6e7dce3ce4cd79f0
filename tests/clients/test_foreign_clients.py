"""OAuth clients in JavaScript and Go, over TLS against `rowgate serve`; `make test-clients` runs them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.foreign import CLIENTS, ForeignClient, Refused, list_clients
from rowgate.oauth.token_exchange import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from rowgate.service.admin.policies import PolicyChange
from support.certificates import make_certificate
from support.homes import add_application, make_home
from support.servers import serve_process

pytestmark = pytest.mark.foreign_clients
VIEW = "SA_ADInventory_UsersView"
METHODS = ("client_secret_basic", "client_secret_post")
every_client = pytest.mark.parametrize("name", CLIENTS)
every_exchanging_client = pytest.mark.parametrize("name", list_clients("exchange"))
every_method = pytest.mark.parametrize("method", METHODS)


@dataclass(frozen=True)
class World:
    """A server process that speaks TLS, and an application's credentials."""

    url: str
    cert: Path
    credentials: dict[str, str]

    @property
    def command(self) -> dict[str, Any]:
        """What every command says."""
        return {
            "issuer": self.url,
            "token_endpoint": f"{self.url}/api/v1/token",
            "method": "client_secret_basic",
            "rows_url": f"{self.url}/api/v1/data/{VIEW}/rows?limit=3",
            **self.credentials,
        }

    def ask(self, name: str, ability: str, **more: Any) -> Any:
        """Have a client do something."""
        return ForeignClient(name, self.cert).ask(ability, **{**self.command, **more})


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("foreign-clients")
    cert, key = make_certificate(directory)
    settings = make_home(directory / "home", sample_database)
    (settings.home / "rowgate.toml").write_text(f'database = "sqlite:///{sample_database}"\n', "utf-8")
    made = add_application(settings, "foreign", policy=PolicyChange(token_exchange=True))
    credentials = {"client_id": made.application.client_id, "client_secret": made.client_secret}
    with serve_process(settings.home, "--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as server:
        yield World(server.url, cert, credentials)


@pytest.mark.parametrize("name", list_clients("metadata"))
def test_server_is_found_by_its_issuer(world: World, name: str) -> None:
    """RFC 8414 §3: the client checks the issuer itself; what it found is what it is told to find."""
    document = world.ask(name, "metadata")
    assert document["issuer"] == world.url
    assert document["token_endpoint"] == world.command["token_endpoint"]
    assert set(METHODS) <= set(document["token_endpoint_auth_methods_supported"])


@every_method
@every_client
def test_tokens_read_rows_and_are_refreshed(world: World, name: str, method: str) -> None:
    tokens = world.ask(name, "client_credentials", method=method)
    assert tokens["token_type"].lower() == "bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "read"
    first = world.ask(name, "rows", access_token=tokens["access_token"])
    assert len(first) == 3
    again = world.ask(name, "refresh", method=method, refresh_token=tokens["refresh_token"])
    assert again["access_token"] != tokens["access_token"]
    assert world.ask(name, "rows", access_token=again["access_token"]) == first


@every_method
@every_client
def test_wrong_secret_is_understood(world: World, name: str, method: str) -> None:
    """RFC 6749 §5.2: 401 and, by those clients that read a challenge first, its scheme."""
    with pytest.raises(Refused) as refused:
        world.ask(name, "client_credentials", method=method, client_secret="wrong")
    assert refused.value.told["status"] == 401
    assert refused.value.told.get("error") == "invalid_client" or refused.value.told.get("scheme") == "basic"


@every_client
def test_scope_that_is_not_granted_is_understood(world: World, name: str) -> None:
    with pytest.raises(Refused) as refused:
        world.ask(name, "client_credentials", parameters={"scope": "write"})
    assert refused.value.told == {"status": 400, "error": "invalid_scope"}


@every_client
def test_refresh_token_that_is_none_is_understood(world: World, name: str) -> None:
    with pytest.raises(Refused) as refused:
        world.ask(name, "refresh", refresh_token="rgrt_none")
    assert refused.value.told == {"status": 400, "error": "invalid_grant"}


@every_exchanging_client
def test_token_is_exchanged_for_a_narrower_one(world: World, name: str) -> None:
    """RFC 8693 §2.2.1 by the client's own reading of it; the details come back as they were granted."""
    assert TOKEN_EXCHANGE in world.ask(name, "metadata")["grant_types_supported"]
    subject = world.ask(name, "client_credentials")["access_token"]
    details = [{"type": "rowgate_object", "object": VIEW, "columns": ["DisplayName"]}]
    parameters = {
        "subject_token": subject,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "authorization_details": json.dumps(details),
    }
    made = world.ask(name, "exchange", grant_type=TOKEN_EXCHANGE, parameters=parameters)
    assert made["issued_token_type"] == ACCESS_TOKEN_TYPE
    assert made["authorization_details"][0]["columns"] == ["DisplayName"]
    assert [set(row) for row in world.ask(name, "rows", access_token=made["access_token"])] == [{"DisplayName"}] * 3
    with pytest.raises(Refused) as refused:
        world.ask(name, "exchange", grant_type=TOKEN_EXCHANGE, parameters={**parameters, "subject_token": "rgat_none"})
    assert refused.value.told == {"status": 400, "error": "invalid_request"}


@every_method
@pytest.mark.parametrize("name", list_clients("introspect"))
def test_token_is_told_and_revoked(world: World, name: str, method: str) -> None:
    """RFC 7662 §2.2, RFC 7009 §2.2: by the client's own reading; what is revoked reads nothing."""
    tokens = world.ask(name, "client_credentials", method=method)
    for kind in ("access_token", "refresh_token"):
        told = world.ask(name, "introspect", method=method, token=tokens[kind])
        assert told["active"] is True
        assert told["client_id"] == world.credentials["client_id"]
    assert world.ask(name, "revoke", method=method, token=tokens["refresh_token"])
    for kind in ("access_token", "refresh_token"):
        assert world.ask(name, "introspect", method=method, token=tokens[kind]) == {"active": False}
    with pytest.raises(Refused) as refused:
        world.ask(name, "rows", access_token=tokens["access_token"])
    assert refused.value.told["status"] == 401
    with pytest.raises(Refused) as refused:
        world.ask(name, "introspect", method=method, token="a", client_secret="wrong")
    assert refused.value.told["status"] == 401


@every_client
def test_access_token_that_is_none_is_understood(world: World, name: str) -> None:
    with pytest.raises(Refused) as refused:
        world.ask(name, "rows", access_token="rgat_none")
    told = refused.value.told
    assert told["status"] == 401
    assert told.get("error") == "invalid_token" or 'error="invalid_token"' in told["challenge"]


@every_client
def test_server_that_is_not_trusted_gets_nothing(world: World, name: str, tmp_path: Path) -> None:
    """The clients really check the certificate; without that, the tests above would show nothing of TLS."""
    other, _ = make_certificate(tmp_path)
    with pytest.raises(AssertionError, match=r"certificate|fetch failed|self-signed"):
        ForeignClient(name, other).ask("client_credentials", **world.command)
