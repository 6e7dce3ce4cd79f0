"""Keys that stand elsewhere: when they are asked for, how often, and what counts while their host is silent."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rowgate.oauth.jwk_set import UnusableJwkSet
from rowgate.ports import CallError, CallFailed, CallForbidden, OutgoingAnswer
from rowgate.service.remote_keys import (
    FRESH_SECONDS,
    LEAST_FRESH_SECONDS,
    MAX_WAITING,
    MOST_FRESH_SECONDS,
    RELOAD_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    KeysForbidden,
    KeysUnavailable,
    RemoteKeys,
    find_fresh_seconds,
)
from support.client_keys import ClientKey
from support.clock import MovableClock

URI = "https://keys.example.com/jwks"
FIRST, SECOND = ClientKey(key_id="first"), ClientKey(key_id="second")


class Host:
    """Stands for `OutgoingHttp`: gives what it is told to, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: OutgoingAnswer | CallError = give(FIRST)
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, url: str, *, max_bytes: int) -> OutgoingAnswer:
        assert url == URI
        assert max_bytes == 65_536
        self.asked += 1
        await self.open.wait()
        if isinstance(self.says, CallError):
            raise self.says
        return self.says

    async def post(self, url: str, **more: Any) -> OutgoingAnswer:
        raise AssertionError(url, more)


def give(*keys: ClientKey, cache_control: str = "max-age=600", status: int = 200, body: bytes = b"") -> OutgoingAnswer:
    document = json.dumps({"keys": [key.public for key in keys]}).encode()
    return OutgoingAnswer(status, {"cache-control": cache_control}, body or document)


class Bench:
    """The keys of one address, a host and a clock."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.clock.freeze(1_000_000.0)
        self.host = Host()
        self.keys = RemoteKeys(self.host, clock=self.clock)

    async def want(self, key_id: str | None = "first") -> set[str | None]:
        """Do as a request does; give the ids of the keys that count then."""
        if self.keys.must_load(URI, key_id):
            await self.load()
        return {key.kid for key in self.keys.get(URI).keys}

    async def load(self) -> None:
        done = asyncio.Event()
        self.keys.load_then(URI, done.set)
        await done.wait()


def bench(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in a loop."""

    async def run() -> None:
        await test(Bench())

    def wrapped() -> None:
        asyncio.run(run())

    wrapped.__name__ = test.__name__
    return wrapped


@bench
async def test_keys_are_asked_for_once_while_they_are_fresh(on: Bench) -> None:
    assert await on.want() == {"first"}
    on.clock.advance(599)
    assert await on.want() == await on.want(None) == {"first"}
    assert on.host.asked == 1
    on.clock.advance(1)
    on.host.says = give(SECOND)
    assert await on.want() == {"second"}
    assert on.host.asked == 2


@bench
async def test_p106_unknown_key_ids_are_one_question_in_an_interval(on: Bench) -> None:
    await on.want()
    on.host.says = give(FIRST, SECOND)
    for number in range(1000):
        await on.want(f"made-up-{number}")
    assert on.host.asked == 1
    on.clock.advance(RELOAD_SECONDS)
    assert await on.want("second") == {"first", "second"}
    for number in range(1000):
        await on.want(f"made-up-{number}")
    assert on.host.asked == 2


@bench
async def test_one_question_is_under_way_and_all_wait_for_it(on: Bench) -> None:
    on.host.open.clear()
    waiting = [asyncio.create_task(on.want(f"id-{number}")) for number in range(MAX_WAITING)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # further ones are told at once, not kept
    with pytest.raises(KeysUnavailable):
        await on.want()
    on.host.open.set()
    assert await asyncio.gather(*waiting) == [{"first"}] * MAX_WAITING
    assert on.host.asked == 1


@bench
async def test_stale_keys_count_for_a_while_when_the_host_is_silent(on: Bench) -> None:
    await on.want()
    on.host.says = CallFailed("no_connection")
    on.clock.advance(600)
    assert await on.want() == {"first"}
    assert await on.want() == {"first"}
    assert on.host.asked == 2  # not one question for each request
    on.clock.advance(RETRY_SECONDS)
    assert await on.want() == {"first"}
    assert on.host.asked == 3
    on.clock.advance(STALE_SECONDS - RETRY_SECONDS - 1)
    assert await on.want() == {"first"}
    on.clock.advance(1)
    with pytest.raises(KeysUnavailable):
        await on.want()
    on.clock.advance(RETRY_SECONDS)
    on.host.says = give(SECOND)
    assert await on.want() == {"second"}


@pytest.mark.parametrize(
    ("says", "raised"),
    [
        (CallFailed("too_slow"), KeysUnavailable),
        (give(status=503), KeysUnavailable),
        (CallForbidden("host_not_listed"), KeysForbidden),
        (give(FIRST, status=404), UnusableJwkSet),
        (give(FIRST, status=302), UnusableJwkSet),
        (give(body=b"<html>"), UnusableJwkSet),
        (give(body=json.dumps({"keys": [FIRST.private]}).encode()), UnusableJwkSet),
        (give(body=b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'), UnusableJwkSet),
    ],
)
def test_no_keys_say_why(says: OutgoingAnswer | CallError, raised: type[Exception]) -> None:
    @bench
    async def ask(on: Bench) -> None:
        on.host.says = says
        for _ in range(3):
            with pytest.raises(raised):
                await on.want()
        assert on.host.asked == 1
        on.clock.advance(RETRY_SECONDS)
        on.host.says = give(FIRST)
        assert await on.want() == {"first"}

    ask()


@bench
async def test_a_clock_that_is_set_back_keeps_nothing_for_longer(on: Bench) -> None:
    await on.want()
    on.clock.advance(-100_000)
    on.host.says = give(SECOND)
    assert await on.want() == {"second"}


@bench
async def test_stop_ends_the_wait(on: Bench) -> None:
    on.host.open.clear()
    waiting = asyncio.create_task(on.want())
    while not on.host.asked:  # noqa: ASYNC110 - the question is a task of its own
        await asyncio.sleep(0)
    await on.keys.stop()
    with pytest.raises(KeysUnavailable):
        await waiting


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", FRESH_SECONDS),
        ("public", FRESH_SECONDS),
        ("max-age=0", LEAST_FRESH_SECONDS),
        ("public, Max-Age=3600, must-revalidate", 3600),
        ("max-age=999999999", MOST_FRESH_SECONDS),
        ("no-store, max-age=3600", LEAST_FRESH_SECONDS),
        ("s-maxage=7200", FRESH_SECONDS),
        ("x-max-age=7200", FRESH_SECONDS),
    ],
)
def test_max_age_counts_within_bounds(header: str, seconds: int) -> None:
    assert find_fresh_seconds(header) == seconds
