"""Rotation on real servers: two of them share a home and a clock, as two workers or replicas do."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest

from keys.conftest import (
    GRANTED,
    JWKS,
    ask_for_jwt,
    check_key_set,
    fetch_key_set,
    fetch_kids,
    list_private,
    read_sealing_number,
    wait_for_kids,
)
from rowgate import wiring
from rowgate.config import Settings
from rowgate.oauth.jws import SigningAlgorithm
from rowgate.oauth.signing import choose_signing_key, render_jwks
from rowgate.oauth.tokens import ACCESS
from rowgate.service import looking
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.desk import AdminError
from rowgate.service.key_plan import (
    FOLLOW_SECONDS,
    KeyPolicy,
    choose_sealing_number,
    measure_demand,
    plan_keys,
    read_signing_keys,
)
from rowgate.store import sql_store
from rowgate.store.following import SqlReader
from support.clock import MovableClock
from support.homes import add_application, administer
from support.servers import RunningServer, fetch_token, run_server, wait_until

_HOUR = 3600
_DAY = 24 * _HOUR
_ROUNDS: tuple[SigningAlgorithm, ...] = ("RS256", "EdDSA", "ES256", "EdDSA")


@contextmanager
def run_two(settings: Settings, clock: MovableClock) -> Iterator[list[RunningServer]]:
    with ExitStack() as servers:
        yield [at_its_port(servers.enter_context(run_server(settings, clock))) for _ in range(2)]


def at_its_port(server: RunningServer) -> RunningServer:
    """Give the server by the address that it listens on: its own name leads nowhere."""
    return replace(server, url=f"http://127.0.0.1:{server.port}")


def is_settled(settings: Settings, reader: SqlReader, now: float) -> bool:
    """Tell whether the schedule has been carried out."""
    policy = KeyPolicy(settings.jwks_max_age_seconds, settings.signing_key_days, settings.sealing_key_days)
    state = reader.load_state()
    demand = measure_demand(grants.application for grants in state.grants)
    return bool(state.keys.signing) and not plan_keys(state.keys, demand, policy, int(now))


def shows_everything(server: RunningServer, reader: SqlReader, clock: MovableClock) -> bool:
    keys = read_signing_keys(reader.load_keys().signing)
    return fetch_key_set(server.url) == render_jwks(keys, clock())


@pytest.mark.number("P116", "ours")
def test_protocol_116_a_key_is_shown_for_max_age_before_it_signs(settings: Settings, reader: SqlReader) -> None:
    """Hour by hour through three days of a daily schedule, on two servers, whichever does the work."""
    clock = MovableClock()
    clock.freeze()
    ask_for_jwt(settings, "ES256")
    first_shown: dict[str, float] = {}
    signed: dict[str, float] = {}  # last time that it may have signed
    with run_two(settings, clock) as servers:
        for _ in range(3 * 24):
            wait_until(lambda: is_settled(settings, reader, clock()))
            for server in servers:
                wait_until(lambda server=server: shows_everything(server, reader, clock))  # type: ignore[misc]
            kids = fetch_kids(servers[0].url)
            for kid in kids:
                first_shown.setdefault(kid, clock())
            signing = choose_signing_key(read_signing_keys(reader.load_keys().signing), "ES256", clock())
            assert signing is not None
            current = signing.kid
            if current not in signed and signed:
                assert clock() - first_shown[current] >= settings.jwks_max_age_seconds
            signed[current] = clock()
            assert {kid for kid, last in signed.items() if clock() <= last + _HOUR} <= kids
            clock.advance(_HOUR)
        events = servers[0].events(kind="administrative_change")
    assert 3 <= len(signed) <= 4
    added = [event["target"] for event in events if event["action"] == "key.add" and "ES256" in str(event)]
    assert len(added) == 4, "one at once, one for each day: two workers must not do the same"
    assert set(added) == set(first_shown)
    assert {event["actor"] for event in events if event["action"].startswith("key.")} == {"server"}
    gone = {event["target"] for event in events if event["action"] == "key.forget"}
    assert len(gone & set(added)) >= 1


@dataclass
class Load:
    """What clients were told by servers, and what they complain of."""

    answers: int = 0
    tokens: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    sets: set[bytes] = field(default_factory=set)


@contextmanager
def put_load(servers: list[RunningServer], forms: list[dict[str, str]]) -> Iterator[Load]:
    """Clients that get a token from one server, refresh it and read at the other, and fetch the key set."""
    load, over = Load(), threading.Event()
    threads = [
        threading.Thread(target=_ask, args=(servers[n % 2], servers[(n + 1) % 2], forms[n % len(forms)], load, over))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)


def _ask(issuer: RunningServer, other: RunningServer, form: dict[str, str], load: Load, over: threading.Event) -> None:
    with httpx.Client(timeout=30) as client:
        while not over.is_set():
            got = _take(load, client.post(f"{issuer.url}/token", data=form)).json()
            refresh = {**form, "grant_type": "refresh_token", "refresh_token": got.get("refresh_token", "")}
            again = _take(load, client.post(f"{other.url}/token", data=refresh)).json()
            for token, server in ((got.get("access_token", ""), other), (again.get("access_token", ""), issuer)):
                bearer = {"Authorization": f"Bearer {token}"}
                _take(load, client.get(f"{server.url}/api/v1/data/{GRANTED}/rows?limit=1", headers=bearer))
                load.tokens.append(token)
            load.sets.add(_take(load, client.get(other.url + JWKS)).content)


def _take(load: Load, answer: httpx.Response) -> httpx.Response:
    if answer.status_code != 200:
        load.wrong.append(f"{answer.status_code} {answer.text[:200]}")
    load.answers += 1
    return answer


def wait_for_more(load: Load, count: int = 60) -> None:
    target = load.answers + count
    wait_until(lambda: load.answers >= target or load.wrong, seconds=30)


@pytest.mark.slow
def test_no_request_fails_while_keys_rotate(
    settings: Settings, reader: SqlReader, caplog: pytest.LogCaptureFixture
) -> None:
    """Sealing and signing keys, on command, at once and by schedule, under load; and no key is left anywhere."""
    caplog.set_level(logging.DEBUG)
    clock = MovableClock()
    clock.freeze()
    signed = ask_for_jwt(settings, "EdDSA")
    made = add_application(settings, "load", (GRANTED,), clock=clock, secret_expires_at=0)
    form, signed_form = make_form(made), make_form(signed)
    seen: list[bytes] = []
    with run_two(settings, clock) as servers:
        for server in servers:
            wait_for_kids(server.url, 1)
        oldest = fetch_token(servers[0].url, made.application.client_id, made.client_secret)["refresh_token"]
        with put_load(servers, [form, form, form, signed_form]) as load:
            for round_ in range(len(_ROUNDS)):
                with administer(settings, clock) as desks:
                    number, begins = desks.keys.rotate_sealing()
                    desks.keys.rotate_signing(_ROUNDS[round_], at_once=round_ != 1)
                seen += list_private(reader.load_keys())
                for server in servers:
                    wait_until(lambda server=server: shows_everything(server, reader, clock))  # type: ignore[misc]
                wait_for_more(load)
                # one step over everything that begins, others' clocks included; then by schedule
                clock.advance(begins - clock())
                wait_for_more(load)
                assert choose_sealing_number(reader.load_keys().sealing_created_at, clock()) == number
                clock.advance(settings.jwks_max_age_seconds // 2)
                wait_for_more(load)
        assert load.wrong == []
        # the newest key has taken over, and what the first sealed still opens
        used = {read_sealing_number(token) for token in load.tokens if token.startswith(ACCESS)}
        assert len({token.split(".")[0] for token in load.tokens if token.startswith("ey")}) >= 2  # signed by two keys
        assert len(used) >= 4
        answer = httpx.post(
            f"{servers[1].url}/token", data={**form, "grant_type": "refresh_token", "refresh_token": oldest}
        )
        assert answer.status_code == 200
        # a week later the schedule has forgotten the old keys, and nothing that lives needed them
        clock.advance(8 * _DAY + _HOUR)
        wait_until(lambda: is_settled(settings, reader, clock()), seconds=20)
        answer = httpx.post(f"{servers[1].url}/token", data=form)
        assert answer.status_code == 200
        assert not set(reader.load_keys().sealing) & set(sorted(used)[:-1])
    for body in load.sets:
        check_key_set(body)
    assert len(load.sets) >= 4
    seen += list_private(reader.load_keys())
    look_for(seen, settings, caplog, load)


def make_form(made: NewCredentials) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": made.application.client_id,
        "client_secret": made.client_secret,
    }


def look_for(private: list[bytes], settings: Settings, caplog: pytest.LogCaptureFixture, load: Load) -> None:
    """Search the home, the log and what clients were sent."""
    assert len(private) > 20
    places = {str(path): path.read_bytes() for path in settings.home.rglob("*") if path.is_file()}
    assert any("audit" in place for place in places)
    places["log"] = caplog.text.encode()
    places["sets"] = b"".join(load.sets)
    found = {place for place, content in places.items() for value in private if value in content}
    assert found == set()


def test_rotation_waits_for_the_one_before(settings: Settings) -> None:
    clock = MovableClock()
    clock.freeze()
    with administer(settings, clock) as desks:
        (first,) = desks.keys.rotate_signing()
        assert (first.algorithm, first.not_before) == ("EdDSA", int(clock()))  # nothing signed before
        (second,) = desks.keys.rotate_signing()
        assert second.not_before == int(clock()) + settings.jwks_max_age_seconds + 60
        with pytest.raises(AdminError, match=second.kid):
            desks.keys.rotate_signing("EdDSA")
        number, begins = desks.keys.rotate_sealing()
        assert begins == int(clock()) + FOLLOW_SECONDS
        with pytest.raises(AdminError, match=str(number)):
            desks.keys.rotate_sealing()
        (third,) = desks.keys.rotate_signing(at_once=True)
        clock.advance(third.not_before - clock())
        states = {listed.name: listed.state for listed in desks.keys.list_all()}
        assert states == {
            first.kid: "old",
            second.kid: "old",
            third.kid: "current",
            "1": "current",
            str(number): "coming",
        }


@pytest.mark.parametrize(("to_go_seconds", "verifies"), [(3600, False), (30, True)])
def test_a_key_that_was_on_its_way_never_takes_over_from_one_that_signs_at_once(
    settings: Settings,
    to_go_seconds: int,
    verifies: bool,  # noqa: FBT001
) -> None:
    """Whoever has copied the key that signs has copied the next one too. One that began at a fast clock verifies on."""
    clock = MovableClock()
    clock.freeze()
    with administer(settings, clock) as desks, closing(wiring.open_reader(settings)) as reader:
        (first,) = desks.keys.rotate_signing()
        (leaked,) = desks.keys.rotate_signing()
        clock.advance(leaked.not_before - to_go_seconds - clock())
        (taken,) = desks.keys.rotate_signing(at_once=True)
        clock.advance(2)
        desks.keys.rotate_scheduled()
        kept = {key.kid: key for key in read_signing_keys(reader.load_keys().signing)}
        assert set(kept) == {first.kid, taken.kid, *([leaked.kid] if verifies else [])}
        clock.advance(to_go_seconds + 1)
        current = choose_signing_key(read_signing_keys(reader.load_keys().signing), "EdDSA", clock())
        assert current is not None
        assert current.kid == taken.kid


def test_an_algorithm_that_is_asked_for_has_a_key_within_seconds(settings: Settings) -> None:
    """RS256 on demand, while a server runs; nothing is made before that."""
    with run_server(settings) as running:
        server = at_its_port(running)
        assert fetch_kids(server.url) == set()
        ask_for_jwt(settings, "RS256")
        began = time.monotonic()
        wait_for_kids(server.url, 1)
        assert time.monotonic() - began < 8
        (made,) = [event for event in server.events(kind="administrative_change") if event["action"] == "key.add"]
    assert (made["actor"], made["details"]["algorithm"]) == ("server", "RS256")


@pytest.mark.slow
def test_a_state_that_cannot_be_written_delays_keys_and_nothing_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens and rows go on, readiness too; the key comes when the state can be written again."""
    monkeypatch.setattr(looking, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(sql_store, "BUSY_MILLISECONDS", 50)
    made = add_application(settings, "load", (GRANTED,))
    ask_for_jwt(settings, "ES256")
    with closing(sqlite3.connect(settings.state_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with run_server(settings) as running:
            server = at_its_port(running)
            for _ in range(20):
                token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
                bearer = {"Authorization": f"Bearer {token}"}
                rows = httpx.get(f"{server.url}/api/v1/data/{GRANTED}/rows?limit=1", headers=bearer)
                assert rows.status_code == 200
            assert httpx.get(server.url + "/readyz").status_code == 200
            assert fetch_kids(server.url) == set()
            other.execute("ROLLBACK")
            wait_for_kids(server.url, 1)
    with closing(wiring.open_reader(settings)) as look:
        assert [key.algorithm for key in look.load_keys().signing] == ["ES256"]
