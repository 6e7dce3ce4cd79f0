"""Clients that people already have, over TLS with a certificate made here."""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError  # type: ignore[import-untyped]
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from rowgate.oauth.model import Application
from support.certificates import make_certificate, trust
from support.homes import add_application, make_home
from support.servers import RunningServer, run_server

VIEW = "SA_ADInventory_UsersView"


@dataclass(frozen=True)
class World:
    """A server that speaks TLS, and an application's credentials."""

    server: RunningServer
    cert: Path
    application: Application
    client_secret: str

    @property
    def client_id(self) -> str:
        return self.application.client_id

    @property
    def token_url(self) -> str:
        return f"{self.server.url}/api/v1/token"

    @property
    def rows_url(self) -> str:
        return f"{self.server.url}/api/v1/data/{VIEW}/rows"


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("clients")
    cert, key = make_certificate(directory)
    settings = make_home(directory / "home", sample_database, tls_cert=str(cert), tls_key=str(key))
    made = add_application(settings, "clients")
    with run_server(settings) as server:
        yield World(server, cert, made.application, made.client_secret)


def curl(world: World, *arguments: str) -> Any:
    """Run curl as a user would; give its answer's JSON."""
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--cacert", str(world.cert), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def check_tokens(tokens: dict[str, Any]) -> str:
    assert tokens["token_type"].lower() == "bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["refresh_token"].startswith("rgrt_")
    return str(tokens["access_token"])


def test_curl_with_basic(world: World) -> None:
    credentials = f"{world.client_id}:{world.client_secret}"
    check_tokens(curl(world, "-u", credentials, "-d", "grant_type=client_credentials", world.token_url))


def test_curl_with_the_body(world: World) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": world.client_id,
        "client_secret": world.client_secret,
    }
    check_tokens(curl(world, "-d", urlencode(form), world.token_url))
    each = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
    check_tokens(curl(world, *each, world.token_url))


def test_curl_with_a_form_that_is_called_json(world: World) -> None:
    """The origin's own example labels its form as JSON (O-4)."""
    form = f"grant_type=client_credentials&client_id={world.client_id}&client_secret={world.client_secret}"
    check_tokens(curl(world, "-H", "Content-Type: application/json", "-d", form, world.token_url))


def test_curl_reads_rows_with_get_and_post(world: World) -> None:
    credentials = f"{world.client_id}:{world.client_secret}"
    token = check_tokens(curl(world, "-u", credentials, "-d", "grant_type=client_credentials", world.token_url))
    bearer = f"Authorization: Bearer {token}"
    read = curl(world, "-G", "-H", bearer, "-d", "limit=3", "--data-urlencode", "columns=DisplayName", world.rows_url)
    assert [set(row) for row in read] == [{"DisplayName"}] * 3
    body = json.dumps({"columns": ["DisplayName"], "limit": 3})
    posted = curl(world, "-H", bearer, "-H", "Content-Type: application/json", "-d", body, world.rows_url)
    assert posted == read
    refreshed = curl(
        world,
        "-u",
        credentials,
        "-d",
        "grant_type=refresh_token",
        "-d",
        f"refresh_token={_refresh(world)}",
        world.token_url,
    )
    assert refreshed["access_token"].startswith("rgat_")


def _refresh(world: World) -> str:
    form = {"grant_type": "client_credentials", "client_id": world.client_id, "client_secret": world.client_secret}
    return str(httpx.post(world.token_url, data=form, verify=trust(world.cert)).json()["refresh_token"])


@pytest.mark.parametrize("method", ["basic", "body"])
def test_requests_oauthlib_fetches_and_refreshes(world: World, method: str) -> None:
    with OAuth2Session(client=BackendApplicationClient(client_id=world.client_id)) as session:
        session.verify, session.trust_env = str(world.cert), False
        if method == "basic":
            tokens = session.fetch_token(world.token_url, auth=HTTPBasicAuth(world.client_id, world.client_secret))
        else:
            tokens = session.fetch_token(world.token_url, client_secret=world.client_secret, include_client_id=True)
        first = check_tokens(tokens)
        assert len(session.get(world.rows_url, params={"limit": "2"}).json()) == 2
        auth = HTTPBasicAuth(world.client_id, world.client_secret)
        again = session.refresh_token(world.token_url, auth=auth, verify=str(world.cert))
        assert again["access_token"] != first
        assert again["refresh_token"] == tokens["refresh_token"]  # not rotated, so the client keeps its own
        assert len(session.get(world.rows_url, params={"limit": "2"}).json()) == 2


def test_requests_oauthlib_understands_a_refusal(world: World) -> None:
    session = OAuth2Session(client=BackendApplicationClient(client_id=world.client_id))
    with session, pytest.raises(InvalidClientError):
        session.fetch_token(world.token_url, auth=HTTPBasicAuth(world.client_id, "wrong"), verify=str(world.cert))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_with_requests(world: World, method: str) -> None:
    with AuthlibSession(world.client_id, world.client_secret, token_endpoint_auth_method=method) as session:
        session.verify, session.trust_env = str(world.cert), False
        tokens = session.fetch_token(world.token_url, grant_type="client_credentials")
        first = check_tokens(dict(tokens))
        assert len(session.get(world.rows_url, params={"limit": "2"}).json()) == 2
        again = session.refresh_token(world.token_url, refresh_token=tokens["refresh_token"])
        assert again["access_token"] != first


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_with_httpx_refreshes_by_itself(world: World, method: str) -> None:
    with OAuth2Client(
        world.client_id,
        world.client_secret,
        token_endpoint_auth_method=method,
        token_endpoint=world.token_url,
        verify=trust(world.cert),
    ) as client:
        first = check_tokens(dict(client.fetch_token(world.token_url, grant_type="client_credentials")))
        client.token["expires_at"] = 1
        assert len(client.get(world.rows_url, params={"limit": "2"}).json()) == 2
        assert client.token["access_token"] != first


def test_authlib_async(world: World) -> None:
    async def use() -> None:
        async with AsyncOAuth2Client(world.client_id, world.client_secret, verify=trust(world.cert)) as client:
            await client.fetch_token(world.token_url, grant_type="client_credentials")
            assert len((await client.get(world.rows_url, params={"limit": "2"})).json()) == 2

    anyio.run(use)


def test_httpx_alone(world: World) -> None:
    with httpx.Client(verify=trust(world.cert), base_url=world.server.url) as client:
        document = client.get("/.well-known/oauth-authorization-server").json()
        form = {"grant_type": "client_credentials"}
        answer = client.post(document["token_endpoint"], data=form, auth=(world.client_id, world.client_secret))
        token = check_tokens(answer.json())
        with client.stream("GET", world.rows_url, headers={"Authorization": f"bearer {token}"}) as rows:
            assert rows.status_code == 200
            assert len(json.loads(rows.read())) == 240
        basic = base64.b64encode(f"{world.client_id}:{world.client_secret}".encode()).decode()
        assert client.post(world.token_url, data=form, headers={"authorization": f"basic {basic}"}).status_code == 200
