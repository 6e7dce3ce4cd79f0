"""Turns of threads that compute; each test waits for what must happen, and sees that the rest has not."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rowgate.service.pace import Pace
from support.servers import wait_until

LONG = 100.0  # seconds: nobody's patience ends within a test
SHORT = 0.001


class Worker:
    """A thread that goes in and stays until it is let go."""

    def __init__(self, pace: Pace) -> None:
        self.is_inside = threading.Event()
        self.may_leave = threading.Event()
        self.thread = threading.Thread(target=self._work, args=(pace,), daemon=True)
        self.thread.start()

    def _work(self, pace: Pace) -> None:
        with pace:
            self.is_inside.set()
            assert self.may_leave.wait(20)

    def leave(self) -> None:
        self.may_leave.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def workers(pace: Pace, count: int) -> Iterator[list[Worker]]:
    started = [Worker(pace) for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.leave()


def test_one_works_at_a_time_and_all_get_their_turn() -> None:
    with workers(Pace(patience_seconds=LONG), 5) as waiting:
        left = list(waiting)
        while left:
            wait_until(lambda: any(worker.is_inside.is_set() for worker in left))
            inside = [worker for worker in left if worker.is_inside.is_set()]
            assert len(inside) == 1
            inside[0].leave()
            left.remove(inside[0])


def test_who_takes_long_keeps_nobody_out() -> None:
    with workers(Pace(patience_seconds=SHORT), 3) as started:
        for worker in started:
            assert worker.is_inside.wait(20)


def test_who_has_lost_its_turn_takes_nobody_elses() -> None:
    seconds = 0.0
    pace = Pace(patience_seconds=LONG, monotonic=lambda: seconds)
    slow = Worker(pace)
    assert slow.is_inside.wait(20)
    seconds = 2 * LONG
    second = Worker(pace)
    assert second.is_inside.wait(20)
    slow.leave()
    third = Worker(pace)
    assert not third.is_inside.wait(0.05)
    second.leave()
    assert third.is_inside.wait(20)
    third.leave()
    with pace:
        pass


def test_what_fails_gives_its_turn_back() -> None:
    pace = Pace(patience_seconds=LONG)
    with contextlib.suppress(ZeroDivisionError), pace:
        1 / 0  # noqa: B018 - what fails
    with workers(pace, 1) as (worker,):
        assert worker.is_inside.wait(20)
