"""Writes events to append-only segment files.

Every writer (a worker process, a command) owns its own segment, so writers never wait for each other. A line is one
event's JSON object whose last member `chain` is SHA-256(previous chain ‖ the line without it), so that a removed or
altered line shows.

A torn last line (the machine lost power in the middle of a write) was never acknowledged; readers skip it.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from rowgate.audit.events import Event

SEGMENT_BYTES = 67_108_864  # 64 MiB

_encode = msgspec.json.Encoder().encode


def tell_nobody() -> None:
    """Do nothing."""


class SegmentWriter:
    """Appends groups of events to segments in one directory. Not for use from two threads at once."""

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Take the directory; the first segment is made with the first write."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._writer = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._count = 0
        self._path = directory
        self._descriptor = -1
        self._length = 0  # of what is durable
        self._chain = b""
        self._is_torn = False  # the segment holds, or may hold, a part of a group that failed

    def append(self, events: Sequence[Event]) -> None:
        """Make the events durable; see `append_bodies`."""
        self.append_bodies([render_body(event) for event in events])

    def append_bodies(self, bodies: Sequence[bytes], tell_of_flush: Callable[[], None] = tell_nobody) -> None:
        """Make events durable, as `render_body` gave them; on an OSError none of them is in the file.

        Args:
            bodies: Of the events.
            tell_of_flush: Called when nothing is left to do but to wait for the disk.

        Raises:
            OSError: The disk is full or gone; a later call may work again.
        """
        if self._is_torn:
            self._mend()
        if self._descriptor < 0 or self._length >= self._segment_bytes or self._is_removed():
            self._open_segment()
        chain = self._chain
        lines = []
        for body in bodies:
            chain = hashlib.sha256(chain + body).digest()
            lines.append(b'%b,"chain":"%b"}\n' % (body, chain.hex().encode()))
        data = b"".join(lines)
        self._is_torn = True
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            tell_of_flush()
            os.fdatasync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # the next call tries again, and writes nothing before it succeeds
                self._mend()
            raise
        self._is_torn = False
        self._length += len(data)
        self._chain = chain

    def close(self) -> None:
        """Close the segment."""
        if self._is_torn:
            with contextlib.suppress(OSError):
                self._mend()
        self._let_go()

    def _mend(self) -> None:
        # After a failed fdatasync the kernel may have dropped the pages: never trust this file again. One that
        # holds nothing is removed, or a full disk would be filled with empty segments, one for each attempt.
        os.ftruncate(self._descriptor, self._length)
        if self._length == 0:
            self._path.unlink(missing_ok=True)
            self._count -= 1
        self._is_torn = False
        self._let_go()

    def _is_removed(self) -> bool:
        # Somebody deleted the file: what is written to it now would be acknowledged, and gone with this process.
        return os.fstat(self._descriptor).st_nlink == 0

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _open_segment(self) -> None:
        self._let_go()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self._directory / f"{stamp}-{self._writer}-{self._count:06d}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            _sync_directory(self._directory)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)  # its name is perhaps not durable: nothing may be written to it
            raise
        self._path, self._descriptor = path, descriptor
        self._count += 1
        self._length = 0
        # The first link of a segment is its name, so that a segment cannot be passed off as another.
        self._chain = hashlib.sha256(path.name.encode()).digest()


def render_body(event: Event) -> bytes:
    """Give the event's JSON object without its last brace: the chain is still to come.

    Raises:
        ValueError: A text in it is not Unicode (a lone surrogate).
    """
    return _encode(event)[:-1]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
