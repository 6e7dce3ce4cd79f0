"""Wakes threads that wait for a database, at their deadline or when their reader is gone.

Most drivers cannot wait for a while only: the thread is inside them until the database speaks. One thread for each
source looks after them, so that a cancel never waits itself.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LOOK_SECONDS = 0.05  # between looks at what was hurried, while anybody waits
_SHORTEST_PAUSE_SECONDS = 0.01


@dataclass(slots=True, eq=False)
class _Waiting:
    wake: Callable[[], None]  # from another thread; quick, and may be called several times
    deadline: float
    is_due: bool = False


class Watch:
    """The waiting threads of a source. Its own thread begins with the first of them."""

    def __init__(self, name: str) -> None:
        """Take a name for the thread."""
        self._name = name
        self._changed = threading.Condition()
        self._waiting: set[_Waiting] = set()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @contextlib.contextmanager
    def until(self, deadline: float, wake: Callable[[], None]) -> Iterator[Callable[[], None]]:
        """Have `wake` called at the deadline (monotonic) unless the block is left before; gives what makes it due now.

        Once the block is left `wake` is not called any more, nor still running.
        """
        waiting = _Waiting(wake, deadline)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name=self._name, daemon=True)
                self._thread.start()
            is_first = all(deadline < other.deadline for other in self._waiting)
            self._waiting.add(waiting)
            if is_first:
                self._changed.notify()
        try:
            yield lambda: self._hurry(waiting)
        finally:
            with self._changed:
                self._waiting.discard(waiting)

    def close(self) -> None:
        """End the thread; nobody is woken any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _hurry(self, waiting: _Waiting) -> None:
        # Without the lock: this is called where nobody may wait. The thread looks often enough to see it.
        waiting.is_due = True

    def _look(self) -> None:
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                for waiting in [one for one in self._waiting if one.is_due or one.deadline <= now]:
                    waiting.wake()  # again at the next look, if it is still there: it may not have been waiting yet
                self._changed.wait(self._find_pause(now))

    def _find_pause(self, now: float) -> float | None:
        if not self._waiting:
            return None
        return min(_LOOK_SECONDS, max(_SHORTEST_PAUSE_SECONDS, min(one.deadline for one in self._waiting) - now))
