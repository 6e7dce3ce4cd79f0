"""Threads that compute for long let others have their processor; those others stay as they are."""

import ctypes
import errno
import os
import platform
import re
import sys
import threading
from collections.abc import Callable

import pytest

from rowgate.service.giving_way import NICENESS, SLICE_NANOSECONDS, give_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
HAS_SLICES = (
    tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 12) if sys.platform == "linux" else False
)
SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())


def tell_afterwards(find: Callable[[], int]) -> int:
    """What `find` gives in a thread that has given way."""
    found: list[int] = []

    def work() -> None:
        give_way()
        found.append(find())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    return found[0]


def find_niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def find_slice() -> int:
    """Nanoseconds; the seventh member of `struct sched_attr`, sched_getattr(2)."""
    assert SCHED_GETATTR is not None
    told = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(SCHED_GETATTR, 0, told, 48, 0) == 0
    return int.from_bytes(told.raw[24:32], sys.byteorder)


def test_only_the_thread_that_asks_is_nicer() -> None:
    own = find_niceness()
    assert tell_afterwards(find_niceness) == min(own + NICENESS, 19)
    assert find_niceness() == own


@pytest.mark.skipif(not HAS_SLICES or SCHED_GETATTR is None, reason="this kernel has no slices for ordinary threads")
def test_only_the_thread_that_asks_has_short_slices() -> None:
    own = find_slice()
    assert tell_afterwards(find_slice) == SLICE_NANOSECONDS < own
    assert find_slice() == own


def test_a_policy_that_an_operator_chose_stays() -> None:
    def be_batch() -> int:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        give_way()
        return os.sched_getscheduler(0)

    assert tell_afterwards(be_batch) == os.SCHED_BATCH


@pytest.mark.parametrize("call", ["setpriority", "sched_getscheduler"])
def test_a_system_without_the_calls_leaves_the_thread_at_work(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSYS, "not there")

    monkeypatch.setattr(os, call, refuse)
    assert tell_afterwards(lambda: 1) == 1
