"""The following side of the store, on SQLite alone: what a worker needs, and nothing that starts slowly."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rowgate.ports import StoreError
from rowgate.records import Changes, KeyMaterial, StateSnapshot
from rowgate.store import loading

NEWEST_REVISION = "0006"
BUSY_MILLISECONDS = 5000
_ENTITIES = frozenset({"application", "object", "revocation", "keys"})  # another is a newer release's: load everything
_MANY = 500  # changed things at once; for more it is quicker to load everything


class SqliteReader:
    """See `ports.StoreReader`. Used by one thread at a time."""

    def __init__(self, path: Path, master_key: bytes) -> None:
        """Open the state database; the tables are taken as they are, see `find_revision`.

        Raises:
            StoreError: The file is missing.
        """
        if not path.exists():
            raise StoreError(f"{path} is missing: `rowgate init` makes a home")
        self._path = path
        self._master_key = master_key
        self._reading: sqlite3.Connection | None = None
        self._data_version: int | None = None

    def find_revision(self) -> str | None:
        """Give the revision of the tables, or None when there are none.

        Raises:
            StoreError: The file is no state database, or one of a newer release.
        """
        with self._explained():
            revision = self._look_up_revision()
        if revision is not None and revision > NEWEST_REVISION:
            raise StoreError(f"{self._path} was written by a newer release of Rowgate; upgrade this one")
        return revision

    def _look_up_revision(self) -> str | None:
        if not list(self._run("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'", ())):
            return None
        found = [revision for (revision,) in self._run("SELECT version_num FROM alembic_version", ())]
        return found[0] if found else None

    def load_keys(self) -> KeyMaterial:
        """See `ports.StoreReader`."""
        with self._snapshot():
            return loading.load_keys(self._run, self._master_key)

    def load_state(self) -> StateSnapshot:
        """See `ports.StoreReader`."""
        with self._snapshot():
            return StateSnapshot(
                sequence=loading.load_sequence(self._run),
                grants=tuple(loading.load_grants(self._run)),
                objects=tuple(loading.load_objects(self._run)),
                revocations=tuple(loading.load_revocations(self._run)),
                keys=loading.load_keys(self._run, self._master_key),
            )

    def has_changed(self) -> bool:
        """See `ports.StoreReader`. SQLite counts the commits of other connections for us."""
        with self._explained():
            ((version,),) = self._run("PRAGMA data_version", ())
        changed = bool(version != self._data_version)
        self._data_version = version
        return changed

    def load_changes(self, after: int) -> Changes | None:
        """See `ports.StoreReader`."""
        with self._snapshot():
            ((oldest,),) = self._run("SELECT min(sequence) FROM changes", ())
            if oldest is not None and oldest > after + 1:
                return None
            rows = list(
                self._run("SELECT sequence, entity, name FROM changes WHERE sequence > ? ORDER BY sequence", (after,))
            )
            touched = {(entity, name) for _, entity, name in rows}
            if len(touched) > _MANY or any(entity not in _ENTITIES for entity, _ in touched):
                return None
            numbers = [int(name) for entity, name in touched if entity == "application"]
            handles = [bytes.fromhex(name) for entity, name in touched if entity == "revocation"]
            has_new_keys = any(entity == "keys" for entity, _ in touched)
            return Changes(
                sequence=rows[-1][0] if rows else after,
                applications={number: next(loading.load_grants(self._run, number), None) for number in numbers},
                objects={name: loading.load_object(self._run, name) for entity, name in touched if entity == "object"},
                revocations=tuple(found for handle in handles for found in loading.load_revocations(self._run, handle)),
                keys=loading.load_keys(self._run, self._master_key) if has_new_keys else None,
            )

    def close(self) -> None:
        """Let go of the file."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _run(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        if self._reading is None:
            self._reading = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_MILLISECONDS / 1000
            )
        return self._reading.execute(statement, values)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Read everything inside as of one moment."""
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
