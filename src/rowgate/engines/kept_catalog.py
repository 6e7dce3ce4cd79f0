"""What a database has said of its objects, kept for a while.

Rule: nothing is believed for longer than its seconds, counted from when the database was asked; what does not exist is
not kept, for those names are the clients' own.
"""

import threading
import time
from collections.abc import Callable, Sequence

from rowgate.rows.model import ObjectDescription, ObjectListing

CATALOG_SECONDS = 5.0
_MOST_DESCRIPTIONS = 20_000


class KeptCatalog:
    """Descriptions by name, and the list of all objects. Safe for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock (seconds) by which things grow old."""
        self._clock = clock
        self._lock = threading.Lock()
        self._descriptions: dict[str, tuple[float, ObjectDescription]] = {}
        self._listing: tuple[float, Sequence[ObjectListing]] | None = None
        self._round = 0  # how often all was forgotten

    def find(self, name: str) -> ObjectDescription | None:
        """Give what is known of an object; None: the database must be asked."""
        known = self._descriptions.get(name)  # one look-up: another thread may empty it meanwhile
        return known[1] if known is not None and self._is_fresh(known[0]) else None

    def find_list(self) -> Sequence[ObjectListing] | None:
        """Give the list of all objects; None: the database must be asked."""
        known = self._listing
        return known[1] if known is not None and self._is_fresh(known[0]) else None

    def keep(self, name: str, ask: Callable[[], ObjectDescription | None]) -> ObjectDescription | None:
        """Ask the database for an object, and keep what it says. An object that is as it was stays the same one."""
        asked_at, begun_in = self._clock(), self._round
        described = ask()
        with self._lock:
            if described is None:
                self._descriptions.pop(name, None)
                return None
            known = self._descriptions.get(name)
            if known is not None and known[1] == described:
                described = known[1]
            if begun_in == self._round:  # else it was asked of a catalog that has changed since
                if len(self._descriptions) >= _MOST_DESCRIPTIONS:
                    self._descriptions.clear()
                self._descriptions[name] = asked_at, described
        return described

    def keep_list(self, ask: Callable[[], Sequence[ObjectListing]]) -> Sequence[ObjectListing]:
        """Ask the database for the list, and keep it."""
        asked_at, begun_in = self._clock(), self._round
        listed = ask()
        with self._lock:
            if begun_in == self._round:
                self._listing = asked_at, listed
        return listed

    def forget(self) -> None:
        """Forget everything: the database says that it is out of date, or is another one."""
        with self._lock:
            self._round += 1
            self._descriptions.clear()
            self._listing = None

    def _is_fresh(self, asked_at: float) -> bool:
        return self._clock() - asked_at < CATALOG_SECONDS
