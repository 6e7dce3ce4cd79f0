"""Keeps a worker's state up to date with the store, so that a change holds everywhere within a second."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from rowgate.ports import Clock, StoreError, StoreReader
from rowgate.records import CLOCK_ERROR_SECONDS
from rowgate.service.state import LiveState

POLL_SECONDS = 0.2
STALE_SECONDS = 5.0  # without an answer of the store, whatever it is that keeps it
FORGET_SECONDS = 60.0

_log = logging.getLogger("rowgate.follow")


class Follower:
    """Asks the store whether anybody has committed, and takes over what changed."""

    def __init__(self, store: StoreReader, state: LiveState, executor: Executor, clock: Clock) -> None:
        """Take the store; its calls are made in the executor, one at a time."""
        self._store = store
        self._state = state
        self._executor = executor
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._hear_of_changes: list[Callable[[], None]] = []
        self.is_current = True
        self._looked_at = float("-inf")  # on the event loop's clock
        self._must_reload = False
        self._looking = asyncio.Lock()

    def tell_of_changes(self, hear: Callable[[], None]) -> None:
        """Have this called from now on, on the event loop, when the state is another."""
        self._hear_of_changes.append(hear)

    def is_fresh(self) -> bool:
        """Tell whether the state is as it was a few seconds ago, in the running event loop."""
        return self.is_current and asyncio.get_running_loop().time() - self._looked_at < STALE_SECONDS

    def start(self) -> None:
        """Begin to follow, in the running event loop."""
        self._looked_at = asyncio.get_running_loop().time()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """End, leaving no call to the store under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def catch_up(self) -> None:
        """Take over what is committed by now; when this returns, the state holds it.

        Raises:
            StoreError: The state cannot be read; what is known stays in force, and the next look tries again.
        """
        # One look at a time: changes that were read first and applied last would take the state back.
        async with self._looking:
            try:
                await self._take_over()
            except StoreError as error:
                # Tokens that were issued can still be checked: serve with what is known (PROTOCOL 120).
                if self.is_current:
                    _log.warning("the state cannot be read, serving as of before: %s", error)
                self.is_current = False
                raise
            except BaseException:
                # The store may have told of a change that was not applied: load everything the next time.
                self.is_current = False
                self._must_reload = True
                raise
            if not self.is_current:
                _log.info("the state can be read again")
            self.is_current = True
            self._looked_at = asyncio.get_running_loop().time()

    async def _follow(self) -> None:
        forget_at = self._clock() + FORGET_SECONDS
        while True:
            try:
                await self.catch_up()
            except StoreError:
                pass  # `catch_up` has told of it
            except Exception:  # noqa: BLE001 - whatever it is, the next look must come
                # To stop following would let revoked tokens live on.
                _log.exception("the state cannot be followed")
            if self._clock() >= forget_at:
                self._state.forget_expired(self._clock() - CLOCK_ERROR_SECONDS)
                forget_at = self._clock() + FORGET_SECONDS
            await asyncio.sleep(POLL_SECONDS)

    async def _take_over(self) -> None:
        loop = asyncio.get_running_loop()
        if self.is_current and not await loop.run_in_executor(self._executor, self._store.has_changed):
            return
        changes = None
        if not self._must_reload:
            changes = await loop.run_in_executor(self._executor, self._store.load_changes, self._state.sequence)
        if changes is None:
            self._state.replace(await loop.run_in_executor(self._executor, self._store.load_state))
        else:
            self._state.apply(changes)
        self._must_reload = False
        for hear in self._hear_of_changes:
            hear()
