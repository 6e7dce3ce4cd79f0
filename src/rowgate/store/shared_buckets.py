"""Counts that the workers of one home share: a file with a slot for each application, and a lock for each slot.

A slot stands where the application's number says, and nobody else's ever does: numbers are not given again. Where
nothing is counted the file has holes.

Nothing in it is durable or secret; it may be deleted while nobody is serving. The system lets go of a lock when its
process ends, however it ends.

The file's form: slots of 24 bytes, application number, what is left and as of when, in the machine's own order.
"""

import contextlib
import fcntl
import logging
import os
import struct
import weakref
from pathlib import Path

from rowgate.oauth.bucket import draw_one

_SLOT = struct.Struct("=qdd")
_TRIES = 200  # to get a slot's lock, which is held for microseconds

_log = logging.getLogger("rowgate.store")


class SharedBuckets:
    """See `ports.buckets.Buckets`."""

    def __init__(self, path: Path) -> None:
        """Take where the counts are; the file is made when something is counted first."""
        self._path = path
        self._descriptor = -1
        self._own: dict[int, tuple[float, float]] = {}  # while the file cannot be used

    def take(self, application_number: int, *, size: int, per_minute: int, now: float) -> int:
        """See `ports.buckets.Buckets`."""
        place = application_number * _SLOT.size
        try:
            descriptor = self._open()
            is_locked = self._lock(descriptor, place)
            try:
                left, as_of = self._read(descriptor, place, application_number) or (float(size), now)
                if not 0 <= left <= size:
                    left = float(size)  # the quota was lowered, or the slot is none of ours
                left, wait = draw_one(left, as_of, size=size, per_minute=per_minute, now=now)
                os.pwrite(descriptor, _SLOT.pack(application_number, left, now), place)
            finally:
                if is_locked:
                    fcntl.lockf(descriptor, fcntl.LOCK_UN, _SLOT.size, place)
            self._own.clear()
        except OSError as error:
            if not self._own:
                _log.error("%s: quotas are counted by each worker for itself: %s", self._path, error.strerror)
            left, as_of = self._own.get(application_number, (float(size), now))
            left, wait = draw_one(left, as_of, size=size, per_minute=per_minute, now=now)
            self._own[application_number] = (left, now)
        return wait

    def look(self, application_number: int, *, size: int, per_minute: int, now: float) -> int:
        """See `ports.buckets.Buckets`. Without the lock: what is told may be old when it is heard anyway."""
        left, as_of = self._own.get(application_number, (float(size), now))
        with contextlib.suppress(OSError):  # then by what this worker has counted, as `take` does
            place = application_number * _SLOT.size
            left, as_of = self._read(self._open(), place, application_number) or (float(size), now)
        if not 0 <= left <= size:
            left = float(size)
        return draw_one(left, as_of, size=size, per_minute=per_minute, now=now)[1]

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, self._descriptor)
        return self._descriptor

    def _lock(self, descriptor: int, place: int) -> bool:
        """Tell whether the slot is ours. Another process that was stopped in the middle must not stop this one."""
        for _ in range(_TRIES):
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SLOT.size, place)
            except BlockingIOError:
                os.sched_yield()
            else:
                return True
        return False  # one count may be lost between the two

    def _read(self, descriptor: int, place: int, application_number: int) -> tuple[float, float] | None:
        kept = os.pread(descriptor, _SLOT.size, place)
        if len(kept) < _SLOT.size:
            return None
        number, left, as_of = _SLOT.unpack(kept)
        return (left, as_of) if number == application_number else None
