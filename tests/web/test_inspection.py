"""Introspection and revocation over real HTTP: PROTOCOL 82, 85 to 95."""

import base64
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from requests.auth import HTTPBasicAuth

from oauth.jose_makers import make_jwks, make_key, sign
from rowgate import wiring
from rowgate.oauth.model import Application
from rowgate.oauth.tokens import REFRESH, TokenSealer
from rowgate.service.admin.policies import PolicyChange
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, ask_until, fetch_token, run_server, wait_until

OBJECT = "SA_ServiceAccounts"
REVOKE, INTROSPECT = "/api/v1/revoke", "/api/v1/introspect"
JWT = "application/token-introspection+jwt"
INACTIVE = b'{"active":false}'
DAY = 86_400


@dataclass
class Client:
    """An application's way to the server."""

    url: str
    application: Application
    client_secret: str

    @property
    def basic(self) -> tuple[str, str]:
        return self.application.client_id, self.client_secret

    def get_tokens(self, **more: str) -> dict[str, Any]:
        return fetch_token(self.url, *self.basic, **more)

    def refresh(self, refresh_token: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return httpx.post(f"{self.url}/token", data=form, auth=self.basic)

    def revoke(self, token: str, **more: str) -> httpx.Response:
        return httpx.post(self.url + REVOKE, data={"token": token, **more}, auth=self.basic)

    def introspect(self, token: str, accept: str = "*/*", **more: str) -> httpx.Response:
        form = {"token": token, **more}
        return httpx.post(self.url + INTROSPECT, data=form, auth=self.basic, headers={"Accept": accept})


@dataclass
class World:
    """A server and three applications: one that asks, another, and one that may ask about everybody's tokens."""

    server: RunningServer
    main: Client
    other: Client
    inspector: Client

    def add(self, name: str, **options: Any) -> Client:
        """Register an application, as it is to be, in one change; return when the server has heard of it."""
        made = add_application(self.server.settings, name, **options)
        client = Client(self.server.url, made.application, made.client_secret)
        ask_until(lambda: client.refresh("x").json()["error"] == "invalid_grant")
        return client

    def is_good(self, access_token: str) -> bool:
        url = f"{self.server.url}/api/v1/data/{OBJECT}/rows?limit=1"
        status = httpx.get(url, headers={"Authorization": f"Bearer {access_token}"}).status_code
        assert status in (200, 401)
        return status == 200

    def find_event(self, answer: httpx.Response) -> dict[str, Any]:
        """Give the one event of a request; it is durable before the answer leaves, so nothing is waited for."""
        request_id = answer.headers["x-request-id"]
        (event,) = [event for event in self.server.events() if event.get("request_id") == request_id]
        return event


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = make_home(tmp_path_factory.mktemp("inspection") / "home", sample_database)
    made = [
        add_application(settings, "main"),
        add_application(settings, "other"),
        add_application(settings, "inspector", (), scope="introspect"),
    ]
    with run_server(settings) as server:
        yield World(server, *(Client(server.url, new.application, new.client_secret) for new in made))


@pytest.fixture(autouse=True)
def _world_in_real_time(world: World) -> Iterator[None]:
    yield
    world.server.clock.reset()


def check_no_store(answer: httpx.Response) -> None:
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"


def check_error(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    check_no_store(answer)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic realm=")


# --- revocation ---


@pytest.mark.slow
@pytest.mark.number("P82", "ours")
def test_protocol_82_after_200_from_revoke_no_new_token_works(world: World) -> None:
    """Refreshes race with the revocation; whatever they bring is dead from the moment it is answered."""
    for _ in range(5):
        _race(world)


def _race(world: World) -> None:
    tokens = world.main.get_tokens()
    fresh: list[str] = []
    over, begun = threading.Event(), threading.Event()

    def refresh() -> None:
        while not over.is_set():
            answer = world.main.refresh(tokens["refresh_token"])
            if answer.status_code == 200:
                fresh.append(answer.json()["access_token"])
                begun.set()

    threads = [threading.Thread(target=refresh) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert world.main.revoke(tokens["refresh_token"]).status_code == 200
    assert not world.is_good(tokens["access_token"])
    assert not any(world.is_good(token) for token in list(fresh))
    assert world.main.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    over.set()
    for thread in threads:
        thread.join(10)
    assert not any(world.is_good(token) for token in fresh)


@pytest.mark.number("P85", "RFC 7009 §2.2")
@pytest.mark.parametrize("path", [REVOKE, "/revoke", "/oauth/revoke"])
def test_protocol_85_revoked_access_token_dies_alone(world: World, path: str) -> None:
    tokens, sibling = world.main.get_tokens(), world.main.get_tokens()
    refreshed = world.main.refresh(tokens["refresh_token"]).json()["access_token"]
    form = {"token": tokens["access_token"], "client_id": world.main.basic[0], "client_secret": world.main.basic[1]}
    answer = httpx.post(world.server.url + path, data=form)
    assert (answer.status_code, answer.content) == (200, b"")
    check_no_store(answer)
    assert not world.is_good(tokens["access_token"])
    assert world.is_good(refreshed)
    assert world.is_good(sibling["access_token"])
    assert world.main.refresh(tokens["refresh_token"]).status_code == 200
    event = world.find_event(answer)
    assert event["kind"] == "token_revoked"
    assert (event["application"], event["token_type"], event["revoked"]) == ("main", "access_token", True)
    issued = [event["token_id"] for event in world.server.events(kind="token_issued", application="main")]
    assert event["token_id"] in issued


@pytest.mark.number("P90", "RFC 7009 §2.1")
def test_protocol_90_revoked_refresh_token_takes_its_access_tokens(world: World) -> None:
    tokens, sibling = world.main.get_tokens(), world.main.get_tokens()
    refreshed = world.main.refresh(tokens["refresh_token"]).json()["access_token"]
    answer = world.main.revoke(tokens["refresh_token"])
    assert answer.status_code == 200
    assert not world.is_good(tokens["access_token"])
    assert not world.is_good(refreshed)
    assert world.main.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert world.is_good(sibling["access_token"])
    assert world.find_event(answer)["token_type"] == "refresh_token"


def test_any_refresh_token_of_a_family_takes_the_family(world: World) -> None:
    """A successor of the first has an id of its own, and the family's handle."""
    tokens = world.main.get_tokens()
    with closing(wiring.open_store(world.server.settings)) as store:
        sealer = TokenSealer(store.load_keys().sealing)
    token_id, record = sealer.open(REFRESH, tokens["refresh_token"])
    assert token_id == record.family
    successor = sealer.seal(REFRESH, b"successor's id..", record)
    assert world.main.revoke(successor).status_code == 200
    assert not world.is_good(tokens["access_token"])
    assert world.main.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.number("P90", "RFC 7009 §2.1")
def test_a_family_stays_dead_for_as_long_as_its_last_access_token(world: World) -> None:
    """An expired refresh token can still be revoked: what it got in its last second lives on without that."""
    client = world.add("brief", refresh_lifetime_seconds=1000)
    tokens, spared = client.get_tokens(), client.get_tokens()
    world.server.clock.advance(990)
    last, kept = (client.refresh(each["refresh_token"]).json()["access_token"] for each in (tokens, spared))
    world.server.clock.advance(60)
    assert client.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert world.is_good(last)
    assert client.revoke(tokens["refresh_token"]).status_code == 200
    for _ in range(3):
        assert not world.is_good(last)
        assert world.is_good(kept)
        world.server.clock.advance(1150)
        # whatever is cleared away in between, a live token's death is not
        assert client.revoke(client.get_tokens()["access_token"]).status_code == 200


@pytest.mark.number("P86", "RFC 7009 §2.2")
@pytest.mark.parametrize(
    "token",
    ["garbage", "rgat_", "rgrt_AAAA", "rgat_" + "A" * 5000, "a.b.c", "ä€", "rgat_" + "A" * 100, " ", "null"],
)
def test_protocol_86_what_is_no_token_is_200(world: World, token: str) -> None:
    answer = world.main.revoke(token)
    assert (answer.status_code, answer.content) == (200, b"")
    event = world.find_event(answer)
    assert event["kind"] == "token_revoked"
    assert "revoked" not in event  # the default: nothing was done
    assert event["reason"]


@pytest.mark.number("P86", "RFC 7009 §2.2")
def test_protocol_86_expired_and_revoked_tokens_are_200(world: World) -> None:
    tokens = world.main.get_tokens()
    assert world.main.revoke(tokens["access_token"]).status_code == 200
    again = world.main.revoke(tokens["access_token"])
    assert (again.status_code, world.find_event(again)["reason"]) == (200, "revoked_token")
    old = world.main.get_tokens()
    world.server.clock.advance(3700)
    expired = world.main.revoke(old["access_token"])
    assert (expired.status_code, world.find_event(expired)["reason"]) == (200, "expired_token")


@pytest.mark.number("P87", "RFC 7009 §2.1")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", "pct", "id_token", ""])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_protocol_87_a_hint_never_hides_a_token(world: World, hint: str, kind: str) -> None:
    tokens = world.main.get_tokens()
    assert world.main.introspect(tokens[kind], token_type_hint=hint).json()["active"]
    assert world.main.revoke(tokens[kind], token_type_hint=hint).status_code == 200
    assert not world.is_good(tokens["access_token"])
    assert world.main.introspect(tokens[kind], token_type_hint=hint).content == INACTIVE


@pytest.mark.number("P87", "RFC 7009 §2.2.1")
def test_protocol_87_what_cannot_be_revoked_is_not_said_to_be(world: World) -> None:
    """RFC 7009 §2.2.1. A client secret in the token's place is on record by its key id."""
    check_error(world.main.revoke("eyJ.eyJ.sig", token_type_hint="id_token"), 400, "unsupported_token_type")
    answer = world.main.revoke(world.main.client_secret)
    check_error(answer, 400, "unsupported_token_type")
    event = world.find_event(answer)
    assert (event["kind"], event["reason"]) == ("token_refused", "client_secret_as_token")
    assert (event["endpoint"], event["client_id"]) == ("revoke", world.main.basic[0])
    assert event["key_id"] in world.main.client_secret
    assert world.main.get_tokens()


@pytest.mark.number("P89", "RFC 7009 §2.1")
def test_protocol_89_token_of_another_client_is_left_alone(world: World) -> None:
    """Like one that is none: the same answer, byte for byte; only the record knows."""
    theirs = world.other.get_tokens()
    for token in (theirs["access_token"], theirs["refresh_token"]):
        for asker in (world.main, world.inspector):
            answer, nothing = asker.revoke(token), asker.revoke("garbage")
            assert (answer.status_code, answer.content) == (nothing.status_code, nothing.content) == (200, b"")
            assert {*answer.headers} == {*nothing.headers}
            event = world.find_event(answer)
            assert (event["reason"], event["client_id"]) == ("another_applications_token", asker.basic[0])
            assert "revoked" not in event
    assert world.is_good(theirs["access_token"])
    assert world.other.refresh(theirs["refresh_token"]).status_code == 200


@pytest.mark.number("P91", "RFC 7009 §2.2.1")
def test_protocol_91_a_state_that_cannot_be_written_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is claimed: the client is told to ask again, the record has the failure, the token lives."""
    tokens = world.main.get_tokens()
    assert world.main.revoke(world.main.get_tokens()["access_token"]).status_code == 200  # the store is open now
    monkeypatch.setattr("rowgate.service.writes.MAX_WAITING", 0)
    answer = world.main.revoke(tokens["access_token"])
    check_error(answer, 503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    kinds = [
        (event["kind"], event.get("reason"))
        for event in world.server.events()
        if event.get("request_id") == answer.headers["x-request-id"]
    ]
    assert kinds == [("token_revoked", None), ("token_refused", "state_not_written")]
    assert world.is_good(tokens["access_token"])
    monkeypatch.undo()
    assert world.main.revoke(tokens["access_token"]).status_code == 200
    assert not world.is_good(tokens["access_token"])


# --- introspection ---


@pytest.mark.number("P92", "RFC 7662 §2.2")
@pytest.mark.parametrize("path", [INTROSPECT, "/introspect", "/oauth/introspect"])
def test_protocol_92_good_token_is_told(world: World, path: str) -> None:
    tokens = world.main.get_tokens()
    answer = httpx.post(world.server.url + path, data={"token": tokens["access_token"]}, auth=world.main.basic)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told.pop("exp") - told.pop("iat") == 3600
    jti = told.pop("jti")
    client_id = world.main.basic[0]
    assert told == {
        "active": True,
        "scope": "read",
        "client_id": client_id,
        "sub": client_id,
        "iss": world.server.url,
        "token_type": "bearer",
    }
    issued = [event for event in world.server.events(kind="token_issued") if event["token_id"] == jti]
    assert len(issued) == 1
    event = world.find_event(answer)
    assert (event["kind"], event["token_id"], event["active"]) == ("token_introspected", jti, True)
    refresh = world.main.introspect(tokens["refresh_token"]).json()
    assert refresh["exp"] - refresh["iat"] == 7 * DAY
    assert "token_type" not in refresh


@pytest.mark.number("P92", "RFC 7662 §2.2")
def test_protocol_92_inactive_is_one_word_whatever_the_reason(world: World) -> None:
    """Byte for byte and header for header the same; the record says why."""
    revoked, family, theirs = world.main.get_tokens(), world.main.get_tokens(), world.other.get_tokens()
    world.main.revoke(revoked["access_token"])
    world.main.revoke(family["refresh_token"])
    world.server.clock.advance(-2 * DAY)
    old = world.main.get_tokens()["access_token"]
    world.server.clock.reset()
    cases = {
        "garbage": "unreadable_token",
        "rgrt_garbage": "unreadable_token",
        old: "expired_token",
        revoked["access_token"]: "revoked_token",
        family["access_token"]: "revoked_token",
        family["refresh_token"]: "revoked_token",
        theirs["access_token"]: "another_applications_token",
        theirs["refresh_token"]: "another_applications_token",
        revoked["refresh_token"]: None,
    }
    headers = set()
    for token, reason in cases.items():
        answer = world.main.introspect(token)
        assert answer.status_code == 200
        event = world.find_event(answer)
        assert event.get("reason") == reason
        if reason is not None:
            assert answer.content == INACTIVE
            assert "active" not in event
            headers.add(
                frozenset({*answer.headers.items()} - {(n, answer.headers[n]) for n in ("x-request-id", "date")})
            )
    assert len(headers) == 1


@pytest.mark.number("P92", "RFC 7662 §2.2")
def test_protocol_92_whoever_may_ask_about_all_is_told_about_all(world: World) -> None:
    tokens = world.other.get_tokens()
    for kind in ("access_token", "refresh_token"):
        told = world.inspector.introspect(tokens[kind]).json()
        assert (told["active"], told["client_id"]) == (True, world.other.basic[0])
    assert world.main.introspect(world.inspector.get_tokens()["access_token"]).content == INACTIVE


@pytest.mark.number("P92", "RFC 7662 §2.2")
def test_active_means_what_the_rows_endpoint_means(world: World) -> None:
    """After every change that an administrator can make, introspection and the rows agree."""
    client = world.add("changing")
    name = "changing"

    def agree(tokens: dict[str, Any], *, good: bool) -> None:
        def is_so() -> bool:
            return world.inspector.introspect(tokens["access_token"]).json()["active"] is good

        wait_until(is_so)
        assert world.is_good(tokens["access_token"]) is good
        assert world.inspector.introspect(tokens["refresh_token"]).json()["active"] is good

    with administer(world.server.settings) as desks:
        tokens = client.get_tokens()
        agree(tokens, good=True)
        desks.applications.set_enabled(name, enabled=False)
        agree(tokens, good=False)
        desks.applications.set_enabled(name, enabled=True)
        agree(tokens, good=True)
        desks.applications.revoke_tokens(name)
        agree(tokens, good=False)
        tokens = client.get_tokens()
        agree(tokens, good=True)
        desks.applications.revoke_secret(name, client.application.secrets[0].key_id, kills_tokens=True)
        agree(tokens, good=False)
        desks.applications.remove(name)
        agree(tokens, good=False)


# --- both endpoints ---

BOTH = pytest.mark.parametrize("path", [REVOKE, INTROSPECT])


@pytest.mark.number("P93", "RFC 7662 §2.1")
@BOTH
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_protocol_93_only_post(world: World, path: str, method: str) -> None:
    answer = httpx.request(method, f"{world.server.url}{path}?token=abc", auth=world.main.basic)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    options = httpx.options(world.server.url + path)
    assert (options.status_code, options.headers["allow"]) == (204, "POST, OPTIONS")


@pytest.mark.number("P88", "RFC 7009 §2.1")
@pytest.mark.number("P93", "RFC 7662 §2.1")
@BOTH
def test_protocol_88_93_a_client_must_prove_itself(world: World, path: str) -> None:
    """Every refusal is what the token endpoint's is, and on record with the endpoint's name."""
    url, (client_id, secret) = world.server.url, world.main.basic
    token = world.main.get_tokens()["access_token"]
    wrong = "rgcs_00000000_" + "A" * 43
    basic = "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    form, good = "application/x-www-form-urlencoded", f"client_id={client_id}&client_secret={secret}"
    cases: list[tuple[str, list[tuple[str, str]], int, str, str]] = [
        ("", [], 401, "invalid_client", "no_credentials"),
        (f"client_id={client_id}", [], 401, "invalid_client", "no_credentials"),
        (f"client_id={client_id}&client_secret={wrong}", [], 401, "invalid_client", "wrong_secret"),
        (f"client_id=nobody&client_secret={secret}", [], 401, "invalid_client", "unknown_client"),
        ("", [("Authorization", f"Bearer {token}")], 401, "invalid_client", "unsupported_scheme"),
        ("", [("Authorization", "Basic %%%")], 401, "invalid_client", "unreadable_basic"),
        (good, [("Authorization", basic)], 400, "invalid_request", "two_authentications"),
        ("", [("Authorization", basic), ("Authorization", basic)], 400, "invalid_request", "two_authorization_headers"),
        (f"{good}&client_id={client_id}", [], 400, "invalid_request", "duplicate_parameter"),
        (f"{good}&token=again", [], 400, "invalid_request", "duplicate_parameter"),
        (f"{good}&x=%00", [], 400, "invalid_request", "nul_character"),
        (f"{good}&x=%FF", [], 400, "invalid_request", "not_utf8"),
        (f"{good}&x=%ZZ", [], 400, "invalid_request", "broken_escape"),
        (good + "&a=b" * 100, [], 400, "invalid_request", "too_many_parameters"),
    ]
    for more, headers, status, code, reason in cases:
        answer = httpx.post(url + path, content=f"token={token}&{more}", headers=[("Content-Type", form), *headers])
        check_error(answer, status, code)
        event = world.find_event(answer)
        assert (event["kind"], event["reason"]) == ("token_refused", reason)
        assert event["endpoint"] == path.rpartition("/")[2]
        assert token not in answer.text
    assert world.is_good(token)


@pytest.mark.number("P88", "RFC 7009 §2.1")
@BOTH
def test_protocol_88_request_without_a_token(world: World, path: str) -> None:
    for form in ({}, {"token": ""}, {"token_type_hint": "access_token"}):
        check_error(
            httpx.post(world.server.url + path, data=form or {"x": ""}, auth=world.main.basic), 400, "invalid_request"
        )
    # PROTOCOL 5.0: who does not prove itself is told nothing else
    check_error(httpx.post(world.server.url + path, data={"x": "y"}), 401, "invalid_client")


@BOTH
def test_a_body_is_bounded_and_a_form(world: World, path: str) -> None:
    url, form = world.server.url + path, "application/x-www-form-urlencoded"
    large = httpx.post(url, content=b"token=" + b"a" * 70_000, headers={"Content-Type": form}, auth=world.main.basic)
    check_error(large, 413, "invalid_request")
    headers = {"Content-Type": form, "Content-Encoding": "gzip"}
    check_error(httpx.post(url, content=b"token=a", headers=headers, auth=world.main.basic), 415, "invalid_request")
    check_error(httpx.post(url, json={"token": "a"}, auth=world.main.basic), 400, "invalid_request")
    check_error(httpx.post(url, content=b"token=a", auth=world.main.basic), 400, "invalid_request")


@BOTH
def test_a_token_in_the_url_is_refused(world: World, path: str) -> None:
    token = world.main.get_tokens()["access_token"]
    answer = httpx.post(f"{world.server.url}{path}?token={token}", data={"token": token}, auth=world.main.basic)
    check_error(answer, 400, "invalid_request")
    assert world.find_event(answer)["reason"] == "secret_in_url"
    assert world.is_good(token)


@pytest.mark.number("P95", "RFC 7662 §4")
def test_protocol_95_answers_are_not_stored(world: World) -> None:
    token = world.main.get_tokens()["access_token"]
    for answer in (world.main.introspect(token), world.main.introspect("x"), world.main.revoke("x")):
        check_no_store(answer)


def test_no_token_and_no_secret_is_on_record(world: World) -> None:
    tokens = world.main.get_tokens()
    for token in (tokens["access_token"], tokens["refresh_token"], world.main.client_secret):
        world.main.introspect(token)
        world.main.revoke(token)
    record = json.dumps(world.server.events())
    parts = [tokens["access_token"][5:], tokens["refresh_token"][5:], world.main.client_secret.split("_", 2)[2]]
    assert not any(part in record for part in parts)


# --- signed answers ---


@pytest.mark.number("P94", "RFC 9701 §5")
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # of the name EdDSA, see oauth/jws.py
def test_protocol_94_signed_answer(world: World) -> None:
    """Verified by another library with the published keys; without a key there is no signed answer, and no other."""
    token = world.main.get_tokens()["access_token"]
    check_error(world.main.introspect(token, JWT), 406, "not_acceptable")
    either = world.main.introspect(token, f"application/json;q=0.5, {JWT}")
    assert (either.status_code, either.headers["content-type"]) == (200, "application/json")
    assert either.json()["active"]
    make_signing_key(world)
    for asked in (token, "garbage"):
        answer = world.main.introspect(asked, f"application/json;q=0.5, {JWT}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, JWT)
        check_no_store(answer)
        keys = KeySet.import_key_set(httpx.get(f"{world.server.url}/.well-known/jwks.json").json())
        signed = jwt.decode(answer.text, keys, algorithms=["EdDSA"])
        assert signed.header["typ"] == "token-introspection+jwt"
        claims = signed.claims
        assert set(claims) == {"iss", "aud", "iat", "token_introspection"}
        assert (claims["iss"], claims["aud"]) == (world.server.url, world.main.basic[0])
        assert claims["token_introspection"] == world.main.introspect(asked).json()
        assert world.find_event(answer)["kind"] == "token_introspected"
        # it is no access token, though the same key signed it (RFC 9701 §8.1)
        assert not world.is_good(answer.text)
        assert world.main.introspect(answer.text).content == INACTIVE
    assert world.main.introspect(token, "application/json").headers["content-type"] == "application/json"


def make_signing_key(world: World) -> None:
    """Have a key that signs; the server knows it within a second."""
    with administer(world.server.settings) as desks:
        desks.keys.rotate_signing("EdDSA", at_once=True)
    token = world.main.get_tokens()["access_token"]
    wait_until(lambda: world.main.introspect(token, JWT).status_code == 200)


def test_signed_access_tokens_are_told_and_revoked_like_sealed_ones(world: World) -> None:
    make_signing_key(world)
    client = world.add("signed", policy=PolicyChange(access_token_format="jwt"))
    tokens, sibling = client.get_tokens(), client.get_tokens()
    assert tokens["access_token"].count(".") == 2
    told = client.introspect(tokens["access_token"]).json()
    assert (told["active"], told["client_id"], told["aud"]) == (True, client.basic[0], world.server.url)
    assert world.main.introspect(tokens["access_token"]).content == INACTIVE
    assert world.main.revoke(tokens["access_token"]).status_code == 200
    assert world.is_good(tokens["access_token"])
    assert client.revoke(tokens["access_token"]).status_code == 200
    assert not world.is_good(tokens["access_token"])
    assert client.introspect(tokens["access_token"]).content == INACTIVE
    assert client.revoke(sibling["refresh_token"]).status_code == 200
    assert client.introspect(sibling["access_token"]).content == INACTIVE


@pytest.mark.parametrize("path", [REVOKE, INTROSPECT])
def test_client_that_proves_a_key_does_so_here_too_and_once(world: World, path: str) -> None:
    """An assertion counts once, whichever endpoint it was used at (RFC 7523 §3)."""
    key = make_key("EdDSA")
    client = world.add(f"key{path.replace('/', '-')}")
    with administer(world.server.settings) as desks:
        policy = PolicyChange(authentication_methods=("private_key_jwt",), jwks=make_jwks(key).decode())
        desks.policies.set(client.application.name, policy)
    client_id, now = client.basic[0], int(world.server.clock())

    def send(jti: str, to: str) -> httpx.Response:
        claims = {"iss": client_id, "sub": client_id, "aud": world.server.url, "iat": now, "exp": now + 60, "jti": jti}
        form = {
            "token": "x",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": sign(key, claims),
        }
        return httpx.post(world.server.url + to, data=form)

    attempts = itertools.count()  # an assertion counts once, whatever came of it
    ask_until(lambda: send(f"first {next(attempts)}", path).status_code == 200)
    answer = send("second", path)
    assert answer.status_code == 200, answer.text
    assert world.find_event(answer)["application"] == client.application.name
    for to in (path, REVOKE, INTROSPECT):
        replayed = send("second", to)
        check_error(replayed, 401, "invalid_client")
        event = world.find_event(replayed)
        assert (event["reason"], event["client_id"]) == ("assertion_replayed", client_id)
    check_error(client.introspect("x"), 401, "invalid_client")


# --- clients that people have ---


def test_authlib_with_requests(world: World) -> None:
    url = world.server.url
    with OAuth2Session(*world.main.basic, token_endpoint_auth_method="client_secret_basic") as session:
        tokens = session.fetch_token(f"{url}/api/v1/token", grant_type="client_credentials")
        told = session.introspect_token(url + INTROSPECT, token=tokens["access_token"])
        assert told.json()["active"] is True
        done = session.revoke_token(url + REVOKE, token=tokens["refresh_token"], token_type_hint="refresh_token")
        assert done.status_code == 200
        told = session.introspect_token(url + INTROSPECT, token=tokens["access_token"])
        assert told.json() == {"active": False}
        plain = session.request(
            "POST",
            url + INTROSPECT,
            withhold_token=True,
            data={"token": tokens["access_token"]},
            auth=HTTPBasicAuth(*world.main.basic),
        )
        assert plain.json() == {"active": False}


def test_authlib_with_httpx_and_credentials_in_the_body(world: World) -> None:
    url = world.server.url
    methods = {f"{name}_endpoint_auth_method": "client_secret_post" for name in ("token", "revocation")}
    with OAuth2Client(*world.main.basic, **methods) as client:
        tokens = client.fetch_token(f"{url}/api/v1/token", grant_type="client_credentials")
        assert client.introspect_token(url + INTROSPECT, token=tokens["refresh_token"]).json()["active"] is True
        assert client.revoke_token(url + REVOKE, token=tokens["access_token"]).status_code == 200
        assert not world.is_good(tokens["access_token"])


def test_metadata_names_the_endpoints(world: World) -> None:
    """RFC 8414 §2: a client finds both, and how to prove who it is there."""
    document = httpx.get(f"{world.server.url}/.well-known/oauth-authorization-server").json()
    tokens = world.main.get_tokens()
    for name in ("introspection", "revocation"):
        methods = document[f"{name}_endpoint_auth_methods_supported"]
        assert methods == document["token_endpoint_auth_methods_supported"]
        answer = httpx.post(document[f"{name}_endpoint"], data={"token": tokens["access_token"]}, auth=world.main.basic)
        assert answer.status_code == 200
    assert not world.is_good(tokens["access_token"])
