"""Who may read now: so many statements at once, and of them so many for one application (R26)."""

import asyncio
from collections import deque
from typing import TypeAlias

from rowgate.rows.errors import BudgetExceeded, EngineUnavailable, RowsError

MAX_READS = "max_reads"

Turn: TypeAlias = tuple[int, int]  # an application, and how many it may have at once: a new number counts at once


class _Places:
    """So many may be in at once; the others wait in a row. A timer each costs a third of what asyncio.timeout does."""

    __slots__ = ("_free", "_waiting", "users")

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self.users = 0  # who is in, or waits

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not place.done() for place in self._waiting)

    def take(self) -> bool:
        """Have a place if one is free."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self, seconds: float) -> bool:
        """Tell whether there was a place in time; it is taken then."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(place)
        timer = loop.call_later(seconds, _settle, place, False)  # noqa: FBT003 - what the future gives
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result():
                self.give_back()  # it came in the same moment
            raise
        finally:
            timer.cancel()

    def give_back(self) -> None:
        """Leave; the first who waits comes in."""
        while self._waiting:
            if _settle(self._waiting.popleft(), True):  # noqa: FBT003
                return
        self._free += 1


def _settle(place: asyncio.Future[bool], is_taken: bool) -> bool:  # noqa: FBT001 - what the future gives
    if place.done():
        return False
    place.set_result(is_taken)
    return True


class Turns:
    """Bounds the reads of a worker. Used on the event loop only."""

    def __init__(self, *, most: int, most_per_application: int, queue_seconds: float) -> None:
        """Take the bounds and how long a read waits for its turn."""
        self._most_per_application = most_per_application
        self._queue_seconds = queue_seconds
        self._all = _Places(most)
        self._of_application: dict[Turn, _Places] = {}  # that hold or want any

    @property
    def waiting(self) -> int:
        """How many wait for theirs."""
        return self._all.waiting + sum(own.waiting for own in self._of_application.values())

    async def take(self, application_number: int, *, budget: int = 0) -> Turn:
        """Give a turn when it is this application's; `give_back` must follow.

        Args:
            application_number: Whose.
            budget: How many it may have at once, if that is less than everybody may; 0: it has no such budget.

        Raises:
            EngineUnavailable: The queue did not move in time.
            BudgetExceeded: It was the application's own reads that did not end in time.
        """
        is_budget = 0 < budget < self._most_per_application
        turn = (application_number, budget if is_budget else self._most_per_application)
        own = self._of_application.get(turn)
        if own is None:
            own = self._of_application[turn] = _Places(turn[1])
        own.users += 1
        try:
            await self._enter(own, budget if is_budget else 0)
            try:
                await self._enter(self._all)
            except BaseException:
                own.give_back()
                raise
        except BaseException:
            self._forget(turn, own)
            raise
        return turn

    def give_back(self, turn: Turn) -> None:
        """End a turn."""
        self._all.give_back()
        own = self._of_application[turn]
        own.give_back()
        self._forget(turn, own)

    async def _enter(self, places: _Places, budget: int = 0) -> None:
        if not places.take() and not await places.wait(self._queue_seconds):
            raise _refuse(budget)

    def _forget(self, turn: Turn, own: _Places) -> None:
        own.users -= 1
        if not own.users:
            del self._of_application[turn]


def _refuse(budget: int) -> RowsError:
    if budget:
        return BudgetExceeded(MAX_READS, limit=budget, used=budget, retry_after_seconds=1)
    return EngineUnavailable("Too many reads are under way; try again.")
