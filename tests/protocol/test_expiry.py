"""What ends by itself, to the second, with a clock that is moved."""

import time

import pytest

from protocol.case import BASIC, CC, numbered
from protocol.world import World
from rowgate.oauth.model import NEVER
from support.homes import administer
from support.servers import ask_until

HOUR, DAY = 3600, 86_400
_REFRESH = "grant_type=refresh_token&refresh_token="


@pytest.fixture(scope="module")
def lasting(world: World) -> str:
    """A second secret of the same application, one that does not expire."""
    with administer(world.server.settings) as desks:
        made = desks.applications.add_secret(world.values["id"], secret_name="lasting", expires_at=NEVER)
    basic = f"<id>:{made.client_secret}"
    ask_until(lambda: world.post_token(basic=basic).status_code == 200)
    return basic


@numbered("P44", "ours")
def test_secret_is_good_until_its_instant(world: World) -> None:
    expires_at = world.get_tokens()["client_secret_expires_at"]
    for second, status in ((-1, 200), (0, 401), (1, 401)):
        world.server.clock.freeze(expires_at + second)
        assert world.post_token().status_code == status, second


@numbered("O-11", "origin")
def test_secret_lives_72_hours(world: World) -> None:
    lifetime = world.get_tokens()["client_secret_expires_at"] - time.time()
    assert 72 * HOUR - 60 < lifetime <= 72 * HOUR


@numbered("P45", "ours")
def test_old_and_new_secret_overlap(world: World, lasting: str) -> None:
    expires_at = world.get_tokens()["client_secret_expires_at"]
    world.server.clock.freeze(expires_at - 1)
    assert [world.post_token(basic=basic).status_code for basic in (BASIC, lasting)] == [200, 200]
    world.server.clock.freeze(expires_at)
    assert [world.post_token(basic=basic).status_code for basic in (BASIC, lasting)] == [401, 200]


@numbered("P45", "ours")
def test_token_outlives_the_secret_that_got_it(world: World) -> None:
    """A secret that runs out in time is no compromise: it takes nothing with it."""
    expires_at = world.get_tokens()["client_secret_expires_at"]
    world.server.clock.freeze(expires_at - 1)
    tokens = world.get_tokens()
    world.server.clock.freeze(expires_at + 1)
    assert world.get_rows(tokens["access_token"]).status_code == 200


@numbered("O-9", "origin")
def test_access_token_lives_an_hour(world: World) -> None:
    now = world.server.clock.freeze(int(time.time()))
    token = world.get_tokens()["access_token"]
    for second, status in ((HOUR - 1, 200), (HOUR, 401), (HOUR + 1, 401)):
        world.server.clock.freeze(now + second)
        assert world.get_rows(token).status_code == status, second


@numbered("O-10", "origin")
def test_refresh_token_lives_seven_days(world: World, lasting: str) -> None:
    now = world.server.clock.freeze(int(time.time()))
    token = world.get_tokens(basic=lasting)["refresh_token"]
    for second, status in ((7 * DAY - 1, 200), (7 * DAY, 400), (7 * DAY + 1, 400)):
        world.server.clock.freeze(now + second)
        answer = world.post_token(_REFRESH + token, lasting)
        assert answer.status_code == status, second
        assert answer.json().get("error") == (None if status == 200 else "invalid_grant")


@numbered("O-10", "origin")
def test_refreshing_does_not_lengthen_the_seven_days(world: World, lasting: str) -> None:
    now = world.server.clock.freeze(int(time.time()))
    token = world.get_tokens(basic=lasting)["refresh_token"]
    for day in range(1, 7):
        world.server.clock.freeze(now + day * DAY)
        assert "refresh_token" not in world.get_tokens(_REFRESH + token, lasting)
    world.server.clock.freeze(now + 7 * DAY)
    assert world.post_token(_REFRESH + token, lasting).status_code == 400


@numbered("O-9", "origin")
def test_refreshed_access_token_has_its_own_hour(world: World, lasting: str) -> None:
    now = world.server.clock.freeze(int(time.time()))
    first = world.get_tokens(basic=lasting)
    world.server.clock.freeze(now + HOUR - 1)
    second = world.get_tokens(_REFRESH + first["refresh_token"], lasting)
    world.server.clock.freeze(now + 2 * HOUR - 2)
    statuses = [world.get_rows(tokens["access_token"]).status_code for tokens in (first, second)]
    assert statuses == [401, 200]


@numbered("P44", "ours")
def test_clock_set_back_harms_nothing(world: World) -> None:
    world.server.clock.advance(-HOUR)
    token = world.get_tokens(CC)["access_token"]
    assert world.get_rows(token).status_code == 200
