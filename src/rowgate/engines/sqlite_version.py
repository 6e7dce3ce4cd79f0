"""Tells whether the rows of an SQLite object may have changed, without reading them.

Rule: two versions that are equal mean that nothing was committed between them, nor the file replaced. Where that is
not sure there is no version.

A version is made of what SQLite's own readers go by: the change counter in the head of the file and, in WAL mode, the
head of the WAL's index, which every commit writes anew. So it is the same for all processes, and costs a look at two
files without a lock.

Source: sqlite.org/fileformat2.html §1.3; sqlite.org/walformat.html §2.1
"""

import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path

import apsw

from rowgate.engines.open_files import OpenFiles
from rowgate.engines.sqlite_permissions import Authorizer
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.model import ObjectDescription

# What a view may call and still give the same rows as long as nothing is written: no clock, no randomness.
_STEADY = frozenset(
    {
        *("abs", "avg", "char", "coalesce", "concat", "concat_ws", "count", "format", "glob", "group_concat", "hex"),
        *("ifnull", "iif", "instr", "length", "like", "lower", "ltrim", "max", "min", "nullif", "octet_length"),
        *("printf", "quote", "replace", "round", "row_number", "rank", "dense_rank", "lag", "lead", "first_value"),
        *("rtrim", "sign", "string_agg", "substr", "substring", "sum", "total", "trim", "typeof", "unicode", "upper"),
    }
)
_STORED = frozenset({"table", "view", "shadow"})  # what a virtual table gives is its module's own

_MAGIC = b"SQLite format 3\0"
_HEAD_BYTES = 100
_FORMATS = slice(18, 20)  # the versions for writing and for reading
_ROLLBACK, _WAL = b"\x01\x01", b"\x02\x02"
_COUNTED = slice(24, 100)  # the change counter and all after it: the schema's cookie, what kind of file it is
_INDEX_HEAD_BYTES = 48  # of the WAL's index; it stands there twice, and is whole if both are the same
_INDEX_VERSION = slice(0, 4)
_INDEX_VERSIONS = frozenset((3_007_000).to_bytes(4, order) for order in ("little", "big"))
_IS_INITIALISED = 12


class VersionWatch:
    """Watches one file. Safe for use from several threads."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection], authorize: Authorizer) -> None:
        """Take what opens a connection, and what allows the catalog to be asked on it."""
        self._path = os.fspath(path)
        self._connect = connect
        self._authorize = authorize
        self._lock = threading.Lock()  # of the connection
        self._connection: apsw.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._files: dict[tuple[int, int], OpenFiles] = {}  # of each file that is or was in this place
        self._is_steady: tuple[bytes, dict[str, bool]] = (b"", {})  # of the objects of one version

    def find(self, described: ObjectDescription) -> bytes | None:
        """Give the version of an object's rows, as `ports.RowSource.find_version` says."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a path of pathlib costs as much again
            file = (status.st_dev, status.st_ino)
            counted = self._find_counted(file)
            if counted is None:
                return None
            # the times tell of what was copied over the file, past SQLite
            told = (*file, status.st_size, status.st_mtime_ns, status.st_ctime_ns, counted)
            version = repr(told).encode()
            of_version, is_steady = self._is_steady
            if of_version != version:
                # the schema may have changed too
                self._is_steady = _, is_steady = version, {}
            name = described.path[-1]
            found = is_steady.get(name)
            if found is None:
                found = is_steady[name] = self._look(name, file)
        except (OSError, apsw.Error):  # locked, gone or broken: the read itself will tell
            return None
        return version if found else None

    def close(self) -> None:
        """Let go of the files; the connections to them must be closed by then."""
        with self._lock:
            self._close()
        self.release(())

    def release(self, in_use: Collection[tuple[int, int]]) -> None:
        """Let go of the files that were replaced, and by now no connection is open to them."""
        for file in tuple(self._files):
            if file not in in_use:
                self._files.pop(file).close()

    def _find_counted(self, file: tuple[int, int]) -> bytes | None:
        """Give what differs after each commit; None: that is not sure."""
        files = self._files.get(file) or self._files.setdefault(file, OpenFiles())
        head = os.pread(files.open(self._path, file), _HEAD_BYTES, 0)
        if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
            return None
        if head[_FORMATS] == _ROLLBACK:
            return head[_COUNTED]
        if head[_FORMATS] != _WAL:
            return None
        # asked for by its name: the last to close the database deletes it, and the next makes another
        path = self._path + "-shm"
        status = os.stat(path)  # noqa: PTH116
        descriptor = files.open(path, (status.st_dev, status.st_ino))
        both = os.pread(descriptor, 2 * _INDEX_HEAD_BYTES, 0)
        first, second = both[:_INDEX_HEAD_BYTES], both[_INDEX_HEAD_BYTES:]
        if first != second or first[_INDEX_VERSION] not in _INDEX_VERSIONS or not first[_IS_INITIALISED]:
            return None  # a commit is being written, or a reader is needed that makes it anew
        return head[_COUNTED] + first

    def _look(self, name: str, file: tuple[int, int]) -> bool:
        """Tell whether the object's rows hang on nothing but what is stored: by all that reading them would use."""
        functions: set[str] = set()
        tables: set[str] = set()

        def note(action: int, first: str | None, second: str | None, database: str | None, via: str | None) -> int:
            if action == apsw.SQLITE_FUNCTION:
                functions.add((second or "").lower())
            elif action == apsw.SQLITE_READ:
                tables.add(first or "")
            return self._authorize(action, first, second, database, via)

        with self._lock:
            try:
                connection = self._open(file)
                connection.set_authorizer(note)
                text = f"SELECT * FROM {SQLITE.quote(name)} LIMIT 0"  # noqa: S608 - a quoted catalog name
                connection.execute(text, can_cache=False).close()
                connection.set_authorizer(self._authorize)
                if not functions <= _STEADY:
                    return False
                kinds = dict(connection.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main'"))
            except apsw.Error:
                self._close()
                raise
        return all(kinds.get(table) in _STORED for table in tables)

    def _open(self, file: tuple[int, int]) -> apsw.Connection:
        if self._connection is None or file != self._file:
            self._close()
            self._connection = self._connect()
            self._connection.set_busy_timeout(0)  # a read that waits needs no version
            self._file = file
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
