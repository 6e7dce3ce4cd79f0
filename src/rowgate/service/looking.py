"""Looks again and again whether there is something to do, for as long as a worker lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rowgate.ports import AuditUnavailable, StoreError

LOOK_SECONDS = 0.5
RETRY_SECONDS = 30.0  # after something that could not be done


class Looking:
    """Calls one function, with a pause between the end of one call and the next; whatever it raises, it goes on."""

    def __init__(self, look: Callable[[], Awaitable[None]], *, log: logging.Logger, trouble: str) -> None:
        """Take what looks, and where to say what when it fails."""
        self._look = look
        self._log = log
        self._trouble = trouble
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def stop(self) -> None:
        """End; a look that is under way is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _go_on(self) -> None:
        while True:
            pause = LOOK_SECONDS
            try:
                await self._look()
            except (StoreError, AuditUnavailable) as error:
                self._log.warning("%s now: %s", self._trouble, error)
                pause = RETRY_SECONDS
            except Exception:  # noqa: BLE001 - whatever it is, the next look must come
                self._log.exception(self._trouble)
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)
