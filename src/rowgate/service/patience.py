"""How long a read may wait for its reader, altogether: as long as it waits it holds a turn and a connection.

A reader that takes a little now and then never stalls; this is what ends it. Used on the event loop only.
"""

import asyncio
from collections.abc import Awaitable, Callable

TOO_SLOW = "reader_too_slow"


class Patience:
    """Of one read."""

    def __init__(self, seconds: float, give_up: Callable[[], None]) -> None:
        """Take how long all waiting may be together, and what is called once that is over."""
        self._left = seconds
        self._give_up = give_up

    async def wait(self, sending: Awaitable[None]) -> None:
        """Await what the reader decides the length of; in the end it is given up, and `sending` has to notice."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        timer = loop.call_later(self._left, self._give_up)
        try:
            await sending
        finally:
            timer.cancel()
            self._left = max(0.0, self._left - (loop.time() - begun))
