"""The threads that work for the event loop: nothing is lost, nothing waits for another's end."""

import asyncio
import os
import sys
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_nicer_hands_go_after_the_event_loop_which_stays_as_it_was() -> None:
    def find_niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    async def main() -> None:
        own, plain, nicer = find_niceness(), Hands(1, name="test"), Hands(1, name="test", niceness=3)
        assert await asyncio.wait_for(nicer.run(find_niceness), 20) == min(own + 3, 19)
        assert await asyncio.wait_for(plain.run(find_niceness), 20) == find_niceness() == own
        for hands in (plain, nicer):
            hands.close(wait=True)

    asyncio.run(main())
