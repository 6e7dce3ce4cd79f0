"""The following side of the store on SQLite: what a worker needs, and nothing that starts slowly."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rowgate.ports import StoreError
from rowgate.store.following import BUSY_MILLISECONDS, SqlReader


class SqliteReader(SqlReader):
    """See `ports.StoreReader`. Used by one thread at a time."""

    def __init__(self, path: Path, master_key: bytes, *, max_secret_seconds: int = 0) -> None:
        """Open the state database; the tables are taken as they are, see `find_revision`.

        Raises:
            StoreError: The file is missing.
        """
        super().__init__(str(path), master_key, max_secret_seconds=max_secret_seconds)
        if not path.exists():
            raise StoreError(
                f"{path} is missing: restore it from a backup, or make another home with `rowgate init --home`"
            )
        self._path = path
        self._reading: sqlite3.Connection | None = None
        self._data_version: int | None = None

    def has_changed(self) -> bool:
        """See `ports.StoreReader`. SQLite counts the commits of other connections for us."""
        with self._explained():
            ((version,),) = self._run("PRAGMA data_version", ())
        changed = bool(version != self._data_version)
        self._data_version = version
        return changed

    def close(self) -> None:
        """Let go of the file."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

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
