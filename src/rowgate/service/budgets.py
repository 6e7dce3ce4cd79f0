"""What an application may read in a day: rows and bytes, from midnight to midnight (UTC).

Every worker counts what it sends itself, and within a second writes that into the state and learns there what the
others have sent. So a budget holds across workers to within what they send in a second, a restart forgets nothing, and
a worker that is killed forgets a second. Used on the event loop only; who has no such budget costs nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from rowgate.oauth.model import ClientPolicy
from rowgate.ports import Clock, StoreError, StoreWriter
from rowgate.ports.spending import Spent
from rowgate.rows.errors import BudgetExceeded
from rowgate.service.state import LiveState
from rowgate.service.writes import Writes

DAY_SECONDS = 86_400
SHARE_SECONDS = 1.0  # between looks at what others have sent
NOTHING = Spent()
ROWS, BYTES = "rows_per_day", "bytes_per_day"

_log = logging.getLogger("rowgate.budgets")


class Budgets:
    """Counts what is sent."""

    def __init__(self, state: LiveState, writes: Writes, *, clock: Clock) -> None:
        """Take whose budgets there are, and where what is spent is kept."""
        self._state = state
        self._writes = writes
        self._clock = clock
        self._day = 0
        self._kept: Mapping[int, Spent] = {}  # of today, as the state had it at the last look
        self._own: dict[int, Spent] = {}  # of today, and not written yet
        self._on_its_way: dict[int, Spent] = {}  # being written
        self._looked_at = float("-inf")
        self._look: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def check(self, application_number: int) -> None:
        """Return when there is something left for an application to read.

        Raises:
            BudgetExceeded: There is not.
        """
        policy = self._find_policy(application_number)
        if policy is None:
            return
        self._turn_page()
        if asyncio.get_running_loop().time() - self._looked_at >= SHARE_SECONDS:
            await self._share()
        self._hold(policy, application_number, Spent(1, 1))

    def charge(self, application_number: int, more: Spent) -> int | None:
        """Count what is about to be sent; give the day that it counts for, which `give_back` takes.

        Raises:
            BudgetExceeded: It is more than what is left; nothing is counted, and nothing may be sent.
        """
        policy = self._find_policy(application_number)
        if policy is None:
            return None
        self._turn_page()
        self._hold(policy, application_number, more)
        self._add(application_number, more)
        return self._day

    def give_back(self, application_number: int, spent: Spent, day: int | None) -> None:
        """Take back what was charged and not sent. Of another day it is forgotten: this one's budget would grow by it.

        Args:
            application_number: Whose budget it is.
            spent: What was charged.
            day: That it was charged for; None: it was not counted.
        """
        self._turn_page()
        if day == self._day and spent != NOTHING:
            self._add(application_number, Spent(-spent.rows, -spent.bytes))

    async def stop(self) -> None:
        """Write what is not written yet; the store must still be running."""
        if self._timer is not None:
            self._timer.cancel()
        if self._own:
            await self._share()

    def _find_policy(self, number: int) -> ClientPolicy | None:
        application = self._state.find_application_by_number(number)
        if application is None:
            return None
        policy = application.policy
        return policy if policy.rows_per_day or policy.bytes_per_day else None

    def _hold(self, policy: ClientPolicy, number: int, more: Spent) -> None:
        """Hold what is to be sent against what is left."""
        used = self._find_used(number)
        for name, limit, spent, wanted in (
            (ROWS, policy.rows_per_day, used.rows, more.rows),
            (BYTES, policy.bytes_per_day, used.bytes, more.bytes),
        ):
            if limit and spent + wanted > limit:
                wait = DAY_SECONDS - int(self._clock()) % DAY_SECONDS
                raise BudgetExceeded(name, limit=limit, used=spent, retry_after_seconds=wait)

    def _find_used(self, number: int) -> Spent:
        parts = [where.get(number, NOTHING) for where in (self._kept, self._own, self._on_its_way)]
        return Spent(sum(part.rows for part in parts), sum(part.bytes for part in parts))

    def _add(self, number: int, more: Spent) -> None:
        before = self._own.get(number, NOTHING)
        self._own[number] = Spent(before.rows + more.rows, before.bytes + more.bytes)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SHARE_SECONDS, self._begin_look)

    def _turn_page(self) -> None:
        """Begin a new day; what was not written of the old one is of no use any more."""
        today = int(self._clock()) // DAY_SECONDS
        if today != self._day:
            self._day = today
            self._kept, self._own, self._on_its_way = {}, {}, {}
            self._looked_at = float("-inf")

    def _begin_look(self) -> asyncio.Task[None]:
        self._timer = None
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().create_task(self._look_once())
        return self._look

    async def _share(self) -> None:
        # shielded: one look is for all who wait, and goes on when one of them is gone
        await asyncio.shield(self._begin_look())

    async def _look_once(self) -> None:
        day = self._day
        self._on_its_way, self._own = self._own, {}
        written = dict(self._on_its_way)

        def work(change: StoreWriter) -> Mapping[int, Spent]:
            for number, more in written.items():
                change.spending.add(number, day, more)
            return change.spending.list_all(day)

        try:
            kept = await self._writes.write(work)
        except StoreError as error:
            _log.warning("what is read cannot be counted across workers now: %s", error)
            if day == self._day:  # counted here, and written the next time
                for number, more in written.items():
                    with contextlib.suppress(KeyError):
                        del self._on_its_way[number]
                    self._add(number, more)
            return
        if day == self._day:
            self._kept, self._on_its_way = kept, {}
            self._looked_at = asyncio.get_running_loop().time()
