"""Warns on record before an application has no good secret any more.

Every worker looks; that a warning was given is kept in the store, so one of them gives it, once, and a restart gives
it no second time, unless it dies between the record and the store.
"""

import asyncio
import logging

from rowgate.audit.events import SecretsExpiring
from rowgate.ports import Clock, StoreWriter
from rowgate.service.expiring_secrets import ExpiringSecrets
from rowgate.service.looking import Looking
from rowgate.service.state import LiveState
from rowgate.service.writes import Writes

KEPT_SECONDS = 86_400  # 1 d after the end: no clock of a worker is that far behind

_log = logging.getLogger("rowgate.secrets")


class ExpiryWatch:
    """Looks at the state's secrets; see `oauth.expiry` for when a warning is due."""

    def __init__(self, state: LiveState, writes: Writes, *, clock: Clock) -> None:
        """Take the state to look at, and where warnings are kept and told."""
        self._expiring = ExpiringSecrets(state)
        self._writes = writes
        self._clock = clock
        self._looking = Looking(self._look, log=_log, trouble="the end of a secret cannot be warned of")
        self._warning: asyncio.Task[None] | None = None
        self._settled: dict[bytes, int] = {}  # warnings that somebody gave, and when they may be forgotten

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._looking.start()

    async def stop(self) -> None:
        """End, leaving no warning half given; the store must still be running."""
        await self._looking.stop()
        if self._warning is not None:
            await asyncio.wait([self._warning])

    async def _look(self) -> None:
        found = self._expiring.find_due(self._clock())
        due = {handle: event for handle, event in found.items() if handle not in self._settled}
        if due:
            # shielded: what is being written is told to this worker's log
            self._warning = asyncio.get_running_loop().create_task(self._warn(due))
            await asyncio.shield(self._warning)

    async def _warn(self, due: dict[bytes, SecretsExpiring]) -> None:
        now = self._clock()

        def keep(change: StoreWriter) -> list[SecretsExpiring]:
            return [event for h, event in due.items() if change.use_once(h, event.expires_at + KEPT_SECONDS)]

        # on record before it is kept as given: a crash in between gives it again, and loses none
        first = await self._writes.write(keep, tell=lambda events: events)
        self._settled = {handle: until for handle, until in self._settled.items() if until >= now}
        self._settled |= {handle: event.expires_at + KEPT_SECONDS for handle, event in due.items()}
        for event in first:
            _log.warning("%s: its last secret ends in less than %d h", event.client_id, event.hours)
