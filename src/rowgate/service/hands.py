"""Threads that work for the event loop, and wake it once for all that finished meanwhile.

Under load most of what a small job costs in another thread is the way back: each wake-up makes the two threads
contend for the interpreter. Here one wake-up carries every result that is ready. No job waits for another's end:
each thread takes the next job as soon as it is free.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

_T = TypeVar("_T")
_Job: TypeAlias = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
_Outcome: TypeAlias = tuple["asyncio.Future[Any]", Any, BaseException | None]
_STOP = None


class Hands:
    """A bounded pool of threads for one event loop; every method is called there."""

    def __init__(self, most: int, *, name: str, prepare: Callable[[], None] | None = None) -> None:
        """Take how many threads there may be, and what each does first; each begins when it is needed."""
        self._most = most
        self._name = name
        self._prepare = prepare
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._outstanding = 0  # jobs that were given and are not settled
        self._threads: list[threading.Thread] = []
        self._finished: deque[_Outcome] = deque()
        self._is_woken = False  # a call of `_settle` is on its way
        self._loop: asyncio.AbstractEventLoop

    def run(self, function: Callable[..., _T], *arguments: Any) -> "asyncio.Future[_T]":
        """Have a thread call the function; the future gives what it returns or raises.

        The job goes on when the future is cancelled: who gave it something to hold must shield the future.

        Raises:
            RuntimeError: There is no thread, and the system lets none begin.
        """
        self._loop = asyncio.get_running_loop()
        if self._outstanding >= len(self._threads) < self._most:
            self._begin_thread()
        done: asyncio.Future[_T] = self._loop.create_future()
        self._outstanding += 1
        self._jobs.put((done, function, arguments))
        return done

    def close(self, *, wait: bool) -> None:
        """Cancel the jobs that no thread has taken, and end the threads; wait for those under way, or do not."""
        with contextlib.suppress(Empty):
            while (job := self._jobs.get_nowait()) is not None:
                job[0].cancel()
                self._outstanding -= 1
        for _ in self._threads:
            self._jobs.put(_STOP)
        if wait:
            for thread in self._threads:
                thread.join()

    def _begin_thread(self) -> None:
        # daemon: a statement that does not stop must not keep the process from ending
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no memory, or too many processes: those that there are go on
            if not self._threads:
                raise
            return
        self._threads.append(thread)

    def _work(self) -> None:
        if self._prepare is not None:
            self._prepare()
        while (job := self._jobs.get()) is not _STOP:
            done, function, arguments = job
            try:
                outcome: _Outcome = (done, function(*arguments), None)
            except BaseException as error:  # noqa: BLE001 - raised where the future is awaited
                outcome = (done, None, error)
            self._finished.append(outcome)
            # Appended before this look, and `_settle` clears the mark before it looks: no outcome is left behind.
            if not self._is_woken:
                self._is_woken = True
                with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
                    self._loop.call_soon_threadsafe(self._settle)
            del job, done, function, arguments, outcome  # an idle thread holds nobody's rows

    def _settle(self) -> None:
        self._is_woken = False
        while self._finished:
            done, result, error = self._finished.popleft()
            self._outstanding -= 1
            if done.cancelled():
                continue
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)
