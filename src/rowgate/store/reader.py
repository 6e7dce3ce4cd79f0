"""The following side of the store on SQLite: what a worker needs, and nothing that starts slowly."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rowgate.ports import StoreError
from rowgate.records import Changes, StateSnapshot
from rowgate.store.following import BUSY_MILLISECONDS, SqlReader


class SqliteReader(SqlReader):
    """See `ports.StoreReader`. Used by one thread at a time."""

    def __init__(self, path: Path, master_key: bytes, *, max_secret_seconds: int = 0) -> None:
        """Open the state database; the tables are taken as they are, see `find_revision`.

        Raises:
            StoreError: The file is missing.
        """
        super().__init__(str(path), master_key, max_secret_seconds=max_secret_seconds)
        self._path = path
        self._reading: sqlite3.Connection | None = None
        self._data_version: int | None = None
        self._file = self._find_file()  # the one that is open
        self._is_another = False  # the file, since the state was last loaded whole

    def has_changed(self) -> bool:
        """See `ports.StoreReader`. SQLite counts the commits of other connections for us."""
        self._turn_to_file()
        with self._explained():
            ((version,),) = self._run("PRAGMA data_version", ())
        changed = bool(version != self._data_version)
        self._data_version = version
        return changed

    def load_state(self) -> StateSnapshot:
        """See `ports.StoreReader`."""
        self._turn_to_file()
        state = super().load_state()
        self._is_another = False
        return state

    def load_changes(self, after: int) -> Changes | None:
        """See `ports.StoreReader`. Of another file nothing can be said but all of it, whatever its numbers."""
        self._turn_to_file()
        return None if self._is_another else super().load_changes(after)

    def close(self) -> None:
        """Let go of the file."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _find_file(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            raise StoreError(
                f"{self._path} is missing: restore it from a backup, or make another home with `rowgate init --home`"
            ) from None
        return found.st_dev, found.st_ino

    def _turn_to_file(self) -> None:
        """Let go of a file that another has replaced, as when a backup is put back: nobody writes to it any more."""
        found = self._find_file()
        if found != self._file:
            self.close()
            self._file, self._data_version, self._is_another = found, None, True

    def _look_up_revision(self) -> str | None:
        if not list(self._run("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'", ())):
            return None
        found = [revision for (revision,) in self._run("SELECT version_num FROM alembic_version", ())]
        return found[0] if found else None

    def _run(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        if self._reading is None:
            self._reading = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_MILLISECONDS / 1000
            )
        return self._reading.execute(statement, values)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        with self._explained():
            self._run("BEGIN", ())
            try:
                yield
            finally:
                self._run("ROLLBACK", ())

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path}: {explain_error(error)}") from error


def explain_error(error: BaseException | None) -> str:
    """Give what an administrator can do about an error of the state database."""
    text = str(error)
    if "locked" in text:
        return "another process is writing to it for too long; try again"
    if "disk is full" in text or "disk I/O" in text:
        return "the disk is full or failing; make room, then try again"
    if "readonly" in text or "unable to open" in text:
        return "it cannot be written: check the owner and mode of the home"
    return f"it is damaged or no state database of this release; restore it from a backup ({text})"
