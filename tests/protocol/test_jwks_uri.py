"""Clients whose keys stand at an address of their own (jwks_uri): the whole road, against a real host over TLS."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from protocol.case import numbered
from protocol.judge import judge_error
from protocol.keyed import Keyed, register
from protocol.world import World, open_world
from rowgate.service.admin.policies import PolicyChange
from rowgate.service.remote_keys import RELOAD_SECONDS, RETRY_SECONDS
from support.client_keys import ClientKey
from support.homes import add_application, administer
from support.other_host import OtherHost, Said, run_other_host
from support.servers import wait_until, within_a_second


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherHost]:
    with run_other_host(tmp_path_factory.mktemp("other")) as running:
        yield running


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory, other: OtherHost) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("world"), sample_database, **other.settings) as opened:
        yield opened


def _register(world: World, other: OtherHost, path: str, *, base: str = "") -> Keyed:
    """Register an application whose keys stand at a path; the server knows it, and has asked for nothing."""
    name = path.strip("/")
    made = add_application(world.server.settings, name, ("SA_ServiceAccounts",))
    client = Keyed(world, name, made.application.client_id, made.client_secret)
    within_a_second(lambda: client.ask().status_code == 200)
    methods = ("client_secret_basic", "private_key_jwt")
    client.set(PolicyChange(authentication_methods=methods, jwks_uri=(base or other.url) + path))
    within_a_second(lambda: client.ask().status_code == 401)  # client_secret_post went away: the change has come
    client.client_secret = ""
    return client


def _publish(other: OtherHost, **keys: ClientKey) -> None:
    def say(asked: object) -> Said:
        found = keys.get(str(getattr(asked, "path", "")).strip("/").replace("-", "_"))
        return Said(404) if found is None else Said(body=found.jwks.encode())

    other.say = say


def _count(other: OtherHost, path: str) -> int:
    return sum(asked.path == path for asked in other.asked)


@numbered("P106", "RFC 7591 §2, RFC 7523 §2.2")
def test_keys_are_fetched_once_and_again_when_they_change(world: World, other: OtherHost) -> None:
    client = _register(world, other, "/changes")
    _publish(other, changes=client.key)
    for _ in range(3):
        assert client.ask().status_code == 200
    assert _count(other, "/changes") == 1
    client.key = ClientKey("EdDSA", "second")
    _publish(other, changes=client.key)
    assert client.reason(client.ask()) == "assertion_unknown_key"
    assert _count(other, "/changes") == 1
    world.server.clock.advance(RELOAD_SECONDS)
    assert client.ask().status_code == 200
    assert _count(other, "/changes") == 2


@numbered("P106", "RFC 7591 §2")
def test_cold_fetch_holds_up_nobody_else(world: World, other: OtherHost) -> None:
    client = _register(world, other, "/slow")
    _publish(other, slow=client.key)
    other.hold.clear()
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(client.ask) for _ in range(4)]
        wait_until(lambda: _count(other, "/slow"))
        world.get_tokens()
        register(world, "meanwhile")
        assert not any(answer.done() for answer in waiting)
        other.hold.set()
        assert [answer.result(10).status_code for answer in waiting] == [200] * 4
    assert _count(other, "/slow") == 1


@numbered("P120", "RFC 6749 §5.2")
def test_silent_host_is_503_and_the_client_may_come_again(world: World, other: OtherHost) -> None:
    client = _register(world, other, "/troubled")
    other.say = lambda _asked: Said(500)
    answer = client.ask()
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in answer.headers
    assert client.reason(answer) == "keys_unreachable"
    _publish(other, troubled=client.key)
    world.server.clock.advance(RETRY_SECONDS)
    assert client.ask().status_code == 200


@numbered("P49", "RFC 7523 §3")
def test_address_without_keys_and_host_that_is_not_listed(world: World, other: OtherHost) -> None:
    _publish(other)
    client = _register(world, other, "/nothing")
    answer = client.ask()
    assert client.reason(answer) == "unusable_remote_keys"
    judge_error(answer.headers, answer.content, status=401, code="invalid_client")
    client = _register(world, other, "/elsewhere", base="https://evil.example")
    assert client.reason(client.ask()) == "key_host_not_allowed"


@numbered("P49", "RFC 8725 §3.10")
def test_keys_of_the_token_itself_are_never_fetched(world: World, other: OtherHost) -> None:
    client = _register(world, other, "/honest")
    _publish(other, honest=client.key, evil=ClientKey(key_id="evil"))
    assert client.ask().status_code == 200
    evil = ClientKey(key_id="evil")
    claims = evil.claim(client.client_id, client.issuer, client.now)
    for header in ({"jku": f"{other.url}/evil"}, {"x5u": f"{other.url}/evil"}, {"jwk": evil.public}):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": evil.sign(claims, **header),
        }
        answer = client.post(form)
        assert (answer.status_code, client.reason(answer)) == (401, "assertion_forbidden_header")
    assert _count(other, "/evil") == 0


@numbered("P106", "RFC 7662 §2.1")
def test_introspection_waits_for_the_same_keys(world: World, other: OtherHost) -> None:
    client = _register(world, other, "/asks")
    _publish(other, asks=client.key)
    answer = world.client.post("/api/v1/introspect", data={"token": "rgat_x", **client.authenticate()}, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"active": False})
    assert _count(other, "/asks") == 1


@pytest.mark.parametrize("url", ["http://a.example/k", "https://", "https://u:p@a.example/k", "https://a.example/#k"])
def test_address_that_is_none_is_refused(world: World, url: str) -> None:
    from rowgate.service.admin.desk import AdminError  # noqa: PLC0415 - only here

    with administer(world.server.settings) as desks, pytest.raises(AdminError, match="https://HOST/PATH"):
        desks.policies.set("main", PolicyChange(jwks_uri=url))


def test_keys_stand_here_or_there(world: World, other: OtherHost) -> None:
    add_application(world.server.settings, "moves")
    with administer(world.server.settings) as desks:
        after = desks.policies.set("moves", PolicyChange(jwks=ClientKey().jwks))
        assert (bool(after.policy.jwks), after.policy.jwks_uri) == (True, "")
        after = desks.policies.set("moves", PolicyChange(jwks_uri=f"{other.url}/moves"))
        assert (after.policy.jwks, after.policy.jwks_uri) == ("", f"{other.url}/moves")
        after = desks.policies.set("moves", PolicyChange(jwks=ClientKey().jwks))
        assert after.policy.jwks_uri == ""
