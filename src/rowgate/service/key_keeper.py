"""Keeps a worker's keys in time: seals with the right one, and carries out the schedule.

Every worker looks; whether there is anything to do is decided once more inside the store's transaction, so one of
them does it and the others find it done.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from rowgate.audit.events import Event
from rowgate.oauth.tokens import TokenSealer
from rowgate.ports import AuditSink, Clock, Entropy
from rowgate.service.key_plan import Demand, KeyPolicy, choose_sealing_number, measure_demand, plan_keys
from rowgate.service.looking import Looking
from rowgate.service.state import LiveState

Record: TypeAlias = Callable[[Event], None]  # returns when the event is durable; called in the rotation's thread
Rotate: TypeAlias = Callable[[Record], object]

_log = logging.getLogger("rowgate.keys")


class KeyKeeper:
    """Hands the sealer the keys of the state, and has keys rotated when their time has come."""

    def __init__(
        self,
        state: LiveState,
        sealer: TokenSealer,
        *,
        policy: KeyPolicy,
        rotate: Rotate,
        audit: AuditSink,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Take what to keep.

        Args:
            state: Followed; it has keys.
            sealer: From now on has the keys that the state has.
            policy: What the settings say.
            rotate: Does what the schedule says, in a thread of its own, putting every change on record first.
            audit: The worker's own record.
            clock: The time of day.
            entropy: Spreads the workers a little, so that they do not all begin at once.
        """
        self._state = state
        self._sealer = sealer
        self._policy = policy
        self._rotate = rotate
        self._audit = audit
        self._clock = clock
        self._entropy = entropy
        self._looking = Looking(
            self._look, log=_log, trouble="the keys' schedule cannot be kept and their old keys go on"
        )
        self._rotation: asyncio.Future[object] | None = None
        self._demand = Demand()
        self._demand_of: int | None = None  # the state's sequence number
        self._taken: tuple[dict[int, bytes], int] | None = None
        state.tell_of_keys(self._take_sealing_keys)

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._looking.start()

    async def stop(self) -> None:
        """End, leaving no rotation under way; the record must still be running."""
        await self._looking.stop()
        if self._rotation is not None:
            await asyncio.wait([self._rotation])

    def _take_sealing_keys(self) -> None:
        keys = self._state.keys
        number = choose_sealing_number(keys.sealing_created_at, self._clock())
        if (keys.sealing, number) != self._taken:
            self._sealer.take_keys(keys.sealing, seal_with=number)
            self._taken = keys.sealing, number

    async def _look(self) -> None:
        self._take_sealing_keys()
        if self._is_due():
            await asyncio.sleep(self._entropy(1)[0] / 256)
            if self._is_due():
                await self._rotate_now()

    def _is_due(self) -> bool:
        if self._demand_of != self._state.sequence:
            self._demand = measure_demand(self._state.list_applications())
            self._demand_of = self._state.sequence
        return bool(plan_keys(self._state.keys, self._demand, self._policy, int(self._clock())))

    async def _rotate_now(self) -> None:
        loop = asyncio.get_running_loop()

        def record(event: Event) -> None:
            asyncio.run_coroutine_threadsafe(self._audit.record(event), loop).result()

        self._rotation = loop.run_in_executor(None, self._rotate, record)
        # shielded: a worker that stops waits for it in `stop`, and no transaction is left to a thread that nobody ends
        await asyncio.shield(self._rotation)
