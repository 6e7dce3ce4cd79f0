"""Warnings before an application has no good secret: each once, whoever looks and however often it restarts."""

from collections import Counter
from contextlib import ExitStack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from credentials.conftest import HOUR, Client
from rowgate.config import Settings
from rowgate.oauth.expiry import WARNING_HOURS, find_warning
from rowgate.oauth.model import NEVER, Secret
from support.clock import MovableClock
from support.homes import add_application, administer
from support.servers import RunningServer, ask_until, run_server, wait_until


def list_warnings(server: RunningServer) -> list[dict[str, Any]]:
    return server.events(kind="secrets_expiring")


def wait_for_hours(server: RunningServer, *hours: int) -> None:
    wait_until(lambda: [event["hours"] for event in list_warnings(server)] == list(hours))


def test_three_warnings_before_the_last_secret_ends(client: Client) -> None:
    ends_at = client.made.secret.expires_at
    for hours, given_so_far in ((24, [24]), (6, [24, 6]), (1, [24, 6, 1])):
        client.server.clock.freeze(ends_at - hours * HOUR)
        wait_for_hours(client.server, *given_so_far)
    client.server.clock.freeze(ends_at)
    (last,) = list_warnings(client.server)[-1:]
    assert (last["client_id"], last["key_id"]) == (client.client_id, client.made.secret.key_id)
    assert last["expires_at"] == ends_at


def test_a_renewal_ends_the_warnings(client: Client) -> None:
    client.server.clock.freeze(client.made.secret.expires_at - 5 * HOUR)
    wait_for_hours(client.server, 6)
    client.renew(client.first)
    client.server.clock.advance(4 * HOUR + 1800)
    late = add_application(client.server.settings, "late", clock=lambda: client.server.clock() - 71 * HOUR)
    wait_for_hours(client.server, 6, 1)  # of the other one, so the watch has looked
    assert list_warnings(client.server)[-1]["application"] == late.application.name


def test_one_of_many_servers_warns_and_a_restart_does_not_repeat_it(settings: Settings) -> None:
    made = add_application(settings, "report")
    clock = MovableClock()
    clock.freeze(made.secret.expires_at - 5 * HOUR)
    with ExitStack() as stack:
        servers = [stack.enter_context(run_server(settings, clock)) for _ in range(3)]
        wait_for_hours(servers[0], 6)
        clock.advance(4 * HOUR)
        wait_for_hours(servers[0], 6, 1)
    with run_server(settings, clock) as again:
        other = add_application(settings, "other", clock=lambda: clock() - 71 * HOUR)
        wait_for_hours(again, 6, 1, 1)
        warned = Counter(event["application"] for event in list_warnings(again))
        assert warned == {made.application.name: 2, other.application.name: 1}


def test_who_is_disabled_or_has_an_endless_secret_is_not_warned_of(client: Client) -> None:
    settings, clock = client.server.settings, client.server.clock
    with administer(settings, clock) as desks:
        desks.applications.add_secret(client.client_id, secret_name="endless", expires_at=NEVER)
    disabled = Client(client.server, add_application(settings, "disabled"))
    ask_until(lambda: disabled.ask_token(disabled.first).status_code == 200)
    with administer(settings, clock) as desks:
        desks.applications.set_enabled("disabled", enabled=False)
    ask_until(lambda: disabled.ask_token(disabled.first).status_code == 401)  # the server has heard of it
    clock.advance(71 * HOUR + 1800)
    add_application(settings, "seen", clock=lambda: clock() - 71 * HOUR)
    wait_for_hours(client.server, 1)
    assert [event["application"] for event in list_warnings(client.server)] == ["seen"]


@given(st.integers(1, 200_000), st.integers(0, 200_000))
def test_a_warning_is_the_shortest_that_is_due_and_shorter_than_the_life(life: int, age: int) -> None:
    secret = Secret(1, "k", "", b"", 0, life, revoked=False, kills_tokens=False)
    found = find_warning(secret, age)
    left = life - age
    due = [hours for hours in WARNING_HOURS if 0 < left <= hours * HOUR]
    assert found == (due[0] if due and life > due[0] * HOUR else 0)
