"""A real server with a movable clock, and applications that ask for narrower tokens."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from rowgate.oauth.token_exchange import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.policies import PolicyChange, TermsChange
from support.client_keys import ClientKey
from support.homes import add_application, administer
from support.servers import RunningServer, within_a_second

USERS, ACCOUNTS, DISKS = "SA_ADInventory_UsersView", "SA_ServiceAccounts", "SA_Jobs_DiskUsage"
OBJECTS = (USERS, ACCOUNTS, DISKS)
TOKEN = "/api/v1/token"
SIGNED = PolicyChange(access_token_format="jwt", access_token_algorithm="ES256")
_NUMBERS = itertools.count()
Members = dict[str, Any]


def detail(name: str, *columns: str, **members: Any) -> Members:
    """Give one authorization detail."""
    chosen = {"columns": list(columns)} if columns else {}
    return {"type": "rowgate_object", "object": name, **chosen, **members}


def echoed(name: str, *columns: str) -> Members:
    """Give the detail as the server echoes it."""
    chosen = {"columns": sorted(columns)} if columns else {}
    return {"type": "rowgate_object", "objects": [name], "actions": ["read"], **chosen}


@dataclass
class Client:
    """An application's program, and its administrator."""

    server: RunningServer
    http: httpx.Client
    made: NewCredentials

    @property
    def client_id(self) -> str:
        return self.made.application.client_id

    @property
    def name(self) -> str:
        return self.made.application.name

    def post(self, path: str, form: Any, *proofs: str) -> httpx.Response:
        """Send a form with the client's secret; lists stand for parameters that are repeated."""
        headers = [("Content-Type", "application/x-www-form-urlencoded"), *(("DPoP", proof) for proof in proofs)]
        basic = (self.client_id, self.made.client_secret)
        return self.http.post(path, content=urlencode(form, doseq=True), headers=headers, auth=basic)

    def ask(self, *details: Members, proofs: tuple[str, ...] = (), **form: Any) -> httpx.Response:
        """Ask for a token, narrowed to some details, or by `form` in another way."""
        if details:
            form["authorization_details"] = json.dumps(details)
        return self.post(TOKEN, {"grant_type": "client_credentials", **form}, *proofs)

    def get(self, *details: Members, **form: Any) -> Members:
        """Get tokens; the answer must be a success."""
        return success(self.ask(*details, **form))

    def refresh(self, refresh_token: str, *details: Members, **form: Any) -> httpx.Response:
        return self.ask(*details, grant_type="refresh_token", refresh_token=refresh_token, **form)

    def exchange(self, subject_token: str, *details: Members, **form: Any) -> httpx.Response:
        subject = {"subject_token": subject_token, "subject_token_type": ACCESS_TOKEN_TYPE}
        return self.ask(*details, **{"grant_type": TOKEN_EXCHANGE, **subject, **form})

    def introspect(self, token: str) -> Members:
        answer = self.post("/api/v1/introspect", {"token": token})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def revoke(self, token: str) -> None:
        assert self.post("/api/v1/revoke", {"token": token}).status_code == 200

    def read(self, token: str, name: str = ACCOUNTS, body: Any = None, *, proof: str = "") -> httpx.Response:
        """Ask for rows, by a POST when there is a body."""
        headers = {"Authorization": f"{'DPoP' if proof else 'Bearer'} {token}", **({"DPoP": proof} if proof else {})}
        path = f"/api/v1/data/{name}/rows"
        if body is None:
            return self.http.get(path, headers=headers)
        return self.http.post(path, headers=headers, content=json.dumps(body))

    def is_known(self) -> bool:
        """Tell whether the running server has heard of it; a bad scope is refused to those it knows."""
        return bool(self.ask(scope="nonsense").json()["error"] == "invalid_scope")

    def find_event(self, answer: httpx.Response) -> Members:
        """Give what stands on record for an answer."""
        (event, *_) = [e for e in self.server.events() if e.get("request_id") == answer.headers["x-request-id"]]
        return event

    def judge_refused(self, answer: httpx.Response, code: str, reason: str, *, status: int = 400) -> None:
        """Hold a refusal against its code and what stands on record."""
        assert (answer.status_code, answer.json()["error"]) == (status, code), answer.text
        assert self.find_event(answer)["reason"] == reason

    def prove(self, key: ClientKey, *, path: str = TOKEN, access_token: str = "") -> str:
        """Give a DPoP proof for the token endpoint, or for rows."""
        method = "GET" if access_token else "POST"
        url = self.server.url + path
        return key.prove(method, url, self.server.clock(), access_token=access_token)

    def set(self, policy: PolicyChange, terms: TermsChange | None = None) -> None:
        """Have an administrator change it; the server follows within a second."""
        with administer(self.server.settings) as desks:
            desks.policies.set(self.client_id, policy, terms or TermsChange())


def success(answer: httpx.Response) -> Members:
    """Give what a token endpoint gave; it must be a success."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def exchanging(**members: Any) -> PolicyChange:
    """Give the policy of who may exchange tokens."""
    return PolicyChange(token_exchange=True, **members)


@pytest.fixture(scope="module")
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


class Register:
    """Makes applications; each has a name of its own."""

    def __init__(self, server: RunningServer, http: httpx.Client) -> None:
        self._server, self._http = server, http

    def __call__(self, objects: tuple[str, ...] = OBJECTS, **options: Any) -> Client:
        name = f"narrow-{next(_NUMBERS)}"
        client = Client(self._server, self._http, add_application(self._server.settings, name, objects, **options))
        within_a_second(client.is_known)
        return client


@pytest.fixture(scope="module")
def register(server: RunningServer, http: httpx.Client) -> Register:
    return Register(server, http)


@pytest.fixture(scope="module", params=["sealed", "jwt"])
def client(register: Register, request: pytest.FixtureRequest) -> Client:
    """An application that may read three objects and exchange its tokens, of either format."""
    policy = exchanging(access_token_format=request.param, access_token_algorithm="ES256")
    return register(policy=policy)
