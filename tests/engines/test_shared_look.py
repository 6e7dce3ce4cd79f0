"""Looks at a catalog: one at a time, and nobody waits for more than one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from rowgate.engines.shared_look import SharedLook
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError
from support.servers import wait_until

WAITING = 4


def _fail_while_others_wait(error: RowsError) -> tuple[SharedLook, list[bool]]:
    """Fail in a look for which others wait; tell of each of them whether it looked itself."""
    ticks = count(1)
    came = [0]

    def now() -> float:
        came[0] = next(ticks)
        return came[0]

    look = SharedLook(now)
    is_at_work, may_fail = threading.Event(), threading.Event()

    def fail() -> None:
        with look.alone():
            is_at_work.set()
            may_fail.wait(10)
            raise error

    def follow() -> bool:
        try:
            with look.alone():
                return True
        except EngineUnavailable:
            return False

    with ThreadPoolExecutor(WAITING + 1) as threads:
        failing = threads.submit(fail)
        assert is_at_work.wait(10)
        following = [threads.submit(follow) for _ in range(WAITING)]
        wait_until(lambda: came[0] == WAITING + 1)
        may_fail.set()
        with pytest.raises(type(error)):
            failing.result(10)
        return look, [one.result(10) for one in following]


def test_who_waited_for_a_database_that_does_not_answer_does_not_wait_again() -> None:
    look, looked = _fail_while_others_wait(EngineUnavailable("It cannot be read."))
    assert looked == [False] * WAITING
    with look.alone():  # who comes later looks
        pass


def test_failure_of_one_look_alone_is_nobody_elses() -> None:
    _, looked = _fail_while_others_wait(EngineFailure("This one cannot be told."))
    assert looked == [True] * WAITING
