"""Who may read now: so many statements at once, and of them so many for one application (R26)."""

import asyncio

from rowgate.rows.errors import EngineUnavailable


class Turns:
    """Bounds the reads of a worker. Used on the event loop only."""

    def __init__(self, *, most: int, most_per_application: int, queue_seconds: float) -> None:
        """Take the bounds and how long a read waits for its turn."""
        self._most_per_application = most_per_application
        self._queue_seconds = queue_seconds
        self._turns = asyncio.Semaphore(most)
        self._of_application: dict[int, tuple[asyncio.Semaphore, int]] = {}  # with how many hold or want it

    async def take(self, application_number: int) -> None:
        """Return when it is this application's turn; `give_back` must follow.

        Raises:
            EngineUnavailable: The queue did not move in time.
        """
        own, wanted = self._of_application.get(application_number) or (asyncio.Semaphore(self._most_per_application), 0)
        self._of_application[application_number] = (own, wanted + 1)
        try:
            await self._acquire(own)
            try:
                await self._acquire(self._turns)
            except BaseException:
                own.release()
                raise
        except BaseException:
            self._forget(application_number)
            raise

    def give_back(self, application_number: int) -> None:
        """End a turn."""
        self._turns.release()
        self._of_application[application_number][0].release()
        self._forget(application_number)

    async def _acquire(self, semaphore: asyncio.Semaphore) -> None:
        if not semaphore.locked():
            await semaphore.acquire()
            return
        try:
            async with asyncio.timeout(self._queue_seconds):
                await semaphore.acquire()
        except TimeoutError:
            raise EngineUnavailable("Too many reads are under way; try again.") from None

    def _forget(self, application_number: int) -> None:
        own, wanted = self._of_application[application_number]
        if wanted > 1:
            self._of_application[application_number] = (own, wanted - 1)
        else:
            del self._of_application[application_number]
