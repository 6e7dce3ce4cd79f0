"""Seconds on a machine that others use too: a wait that was everybody's is not counted.

A promise in seconds is measured by it, so that only the product can break it, and never load alone.
"""

import threading
import time
from typing import Self

_TICK_SECONDS = 0.01


class Stopwatch:
    """Counts while its block runs. What a tick takes too long counts as far as this process has worked in it."""

    def __init__(self) -> None:
        self.seconds = 0.0  # as of the last tick
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        self._looked_at, self._worked = time.monotonic(), time.process_time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._count()

    def _tick(self) -> None:
        while not self._is_over.wait(_TICK_SECONDS):
            self._count()

    def _count(self) -> None:
        now, worked = time.monotonic(), time.process_time()
        self.seconds += min(now - self._looked_at, 2 * _TICK_SECONDS + worked - self._worked)
        self._looked_at, self._worked = now, worked
