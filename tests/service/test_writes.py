"""Changes that a serving worker makes: durable, together, seen here at once, and each with an answer of its own."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from rowgate import wiring
from rowgate.audit.events import Event, ServerEvent
from rowgate.config import Settings
from rowgate.ports import AuditUnavailable, NameTaken, Store, StoreError, StoreWriter, UnknownName
from rowgate.records import Revocation
from rowgate.service import writes as module
from rowgate.service.follow import Follower
from rowgate.service.state import LiveState
from rowgate.service.writes import Writes
from store.conftest import make_application
from support.homes import make_home

FOREVER = 2**40


class Worker:
    """The part of a worker that writes and follows."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = 1000.0
        self.opened = 0
        self.transactions = 0
        self.record_is_full = False
        self.recorded: list[tuple[Event, int]] = []  # with how many revocations were kept by then
        self.reader = wiring.open_reader(settings)
        self.state = LiveState(self.reader.load_state())
        self.executor = ThreadPoolExecutor(max_workers=1)
        self.follower = Follower(self.reader, self.state, self.executor, lambda: 1000.0)
        self.writes = Writes(self._open, self.follower, self.executor, record=self.record, clock=lambda: self.now)

    def record(self, events: Sequence[Event]) -> None:
        if self.record_is_full:
            raise AuditUnavailable
        self.recorded += [(event, len(list_kept(self.settings))) for event in events]

    def _open(self) -> Store:
        self.opened += 1
        store = wiring.open_store(self.settings)
        changing = store.changing

        def counted() -> Any:
            self.transactions += 1
            return changing()

        store.changing = counted  # type: ignore[method-assign]
        return store

    def knows(self, handle: bytes) -> bool:
        return self.state.is_revoked(handle, b"")


@pytest.fixture
def settings(sample_database: Path, tmp_path: Path) -> Settings:
    return make_home(tmp_path / "home", sample_database)


@asynccontextmanager
async def start_worker(settings: Settings) -> AsyncIterator[Worker]:
    worker = Worker(settings)
    try:
        yield worker
    finally:
        await worker.writes.stop()
        worker.executor.shutdown()
        worker.reader.close()


def kill(handle: bytes) -> Callable[[StoreWriter], bytes]:
    def work(change: StoreWriter) -> bytes:
        change.add_revocation(Revocation(handle, FOREVER))
        return handle

    return work


def tell(handle: bytes) -> list[Event]:
    return [ServerEvent(at=1.0, action=handle.hex(), version="", process=0)]


def list_kept(settings: Settings) -> set[bytes]:
    with closing(sqlite3.connect(settings.state_path)) as connection:
        return {handle for (handle,) in connection.execute("SELECT handle FROM revocations")}


async def gather(*waiting: Any) -> list[Any]:
    return list(await asyncio.gather(*waiting, return_exceptions=True))


def test_a_change_is_kept_and_known_here_before_it_is_answered(settings: Settings) -> None:
    """No poll is under way: only the write itself can have brought the state up to date (PROTOCOL 82)."""

    async def write_and_look(worker: Worker, handle: bytes) -> None:
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def answer(outcome: bytes | StoreError) -> None:
            assert outcome == handle
            known.set_result(worker.knows(handle) and handle in list_kept(settings))

        worker.writes.write_then(kill(handle), answer)
        assert not known.done(), "called back before it returned"
        assert await known

    async def story() -> None:
        async with start_worker(settings) as worker:
            for number in range(20):
                await write_and_look(worker, bytes([number]) * 16)
            assert worker.opened == 1

    asyncio.run(story())


def test_while_the_store_is_opened_the_worker_goes_on_following(settings: Settings) -> None:
    """Loading what writes takes long; what others revoke in the meantime must hold within a second all the same."""
    goes_on = threading.Event()

    async def story() -> None:
        async with start_worker(settings) as worker:
            open_store = worker.writes._open_store

            def open_slowly() -> Store:
                assert goes_on.wait(20)
                return open_store()

            worker.writes._open_store = open_slowly
            first = asyncio.create_task(worker.writes.write(kill(b"m" * 16)))
            with closing(wiring.open_store(settings)) as elsewhere, elsewhere.changing() as change:
                change.add_revocation(Revocation(b"e" * 16, FOREVER))
            await worker.follower.catch_up()
            assert worker.knows(b"e" * 16)
            assert not first.done()
            goes_on.set()
            assert await first == b"m" * 16

    asyncio.run(story())


def test_a_change_is_on_record_before_it_is_kept(settings: Settings) -> None:
    """So that a crash in between leaves no change that nobody knows of."""

    async def story() -> None:
        async with start_worker(settings) as worker:
            handles = [bytes([number]) * 16 for number in range(3)]
            assert await gather(*(worker.writes.write(kill(h), tell=tell) for h in handles)) == handles
            assert worker.recorded == [(tell(handle)[0], 0) for handle in handles]
            assert list_kept(settings) == set(handles)

    asyncio.run(story())


def test_a_change_that_cannot_be_put_on_record_is_not_made(settings: Settings) -> None:
    """And one that is on record nowhere is made all the same, in the same transaction or another."""

    async def story() -> None:
        async with start_worker(settings) as worker:
            worker.record_is_full = True
            told, silent = await gather(
                worker.writes.write(kill(b"a" * 16), tell=tell), worker.writes.write(kill(b"b" * 16))
            )
            assert isinstance(told, AuditUnavailable)
            assert silent == b"b" * 16
            assert list_kept(settings) == {b"b" * 16}
            worker.record_is_full = False
            assert await worker.writes.write(kill(b"a" * 16), tell=tell) == b"a" * 16

    asyncio.run(story())


def test_changes_that_come_together_share_a_transaction(settings: Settings) -> None:
    async def story() -> None:
        async with start_worker(settings) as worker:
            handles = [bytes([number]) * 16 for number in range(40)]
            assert await gather(*(worker.writes.write(kill(handle)) for handle in handles)) == handles
            assert worker.transactions == 1
            assert all(map(worker.knows, handles))
            assert list_kept(settings) == set(handles)

    asyncio.run(story())


def test_one_that_fails_takes_nobody_along(settings: Settings) -> None:
    """Each gets its own answer; what failed left nothing behind, and its neighbours' changes are kept."""

    def half(change: StoreWriter) -> None:
        change.add_revocation(Revocation(b"h" * 16, FOREVER))
        change.set_enabled(999, enabled=False)

    def taken(change: StoreWriter) -> None:
        change.add_application(make_application("one"))
        change.add_application(make_application("one"))

    def broken(change: StoreWriter) -> None:
        change.add_revocation(Revocation(b"b" * 16, FOREVER))
        raise ZeroDivisionError

    async def story() -> None:
        async with start_worker(settings) as worker:
            works: list[Callable[[StoreWriter], Any]] = [kill(b"1" * 16), half, kill(b"2" * 16), taken, broken]
            outcomes = await gather(*map(worker.writes.write, works), worker.writes.write(kill(b"3" * 16)))
            assert [type(outcome) for outcome in outcomes] == [bytes, UnknownName, bytes, NameTaken, StoreError, bytes]
            assert isinstance(outcomes[4].__cause__, ZeroDivisionError)
            assert list_kept(settings) == {b"1" * 16, b"2" * 16, b"3" * 16}
            assert not worker.state.list_applications()

    asyncio.run(story())


def test_a_store_that_cannot_be_written_is_told_and_tried_again(settings: Settings) -> None:
    async def story() -> None:
        async with start_worker(settings) as worker:
            away = settings.master_key_path.rename(settings.home / "away")
            assert [type(told) for told in await gather(*(worker.writes.write(kill(b"a" * 16)) for _ in range(3)))] == [
                StoreError,
                StoreError,
                StoreError,
            ]
            assert worker.opened == 1, "asked once for all of them"
            away.rename(settings.master_key_path)
            assert await worker.writes.write(kill(b"a" * 16)) == b"a" * 16
            assert worker.knows(b"a" * 16)

    asyncio.run(story())


def test_changes_that_cannot_be_taken_are_refused_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that stands still gathers no more than so many; those that wait are made when it goes on."""
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    loop: asyncio.AbstractEventLoop
    has_begun, goes_on = asyncio.Event(), threading.Event()

    def slow(change: StoreWriter) -> bytes:
        loop.call_soon_threadsafe(has_begun.set)
        assert goes_on.wait(20)
        return kill(b"s" * 16)(change)

    async def story() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        async with start_worker(settings) as worker:
            first = asyncio.create_task(worker.writes.write(slow))
            await has_begun.wait()
            waiting = [asyncio.create_task(worker.writes.write(kill(bytes([n]) * 16))) for n in range(5)]
            await asyncio.sleep(0)
            with pytest.raises(StoreError):
                worker.writes.write_then(kill(b"x" * 16), lambda _: pytest.fail("it was refused"))
            goes_on.set()
            assert await gather(first, *waiting) == [b"s" * 16, *(bytes([n]) * 16 for n in range(5))]
            assert worker.transactions == 2
            assert not worker.knows(b"x" * 16)

    asyncio.run(story())


def test_a_request_that_is_given_up_does_not_stop_its_change(settings: Settings) -> None:
    """Nor does an answer that fails keep another from its own."""

    def fail(_outcome: object) -> None:
        raise ZeroDivisionError

    async def story() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with start_worker(settings) as worker:
            given_up = asyncio.create_task(worker.writes.write(kill(b"g" * 16)))
            await asyncio.sleep(0)
            given_up.cancel()
            worker.writes.write_then(kill(b"f" * 16), fail)
            assert await worker.writes.write(kill(b"n" * 16)) == b"n" * 16
            assert all(worker.knows(sign * 16) for sign in (b"g", b"f", b"n"))
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError]

    asyncio.run(story())


def test_stop_makes_what_waits(settings: Settings) -> None:
    async def story() -> None:
        async with start_worker(settings) as worker:
            for number in range(10):
                worker.writes.write_then(kill(bytes([number]) * 16), lambda _: None)
        assert len(list_kept(settings)) == 10

    asyncio.run(story())


def test_looks_at_the_same_time_never_take_the_state_back(settings: Settings) -> None:
    """Writes, the follower's own looks and changes by somebody else, all at once: in the end everything is known."""

    async def story() -> None:
        async with start_worker(settings) as worker:
            loop = asyncio.get_running_loop()
            elsewhere = wiring.open_store(settings)
            others = ThreadPoolExecutor(max_workers=1)

            def change_elsewhere(handle: bytes) -> None:
                with elsewhere.changing() as change:
                    change.add_revocation(Revocation(handle, FOREVER))

            handles = [number.to_bytes(16, "big") for number in range(60)]
            sequences: list[int] = []

            async def look() -> None:
                await worker.follower.catch_up()
                sequences.append(worker.state.sequence)

            for place in range(0, len(handles), 3):
                mine, theirs, last = handles[place : place + 3]
                await asyncio.gather(
                    worker.writes.write(kill(mine)),
                    look(),
                    loop.run_in_executor(others, change_elsewhere, theirs),
                    look(),
                    worker.writes.write(kill(last)),
                )
                assert worker.knows(mine)
                assert worker.knows(last)
            await worker.follower.catch_up()
            assert all(map(worker.knows, handles))
            assert sequences == sorted(sequences)
            others.shutdown()
            elsewhere.close()

    asyncio.run(story())


def test_whoever_looks_second_is_not_told_before_the_first_has_seen(settings: Settings) -> None:
    """The store says only once that something has changed; both looks end with it known."""

    async def story() -> None:
        async with start_worker(settings) as worker:
            await worker.follower.catch_up()
            with closing(wiring.open_store(settings)) as elsewhere, elsewhere.changing() as change:
                change.add_revocation(Revocation(b"e" * 16, FOREVER))
            looks = {asyncio.create_task(worker.follower.catch_up()) for _ in range(3)}
            await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
            assert worker.knows(b"e" * 16)
            await asyncio.gather(*looks)

    asyncio.run(story())


def test_a_look_that_is_broken_off_is_made_up_for(settings: Settings) -> None:
    """The store says only once that something has changed: who was told and gave up must load everything."""

    async def story() -> None:
        async with start_worker(settings) as worker:
            await worker.follower.catch_up()
            with closing(wiring.open_store(settings)) as elsewhere, elsewhere.changing() as change:
                change.add_revocation(Revocation(b"e" * 16, FOREVER))
            look = asyncio.create_task(worker.follower.catch_up())
            await asyncio.sleep(0)
            look.cancel()
            await gather(look)
            assert not worker.follower.is_current
            await worker.follower.catch_up()
            assert worker.follower.is_current
            assert worker.knows(b"e" * 16)

    asyncio.run(story())


def test_a_worker_that_never_writes_loads_no_sqlalchemy(settings: Settings) -> None:
    program = (
        "import sys; from rowgate import wiring; from rowgate.config import load_settings; from pathlib import Path\n"
        f"wiring.build_app(load_settings(Path({str(settings.home)!r}), {{}}, {{}}))\n"
        "assert 'sqlalchemy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_is_too_old_to_matter_is_cleared_with_other_changes_once_a_minute(settings: Settings) -> None:
    def use(handle: bytes, forget_at: int) -> Callable[[StoreWriter], bool]:
        return lambda change: change.use_once(handle, forget_at)

    async def story() -> None:
        async with start_worker(settings) as worker:
            write = worker.writes.write
            assert await write(use(b"a" * 32, 1010))
            worker.now = 1030.0
            assert not await write(use(b"a" * 32, 1010)), "cleared before a minute was over"
            worker.now = 1061.0
            assert not await write(use(b"a" * 32, 1010)), "cleared while it may be good by another replica's clock"
            worker.now = 1130.0
            assert await write(use(b"a" * 32, 1200))
            worker.now = 1250.0
            assert not await write(use(b"a" * 32, 1200)), "cleared before it was too old"
            worker.now = 500.0
            assert not await write(use(b"a" * 32, 1200)), "a clock that was set back forgets nothing"

    asyncio.run(story())
