"""Clients in JavaScript and Go, and curl, that sign in with a certificate (RFC 8705): TLS ended here, and by nginx."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.foreign import ForeignClient, Refused, list_clients
from clients.nginx import run_nginx
from rowgate.config import Settings
from support.certificates import Authority, make_certificate, make_own_certificate, read_certificate_alone
from support.homes import add_without_secret, make_home
from support.servers import serve_process

pytestmark = pytest.mark.foreign_clients
VIEW = "SA_ADInventory_UsersView"
KINDS = ("self_signed_tls_client_auth", "tls_client_auth")
every_client = pytest.mark.parametrize("name", list_clients("tls"))
every_kind = pytest.mark.parametrize("kind", KINDS)


@dataclass(frozen=True)
class World:
    """A server that asks for certificates, and for each kind an application with one; and one that is nobody's."""

    url: str
    cert: Path
    client_ids: dict[str, str]
    certificates: dict[str, Path]
    strangers: Path

    def ask(self, name: str, ability: str, kind: str, **more: Any) -> Any:
        """Have a client do something, with its certificate unless told otherwise."""
        command: dict[str, Any] = {
            "issuer": self.url,
            "token_endpoint": f"{self.url}/api/v1/token",
            "method": "tls",
            "client_id": self.client_ids[kind],
            "certificate": str(self.certificates[kind]),
            "rows_url": f"{self.url}/api/v1/data/{VIEW}/rows?limit=3",
        }
        return ForeignClient(name, self.cert).ask(ability, **{**command, **more})


@dataclass(frozen=True)
class _Clients:
    authority: Path
    client_ids: dict[str, str]
    certificates: dict[str, Path]
    strangers: Path


def _register(settings: Settings, directory: Path, authority: Authority) -> _Clients:
    own, issued = make_own_certificate(directory, "own"), authority.issue(directory, "reports")
    client_ids = {
        KINDS[0]: add_without_secret(
            settings,
            "own",
            (VIEW,),
            authentication_methods=KINDS[:1],
            tls_certificates=read_certificate_alone(own),
        ),
        KINDS[1]: add_without_secret(
            settings,
            "named",
            (VIEW,),
            authentication_methods=KINDS[1:],
            tls_subject_kind="subject_dn",
            tls_subject="CN=reports",
        ),
    }
    strangers = authority.issue(directory, "somebody-else")
    return _Clients(directory / "authority.pem", client_ids, dict(zip(KINDS, (own, issued), strict=True)), strangers)


@pytest.fixture(scope="module", params=["server", "nginx"])
def world(
    sample_database: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("foreign-certificates")
    cert, key = make_certificate(directory)
    authority = Authority("The Authority")
    ca = authority.write(directory / "authority.pem")
    settings = make_home(directory / "home", sample_database)
    configuration = settings.home / "rowgate.toml"
    clients = _register(settings, directory, authority)
    database = f'database = "sqlite:///{sample_database}"\n'
    if request.param == "server":
        lines = f'tls_client_certificates = true\ntls_client_ca = "{ca}"\n'
        configuration.write_text(database + lines, "utf-8")
        with serve_process(settings.home, "--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as server:
            yield World(server.url, cert, clients.client_ids, clients.certificates, clients.strangers)
        return
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    own = clients.certificates[KINDS[0]]
    (directory / "clients-ca.pem").write_text(ca.read_text() + read_certificate_alone(own))
    with run_nginx(directory, cert, key, directory / "clients-ca.pem") as nginx:
        configuration.write_text(database + nginx.settings, "utf-8")
        with serve_process(settings.home, port=nginx.upstream_port):
            yield World(nginx.url, cert, clients.client_ids, clients.certificates, clients.strangers)


@every_kind
@every_client
def test_certificate_gets_tokens_that_are_bound_to_it(world: World, name: str, kind: str) -> None:
    tokens = world.ask(name, "client_credentials", kind)
    first = world.ask(name, "rows", kind, access_token=tokens["access_token"])
    assert len(first) == 3
    again = world.ask(name, "refresh", kind, refresh_token=tokens["refresh_token"])
    assert world.ask(name, "rows", kind, access_token=again["access_token"]) == first
    for other in (str(world.strangers), ""):
        with pytest.raises(Refused) as refused:
            world.ask(name, "rows", kind, access_token=tokens["access_token"], certificate=other)
        assert refused.value.told["status"] == 401


@every_kind
@every_client
def test_certificate_of_another_signs_nobody_in(world: World, name: str, kind: str) -> None:
    """RFC 8705 §2: invalid_client; so is none at all."""
    for other in (str(world.strangers), ""):
        with pytest.raises(Refused) as refused:
            world.ask(name, "client_credentials", kind, certificate=other)
        assert refused.value.told["status"] == 401
        assert refused.value.told.get("error", "invalid_client") in ("invalid_client", None)


@every_kind
def test_curl_signs_in_with_a_certificate(world: World, kind: str) -> None:
    pem = str(world.certificates[kind])
    form = f"grant_type=client_credentials&client_id={world.client_ids[kind]}"
    shared = ["curl", "-sS", "--cacert", str(world.cert), "--cert", pem, "--key", pem]
    asked = [*shared, "-d", form, f"{world.url}/api/v1/token"]
    token = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)["access_token"]
    read = [*shared, "-H", f"Authorization: Bearer {token}", f"{world.url}/api/v1/data/{VIEW}/rows?limit=1"]
    assert len(json.loads(subprocess.run(read, capture_output=True, check=True).stdout)) == 1


def test_a_header_that_a_client_sends_itself_is_nobodys(world: World) -> None:
    """What nginx hands on is what it has seen; without nginx the header is not looked at."""
    own = read_certificate_alone(world.certificates[KINDS[0]]).replace("\n", "%0A")
    form = f"grant_type=client_credentials&client_id={world.client_ids[KINDS[0]]}"
    command = ["curl", "-sS", "--cacert", str(world.cert), "-H", f"X-Client-Cert: {own}", "-d", form]
    done = subprocess.run([*command, f"{world.url}/api/v1/token"], capture_output=True, check=True)
    assert json.loads(done.stdout)["error"] == "invalid_client"
