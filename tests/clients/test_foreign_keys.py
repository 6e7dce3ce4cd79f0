"""OAuth clients in JavaScript that sign, over TLS against `rowgate serve`: keys, proofs and signed tokens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clients.foreign import ForeignClient, Refused, list_clients
from rowgate.service.admin.policies import PolicyChange
from support.certificates import make_certificate
from support.client_keys import ClientKey
from support.homes import administer, make_home
from support.servers import serve_process

pytestmark = pytest.mark.foreign_clients
VIEW = "SA_ADInventory_UsersView"
ALGORITHMS = ("ES256", "EdDSA", "RS256")
signing_client = pytest.mark.parametrize("name", list_clients("private_key_jwt"))
proving_client = pytest.mark.parametrize("name", list_clients("dpop"))
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


@dataclass(frozen=True)
class World:
    """A server process that speaks TLS, and for every algorithm an application that signs in and is answered by it."""

    url: str
    cert: Path
    keys: dict[str, ClientKey]
    client_ids: dict[str, str]
    proof_key: ClientKey | None = None

    def ask(self, name: str, ability: str, algorithm: str, **more: Any) -> Any:
        """Have a client do something."""
        command: dict[str, Any] = {
            "issuer": self.url,
            "method": "private_key_jwt",
            "client_id": self.client_ids[algorithm],
            "private_key": self.keys[algorithm].private,
            "algorithm": algorithm,
            "rows_url": f"{self.url}/api/v1/data/{VIEW}/rows?limit=3",
            "audience": self.url,
            "token_algorithm": algorithm,
        }
        if self.proof_key:
            command |= {"dpop_key": self.proof_key.private, "dpop_algorithm": self.proof_key.algorithm}
        return ForeignClient(name, self.cert).ask(ability, **{**command, **more})


@pytest.fixture(scope="module", params=[False, True], ids=["no-nonces", "nonces"])
def world(
    sample_database: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("foreign-keys")
    cert, key = make_certificate(directory)
    settings = make_home(directory / "home", sample_database)
    nonces = "true" if request.param else "false"
    lines = f'database = "sqlite:///{sample_database}"\ndpop_nonce_required = {nonces}\n'
    (settings.home / "rowgate.toml").write_text(lines, "utf-8")
    keys = {algorithm: ClientKey(algorithm) for algorithm in ALGORITHMS}
    client_ids = {algorithm: _register(settings, algorithm, key) for algorithm, key in keys.items()}
    with serve_process(settings.home, "--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as server:
        yield World(server.url, cert, keys, client_ids)


def _register(settings: Any, algorithm: Any, key: ClientKey) -> str:
    policy = PolicyChange(
        authentication_methods=("private_key_jwt",),
        jwks=key.jwks,
        access_token_format="jwt",
        access_token_algorithm=algorithm,
    )
    with administer(settings) as desks:
        application, _ = desks.applications.add_with_key(
            f"signs-{algorithm}",
            (VIEW,),
            scope="read",
            refresh_tokens=True,
            access_lifetime_seconds=3600,
            refresh_lifetime_seconds=604_800,
            policy=policy,
        )
    return application.client_id


@every_algorithm
@signing_client
def test_key_gets_tokens_that_read_rows_and_are_refreshed(world: World, name: str, algorithm: str) -> None:
    tokens = world.ask(name, "client_credentials", algorithm)
    assert tokens["token_type"].lower() == "bearer"
    first = world.ask(name, "rows", algorithm, access_token=tokens["access_token"])
    assert len(first) == 3
    again = world.ask(name, "refresh", algorithm, refresh_token=tokens["refresh_token"])
    assert world.ask(name, "rows", algorithm, access_token=again["access_token"]) == first


@every_algorithm
@proving_client
def test_proofs_bind_tokens_and_refresh_tokens(world: World, name: str, algorithm: str) -> None:
    proving = replace(world, proof_key=ClientKey(algorithm))
    tokens = proving.ask(name, "client_credentials", algorithm)
    assert tokens["token_type"].lower() == "dpop"
    first = proving.ask(name, "rows", algorithm, access_token=tokens["access_token"])
    assert len(first) == 3
    again = proving.ask(name, "refresh", algorithm, refresh_token=tokens["refresh_token"])
    assert proving.ask(name, "rows", algorithm, access_token=again["access_token"]) == first
    thief = replace(world, proof_key=ClientKey(algorithm))
    with pytest.raises(Refused) as refused:
        thief.ask(name, "rows", algorithm, access_token=tokens["access_token"])
    assert refused.value.told == {"status": 401, "scheme": "dpop", "error": "invalid_token"}
    with pytest.raises(Refused) as refused:
        thief.ask(name, "refresh", algorithm, refresh_token=tokens["refresh_token"])
    assert refused.value.told == {"status": 400, "error": "invalid_grant"}
    with pytest.raises(Refused) as refused:
        world.ask(name, "rows", algorithm, access_token=tokens["access_token"])
    assert refused.value.told["status"] == 401


@every_algorithm
@pytest.mark.parametrize("name", list_clients("introspect"))
def test_key_asks_about_tokens_and_revokes_them(world: World, name: str, algorithm: str) -> None:
    """RFC 7523 §2.2 at both endpoints (private_key_jwt)."""
    token = world.ask(name, "client_credentials", algorithm)["access_token"]
    assert world.ask(name, "introspect", algorithm, token=token)["client_id"] == world.client_ids[algorithm]
    assert world.ask(name, "revoke", algorithm, token=token)
    assert world.ask(name, "introspect", algorithm, token=token) == {"active": False}


@every_algorithm
@pytest.mark.parametrize("name", list_clients("signed"))
def test_signed_introspection_is_checked(world: World, name: str, algorithm: str) -> None:
    """RFC 9701 §5: the client checks type, issuer, audience and, by the published keys, the signature."""
    token = world.ask(name, "client_credentials", algorithm)["access_token"]
    told = world.ask(name, "introspect", algorithm, token=token, signed=True)
    assert told["active"] is True
    assert told["client_id"] == world.client_ids[algorithm]


@signing_client
def test_key_of_another_is_understood(world: World, name: str) -> None:
    with pytest.raises(Refused) as refused:
        world.ask(name, "client_credentials", "ES256", private_key=ClientKey("ES256").private)
    assert refused.value.told["status"] == 401
    assert refused.value.told.get("error") == "invalid_client" or refused.value.told.get("scheme") == "basic"


@every_algorithm
@pytest.mark.parametrize("is_bound", [False, True], ids=["bearer", "bound"])
@pytest.mark.parametrize("name", list_clients("check_token"))
def test_signed_token_is_checked_elsewhere(world: World, name: str, algorithm: str, is_bound: bool) -> None:  # noqa: FBT001
    """RFC 9068 §4, by a resource server that knows the issuer alone."""
    key = ClientKey("ES256")
    asking = replace(world, proof_key=key) if is_bound else world
    token = asking.ask(name, "client_credentials", algorithm)["access_token"]
    claims = asking.ask(name, "check_token", algorithm, access_token=token)
    assert claims["client_id"] == claims["sub"] == world.client_ids[algorithm]
    assert claims.get("cnf") == ({"jkt": key.thumbprint} if is_bound else None)
