"""Clients register themselves (P117) and manage that (P118), over real HTTP; off, there is nothing of it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from protocol.case import numbered
from rowgate.ports import UnknownName
from rowgate.service.admin.desk import AdminError
from rowgate.service.admin.enrolments import SecretPolicyChange
from rowgate.service.admin.policies import PolicyChange, TermsChange
from rowgate.service.admin.registrations import NewInitialToken
from support.client_keys import ClientKey
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, run_server, wait_until

REGISTER = "/api/v1/register"
OBJECT, OTHER = "SA_ServiceAccounts", "SA_Activity_Events"
HOUR = 3600
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache", "x-content-type-options": "nosniff"}
HIDDEN = {"error": "invalid_token", "error_description": "The access token is not valid."}


@dataclass
class Registrar:
    """A server whose time stands still, its administrator, and whoever registers there."""

    server: RunningServer
    values: list[str] = field(default_factory=list)  # every secret and token that was handed out

    def make_token(self, *objects: str, scope: str = "read", lifetime_seconds: int = HOUR) -> str:
        made = self.make(*objects, scope=scope, lifetime_seconds=lifetime_seconds)
        return made.initial_access_token

    def make(self, *objects: str, scope: str = "read", lifetime_seconds: int = HOUR) -> NewInitialToken:
        with administer(self.server.settings, self.server.clock) as desks:
            made = desks.registrations.add_token(objects, scope=scope, lifetime_seconds=lifetime_seconds)
        self.values.append(made.initial_access_token)
        return made

    def post(self, token: str | None, path: str = REGISTER, **metadata: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = httpx.post(self.server.url + path, json=metadata, headers=headers, timeout=30)
        if answer.status_code == 201:
            told = answer.json()
            self.values += [told[name] for name in ("client_secret", "registration_access_token") if name in told]
        return answer

    def register(self, *objects: str, scope: str = "read", **metadata: Any) -> "Registered":
        answer = self.post(self.make_token(*objects, scope=scope), **metadata)
        assert answer.status_code == 201, answer.text
        return Registered(self, answer.json())

    def event_of(self, answer: httpx.Response) -> dict[str, Any]:
        (event,) = [e for e in self.server.events() if e.get("request_id") == answer.headers["x-request-id"]]
        return event

    def reason(self, answer: httpx.Response) -> tuple[int, str, str]:
        event = self.event_of(answer)
        assert (event["kind"], event["endpoint"]) == ("token_refused", "register")
        return answer.status_code, str(answer.json()["error"]), str(event["reason"])


@dataclass
class Registered:
    """A client that has registered itself."""

    registrar: Registrar
    told: dict[str, Any]

    @property
    def client_id(self) -> str:
        return str(self.told["client_id"])

    def call(self, method: str, token: str | None = None, uri: str | None = None, **more: Any) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {token or self.told['registration_access_token']}"}
        return httpx.request(method, uri or self.told["registration_client_uri"], headers=bearer, timeout=30, **more)

    def put(self, **metadata: Any) -> httpx.Response:
        answer = self.call("PUT", json={"client_id": self.client_id, **metadata})
        if answer.status_code == 200 and "client_secret" in answer.json():
            self.registrar.values.append(answer.json()["client_secret"])
        return answer

    def ask_token(self, secret: str | None = None, **form: str) -> httpx.Response:
        auth = (self.client_id, secret or self.told["client_secret"])
        data = {"grant_type": "client_credentials", **form}
        return httpx.post(f"{self.registrar.server.url}/token", auth=auth, data=data, timeout=30)

    def read(self, token: str, name: str = OBJECT) -> int:
        url = f"{self.registrar.server.url}/api/v1/data/{name}/rows?limit=1"
        return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code

    def administer(self, change: Callable[[Any], object]) -> None:
        with administer(self.registrar.server.settings, self.registrar.server.clock) as desks:
            change(desks)


@pytest.fixture(scope="module")
def server_on(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = make_home(tmp_path_factory.mktemp("registration") / "home", sample_database, client_registration=True)
    with run_server(home) as server:
        server.clock.freeze()
        yield server


@pytest.fixture(scope="module")
def kept(server_on: RunningServer) -> Iterator[Registrar]:
    """The registrar of all tests; in the end nothing that it handed out is in any file."""
    registrar = Registrar(server_on)
    yield registrar
    files = [path for path in server_on.settings.home.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert registrar.values
    assert not [value for value in registrar.values if value[-40:].encode() in content]


@pytest.fixture
def registrar(kept: Registrar) -> Registrar:
    kept.server.clock.advance(1000)  # nobody waits for what another test guessed
    return kept


@numbered("P117", "RFC 7591 §3.2.1")
def test_p117_a_client_registers_and_reads(registrar: Registrar) -> None:
    """201, no-store, the metadata as registered, and credentials that work at once."""
    now = int(registrar.server.clock())
    answer = registrar.post(
        registrar.make_token(OBJECT),
        client_name="nightly report",
        grant_types=["client_credentials", "refresh_token"],
        token_endpoint_auth_method="client_secret_basic",
        logo_uri="https://client.example/logo.png",
    )
    assert answer.status_code == 201
    assert {name: answer.headers[name] for name in NO_STORE} == NO_STORE
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told == {
        "client_id": told["client_id"],
        "client_id_issued_at": now,
        "client_secret": told["client_secret"],
        "client_secret_expires_at": now + 72 * HOUR,
        "client_name": "nightly report",
        "grant_types": ["client_credentials", "refresh_token"],
        "response_types": [],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "read",
        "registration_client_uri": f"{registrar.server.url}{REGISTER}?client_id={told['client_id']}",
        "registration_access_token": told["registration_access_token"],
    }
    client = Registered(registrar, told)
    tokens = client.ask_token().json()
    assert "refresh_token" in tokens
    assert client.read(tokens["access_token"]) == 200
    assert client.read(tokens["access_token"], OTHER) == 401
    event = registrar.event_of(answer)
    assert (event["kind"], event["client_id"], event["objects"]) == ("client_registered", client.client_id, [OBJECT])
    assert event["key_id"] == told["client_secret"].split("_")[1]


@numbered("P117", "RFC 7591 §3.2.1")
def test_p117_a_client_may_read_nothing_unless_its_token_said_so(registrar: Registrar) -> None:
    client = registrar.register()
    tokens = client.ask_token().json()
    assert "refresh_token" not in tokens
    assert client.read(tokens["access_token"]) == 401
    client.administer(lambda desks: desks.grants.grant(client.client_id, [OBJECT]))
    wait_until(lambda: client.read(tokens["access_token"]) == 200)


@numbered("P117", "RFC 7591 §2")
def test_p117_a_client_registers_its_own_key(registrar: Registrar) -> None:
    """No secret is issued, so there is no end of one either."""
    key = ClientKey()
    client = registrar.register(
        OBJECT,
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [key.public]},
    )
    assert not {"client_secret", "client_secret_expires_at"} & set(client.told)
    assert client.told["jwks"] == {"keys": [key.public]}
    url = registrar.server.url
    form = {
        "grant_type": "client_credentials",
        **key.assert_client(client.client_id, url, registrar.server.clock()),
    }
    tokens = httpx.post(f"{url}/token", data=form, timeout=30)
    assert tokens.status_code == 200, tokens.text
    assert client.read(tokens.json()["access_token"]) == 200


@numbered("P117", "RFC 7591 §3.2.2")
@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ({"redirect_uris": ["https://client.example/"]}, "invalid_redirect_uri", "redirect_uris"),
        ({"grant_types": ["authorization_code"]}, "invalid_client_metadata", "unknown_grant_types"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata", "unknown_method"),
        ({"jwks": {"keys": [ClientKey().private]}}, "invalid_client_metadata", "jwks_private_key"),
        ({"jwks_uri": "http://127.0.0.1:1/"}, "invalid_client_metadata", "jwks_uri"),
        ({"scope": "read introspect"}, "invalid_client_metadata", "scope_not_allowed"),
        ({"client_name": "x\u0000"}, "invalid_client_metadata", "unfit_client_name"),
    ],
)
def test_p117_bad_metadata_is_refused_and_leaves_the_token_good(
    registrar: Registrar, metadata: dict[str, Any], code: str, reason: str
) -> None:
    token = registrar.make_token()
    refused = registrar.post(token, **metadata)
    assert registrar.reason(refused) == (400, code, reason)
    assert {name: refused.headers[name] for name in NO_STORE} == NO_STORE
    assert registrar.post(token).status_code == 201


@numbered("P117", "RFC 7591 §3.1")
@pytest.mark.parametrize(
    ("body", "media_type", "reason"),
    [
        (b"[]", "application/json", "unreadable_body"),
        (b"", "application/json", "unreadable_body"),
        (b'{"scope": "read", "scope": "read"}', "application/json", "duplicate_parameter"),
        (b'{"jwks": {"keys": [], "keys": []}}', "application/json", "duplicate_parameter"),
        (b'{"a":' * 2000, "application/json", "unreadable_body"),
        (b"scope=read", "application/x-www-form-urlencoded", "media_type"),
    ],
)
def test_p117_what_cannot_be_read_is_refused(registrar: Registrar, body: bytes, media_type: str, reason: str) -> None:
    headers = {"Authorization": f"Bearer {registrar.make_token()}", "Content-Type": media_type}
    refused = httpx.post(registrar.server.url + REGISTER, content=body, headers=headers, timeout=30)
    assert registrar.reason(refused) == (400, "invalid_request", reason)


@numbered("P117", "RFC 7591 §3")
def test_p117_an_initial_access_token_is_good_once_and_for_its_time(registrar: Registrar) -> None:
    """Used, expired, unknown, revoked and malformed ones are answered alike; only the record knows."""
    used, expired, revoked = registrar.make(), registrar.make(lifetime_seconds=60), registrar.make()
    management = registrar.post(used.initial_access_token).json()["registration_access_token"]
    with administer(registrar.server.settings) as desks:
        desks.registrations.revoke_token(revoked.kept.handle)
    registrar.server.clock.advance(60)
    presented = {
        used.initial_access_token: "used_initial_token",
        expired.initial_access_token: "expired_initial_token",
        revoked.initial_access_token: "unknown_initial_token",
        f"rgit_{'a' * 8}_{'A' * 43}": "unknown_initial_token",
        management: "unknown_initial_token",
    }
    for token, reason in presented.items():
        refused = registrar.post(token, redirect_uris=["https://client.example/"])  # which is not told either
        assert {name: value for name, value in refused.json().items() if name != "request_id"} == HIDDEN
        assert registrar.reason(refused) == (401, "invalid_token", reason)
        assert refused.headers["www-authenticate"].startswith('Bearer realm="rowgate", error="invalid_token"')
    assert registrar.reason(registrar.post(None)) == (401, "missing_token", "no_token")


@numbered("P117", "RFC 7591 §3")
def test_p117_of_twenty_that_register_at_once_one_does(registrar: Registrar) -> None:
    token = registrar.make_token()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: registrar.post(token), range(20)))
    assert [answer.status_code for answer in answers].count(201) == 1


@numbered("P117", "ours")
def test_p117_who_guesses_must_wait(registrar: Registrar) -> None:
    statuses = [registrar.post(f"rgit_{n:08}_{'A' * 43}").status_code for n in range(11)]
    assert statuses == [401] * 10 + [429]
    token = registrar.make_token()
    refused = registrar.post(token)
    assert refused.status_code == 429
    registrar.server.clock.advance(int(refused.headers["retry-after"]))
    assert registrar.post(token).status_code == 201


@numbered("P117", "RFC 7591 §2")
def test_p117_a_name_that_is_taken_is_kept_from_nobody(registrar: Registrar) -> None:
    """What a client calls itself is not unique, and it does not learn which names there are."""
    add_application(registrar.server.settings, "payroll", ())
    for client_name in ("payroll", "payroll"):
        client = registrar.register(client_name=client_name)
        assert client.told["client_name"] == "payroll"
        client.administer(lambda desks: desks.applications.load(f"payroll-{client.client_id}"))  # noqa: B023 - at once


@numbered("P117", "ours")
def test_p117_the_size_of_a_registration_is_limited(registrar: Registrar) -> None:
    answer = registrar.post(registrar.make_token(), client_name="x" * 70_000)
    assert answer.status_code == 413


@numbered("P118", "RFC 7592 §2.1; RFC 7592 §3")
def test_p118_a_client_looks_at_its_registration(registrar: Registrar) -> None:
    """The same as it was told, but for the value of its secret, which nobody has any more."""
    client = registrar.register(client_name="looks", scope="read introspect")
    answer = client.call("GET")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json() == {name: value for name, value in client.told.items() if name != "client_secret"}
    event = registrar.event_of(answer)
    assert (event["kind"], event["action"], event["client_id"]) == ("registration_managed", "read", client.client_id)


@numbered("P118", "RFC 7592 §2.2")
def test_p118_a_client_changes_its_registration(registrar: Registrar) -> None:
    """All of it: what is left out is no longer so; what was never said to be changed stays the administrator's."""
    key = ClientKey()
    client = registrar.register(
        scope="read introspect", client_name="before", grant_types=["client_credentials", "refresh_token"]
    )
    answer = client.put(
        client_name="after",
        scope="read",
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [key.public]},
        client_secret=client.told["client_secret"],
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "client_id": client.client_id,
        "client_id_issued_at": client.told["client_id_issued_at"],
        "client_name": "after",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "read",
        "jwks": {"keys": [key.public]},
        "registration_client_uri": client.told["registration_client_uri"],
        "registration_access_token": client.told["registration_access_token"],
    }
    assert client.call("GET").json() == answer.json()
    assert client.ask_token().status_code == 401  # its method is another one now
    changed = registrar.event_of(answer)["changed"]
    assert (changed["scope"], changed["refresh_tokens"]) == (["read"], False)


@numbered("P118", "RFC 7592 §2.2")
@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ({"client_id": "another"}, "invalid_client_metadata", "other_client_id"),
        ({"client_id": None}, "invalid_client_metadata", "no_client_id"),
        ({"client_secret": "chosen by the client"}, "invalid_client_metadata", "other_client_secret"),
        ({"client_secret": "\ud800"}, "invalid_client_metadata", "other_client_secret"),
        ({"client_secret_expires_at": 0}, "invalid_client_metadata", "server_member"),
        ({"scope": "read introspect"}, "invalid_client_metadata", "scope_not_allowed"),
        ({"grant_types": ["client_credentials", "refresh_token"]}, "invalid_client_metadata", "wider_grant_types"),
        ({"redirect_uris": ["https://client.example/"]}, "invalid_redirect_uri", "redirect_uris"),
    ],
)
def test_p118_an_update_that_is_refused_changes_nothing(
    registrar: Registrar, metadata: dict[str, Any], code: str, reason: str
) -> None:
    client = registrar.register()
    content = json.dumps({"client_id": client.client_id, **metadata})
    refused = client.call("PUT", content=content)
    assert registrar.reason(refused) == (400, code, reason)
    assert client.call("GET").json() == {name: value for name, value in client.told.items() if name != "client_secret"}


@numbered("P118", "ours")
def test_p118_an_update_gives_back_nothing_that_an_administrator_took(registrar: Registrar) -> None:
    """Scope, refresh tokens and the way of signing in, each narrowed since; blocks and grants are out of its reach."""
    client = registrar.register(scope="read introspect", grant_types=["client_credentials", "refresh_token"])
    key = ClientKey()
    policy = PolicyChange(authentication_methods=("private_key_jwt",), jwks=key.jwks, tokens_per_minute=5)
    terms = TermsChange(scope="read", refresh_tokens=False)
    client.administer(lambda desks: desks.policies.set(client.client_id, policy, terms))
    signs: dict[str, Any] = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.public]}}
    for metadata, reason in (
        ({**signs, "scope": "read introspect"}, "scope_not_allowed"),
        ({**signs, "grant_types": ["client_credentials", "refresh_token"]}, "wider_grant_types"),
        ({}, "weaker_method"),
    ):
        assert registrar.reason(client.put(**metadata)) == (400, "invalid_client_metadata", reason)
    assert client.put(**signs).status_code == 200
    with administer(registrar.server.settings) as desks:
        assert desks.applications.load(client.client_id)[0].policy.tokens_per_minute == 5


@numbered("P118", "RFC 7592 §2.2")
def test_p118_a_secret_that_ends_soon_gets_another_beside_it(registrar: Registrar) -> None:
    client = registrar.register()
    assert "client_secret" not in client.put().json()
    registrar.server.clock.advance(60 * HOUR)
    answer = client.put()
    fresh = answer.json()
    assert fresh["client_secret"] != client.told["client_secret"]
    assert fresh["client_secret_expires_at"] == int(registrar.server.clock()) + 72 * HOUR
    assert registrar.event_of(answer)["key_id"] == fresh["client_secret"].split("_")[1]
    assert client.ask_token().status_code == client.ask_token(fresh["client_secret"]).status_code == 200
    assert "client_secret" not in client.put().json()
    registrar.server.clock.advance(13 * HOUR)
    assert (client.ask_token().status_code, client.ask_token(fresh["client_secret"]).status_code) == (401, 200)


@numbered("P118", "ours")
@pytest.mark.parametrize("taken", ["secret", "renewal"])
def test_p118_no_secret_comes_back_that_an_administrator_ended(registrar: Registrar, taken: str) -> None:
    client = registrar.register()
    key_id = client.told["client_secret"].split("_")[1]
    if taken == "secret":
        client.administer(lambda desks: desks.applications.revoke_secret(client.client_id, key_id, kills_tokens=True))
    else:
        change = SecretPolicyChange(renew_secrets=False)
        client.administer(lambda desks: desks.secrets.set_policy(client.client_id, change))
    registrar.server.clock.advance(80 * HOUR)
    answer = client.put()
    assert answer.status_code == 200
    assert not {"client_secret", "client_secret_expires_at"} & set(answer.json())


@numbered("P118", "RFC 7592 §2.3")
def test_p118_a_client_ends_its_registration(registrar: Registrar) -> None:
    """204 with no body; its tokens are dead and the token that did it is too."""
    client = registrar.register(OBJECT)
    token = client.ask_token().json()["access_token"]
    assert client.read(token) == 200
    answer = client.call("DELETE")
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (204, b"", "no-store")
    assert "content-length" not in answer.headers
    assert client.read(token) == 401
    assert client.ask_token().status_code == 401
    for method in ("GET", "PUT", "DELETE"):
        assert registrar.reason(client.call(method)) == (401, "invalid_token", "unknown_registration_token")
    assert registrar.event_of(answer)["action"] == "delete"


@numbered("P118", "RFC 7592 §2.1")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_p118_no_other_token_manages_a_registration(registrar: Registrar, method: str) -> None:
    """Another client's, an initial one, an access token, a secret, none; and nobody manages who did not register."""
    client, other = registrar.register(), registrar.register()
    made = add_application(registrar.server.settings, f"plain-{method}", ())
    foreign = [
        other.told["registration_access_token"],
        registrar.make_token(),
        client.ask_token().json()["access_token"],
        client.told["client_secret"],
    ]
    plain = client.told["registration_client_uri"].replace(client.client_id, made.application.client_id)
    refused = [client.call(method, token) for token in foreign]
    refused += [client.call(method, uri=plain), client.call(method, foreign[0], uri=plain + "x")]
    for answer in refused:
        assert registrar.reason(answer) == (401, "invalid_token", "unknown_registration_token")
        assert {name: value for name, value in answer.json().items() if name != "request_id"} == HIDDEN
    assert client.call("GET").status_code == 200


@numbered("P118", "RFC 7592 §2.1")
def test_p118_who_guesses_must_wait_and_the_client_need_not(registrar: Registrar) -> None:
    client = registrar.register()
    uri = client.told["registration_client_uri"].replace(client.client_id, "nobody")
    statuses = [client.call("GET", uri=uri).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert client.call("GET").status_code == 200


@numbered("P118", "RFC 7592 §2.1")
def test_p118_a_disabled_client_manages_nothing(registrar: Registrar) -> None:
    client = registrar.register()
    client.administer(lambda desks: desks.applications.set_enabled(client.client_id, enabled=False))
    wait_until(lambda: client.call("GET").status_code == 401)
    assert registrar.reason(client.put()) == (401, "invalid_token", "disabled_application")
    client.administer(lambda desks: desks.applications.set_enabled(client.client_id, enabled=True))
    wait_until(lambda: client.call("GET").status_code == 200)


@numbered("P118", "ours")
def test_p118_an_administrator_ends_a_clients_management(registrar: Registrar) -> None:
    """The application stays, with its secret; `rowgate registration end`."""
    client = registrar.register()
    client.administer(lambda desks: desks.registrations.end(client.client_id))
    wait_until(lambda: client.call("GET").status_code == 401)
    assert client.ask_token().status_code == 200
    with administer(registrar.server.settings) as desks, pytest.raises(AdminError):
        desks.registrations.end(client.client_id)


@numbered("P118", "RFC 7592 §3")
@pytest.mark.parametrize("query", ["", "?client_id=", "?client_id=a&client_id=b", "?client_id=%C3%A9", "?Client_ID=a"])
def test_p118_an_address_names_one_client(registrar: Registrar, query: str) -> None:
    client = registrar.register()
    refused = client.call("GET", uri=registrar.server.url + REGISTER + query)
    assert registrar.reason(refused) == (400, "invalid_request", "no_client_id")


@numbered("P118", "RFC 6750 §2.1")
def test_p118_a_token_comes_in_the_header_alone(registrar: Registrar) -> None:
    client = registrar.register()
    uri = client.told["registration_client_uri"]
    token = client.told["registration_access_token"]
    assert registrar.reason(httpx.get(uri)) == (401, "missing_token", "no_token")
    in_url = httpx.get(f"{uri}&access_token={token}")
    assert registrar.reason(in_url) == (400, "invalid_request", "secret_in_url")
    dpop = httpx.get(uri, headers={"Authorization": f"DPoP {token}"})
    assert registrar.reason(dpop) == (401, "missing_token", "other_scheme")


@numbered("P118", "ours")
def test_p118_other_methods_are_named(registrar: Registrar) -> None:
    answer = httpx.patch(registrar.server.url + REGISTER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, GET, PUT, DELETE, OPTIONS")


@numbered("P117", "RFC 8414 §2")
def test_p117_the_endpoint_is_published_where_it_is_on(registrar: Registrar, server: RunningServer) -> None:
    """And it is nowhere where it is off: the default."""
    document = "/.well-known/oauth-authorization-server"
    published = httpx.get(registrar.server.url + document).json()
    assert published["registration_endpoint"] == registrar.server.url + REGISTER
    assert "registration_endpoint" not in httpx.get(server.url + document).json()
    for path in (REGISTER, "/register", "/oauth/register"):
        for method in ("POST", "GET", "PUT", "DELETE", "OPTIONS"):
            answer = httpx.request(method, f"{server.url}{path}?client_id=a", headers={"Authorization": "Bearer a"})
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
        assert registrar.post(registrar.make_token(), path).status_code == 201


def test_tokens_are_made_within_limits_and_forgotten_in_time(registrar: Registrar) -> None:
    with administer(registrar.server.settings, registrar.server.clock) as desks:
        for lifetime, objects in ((0, ()), (8 * 24 * HOUR, ()), (60, ("nowhere",))):
            with pytest.raises(AdminError):
                desks.registrations.add_token(objects, scope="read", lifetime_seconds=lifetime)
        with pytest.raises(UnknownName):
            desks.registrations.revoke_token("nobody")
    old = registrar.make(lifetime_seconds=60).kept.handle
    registrar.server.clock.advance(31 * 24 * HOUR)
    registrar.make()
    with administer(registrar.server.settings) as desks:
        assert old not in [kept.handle for kept in desks.registrations.list_tokens()]


def test_a_state_of_the_release_before_is_brought_up_to_date(tmp_path: Path, sample_database: Path) -> None:
    """Its applications stay, and tokens can be made."""
    settings = make_home(tmp_path / "home", sample_database)
    add_application(settings, "old", (OBJECT,))
    with closing(sqlite3.connect(settings.state_path)) as state:
        state.execute("DROP TABLE initial_access_tokens")
        state.execute("ALTER TABLE objects DROP COLUMN details")
        state.execute("ALTER TABLE grants DROP COLUMN policy")
        state.execute("DROP TABLE spending")
        state.execute("UPDATE alembic_version SET version_num = '0002'")
        state.commit()
    with administer(settings) as desks:
        desks.registrations.add_token((), scope="read", lifetime_seconds=60)
        assert desks.applications.load("old")[1] == (OBJECT,)
