"""What the workers of one server have counted, in a folder with a file for each place.

A worker has a place for as long as it holds the lock on its file. Whoever takes the place of one that is gone goes on
from its counts, so a sum over the files never falls, and there are never more files than workers at one time.

Nothing in it is durable or secret: it lives as long as the server. The system lets go of a lock when its process ends,
however it ends.

The file's form: the length of what follows and its CRC-32, in the machine's own order; then JSON.
"""

import contextlib
import fcntl
import itertools
import logging
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from rowgate.ports.counts import Counts

FOLDERS = "counts-*"
_HEAD = struct.Struct("=II")
_TRIES = 3  # to read a file that is being written: that takes microseconds
_ENDING = ".counts"

_Written = tuple[list[tuple[tuple[str, ...], float]], list[tuple[tuple[str, ...], float]]]
_Read = tuple[dict[tuple[str, ...], float], dict[tuple[str, ...], float]]

_log = logging.getLogger("rowgate.store")


class SharedCounts:
    """See `ports.counts.SharedCounts`. A folder that cannot be used keeps nobody from counting for itself."""

    def __init__(self, folder: Path) -> None:
        """Take the server's folder."""
        self._folder = folder
        self._own = ""
        self._descriptor = -1
        self._seen: dict[str, Counts] = {}  # of others, what was read last: what cannot be read does not fall

    def take_place(self) -> Counts:
        """See `ports.counts.SharedCounts`."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for number in itertools.count():
                name = f"{number}{_ENDING}"
                descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                if _lock(descriptor):
                    self._own, self._descriptor = name, descriptor
                    return _read(descriptor)[0]
                os.close(descriptor)
        except OSError as error:
            _log.error("%s: each worker tells only what it has counted itself: %s", self._folder, error.strerror)
        return {}

    def publish(self, lasting: Counts, momentary: Counts) -> None:
        """See `ports.counts.SharedCounts`."""
        if self._descriptor < 0:
            return
        written: _Written = list(lasting.items()), list(momentary.items())
        body = msgspec.json.encode(written)
        with contextlib.suppress(OSError):  # the others go on with what was shown before
            os.pwrite(self._descriptor, _HEAD.pack(len(body), zlib.crc32(body)) + body, 0)

    def gather_others(self) -> Sequence[tuple[Counts, Counts]]:
        """See `ports.counts.SharedCounts`."""
        found: list[tuple[Counts, Counts]] = []
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(self._folder)):  # noqa: PTH208 - names are all that is needed
                if name == self._own or not name.endswith(_ENDING):
                    continue
                with contextlib.suppress(OSError), _opened(self._folder / name) as descriptor:
                    lasting, momentary = _read(descriptor)
                    self._seen[name] = lasting or self._seen.get(name, {})
                    # a lock that can be had is nobody's; who looks for a place just now takes the next
                    found.append((self._seen[name], {} if _lock(descriptor) else momentary))
        return found

    def close(self) -> None:
        """See `ports.counts.SharedCounts`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextlib.contextmanager
def shared_folder(home: Path) -> Iterator[Path | None]:
    """Give a folder for the counts of a server, for as long as that serves; None where there can be none.

    Folders of servers that were killed are removed.
    """
    for left in home.glob(FOLDERS):
        if not any(map(_is_taken, left.glob(f"*{_ENDING}"))):
            shutil.rmtree(left, ignore_errors=True)
    try:
        made = tempfile.mkdtemp(prefix=FOLDERS[:-1], dir=home)
    except OSError as error:
        _log.error("%s: each worker tells only what it has counted itself: %s", home, error.strerror)
        yield None
        return
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_taken(path: Path) -> bool:
    with contextlib.suppress(OSError), _opened(path) as descriptor:
        return not _lock(descriptor)
    return False


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> _Read:
    for _ in range(_TRIES):
        written = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        if len(written) < _HEAD.size:
            break
        length, checksum = _HEAD.unpack_from(written)
        body = written[_HEAD.size : _HEAD.size + length]
        if len(body) == length and zlib.crc32(body) == checksum:
            lasting, momentary = msgspec.json.decode(body, type=_Written)
            return dict(lasting), dict(momentary)
    return {}, {}
