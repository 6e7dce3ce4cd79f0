"""Looks at a catalog, one at a time.

Rule: nobody waits for more than one look. Who waited for one that failed fails with it: readers of a database that does
not answer would else wait for the time-outs of all those before them, one after the other.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rowgate.rows.errors import EngineUnavailable


class SharedLook:
    """Whose turn it is to look. Safe for use from several threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Take the clock (seconds); each look asks it when it comes."""
        self._now = now
        self._lock = threading.Lock()
        self._failed_at = float("-inf")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Look while nobody else does.

        Raises:
            EngineUnavailable: While this one waited another found that the database cannot be read.
        """
        came_at = self._now()
        with self._lock:
            if self._failed_at >= came_at:
                raise EngineUnavailable("The database cannot be read at the moment.", detail="another look failed")
            try:
                yield
            except EngineUnavailable:
                self._failed_at = self._now()
                raise
