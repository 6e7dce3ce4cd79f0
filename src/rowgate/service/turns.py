"""Who may read now: so many statements at once, and of them so many for one application (R26)."""

import asyncio
from typing import TypeAlias

from rowgate.rows.errors import BudgetExceeded, EngineUnavailable, RowsError

MAX_READS = "max_reads"

Turn: TypeAlias = tuple[int, int]  # an application, and how many it may have at once: a new number counts at once


class Turns:
    """Bounds the reads of a worker. Used on the event loop only."""

    def __init__(self, *, most: int, most_per_application: int, queue_seconds: float) -> None:
        """Take the bounds and how long a read waits for its turn."""
        self._most_per_application = most_per_application
        self._queue_seconds = queue_seconds
        self._turns = asyncio.Semaphore(most)
        self._of_application: dict[Turn, tuple[asyncio.Semaphore, int]] = {}  # with how many hold or want it

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
        own, wanted = self._of_application.get(turn) or (asyncio.Semaphore(turn[1]), 0)
        self._of_application[turn] = (own, wanted + 1)
        try:
            await self._acquire(own, budget if is_budget else 0)
            try:
                await self._acquire(self._turns)
            except BaseException:
                own.release()
                raise
        except BaseException:
            self._forget(turn)
            raise
        return turn

    def give_back(self, turn: Turn) -> None:
        """End a turn."""
        self._turns.release()
        self._of_application[turn][0].release()
        self._forget(turn)

    async def _acquire(self, semaphore: asyncio.Semaphore, budget: int = 0) -> None:
        if not semaphore.locked():
            await semaphore.acquire()
            return
        try:
            async with asyncio.timeout(self._queue_seconds):
                await semaphore.acquire()
        except TimeoutError:
            raise _refuse(budget) from None

    def _forget(self, turn: Turn) -> None:
        own, wanted = self._of_application[turn]
        if wanted > 1:
            self._of_application[turn] = (own, wanted - 1)
        else:
            del self._of_application[turn]


def _refuse(budget: int) -> RowsError:
    if budget:
        return BudgetExceeded(MAX_READS, limit=budget, used=budget, retry_after_seconds=1)
    return EngineUnavailable("Too many reads are under way; try again.")
