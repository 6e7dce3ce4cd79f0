"""Tells whether a file may have been written to, without reading it.

Rule: two versions that are equal mean that nothing was written between them. The system notes the time of each write
(st_ctime, which nobody can set), but may note the same one for two writes within a few milliseconds. So a file has no
version until it has been seen to be as it is for longer than any system takes between two times: a later write
gets a later one, whatever clock the file's server goes by.

Files are opened, not only looked up: that has a network's file system ask its server.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

SETTLED_SECONDS = 5.0  # no system's times are coarser than two
_MOST_FILES = 20_000


class FileVersions:
    """Watches files. Safe for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock (seconds) that is never set back."""
        self._clock = clock
        self._seen: dict[Path, tuple[bytes, float]] = {}  # as a file is, and since when that is known

    def find(self, path: Path) -> bytes | None:
        """Give the version of a file; None: it is not sure, or there is no such file."""
        if os.name != "posix":
            return None  # st_ctime is another time there
        now = self._clock()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # it may be a pipe by now
            try:
                status = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            return None  # the read itself will tell
        told = repr((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)).encode()
        seen = self._seen.get(path)
        if seen is None or seen[0] != told:
            if len(self._seen) >= _MOST_FILES:
                self._seen.clear()
            self._seen[path] = told, now
            return None
        return told if now - seen[1] >= SETTLED_SECONDS else None
