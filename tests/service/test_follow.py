"""A worker that follows the state knows how old what it knows is."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rowgate.ports import StoreError
from rowgate.records import NO_KEYS, Changes, KeyMaterial, StateSnapshot
from rowgate.service import follow
from rowgate.service.follow import Follower
from rowgate.service.state import LiveState

EMPTY = StateSnapshot(sequence=0, grants=(), objects=(), revocations=(), keys=NO_KEYS)


class Answering:
    """A store that nobody changes, and that may say nothing for a time, or no."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.fails = False

    def load_state(self) -> StateSnapshot:
        return EMPTY

    def load_keys(self) -> KeyMaterial:
        return NO_KEYS

    def has_changed(self) -> bool:
        self.may_answer.wait(10)
        if self.fails:
            raise StoreError("it is away")
        return False

    def load_changes(self, after: int) -> Changes | None:
        self.has_changed()
        return Changes(sequence=after)


async def come_to_pass(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("trouble", ["silence", "error"])
def test_state_is_fresh_while_the_store_answers(trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "STALE_SECONDS", 0.2)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.01)
    store = Answering()

    async def story() -> None:
        with ThreadPoolExecutor(1) as thread:
            follower = Follower(store, LiveState(EMPTY), thread, lambda: 1000.0)
            follower.start()
            await come_to_pass(follower.is_fresh)
            store.fails = trouble == "error"
            if trouble == "silence":
                store.may_answer.clear()
            await come_to_pass(lambda: not follower.is_fresh())
            store.fails = False
            store.may_answer.set()
            await come_to_pass(follower.is_fresh)
            await follower.stop()

    asyncio.run(story())
