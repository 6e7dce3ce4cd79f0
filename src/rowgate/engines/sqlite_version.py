"""Tells whether the rows of an SQLite object may have changed, without reading them.

Rule: two versions that are equal mean that nothing was committed between them, nor the file replaced. Where that is
not sure there is no version.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw

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
_ASK = "PRAGMA data_version"
_STORED = frozenset({"table", "view", "shadow"})  # what a virtual table gives is its module's own


class VersionWatch:
    """Watches one file through a connection of its own. Safe for use from several threads."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection], authorize: Authorizer) -> None:
        """Take what opens a connection, and what allows the catalog to be asked on it."""
        self._path = path
        self._connect = connect
        self._authorize = authorize
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._nonce = b""
        self._data: object = None
        self._is_steady: dict[str, bool] = {}

    def find(self, described: ObjectDescription) -> bytes | None:
        """Give the version of an object's rows, as `ports.RowSource.find_version` says."""
        with self._lock:
            try:
                status = self._path.stat()
                connection = self._open((status.st_dev, status.st_ino))
                # of this connection: it differs after every commit of another, and this one makes none
                ((data,),) = connection.execute(_ASK).fetchall()
                if data != self._data:
                    self._is_steady.clear()  # the schema may have changed too
                    self._data = data
                name = described.path[-1]
                if name not in self._is_steady:
                    self._is_steady[name] = self._look(connection, name)
            except (OSError, apsw.Error):  # locked, gone or broken: the read itself will tell
                self._close()
                return None
            if not self._is_steady[name]:
                return None
            # the times tell of what was copied over the file, past SQLite
            told = (data, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            return self._nonce + repr(told).encode()

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._close()

    def _open(self, file: tuple[int, int]) -> apsw.Connection:
        if self._connection is None or file != self._file:
            self._close()
            self._connection = self._connect()
            self._connection.set_busy_timeout(0)  # a read that waits needs no version
            self._file = file
            self._nonce = os.urandom(16)  # data_version says nothing to another connection
            self._data = None
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _look(self, connection: apsw.Connection, name: str) -> bool:
        """Tell whether the object's rows hang on nothing but what is stored: by all that reading them would use."""
        functions: set[str] = set()
        tables: set[str] = set()

        def note(action: int, first: str | None, second: str | None, database: str | None, via: str | None) -> int:
            if action == apsw.SQLITE_FUNCTION:
                functions.add((second or "").lower())
            elif action == apsw.SQLITE_READ:
                tables.add(first or "")
            return self._authorize(action, first, second, database, via)

        connection.set_authorizer(note)
        try:
            text = f"SELECT * FROM {SQLITE.quote(name)} LIMIT 0"  # noqa: S608 - a quoted catalog name
            connection.execute(text, can_cache=False).close()
        finally:
            connection.set_authorizer(self._authorize)
        if not functions <= _STEADY:
            return False
        kinds = dict(connection.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main'"))
        return all(kinds.get(table) in _STORED for table in tables)
