"""Files that are looked at beside SQLite, kept open as long as SQLite may hold locks on them.

Rule: no file is closed here that somebody in this process still has open here. The locks of SQLite are the process's,
and to close any descriptor of a file drops them all (fcntl(2), "Record locks").
"""

import os
import threading
from typing import TypeAlias

File: TypeAlias = tuple[int, int]  # its device and inode

_lock = threading.Lock()
_open: dict[File, tuple[int, int]] = {}  # the descriptor, and how many have it


class OpenFiles:
    """The files of one user. Safe for use from several threads."""

    def __init__(self) -> None:
        """Have none yet."""
        self._own: dict[File, int] = {}

    def open(self, path: str, file: File) -> int:
        """Give a descriptor for reading the file, which is at this path; it stays open until `close`.

        Raises:
            OSError: It cannot be read, or there is another at the path by now.
        """
        descriptor = self._own.get(file)
        if descriptor is None:
            with _lock:
                descriptor = self._own.get(file)
                if descriptor is None:
                    descriptor = self._own[file] = _take(path, file)
        return descriptor

    def close(self) -> None:
        """Give all of them back; SQLite must be done with them, as far as this user goes."""
        with _lock:
            for file in self._own:
                descriptor, users = _open.pop(file)
                if users > 1:
                    _open[file] = (descriptor, users - 1)
                else:
                    os.close(descriptor)
            self._own = {}


def _take(path: str, file: File) -> int:
    if file in _open:
        descriptor, users = _open[file]
    else:
        if _identify(os.stat(path)) != file:  # noqa: PTH116
            # replaced since. It is not opened to find out: what is open may not be closed, and files that are replaced
            # again and again would leave a descriptor each time
            raise FileNotFoundError(path)
        descriptor, users = os.open(path, os.O_RDONLY | os.O_CLOEXEC), 0
        if (found := _identify(os.fstat(descriptor))) != file:
            # within the last microseconds; kept all the same, for nobody: SQLite may have it open
            _open.setdefault(found, (descriptor, 1))
            raise FileNotFoundError(path)
    _open[file] = (descriptor, users + 1)
    return descriptor


def _identify(status: os.stat_result) -> File:
    return status.st_dev, status.st_ino
