"""Makes events durable in groups.

Events that arrive while the last group is being flushed, and under load within `gather_seconds` of the first or until
there are as many as in the last group, share one write and one fdatasync. What is needed only when they are durable is
prepared on the event loop while the disk is at it.
"""

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from rowgate import __version__
from rowgate.audit.events import Event, ServerEvent
from rowgate.audit.segments import SegmentWriter, render_body, tell_nobody
from rowgate.ports import AuditUnavailable, Meanwhile, WhenDurable
from rowgate.ports.counts import RecordWatcher

GATHER_SECONDS = 0.001  # uvloop counts in whole milliseconds: half of one would be none
FEW_EVENTS = 8  # of a group: there is not much load, and waiting for more is all loss
MAX_WAITING_EVENTS = 100_000  # with a disk that stands still, new requests are refused
MAX_OWED_EVENTS = 10_000  # kept for when the disk takes them: at most 10 MB or so
RETRY_SECONDS = 1.0  # between attempts of its own while nothing can be written
STOP_SECONDS = 10.0  # for the last group; a disk that stands still must not keep the process
_STOP = None


class _Group:
    """Events that are flushed together, and what is called when they are durable."""

    __slots__ = ("begun_at", "bodies", "callbacks", "events", "meanwhile", "owed", "seconds")

    def __init__(self, begun_at: float) -> None:
        self.events: list[Event] = []
        self.bodies: list[bytes] = []  # of the events, after those that an earlier group owes
        self.owed: list[bytes] = []  # of them, those that nobody waits for: they are written later if not now
        self.callbacks: list[WhenDurable] = []
        self.meanwhile: list[Meanwhile] = []
        self.begun_at = begun_at
        self.seconds = 0.0  # that the disk took


class SegmentSink:
    """The AuditSink of a server: group commit in a thread of its own."""

    def __init__(
        self,
        writer: SegmentWriter,
        *,
        gather_seconds: float = GATHER_SECONDS,
        clock: Callable[[], float] = time.time,
        on_failure: Callable[[Exception], None] = lambda _error: None,
        on_recovery: Callable[[], None] = lambda: None,
        watcher: RecordWatcher | None = None,
    ) -> None:
        """Take the writer, what is called in the event loop as groups begin to fail and end it, and who counts."""
        self._writer = writer
        self._gather_seconds = gather_seconds
        self._clock = clock
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._watcher = watcher
        self._owed: list[bytes] = []  # which a group that failed could not write
        self._loop: asyncio.AbstractEventLoop
        self._group: _Group | None = None  # takes events
        self._flushing: _Group | None = None  # is with the thread
        self._last_size = 0  # events of the group that was flushed last
        self._timer: asyncio.TimerHandle | None = None  # until which the group gathers
        self._is_stopped = False
        self.is_writable = True  # whether the last group could be written
        self._queue: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_groups, name="audit", daemon=True)

    def start(self) -> None:
        """Begin; called in the event loop that will record."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def record_then(self, event: Event, when_durable: WhenDurable, meanwhile: Meanwhile | None = None) -> None:
        """Call back when the event is durable. See `ports.AuditSink`."""
        if self._is_stopped or (self._group is not None and len(self._group.bodies) >= MAX_WAITING_EVENTS):
            if self._watcher is not None:
                self._watcher.count((event,), is_durable=False)
            raise AuditUnavailable
        group = self._add(event)
        group.callbacks.append(when_durable)
        if meanwhile is not None:
            group.meanwhile.append(meanwhile)

    async def record(self, event: Event) -> None:
        """Return when the event is durable. See `ports.AuditSink`."""
        durable: asyncio.Future[None] = self._loop.create_future()

        def settle(error: AuditUnavailable | None) -> None:
            if durable.cancelled():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(AuditUnavailable())

        self.record_then(event, settle)
        await durable

    def record_from_thread(self, events: Sequence[Event]) -> None:
        """Return when the events are durable; for any thread but the event loop's.

        Raises:
            AuditUnavailable: They could not be made durable.
        """

        async def record() -> None:
            await asyncio.gather(*map(self.record, events))

        asyncio.run_coroutine_threadsafe(record(), self._loop).result()

    def record_soon(self, event: Event) -> None:
        """Make the event durable with the next group that can be written. See `ports.AuditSink`.

        It is not bounded: it tells how something ended of which `record` has told the beginning.
        """
        if self._is_stopped:
            self._on_failure(RuntimeError(f"the record is closed, {type(event).__name__} came too late"))
            return
        group = self._add(event)
        group.owed.append(group.bodies[-1])

    def leave_out(self, event: Event) -> None:
        """See `ports.AuditSink`."""
        if self._watcher is not None:
            self._watcher.count((event,), is_durable=True)

    async def stop(self) -> None:
        """Write what is waiting, then end the thread; `record` refuses from then on."""
        deadline = self._loop.time() + STOP_SECONDS
        while group := self._flushing or self._group:
            written = asyncio.Event()
            group.callbacks.append(partial(_set, written))
            self._flush()
            try:
                await asyncio.wait_for(written.wait(), max(0.0, deadline - self._loop.time()))
            except TimeoutError:
                self._give_up()
                return
        self._tell_of_lost(len(self._owed))
        self._is_stopped = True
        self._queue.put(_STOP)
        await self._loop.run_in_executor(None, self._thread.join)
        self._writer.close()

    def _add(self, event: Event) -> _Group:
        body = render_body(event)  # here, so that an event that cannot be written harms nobody else's
        group = self._group
        if group is None:
            group = self._group = _Group(self._loop.time())
            if self._flushing is None:
                self._flush_later(group)
        group.events.append(event)
        group.bodies.append(body)
        if len(group.bodies) == self._last_size and self._timer is not None:
            self._loop.call_soon(self._flush)
        return group

    def _flush_later(self, group: _Group) -> None:
        """Gather for a while what is under way: a group of two costs as much as a group of fifty.

        Where there was not much to gather the last time, or as many as then are there again, nobody waits for more;
        what the loop has in hand comes along.
        """
        if self._last_size < FEW_EVENTS:
            self._loop.call_soon(self._flush)
            return
        waited = self._loop.time() - group.begun_at
        self._timer = self._loop.call_later(max(self._gather_seconds - waited, 0), self._flush)

    def _flush(self) -> None:
        if self._group is not None and self._flushing is None:
            if self._timer is not None:
                self._timer.cancel()  # or it would end the next group's gathering
                self._timer = None
            self._flushing, self._group = self._group, None
            self._last_size = len(self._flushing.bodies)
            self._flushing.bodies[:0] = self._flushing.owed[:0] = self._owed
            self._owed = []
            self._queue.put(self._flushing)

    def _flushed(self, group: _Group, error: Exception | None) -> None:
        if self._is_stopped:
            return  # stop() has given the group up
        self._flushing = None
        if error is None:
            if not self.is_writable:
                self._on_recovery()
            self.is_writable = True
        else:
            self._owed = group.owed[:MAX_OWED_EVENTS]
            self._tell_of_lost(len(group.owed) - len(self._owed))
            if self.is_writable:
                self._on_failure(error)
                self._loop.call_later(RETRY_SECONDS, self._retry)
            self.is_writable = False
        if self._group is not None:
            self._flush_later(self._group)
        if self._watcher is not None:
            self._watcher.count(group.events, is_durable=error is None)
            self._watcher.count_flush(group.seconds, is_durable=error is None)
        self._tell(group, None if error is None else AuditUnavailable())

    def _prepare(self, group: _Group) -> None:
        # One after another, the same steps each time: with the processor's caches full of them they cost half as much
        # as between two requests. Whoever fails here fails again when its event is durable.
        if group is self._flushing:
            for prepare in group.meanwhile:
                with contextlib.suppress(Exception):
                    prepare()

    def _tell(self, group: _Group, error: AuditUnavailable | None) -> None:
        for callback in group.callbacks:
            try:
                callback(error)
            except Exception as failure:  # noqa: BLE001 - one that fails must not keep the others waiting
                self._on_failure(failure)

    def _tell_of_lost(self, count: int) -> None:
        if count:
            self._on_failure(RuntimeError(f"{count} events that tell how something ended are lost"))

    def _give_up(self) -> None:
        self._is_stopped = True
        self._on_failure(TimeoutError("the disk did not take the last events"))
        for group in (self._flushing, self._group):
            if group is not None:
                self._tell(group, AuditUnavailable())

    def _retry(self) -> None:
        # Who is not ready gets no requests: without an attempt of its own it would never be ready again.
        if self.is_writable or self._is_stopped:
            return
        if self._group is None and self._flushing is None:
            self._add(ServerEvent(at=self._clock(), action="resumed", version=__version__, process=os.getpid()))
        self._loop.call_later(RETRY_SECONDS, self._retry)

    def _write_groups(self) -> None:
        while (group := self._queue.get()) is not _STOP:
            error: Exception | None = None
            begun = time.monotonic()
            try:
                self._writer.append_bodies(group.bodies, self._make_use_of_flush(group))
            except Exception as caught:  # noqa: BLE001 - told to whoever waits; without this thread all would wait for ever
                error = caught
            group.seconds = time.monotonic() - begun
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
                self._loop.call_soon_threadsafe(self._flushed, group, error)

    def _make_use_of_flush(self, group: _Group) -> Callable[[], None]:
        """Give what has the loop prepare the group's answers; to wake it for a few would cost more than it saves."""
        if len(group.meanwhile) < FEW_EVENTS:
            return tell_nobody

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._prepare, group)

        return wake


def _set(event: asyncio.Event, _error: AuditUnavailable | None) -> None:
    event.set()
