"""Keeps strangers from filling the disk by what they are refused.

A refusal is on record, and costs whoever provokes it a few bytes on the wire. Wrong credentials are slowed down
(`service.throttle`); requests that are no attempt at all cannot be, for they are refused before anything is looked at.
So of refusals to whoever brought nothing that is good now (an expired or revoked secret is not) there is only so much
on record: of an address a thousand at once and then one a second, of all addresses ten times that. What is left out is
counted, and the next one that is on record says how many. Everything else goes on record always.
"""

import asyncio
from collections import OrderedDict

import msgspec

from rowgate.audit.events import Event, RowsRefused, TokenRefused
from rowgate.oauth.bucket import draw_one
from rowgate.ports import AuditSink, Meanwhile, WhenDurable

AT_ONCE = 1000  # of one address
PER_MINUTE = 60
OF_ALL = 10  # times as much, of all addresses together
MAX_KEPT = 10_000  # addresses
_OF_NOBODY = "enrol"  # the endpoint at which there is nothing to prove but the code
# of requests that cannot be read, or bring nothing that is good
_UNPROVED = frozenset({"invalid_client", "invalid_request", "invalid_token", "missing_token", ""})


class _Bucket:
    """What is left, as of when."""

    __slots__ = ("as_of", "left", "per_minute", "size")

    def __init__(self, size: int, per_minute: int, now: float) -> None:
        self.size = size
        self.per_minute = per_minute
        self.left = float(size)
        self.as_of = now

    def has_one(self, now: float) -> bool:
        """Take one if there is one."""
        self.left, wait = draw_one(self.left, self.as_of, size=self.size, per_minute=self.per_minute, now=now)
        self.as_of = now
        return not wait


class QuietRecord:
    """See `ports.AuditSink`: another sink, behind which the refusals of nobody are bounded. Used on the event loop."""

    def __init__(self, sink: AuditSink, *, at_once: int = AT_ONCE, max_kept: int = MAX_KEPT) -> None:
        """Take the record, and how many refusals of one address may come together."""
        self._sink = sink
        self._at_once = at_once
        self._max_kept = max_kept
        self._of_address: OrderedDict[str, _Bucket] = OrderedDict()
        self._of_all: _Bucket | None = None
        self._left_out = 0  # since the last that is on record

    def __len__(self) -> int:
        """Give the number of addresses that are counted."""
        return len(self._of_address)

    async def record(self, event: Event) -> None:
        """See `ports.AuditSink`."""
        if (told := self._find_told(event)) is not None:
            await self._sink.record(told)

    def record_then(self, event: Event, when_durable: WhenDurable, meanwhile: Meanwhile | None = None) -> None:
        """See `ports.AuditSink`."""
        if (told := self._find_told(event)) is not None:
            self._sink.record_then(told, when_durable, meanwhile)
        else:
            asyncio.get_running_loop().call_soon(when_durable, None)

    def record_soon(self, event: Event) -> None:
        """See `ports.AuditSink`."""
        self._sink.record_soon(event)

    def leave_out(self, event: Event) -> None:
        """See `ports.AuditSink`."""
        self._sink.leave_out(event)

    def _find_told(self, event: Event) -> Event | None:
        """Give the event as it goes on record; None: it does not."""
        if not isinstance(event, (TokenRefused, RowsRefused)):
            return event
        if not _is_nobodys(event):
            return event
        if not self._has_room(event.source, event.at):
            self._left_out += 1
            self._sink.leave_out(event)
            return None
        left_out, self._left_out = self._left_out, 0
        return msgspec.structs.replace(event, left_out=left_out) if left_out else event

    def _has_room(self, source: str, now: float) -> bool:
        bucket = self._of_address.get(source)
        if bucket is None:
            bucket = self._of_address[source] = _Bucket(self._at_once, PER_MINUTE, now)
        self._of_address.move_to_end(source)
        if len(self._of_address) > self._max_kept:
            self._of_address.popitem(last=False)
        if self._of_all is None:
            self._of_all = _Bucket(OF_ALL * self._at_once, OF_ALL * PER_MINUTE, now)
        return bucket.has_one(now) and self._of_all.has_one(now)


def _is_nobodys(event: TokenRefused | RowsRefused) -> bool:
    if isinstance(event, RowsRefused):
        return event.error in _UNPROVED and not event.client_id  # which is there once a token was good
    return event.error in _UNPROVED or event.endpoint == _OF_NOBODY
