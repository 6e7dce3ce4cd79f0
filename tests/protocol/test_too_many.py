"""Too many tokens, and too many failures (P119); behind a proxy, so that there are strangers."""

import contextlib
import json
import sqlite3

import httpx
import pytest

from protocol.case import STD, numbered
from protocol.keyed import CLIENT_CREDENTIALS, Keyed, register, register_with_key
from protocol.world import World
from rowgate.service.admin.policies import PolicyChange
from rowgate.service.throttle import FREE_FAILURES, LONGEST_WAIT_SECONDS
from support.servers import within_a_second

SETTINGS = {"trusted_proxies": ("127.0.0.1",)}
_GUESSER, _CLIENT = "192.0.2.1", "192.0.2.2"


@pytest.fixture(scope="module")
def client(world: World) -> Keyed:
    return register(world, "guessed-at")


def _judge_slow_down(answer: httpx.Response) -> int:
    """Hold an answer against RFC 6585 §4; give how long it asks to wait."""
    assert answer.status_code == 429, answer.text
    assert {name: answer.headers.get(name) for name in STD} == STD
    assert "www-authenticate" not in answer.headers
    assert set(json.loads(answer.content)) == {"error", "error_description", "request_id"}
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= LONGEST_WAIT_SECONDS + 1
    return seconds


def _use_up_quota(world: World, client: Keyed) -> None:
    """Allow three tokens a minute, and take them; time stands still from here on."""
    world.server.clock.freeze()
    client.set(PolicyChange(tokens_per_minute=3))
    within_a_second(lambda: client.ask().status_code == 429)


def _ask(client: Keyed, source: str, client_secret: str = "") -> httpx.Response:
    form = {**CLIENT_CREDENTIALS, "client_id": client.client_id, "client_secret": client_secret or client.client_secret}
    return client.post(form, **{"X-Forwarded-For": source})


@numbered("P119", "RFC 6585 §4")
def test_quota_is_held_and_filled_again(world: World) -> None:
    client = register(world, "quota")
    _use_up_quota(world, client)
    answer = client.ask()
    seconds = _judge_slow_down(answer)
    assert client.reason(answer) == "quota_used_up"
    world.server.clock.advance(seconds)
    assert client.ask().status_code == 200
    _judge_slow_down(client.ask())
    world.server.clock.advance(3600)
    assert [client.ask().status_code for _ in range(4)] == [200, 200, 200, 429]
    client.set(PolicyChange(tokens_per_minute=0))
    within_a_second(lambda: client.ask().status_code == 200)
    assert [client.ask().status_code for _ in range(10)] == [200] * 10


@numbered("P119", "RFC 6585 §4")
def test_replayed_assertion_takes_nothing_of_the_quota(world: World) -> None:
    """Whoever has caught one cannot use up what its owner may get."""
    client = register_with_key(world, "quota-with-a-key")
    _use_up_quota(world, client)
    world.server.clock.advance(3600)
    form = {**CLIENT_CREDENTIALS, **client.authenticate()}
    assert client.post(form).status_code == 200
    assert [client.post(form).status_code for _ in range(5)] == [401] * 5
    assert [client.ask().status_code for _ in range(3)] == [200, 200, 429]


@numbered("P119", "RFC 6585 §4")
def test_who_is_beyond_its_quota_spends_nothing(world: World) -> None:
    """Each assertion would stay in the state until its end; and it is good when the client may come again."""
    client = register_with_key(world, "beyond-its-quota")
    _use_up_quota(world, client)
    kept = _count_used(world)
    form = {**CLIENT_CREDENTIALS, **client.authenticate()}
    refused = [client.post(form), *(client.ask() for _ in range(5))]
    assert [client.reason(answer) for answer in refused] == ["quota_used_up"] * 6
    assert _count_used(world) == kept
    world.server.clock.advance(int(refused[0].headers["retry-after"]))
    assert client.post(form).status_code == 200
    assert _count_used(world) == kept + 1


def _count_used(world: World) -> int:
    with contextlib.closing(sqlite3.connect(world.server.settings.state_path)) as state:
        return int(state.execute("SELECT count(*) FROM used").fetchone()[0])


@numbered("P119", "RFC 6585 §4")
def test_a_replayed_assertion_is_a_failure_and_clears_none(world: World) -> None:
    """Whoever has caught one may not guess the better for it, nor be counted as the client that proved itself."""
    client = register_with_key(world, "replayed-and-counted")
    world.server.clock.freeze()
    form = {**CLIENT_CREDENTIALS, **client.authenticate()}
    assert client.post(form, **{"X-Forwarded-For": _CLIENT}).status_code == 200
    for _ in range(FREE_FAILURES):
        assert client.post(form, **{"X-Forwarded-For": "192.0.2.9"}).status_code == 401
    _judge_slow_down(client.post(form, **{"X-Forwarded-For": "192.0.2.9"}))
    again = {**CLIENT_CREDENTIALS, **client.authenticate()}
    assert client.post(again, **{"X-Forwarded-For": _CLIENT}).status_code == 200


@numbered("P119", "RFC 6585 §4")
def test_quota_of_one_is_no_quota_of_another(world: World, client: Keyed) -> None:
    other = register(world, "quota-of-one", PolicyChange(tokens_per_minute=1))
    world.server.clock.freeze()
    within_a_second(lambda: other.ask().status_code == 429)
    assert client.ask().status_code == 200


@numbered("P119", "RFC 6585 §4")
def test_who_guesses_waits_and_the_application_does_not(client: Keyed) -> None:
    clock = client.world.server.clock
    clock.freeze()
    for _ in range(FREE_FAILURES):
        assert _ask(client, _GUESSER, "wrong").status_code == 401
    seconds = _judge_slow_down(_ask(client, _GUESSER, "wrong"))
    _judge_slow_down(_ask(client, _GUESSER))  # a right secret waits too: a guess is not told from it
    assert _ask(client, _CLIENT).status_code == 200
    clock.advance(seconds)
    assert _ask(client, _GUESSER).status_code == 200


@numbered("P119", "RFC 6585 §4")
def test_flood_of_guesses_leaves_one_line_for_each_wait(client: Keyed) -> None:
    client.world.server.clock.freeze()
    source = "192.0.2.3"
    for _ in range(FREE_FAILURES):
        _ask(client, source, "wrong")
    for _ in range(20):
        _judge_slow_down(_ask(client, source, "wrong"))
    events = [event for event in client.world.server.events() if event.get("source") == source]
    assert [event["reason"] for event in events].count("too_many_failures") == 1
    assert len(events) == FREE_FAILURES + 1
