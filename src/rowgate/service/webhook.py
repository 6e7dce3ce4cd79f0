"""Sends warnings to the operator's webhook: each until it was taken, or there is no sense in it any more.

What is due follows from the state, so nothing is lost with a process. Each attempt has its time, counted from when
the warning fell due, and is claimed in the store before it is made: of many workers one makes it. A worker that dies
after its claim costs that attempt; the next one is anybody's. Nothing here is waited for by a request.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

from rowgate.audit.events import SecretsExpiring, WebhookAttempted
from rowgate.oauth.expiry import HOUR_SECONDS
from rowgate.oauth.lineage import render_handle
from rowgate.ports import AuditSink, CallError, Clock, OutgoingHttp, StoreWriter
from rowgate.service.expiring_secrets import ExpiringSecrets
from rowgate.service.expiry_watch import KEPT_SECONDS
from rowgate.service.looking import Looking
from rowgate.service.state import LiveState
from rowgate.service.webhook_message import is_success, render_expiring, sign_message
from rowgate.service.writes import Writes

# when the attempts are made, in seconds after the warning fell due; a shorter warning takes a longer one's place
ATTEMPTS_AT = (0, 10, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800)
MAX_AT_ONCE = 4  # of the calls that a worker makes to other hosts at once; clients' keys are asked for by the others
MAX_ANSWER_BYTES = 65_536  # 64 KiB; nobody reads it

_log = logging.getLogger("rowgate.webhook")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where warnings go."""

    url: str
    key: bytes

    def __repr__(self) -> str:
        return f"<webhook {self.url}>"  # never the key


class WebhookSender:
    """Looks for warnings that are due, and delivers them."""

    def __init__(
        self, webhook: Webhook, state: LiveState, writes: Writes, http: OutgoingHttp, *, audit: AuditSink, clock: Clock
    ) -> None:
        """Take where to, what to look at, and the tools."""
        self._webhook = webhook
        self._expiring = ExpiringSecrets(state)
        self._writes = writes
        self._http = http
        self._audit = audit
        self._clock = clock
        self._looked_at: dict[bytes, int] = {}  # the newest attempt of each warning that somebody has claimed
        self._looking = Looking(self._look, log=_log, trouble="the webhook cannot be called")

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._looking.start()

    async def stop(self) -> None:
        """End; an attempt that is under way is given up, and the next one is another worker's."""
        await self._looking.stop()

    async def _look(self) -> None:
        while due := self._find_due(self._clock()):
            await self._deliver(dict(islice(due.items(), MAX_AT_ONCE)))

    def _find_due(self, now: float) -> Mapping[bytes, tuple[SecretsExpiring, int]]:
        """Give the warnings whose time for another attempt has come, each with the attempt's number, from 1."""
        found = self._expiring.find_due(now)
        self._looked_at = {handle: attempt for handle, attempt in self._looked_at.items() if handle in found}
        due = {}
        for handle, event in found.items():
            seconds = now - (event.expires_at - event.hours * HOUR_SECONDS)
            attempt = max(1, sum(seconds >= at for at in ATTEMPTS_AT))
            if attempt > self._looked_at.get(handle, 0):
                due[handle] = (event, attempt)
        return due

    async def _deliver(self, due: Mapping[bytes, tuple[SecretsExpiring, int]]) -> None:
        def claim(change: StoreWriter) -> Sequence[bytes]:
            return [
                handle
                for handle, (event, attempt) in due.items()
                if change.use_once(_name_attempt(handle, attempt), event.expires_at + KEPT_SECONDS)
            ]

        claimed = await self._writes.write(claim)
        self._looked_at |= {handle: attempt for handle, (_, attempt) in due.items()}
        outcomes = await asyncio.gather(
            *(self._attempt(handle, *due[handle]) for handle in claimed), return_exceptions=True
        )
        for failure in outcomes:  # the others were made all the same
            if failure is not None:
                raise failure

    async def _attempt(self, handle: bytes, event: SecretsExpiring, attempt: int) -> None:
        now, body = self._clock(), render_expiring(event)
        message_id = "msg_" + render_handle(handle)
        status, reason = 0, ""
        try:
            headers = sign_message(self._webhook.key, message_id, now, body)
            answer = await self._http.post(self._webhook.url, headers=headers, body=body, max_bytes=MAX_ANSWER_BYTES)
            status = answer.status
        except CallError as error:
            reason = error.reason
        is_taken = is_success(status)
        is_gone = status == HTTPStatus.GONE  # the receiver wants no more of this
        if not is_taken:
            reason = reason or ("gone" if is_gone else "refused")
            _log.warning("the webhook did not take %s: %s %d", message_id, reason, status)
        await self._audit.record(
            WebhookAttempted(
                at=self._clock(),
                client_id=event.client_id,
                application=event.application,
                message_id=message_id,
                attempt=attempt,
                outcome="delivered" if is_taken else "failed",
                status=status,
                reason=reason,
            )
        )
        if is_taken or is_gone:
            await self._settle(handle, event, attempt)

    async def _settle(self, handle: bytes, event: SecretsExpiring, attempt: int) -> None:
        """Claim every attempt that is left, so that nobody makes it."""

        def claim_rest(change: StoreWriter) -> None:
            for later in range(attempt + 1, len(ATTEMPTS_AT) + 1):
                change.use_once(_name_attempt(handle, later), event.expires_at + KEPT_SECONDS)

        await self._writes.write(claim_rest)


def _name_attempt(handle: bytes, attempt: int) -> bytes:
    return hashlib.sha256(b"webhook %d %b" % (attempt, handle)).digest()
