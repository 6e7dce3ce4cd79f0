"""Writes events to append-only segment files, durable in groups.

Every writer (a worker process, a command) owns its own segment, so writers never wait for each other. Events
that arrive while the last group is being flushed, or within `gather_seconds` of the first, share one write and
one fdatasync. A line is one event's JSON object whose last member `chain` is
SHA-256(previous chain ‖ the line without it), so that a removed or altered line shows.

A torn last line (the machine lost power in the middle of a write) was never acknowledged; readers skip it.
"""

import asyncio
import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from rowgate.audit.events import Event

GATHER_SECONDS = 0.0005
SEGMENT_BYTES = 67_108_864  # 64 MiB
MAX_WAITING_EVENTS = 100_000  # with a disk that stands still, new requests are refused
_STOP = None

_encode = msgspec.json.Encoder().encode


class AuditUnavailable(Exception):
    """The event could not be made durable, so what it tells of must not happen."""


class _Group:
    """Events that are flushed together, and the one future that their requests wait for."""

    __slots__ = ("done", "events")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.events: list[Event] = []
        self.done: asyncio.Future[None] = loop.create_future()


class SegmentWriter:
    """Appends groups of events to segments in one directory. Not for use from two threads at once."""

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Take the directory; the first segment is made with the first write."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._writer = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._count = 0
        self._descriptor = -1
        self._length = 0
        self._chain = b""

    def append(self, events: list[Event]) -> None:
        """Make the events durable; on an OSError none of them is in the file.

        Raises:
            OSError: The disk is full or gone; a later call may work again.
        """
        if self._descriptor < 0 or self._length >= self._segment_bytes:
            self._open_segment()
        chain = self._chain
        lines = []
        for event in events:
            body = _encode(event)[:-1]
            chain = hashlib.sha256(chain + body).digest()
            lines.append(b'%b,"chain":"%b"}\n' % (body, chain.hex().encode()))
        data = b"".join(lines)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            os.fdatasync(self._descriptor)
        except OSError:
            self._undo()
            raise
        self._length += len(data)
        self._chain = chain

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _undo(self) -> None:
        # After a failed fdatasync the kernel may have dropped the pages: never trust this file again.
        try:
            os.ftruncate(self._descriptor, self._length)
        finally:
            self.close()

    def _open_segment(self) -> None:
        self.close()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self._directory / f"{stamp}-{self._writer}-{self._count:06d}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._count += 1
        self._length = 0
        # The first link of a segment is its name, so that a segment cannot be passed off as another.
        self._chain = hashlib.sha256(path.name.encode()).digest()
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class SegmentSink:
    """The AuditSink of a server: group commit in a thread of its own."""

    def __init__(
        self,
        writer: SegmentWriter,
        *,
        gather_seconds: float = GATHER_SECONDS,
        on_failure: Callable[[OSError], None] = lambda _error: None,
    ) -> None:
        """Take the writer; `on_failure` is called in the event loop when a group could not be written."""
        self._writer = writer
        self._gather_seconds = gather_seconds
        self._on_failure = on_failure
        self._loop: asyncio.AbstractEventLoop
        self._group: _Group | None = None
        self._flushing = False
        self.is_writable = True  # whether the last group could be written
        self._queue: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_groups, name="audit", daemon=True)

    def start(self) -> None:
        """Begin; called in the event loop that will record."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def record(self, event: Event) -> None:
        """Return when the event is durable. See `ports.AuditSink`."""
        await self._add(event).done

    def record_soon(self, event: Event) -> None:
        """Make the event durable with the next group. See `ports.AuditSink`."""
        self._add(event).done.add_done_callback(_ignore_failure)

    async def stop(self) -> None:
        """Write what is waiting, then end the thread."""
        if self._group is not None:
            waiting = self._group.done
            self._flush()
            await asyncio.wait([waiting])
        self._queue.put(_STOP)
        await self._loop.run_in_executor(None, self._thread.join)
        self._writer.close()

    def _add(self, event: Event) -> _Group:
        group = self._group
        if group is None:
            group = self._group = _Group(self._loop)
            if not self._flushing:
                self._loop.call_later(self._gather_seconds, self._flush)
        elif len(group.events) >= MAX_WAITING_EVENTS:
            raise AuditUnavailable
        group.events.append(event)
        return group

    def _flush(self) -> None:
        if self._group is not None and not self._flushing:
            self._flushing = True
            self._queue.put(self._group)
            self._group = None

    def _flushed(self, group: _Group, error: OSError | None) -> None:
        self._flushing = False
        self.is_writable = error is None
        if error is not None:
            self._on_failure(error)
        if not group.done.done():  # a server that gives up waiting cancels its requests, and with them this
            if error is None:
                group.done.set_result(None)
            else:
                group.done.set_exception(AuditUnavailable())
        self._flush()

    def _write_groups(self) -> None:
        while (group := self._queue.get()) is not _STOP:
            error: OSError | None = None
            try:
                self._writer.append(group.events)
            except OSError as caught:
                error = caught
            self._loop.call_soon_threadsafe(self._flushed, group, error)


def _ignore_failure(done: asyncio.Future[None]) -> None:
    # on_failure has told of it; without this the future would complain of an exception never read
    done.cancelled() or done.exception()
