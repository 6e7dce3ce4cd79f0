"""The clock of the machine jumps, hours back and forth, between any two steps of the road."""

import time
from dataclasses import dataclass
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.test_requests import fuzzed
from fuzz.wire import VIEW, World
from support.homes import add_application
from support.servers import ask_until, wait_until

_HOUR = 3600
_LIFETIME = 86_400  # of the access tokens of conftest's applications
_ROWS = f"/api/v1/data/{VIEW}/rows?limit=1".encode()
_STEPS = ("token", "assertion", "refresh", "rows", "introspect", "revoke")
jumps = st.lists(st.tuples(st.integers(-30 * _HOUR, 30 * _HOUR), st.sampled_from(_STEPS)), min_size=1, max_size=12)


@dataclass
class _Token:
    access_token: str
    refresh_token: str
    ends_at: float  # when its last second is over, by the clock that it was issued by
    revoked: bool = False


@settings(fuzzed, suppress_health_check=list(HealthCheck))
@given(road=jumps)
def test_no_token_outlives_its_time(world: World, road: list[tuple[int, str]]) -> None:
    """Never a fault; past its end, or revoked, a token reads nothing, whatever the clock said in between."""
    clock = world.server.clock
    begin = max(clock.offset_seconds, 100 * _HOUR)
    tokens: list[_Token] = []
    for offset, step in road:
        clock.offset_seconds = begin + offset
        if step == "token" or not tokens:
            tokens.append(_take(world, world.ask_token().members))
        elif step == "assertion":
            form = {"grant_type": "client_credentials", **world.assert_client()}
            answer = world.post_form("/token", form)
            assert answer.status == 200, answer
            world.keep(answer.members["access_token"])
        elif step == "refresh":
            _refresh(world, tokens)
        elif step == "revoke":
            answer = world.post_form("/revoke", {"token": tokens[-1].access_token, **world.credentials})
            tokens[-1].revoked = answer.status == 200 and clock() < tokens[-1].ends_at
        else:
            _look(world, tokens, step)
    for token in tokens:
        for from_end in (-5, 1):
            clock.offset_seconds = token.ends_at - time.time() + from_end
            _look(world, [token], "rows")
            _look(world, [token], "introspect")
    clock.offset_seconds = begin


def _take(world: World, members: dict[str, object]) -> _Token:
    assert members["expires_in"] == _LIFETIME
    world.keep(str(members["access_token"]))
    ends_at = world.server.clock() + _LIFETIME
    return _Token(str(members["access_token"]), str(members["refresh_token"]), ends_at)


def _refresh(world: World, tokens: list[_Token]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": tokens[-1].refresh_token, **world.credentials}
    answer = world.post_form("/token", form)
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert answer.members["expires_in"] <= _LIFETIME
        tokens.append(_take(world, {"refresh_token": tokens[-1].refresh_token, **answer.members}))


def _look(world: World, tokens: list[_Token], step: str) -> None:
    for token in tokens:
        if step == "rows":
            answer = world.send(b"GET", _ROWS, [(b"authorization", f"Bearer {token.access_token}".encode())])
            is_good = answer.status == 200
        else:
            answer = world.post_form("/introspect", {"token": token.access_token, **world.credentials})
            is_good = bool(answer.members["active"])
        if token.revoked or world.server.clock() >= token.ends_at:
            assert not is_good, (token, answer)


def _wait_for_looks(world: World, name: str) -> None:
    """Wait until the server has looked twice for changes: what it clears in between is then cleared."""
    for number in range(2):
        made = add_application(world.server.settings, f"{name}-{number}", clock=world.server.clock)
        form = {"grant_type": "client_credentials", "client_id": made.application.client_id}
        ask_until(partial(_is_known, world, {**form, "client_secret": made.client_secret}))


def _is_known(world: World, form: dict[str, str]) -> bool:
    answer = world.post_form("/token", form)
    world.server.clock.advance(1)  # and no wait after a failure
    return answer.status == 200


def test_clock_that_goes_on_after_a_jump_serves_as_before(world: World) -> None:
    """Forth by a day and back: tokens are issued, checked and end as if nothing had been."""
    clock = world.server.clock
    begin = clock.offset_seconds
    token = _take(world, world.ask_token().members)
    for offset in (begin + 30 * _HOUR, begin - 30 * _HOUR, begin):
        clock.offset_seconds = offset
        assert world.ask_token().status == 200
    headers = [(b"authorization", f"Bearer {token.access_token}".encode())]
    assert world.send(b"GET", _ROWS, headers).status == 200
    clock.offset_seconds = begin + _LIFETIME + 1
    assert wait_until(lambda: world.send(b"GET", _ROWS, headers).status == 401)
    clock.offset_seconds = begin


def test_revocation_outlives_a_clock_that_was_wrong_for_a_while(world: World) -> None:
    """What is cleared while the clock is ahead is not alive again once it is right."""
    clock = world.server.clock
    begin = clock.offset_seconds
    first = _take(world, world.ask_token().members)
    for token, offset in ((first, begin), (None, begin + 30 * _HOUR)):
        clock.offset_seconds = offset
        gone = token or _take(world, world.ask_token().members)
        world.post_form("/revoke", {"token": gone.access_token, **world.credentials})
        _wait_for_looks(world, f"looked-{offset}")
        gone.revoked = True
    clock.offset_seconds = begin
    _look(world, [first], "rows")
    _look(world, [first], "introspect")
