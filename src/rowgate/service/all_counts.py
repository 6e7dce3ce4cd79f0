"""What all workers of a server have counted, as one of them tells it.

Each shows the others its counts about once a second, and always before it tells them to anybody: what was told once is
never taken back by another that is asked next, nor by whoever takes the place of one that was killed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from rowgate.ports.counts import Counts, SharedCounts
from rowgate.service.looking import Looking
from rowgate.service.tally import Tally

_log = logging.getLogger("rowgate")


class AllCounts:
    """Gathers. Used on the event loop."""

    def __init__(self, tally: Tally, look: Callable[[], Counts], shared: SharedCounts | None) -> None:
        """Take the worker's own, what gives those of this moment, and where the others show theirs; None: it is alone.

        The place is taken at once: what was counted in it before counts from the beginning.
        """
        self._tally = tally
        self._look = look
        self._shared = shared
        self._shown: tuple[Counts, Counts] | None = None
        self._alone = asyncio.Lock()
        self._looking = Looking(self._show, log=_log, trouble="the other workers do not hear what this one has counted")
        if shared is not None:
            tally.go_on_from(shared.take_place())

    def start(self) -> None:
        """Begin to show, in the running event loop."""
        if self._shared is not None:
            self._looking.start()

    async def stop(self) -> None:
        """End."""
        if self._shared is not None:
            await self._looking.stop()
            self._shared.close()

    async def gather(self) -> Counts:
        """Give the sums over all workers."""
        own = self._tally.read(), self._look()
        if self._shared is None:
            return _sum(own)
        await self._publish(own)
        async with self._alone:
            others = await asyncio.get_running_loop().run_in_executor(None, self._shared.gather_others)
        return _sum([*own, *(counts for both in others for counts in both)])

    async def _show(self) -> None:
        own = self._tally.read(), self._look()
        if own != self._shown:
            await self._publish(own)

    async def _publish(self, own: tuple[Counts, Counts]) -> None:
        assert self._shared is not None, "internal error: nobody to show it to"
        async with self._alone:
            await asyncio.get_running_loop().run_in_executor(None, self._shared.publish, *own)
            self._shown = own


def _sum(counted: Iterable[Counts]) -> Counts:
    total: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for counts in counted:
        for words, number in counts.items():
            total[words] += number
    return total
