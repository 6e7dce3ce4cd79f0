"""Refresh tokens that rotate, on a real server: PROTOCOL 79 to 83."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from rowgate import wiring
from rowgate.service.admin.policies import PolicyChange
from rowgate.service.throttle import RevocationQuota
from rowgate.wiring import worker
from support.clock import MovableClock
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, fetch_token, run_server, wait_until

GRACE_SECONDS = 10
DAY = 86_400


@dataclass
class Client:
    """An application whose refresh tokens rotate."""

    server: RunningServer
    basic: tuple[str, str]

    def start(self) -> str:
        return str(fetch_token(self.server.url, *self.basic)["refresh_token"])

    def refresh(self, token: str, **more: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, **more}
        return httpx.post(f"{self.server.url}/token", data=form, auth=self.basic)

    def rotate(self, token: str) -> str:
        answer = self.refresh(token)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["refresh_token"])

    def is_reuse(self, token: str) -> bool:
        answer = self.refresh(token)
        return (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")

    def reads(self, access_token: str) -> int:
        url = f"{self.server.url}/api/v1/data/SA_ServiceAccounts/rows?limit=1"
        return httpx.get(url, headers={"Authorization": f"Bearer {access_token}"}).status_code


@contextmanager
def serve_client(database: Path, home: Path) -> Iterator[Client]:
    """Serve a home with one application, whose refresh tokens rotate."""
    settings = make_home(home, database)
    clock = MovableClock()
    made = add_application(settings, "rotating", clock=clock, secret_expires_at=0)
    with administer(settings, clock) as desks:
        desks.policies.set("rotating", PolicyChange(rotate_refresh_tokens=True))
    with run_server(settings, clock=clock) as server:
        yield Client(server, (made.application.client_id, made.client_secret))


@pytest.fixture
def client(sample_database: Path, tmp_path: Path) -> Iterator[Client]:
    with serve_client(sample_database, tmp_path / "home") as served:
        yield served


@pytest.mark.number("P79", "ours")
def test_79_each_use_gives_a_successor_and_twenty_at_once_the_same(client: Client) -> None:
    first = client.start()
    with ThreadPoolExecutor(20) as threads:
        successors = set(threads.map(client.rotate, [first] * 20))
    (second,) = successors
    assert second != first
    third = client.rotate(second)
    assert len({first, second, third}) == 3


@pytest.mark.number("P79", "ours")
def test_79_a_lost_answer_is_given_again_within_the_grace(client: Client) -> None:
    first = client.start()
    second = client.rotate(first)
    client.server.clock.advance(GRACE_SECONDS - 2)
    assert client.rotate(first) == second
    assert client.rotate(second) not in (first, second)


@pytest.mark.number("P80", "RFC 9700 §4.14.2")
def test_80_what_was_replaced_and_comes_back_after_the_grace_ends_the_family(client: Client) -> None:
    """R13: an access token of the family is dead too, and it is on record."""
    first = client.start()
    answer = client.refresh(first).json()
    assert client.reads(answer["access_token"]) == 200
    client.server.clock.advance(GRACE_SECONDS + 1)
    assert client.is_reuse(first)
    assert client.is_reuse(answer["refresh_token"])
    assert client.reads(answer["access_token"]) == 401
    reasons = [event["reason"] for event in client.server.events(kind="token_refused")]
    assert "replaced_before_the_grace" in reasons


@pytest.mark.number("P81", "RFC 9700 §4.14.2")
def test_81_a_grandparent_is_reuse_within_the_grace_too(client: Client) -> None:
    first = client.start()
    third = client.rotate(client.rotate(first))
    assert client.is_reuse(first)
    assert client.is_reuse(third)


@pytest.mark.number("P119", "RFC 6585 §4")
def test_119_reuse_is_no_way_around_the_bound_on_revocations(
    sample_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every worker keeps each for longer than its tokens live; beyond the bound nothing is looked at any more."""
    monkeypatch.setattr(worker, "RevocationQuota", partial(RevocationQuota, at_once=3))
    with serve_client(sample_database, tmp_path / "home") as client:
        client.server.clock.freeze()
        for _ in range(4):  # the fourth is beyond the bound, and ends its family all the same
            first = client.start()
            third = client.rotate(client.rotate(first))
            assert client.is_reuse(first)
            assert client.is_reuse(third)
        refused = client.refresh(client.start())
        assert (refused.status_code, refused.json()["error"]) == (429, "slow_down")
        revoked = httpx.post(f"{client.server.url}/revoke", auth=client.basic, data={"token": client.start()})
        assert revoked.status_code == 429
        client.server.clock.advance(int(refused.headers["retry-after"]))
        client.rotate(client.start())


@pytest.mark.number("P83", "ours")
def test_83_rotation_does_not_lengthen_the_family(client: Client) -> None:
    token = client.start()
    for _ in range(7):
        client.server.clock.advance(DAY - 30)
        token = client.rotate(token)
    client.server.clock.advance(7 * 30 + 1)
    assert client.is_reuse(token)


def test_16_scope_of_a_successor_is_that_of_the_first(client: Client) -> None:
    first = client.start()
    answer = client.refresh(first, scope="read").json()
    assert answer["scope"] == "read"
    assert client.refresh(answer["refresh_token"]).json()["scope"] == "read"
    refused = client.refresh(client.start(), scope="read run")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_a_refused_refresh_rotates_nothing(client: Client) -> None:
    """What is wrong with the request is found before the token is spent (R15)."""
    first = client.start()
    for wrong in ({"scope": "everything"}, {"client_id": "another"}):
        assert client.refresh(first, **wrong).status_code in (400, 401)
    client.server.clock.advance(GRACE_SECONDS + 1)
    assert client.rotate(first)


def test_14_rotation_outlives_a_restart(client: Client) -> None:
    """Another server on the same home knows what was replaced, and what it ends is ended here."""
    first = client.start()
    second = client.rotate(first)
    client.server.clock.advance(GRACE_SECONDS + 1)
    settings = dataclasses.replace(client.server.settings, port=0)
    with run_server(settings, clock=client.server.clock) as again:
        other = Client(again, client.basic)
        assert other.is_reuse(first)
    wait_until(lambda: client.is_reuse(second))


@pytest.mark.number("P80", "RFC 9700 §4.14.2")
def test_80_the_end_of_a_family_outlasts_its_youngest_access_token(client: Client) -> None:
    """Issued in the last minute of the refresh token's life, it lives an hour longer than that."""
    first = client.start()
    client.server.clock.advance(7 * DAY - 60)
    youngest = client.refresh(first).json()
    client.server.clock.advance(GRACE_SECONDS + 1)
    assert client.is_reuse(first)
    with closing(wiring.open_reader(client.server.settings)) as reader:
        (revoked,) = reader.load_state().revocations
    assert revoked.forget_at >= client.server.clock() - GRACE_SECONDS - 1 + youngest["expires_in"]
    client.server.clock.advance(10 * 60)
    assert client.reads(youngest["access_token"]) == 401


@pytest.mark.number("P92", "RFC 7662 §2.2")
def test_92_a_replaced_refresh_token_is_not_active(client: Client) -> None:
    """Active is what a refresh would be answered with; asking ends nothing."""

    def is_active(token: str) -> bool:
        url = f"{client.server.url}/introspect"
        return bool(httpx.post(url, data={"token": token}, auth=client.basic).json()["active"])

    first = client.start()
    assert is_active(first)
    second = client.rotate(first)
    assert (is_active(first), is_active(second)) == (True, True)
    client.server.clock.advance(GRACE_SECONDS + 1)
    assert (is_active(first), is_active(second)) == (False, True)
    third = client.rotate(second)
    assert (is_active(first), is_active(second), is_active(third)) == (False, True, True)
    assert client.is_reuse(first)
    assert not is_active(third)


def test_80_a_clock_that_was_set_back_lengthens_no_grace(client: Client) -> None:
    first = client.start()
    second = client.rotate(first)
    client.server.clock.advance(-3600)
    assert client.is_reuse(first)
    assert client.is_reuse(second)
