"""Lets threads that compute take turns, one at a time, unless one of them takes long.

An engine in this process lets go of the interpreter for every row. With eight such threads each row is a quarrel over
who goes on, and the event loop, which quarrels too, is late with everybody's tokens. They are no faster together than
one after the other: there is one interpreter.
"""

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 0.05  # a block of rows takes a tenth of it; what takes longer waits for a disk, or looks for rows


class Pace:
    """A context for work that is short: whoever is in it longer than the patience goes on, and keeps nobody out."""

    def __init__(
        self, *, patience_seconds: float = PATIENCE_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take how long others wait for one."""
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._worker: int | None = None  # the thread whose turn it is
        self._since = 0.0

    def __enter__(self) -> None:
        with self._changed:
            while self._worker is not None:
                left = self._since + self._patience_seconds - self._monotonic()
                if left <= 0:
                    break  # it has lost its turn
                self._changed.wait(left)
            self._worker, self._since = threading.get_ident(), self._monotonic()

    def __exit__(self, *_raised: object) -> None:
        with self._changed:
            if self._worker == threading.get_ident():
                self._worker = None
                self._changed.notify()
