"""The webhook: warnings reach it once, signed as its receiver expects, whatever fails on the way."""

import dataclasses
import json
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Receiver

from rowgate import wiring
from rowgate.audit.events import SecretsExpiring
from rowgate.config import ConfigError, Settings
from rowgate.service.webhook import ATTEMPTS_AT, MAX_AT_ONCE
from rowgate.service.webhook_message import parse_key, render_expiring, render_key, sign_message
from support.clock import MovableClock
from support.homes import add_application, make_home
from support.other_host import Asked, OtherHost, Said, run_other_host
from support.servers import RunningServer, fetch_token, run_server, wait_until

pytestmark = pytest.mark.slow

HOUR = 3600


@dataclasses.dataclass
class World:
    """A receiver, a home that knows it, and a clock that stands 25 hours before the end of an application's secret."""

    other: OtherHost
    settings: Settings
    key: str
    clock: MovableClock
    client_id: str
    client_secret: str
    ends_at: int

    def attempts(self, server: RunningServer) -> list[dict[str, Any]]:
        return server.events(kind="webhook_attempted")

    def wait_for_attempts(self, server: RunningServer, *outcomes: str) -> list[dict[str, Any]]:
        wait_until(lambda: [event["outcome"] for event in self.attempts(server)] == list(outcomes))
        return self.attempts(server)

    def read(self, asked: Asked) -> Any:
        """Give the document as the receiver's own library does: only when the signature is good."""
        return Receiver(self.key).verify(asked.body.decode(), asked.headers)


@pytest.fixture
def world(tmp_path: Path, sample_database: Path) -> Iterator[World]:
    with run_other_host(tmp_path) as other:
        settings = make_home(
            tmp_path / "home", sample_database, webhook_url=f"{other.url}/hook?for=rowgate", **other.settings
        )
        key = wiring.create_webhook_key(settings, replace=False)
        made = add_application(settings, "report")
        clock = MovableClock()
        clock.freeze(made.secret.expires_at - 25 * HOUR)
        yield World(other, settings, key, clock, made.application.client_id, made.client_secret, made.secret.expires_at)


def test_each_warning_arrives_once_and_is_signed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_server(world.settings, world.clock) as server:
        for place, hours in enumerate((24, 6, 1), 1):
            world.clock.freeze(world.ends_at - hours * HOUR + 5)
            world.wait_for_attempts(server, *["delivered"] * place)
            asked = world.other.asked[-1]
            monkeypatch.setattr("standardwebhooks.webhooks.datetime", _FrozenMoment.at(world.clock()))
            document = world.read(asked)
            assert (asked.method, asked.path, document["type"]) == ("POST", "/hook?for=rowgate", "secret.expiring")
            assert datetime.fromisoformat(document["timestamp"]).timestamp() == world.ends_at - hours * HOUR
            data = document["data"]
            assert datetime.fromisoformat(data.pop("expires_at")).timestamp() == world.ends_at
            assert data == {
                "client_id": world.client_id,
                "application": "report",
                "key_id": world.client_secret.split("_")[1],
                "hours": hours,
            }
        world.clock.freeze(world.ends_at + 5)
        later = add_application(world.settings, "later", clock=lambda: world.clock() - 71 * HOUR)
        wait_until(lambda: len(world.other.asked) == 4)  # so it has looked since
        assert later.application.client_id in world.other.asked[-1].body.decode()
    assert len({asked.headers["webhook-id"] for asked in world.other.asked}) == 4
    assert all(world.client_secret not in asked.body.decode() for asked in world.other.asked)


class _FrozenMoment(datetime):
    """The receiver's clock."""

    stands_at = 0.0

    @classmethod
    def at(cls, moment: float) -> type["_FrozenMoment"]:
        cls.stands_at = moment
        return cls

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.fromtimestamp(cls.stands_at, tz)


def test_a_receiver_that_fails_is_asked_again_in_time(world: World) -> None:
    answers = [503, 302, 200]
    world.other.say = lambda _asked: Said(answers[len(world.other.asked) - 1], headers={"location": "/elsewhere"})
    with run_server(world.settings, world.clock) as server:
        due_at = world.ends_at - 24 * HOUR
        world.clock.freeze(due_at)
        (first,) = world.wait_for_attempts(server, "failed")
        world.clock.freeze(due_at + ATTEMPTS_AT[1])
        world.wait_for_attempts(server, "failed", "failed")
        world.clock.freeze(due_at + ATTEMPTS_AT[2])
        attempts = world.wait_for_attempts(server, "failed", "failed", "delivered")
        assert [(event["attempt"], event["status"]) for event in attempts] == [(1, 503), (2, 302), (3, 200)]
        assert first["reason"] == "refused"
        for seconds in ATTEMPTS_AT[3:]:
            world.clock.freeze(due_at + seconds)
        other = add_application(world.settings, "other", clock=lambda: world.clock() - 71 * HOUR)
        wait_until(lambda: other.application.client_id in world.other.asked[-1].body.decode())
    assert [asked.path for asked in world.other.asked] == ["/hook?for=rowgate"] * 4
    same = {(asked.headers["webhook-id"], asked.body) for asked in world.other.asked[:3]}
    assert len(same) == 1
    assert len({asked.headers["webhook-timestamp"] for asked in world.other.asked[:3]}) == 3


def test_a_receiver_that_is_gone_is_left_alone(world: World) -> None:
    """410: it wants no more of this."""
    world.other.say = lambda _asked: Said(410)
    with run_server(world.settings, world.clock) as server:
        world.clock.freeze(world.ends_at - 24 * HOUR)
        (attempt,) = world.wait_for_attempts(server, "failed")
        assert attempt["reason"] == "gone"
        world.clock.freeze(world.ends_at - 24 * HOUR + ATTEMPTS_AT[1])
        other = add_application(world.settings, "other", clock=lambda: world.clock() - 71 * HOUR)
        wait_until(lambda: other.application.client_id in world.other.asked[-1].body.decode())
    assert len(world.other.asked) == 2


def test_of_many_servers_one_sends_and_a_restart_does_not_repeat_it(world: World) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(run_server(world.settings, world.clock)) for _ in range(3)]
        world.clock.freeze(world.ends_at - 6 * HOUR)
        world.wait_for_attempts(servers[0], "delivered")
    with run_server(world.settings, world.clock) as again:
        other = add_application(world.settings, "other", clock=lambda: world.clock() - 71 * HOUR)
        wait_until(lambda: len(world.other.asked) == 2)
        world.wait_for_attempts(again, "delivered", "delivered")
    assert other.application.client_id in world.other.asked[1].body.decode()


def test_what_a_dead_worker_had_begun_is_sent_by_the_next(world: World) -> None:
    """It had claimed the attempt and not made it; nobody knows, and the next attempt is made all the same."""
    world.other.hold.clear()
    with run_server(world.settings, world.clock):
        world.clock.freeze(world.ends_at - 24 * HOUR)
        wait_until(lambda: len(world.other.asked) == 1)
    world.other.hold.set()
    with run_server(world.settings, world.clock) as again:
        world.clock.freeze(world.ends_at - 24 * HOUR + ATTEMPTS_AT[1])
        (attempt,) = world.wait_for_attempts(again, "delivered")
        assert attempt["attempt"] == 2
    assert world.other.asked[0].headers["webhook-id"] == world.other.asked[1].headers["webhook-id"]


def test_many_warnings_leave_calls_for_the_keys_of_clients(world: World) -> None:
    """A receiver that is slow must not keep other hosts from being asked."""
    begun = world.ends_at - 72 * HOUR
    for place in range(MAX_AT_ONCE + 3):
        add_application(world.settings, f"other {place}", clock=lambda: begun)
    world.other.hold.clear()
    with run_server(world.settings, world.clock) as server:
        world.clock.freeze(world.ends_at - 24 * HOUR)
        wait_until(lambda: len(world.other.asked) == MAX_AT_ONCE)
        with pytest.raises(AssertionError):
            wait_until(lambda: len(world.other.asked) > MAX_AT_ONCE, seconds=1.5)  # three looks
        world.other.hold.set()
        world.wait_for_attempts(server, *["delivered"] * (MAX_AT_ONCE + 4))


def test_tokens_do_not_wait_for_the_receiver(world: World) -> None:
    world.other.hold.clear()
    with run_server(world.settings, world.clock) as server:
        world.clock.freeze(world.ends_at - 24 * HOUR)
        wait_until(lambda: world.other.asked)
        assert fetch_token(server.url, world.client_id, world.client_secret)["access_token"]
        world.other.hold.set()
        world.wait_for_attempts(server, "delivered")


def test_a_renewed_secret_is_not_warned_of_any_more(world: World) -> None:
    world.other.say = lambda _asked: Said(503)
    with run_server(world.settings, world.clock) as server:
        world.clock.freeze(world.ends_at - 24 * HOUR)
        world.wait_for_attempts(server, "failed")
        renewed = httpx.post(f"{server.url}/api/v1/secret", auth=(world.client_id, world.client_secret))
        assert renewed.status_code == 200
        world.clock.freeze(world.ends_at - 24 * HOUR + ATTEMPTS_AT[3])
        other = add_application(world.settings, "other", clock=lambda: world.clock() - 71 * HOUR)
        wait_until(lambda: other.application.client_id in world.other.asked[-1].body.decode())
    assert len([asked for asked in world.other.asked if world.client_id in asked.body.decode()]) == 1


@given(st.binary(min_size=24, max_size=64), st.integers(1, 2**31), st.text(max_size=30))
def test_a_signature_is_what_the_receivers_library_makes(key: bytes, now: int, name: str) -> None:
    body = render_expiring(
        SecretsExpiring(at=0.0, client_id="client", application=name, key_id="key", expires_at=2**31, hours=24)
    )
    headers = sign_message(key, "msg_1", now, body)
    receiver = Receiver(render_key(key))
    moment = datetime.fromtimestamp(now, tz=datetime.fromisoformat("2026-01-01T00:00:00Z").tzinfo)
    assert headers["webhook-signature"] == receiver.sign("msg_1", moment, body.decode())
    assert parse_key(render_key(key) + "\n") == key
    assert json.loads(body)["data"]["application"] == name


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "AAAA" * 8, "whsec_" + "A" * 31, "whsec_" + "AAAA" * 30])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64 of 24 to 64 bytes"):
        parse_key(text)


def test_settings_that_cannot_work_are_refused_at_the_start(world: World) -> None:
    def refuse(**changes: Any) -> str:
        with pytest.raises(ConfigError) as refused:
            wiring.check_webhook(dataclasses.replace(world.settings, **changes))
        return str(refused.value)

    assert "host stands in outgoing_hosts" in refuse(webhook_url="https://other.example/hook")
    assert "not_https" in refuse(webhook_url=world.settings.webhook_url.replace("https", "http"))
    path = world.settings.webhook_key_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="holds a key already"):
        wiring.create_webhook_key(world.settings, replace=False)
    path.write_text("whsec_none", "ascii")
    assert "holds no key" in refuse()
    assert wiring.create_webhook_key(world.settings, replace=True) == path.read_text("ascii").strip()
    wiring.check_webhook(world.settings)
    path.unlink()
    assert "rowgate webhook key" in refuse()
