"""A real server with a movable clock, and a client that holds secrets."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rowgate.config import Settings
from rowgate.oauth.model import Application
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.enrolments import SecretPolicyChange
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, run_server

SECRET = "/api/v1/secret"
ENROL = "/api/v1/enrol"
OVERLAP = 3600
HOUR = 3600


@pytest.fixture
def settings(tmp_path: Path, sample_database: Path) -> Settings:
    return make_home(tmp_path / "home", sample_database)


@dataclasses.dataclass
class Client:
    """An application's program, and its administrator's view of it."""

    server: RunningServer
    made: NewCredentials

    @property
    def client_id(self) -> str:
        return self.made.application.client_id

    @property
    def first(self) -> str:
        return self.made.client_secret

    def post(self, path: str, secret: str, data: Any = None, **more: Any) -> httpx.Response:
        return httpx.post(self.server.url + path, auth=(self.client_id, secret), data=data, timeout=30, **more)

    def renew(self, secret: str) -> dict[str, Any]:
        answer = self.post(SECRET, secret)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return dict(answer.json())

    def ask_token(self, secret: str) -> httpx.Response:
        return self.post("/api/v1/token", secret, {"grant_type": "client_credentials"})

    def fetch_token(self, secret: str) -> str:
        answer = self.ask_token(secret)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def read(self, token: str) -> int:
        bearer = {"Authorization": f"Bearer {token}"}
        url = f"{self.server.url}/api/v1/data/SA_ServiceAccounts/rows?limit=1"
        return httpx.get(url, headers=bearer).status_code

    def load(self) -> Application:
        with administer(self.server.settings, self.server.clock) as desks:
            return desks.applications.load(self.client_id)[0]

    def find_reason(self, answer: httpx.Response) -> str:
        (event,) = [e for e in self.server.events() if e.get("request_id") == answer.headers["x-request-id"]]
        return str(event["reason"])


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """The program of a new application on a server of its own, whose time stands still."""
    made = add_application(settings, "report", ("SA_ServiceAccounts",))
    with run_server(settings) as running:
        running.clock.freeze()
        yield Client(running, made)


def set_policy(client: Client, **wanted: Any) -> None:
    """Change the secrets' policy; renewals read it in their own transaction, so it counts from the next one."""
    with administer(client.server.settings) as desks:
        desks.secrets.set_policy(client.client_id, SecretPolicyChange(**wanted))
