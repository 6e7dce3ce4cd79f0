"""What an administrator or a client changes at one replica holds at the other within a second."""

from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from replicas.conftest import OBJECT, Replicas
from rowgate import wiring
from rowgate.service.admin.token_opener import HomeTokenOpener
from support.homes import administer
from support.servers import within_a_second

pytestmark = pytest.mark.slow


def holds_within_a_second(replicas: Replicas, change: Callable[[], object], holds: Callable[[str], bool]) -> None:
    change()
    within_a_second(lambda: all(holds(url) for url in replicas.urls))
    for _ in range(4):  # and neither goes back on it
        assert all(holds(url) for url in replicas.urls)


def test_a_token_of_one_is_good_at_the_other(replicas: Replicas) -> None:
    basic = replicas.add("both")
    for url in replicas.urls:
        token = replicas.ask(url, basic).json()["access_token"]
        assert [replicas.read(other, token) for other in replicas.urls] == [200, 200]


def test_what_the_administrator_changes_holds_at_both(replicas: Replicas) -> None:
    basic = replicas.add("changed")
    token = replicas.ask(replicas.urls[0], basic).json()["access_token"]

    def reads(status: int) -> Callable[[str], bool]:
        return lambda url: replicas.read(url, token) == status

    with administer(replicas.settings) as desks, closing(wiring.open_store(replicas.settings)) as store:
        opener = HomeTokenOpener(store.load_keys())
        for change, status in (
            (lambda: desks.objects.block(OBJECT, reason="tests"), 401),
            (lambda: desks.objects.unblock(OBJECT), 200),
            (lambda: desks.applications.ungrant("changed", [OBJECT]), 401),
            (lambda: desks.grants.grant("changed", [OBJECT]), 200),
            (lambda: desks.applications.set_enabled("changed", enabled=False), 401),
            (lambda: desks.applications.set_enabled("changed", enabled=True), 200),
            (lambda: desks.tokens.revoke(token, opener), 401),
        ):
            holds_within_a_second(replicas, change, reads(status))


@pytest.mark.parametrize("where", [0, 1])
def test_a_client_revokes_its_token_at_one_and_it_is_dead_at_both(replicas: Replicas, where: int) -> None:
    basic = replicas.add(f"revoking {where}")
    token = replicas.ask(replicas.urls[1 - where], basic).json()["access_token"]

    def revoke() -> None:
        answer = httpx.post(f"{replicas.urls[where]}/api/v1/revoke", auth=basic, data={"token": token}, timeout=30)
        assert answer.status_code == 200

    holds_within_a_second(replicas, revoke, lambda url: replicas.read(url, token) == 401)


def test_keys_that_are_rotated_seal_and_open_at_both(replicas: Replicas) -> None:
    """The tokens of before stay good; a token of after is opened by whoever gets it."""
    basic = replicas.add("sealed")
    before = replicas.ask(replicas.urls[0], basic).json()["access_token"]
    with administer(replicas.settings) as desks:
        desks.keys.rotate_sealing()
    replicas.wait_for(
        lambda url: all(
            replicas.read(other, replicas.ask(url, basic).json()["access_token"]) == 200 for other in replicas.urls
        )
    )
    assert [replicas.read(url, before) for url in replicas.urls] == [200, 200]
