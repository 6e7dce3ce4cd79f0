"""The threads that work for the event loop: nothing is lost, nothing waits for another's end."""

import asyncio
import threading

import pytest

from rowgate.service.hands import Hands


def test_every_job_gives_its_own_result_or_error() -> None:
    async def main() -> None:
        hands = Hands(4, name="test")

        def work(number: int) -> int:
            if number % 7 == 0:
                raise ValueError(number)
            return number * 2

        given = [hands.run(work, number) for number in range(2000)]
        found = await asyncio.wait_for(asyncio.gather(*given, return_exceptions=True), 20)
        for number, outcome in enumerate(found):
            if number % 7 == 0:
                assert isinstance(outcome, ValueError)
                assert outcome.args == (number,)
            else:
                assert outcome == number * 2
        hands.close(wait=True)

    asyncio.run(main())


def test_job_that_does_not_end_keeps_no_other_waiting_and_the_bound_holds() -> None:
    async def main() -> None:
        hands, release, started = Hands(2, name="test"), threading.Event(), threading.Semaphore(0)

        def block() -> None:
            started.release()
            assert release.wait(20)

        stuck = hands.run(block)
        assert await asyncio.wait_for(hands.run(int), 20) == 0
        second = hands.run(block)
        for _ in range(2):
            assert await asyncio.to_thread(started.acquire, timeout=20)
        third = hands.run(int)
        assert not (await asyncio.wait([third], timeout=0.05))[0], "a third thread ran"
        release.set()
        await asyncio.wait_for(asyncio.gather(stuck, second, third), 20)
        hands.close(wait=True)

    asyncio.run(main())


def test_cancelled_future_leaves_its_job_running_and_the_others_whole() -> None:
    async def main() -> None:
        hands, release, ran = Hands(1, name="test"), threading.Event(), threading.Event()

        def block() -> None:
            assert release.wait(20)
            ran.set()

        first = hands.run(block)
        first.cancel()
        second = hands.run(int)
        release.set()
        assert await asyncio.wait_for(second, 20) == 0
        assert ran.is_set()
        hands.close(wait=True)

    asyncio.run(main())


def test_closing_cancels_what_no_thread_has_taken() -> None:
    async def main() -> None:
        hands, release, started = Hands(1, name="test"), threading.Event(), threading.Event()

        def block() -> None:
            started.set()
            assert release.wait(20)

        under_way = hands.run(block)
        assert await asyncio.to_thread(started.wait, 20)
        waiting = hands.run(int)
        hands.close(wait=False)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        await asyncio.wait_for(under_way, 20)

    asyncio.run(main())


def test_each_thread_is_prepared_once_before_its_first_job() -> None:
    prepared = threading.local()
    times: list[int] = []

    def prepare() -> None:
        prepared.is_ready = True
        times.append(1)

    def is_prepared() -> bool:
        return getattr(prepared, "is_ready", False)

    async def main() -> None:
        hands = Hands(1, name="test", prepare=prepare)
        for _ in range(3):
            assert await asyncio.wait_for(hands.run(is_prepared), 20)
        hands.close(wait=True)

    asyncio.run(main())
    assert times == [1]


def test_job_waits_for_the_threads_there_are_when_none_can_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory, or too many processes: and what could not begin is neither waited for at the end nor run later."""

    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def use() -> None:
        hands, release = Hands(4, name="test"), threading.Event()
        ran: list[int] = []
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            with pytest.raises(RuntimeError):
                hands.run(ran.append, 0)
        first = hands.run(release.wait, 20)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            second = hands.run(ran.append, 1)
        release.set()
        assert await first
        await second
        hands.close(wait=True)
        assert ran == [1]

    asyncio.run(use())
