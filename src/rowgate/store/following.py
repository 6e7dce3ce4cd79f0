"""The following side of the store, whatever database it is in: load once, then take over what has changed.

Plain SQL alone, see `loading`: a database adds how a statement is run and how a moment is held still.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from rowgate.ports import StoreError
from rowgate.records import Changes, Grants, KeyMaterial, StateSnapshot
from rowgate.store import loading

NEWEST_REVISION = "0006"
BUSY_MILLISECONDS = 5000  # that a transaction waits for those of others
MANY_TOUCHED = 500  # of a database that is near
_ENTITIES = frozenset({"application", "object", "revocation", "keys"})  # another is a newer release's: load everything
_ENDS = "SELECT (SELECT min(sequence) FROM changes), (SELECT max(sequence) FROM changes)"


class SqlReader(ABC):
    """See `ports.StoreReader`. Used by one thread at a time."""

    max_touched = MANY_TOUCHED  # changed things at once; for more it is quicker to load everything

    def __init__(self, place: str, master_key: bytes, *, max_secret_seconds: int = 0) -> None:
        """Take where the state is, as people are told it, and the key that its keys are kept under.

        No secret lives longer than the maximum; 0: as long as it was made to.
        """
        self._place = place
        self._master_key = master_key
        self._max_secret_seconds = max_secret_seconds

    @abstractmethod
    def has_changed(self) -> bool:
        """See `ports.StoreReader`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or the connection."""

    @abstractmethod
    def _look_up_revision(self) -> str | None:
        """Give the revision that the tables say they have, or None when there are none."""

    @abstractmethod
    def _run(self, statement: str, values: Sequence[Any]) -> Iterable[Any]:
        """Run a statement of `loading`, give its rows."""

    @abstractmethod
    def _snapshot(self) -> AbstractContextManager[None]:
        """Read everything inside as of one moment; the database's errors become StoreErrors."""

    @abstractmethod
    def _explained(self) -> AbstractContextManager[None]:
        """Turn the database's errors into StoreErrors."""

    def find_revision(self) -> str | None:
        """Give the revision of the tables, or None when there are none.

        Raises:
            StoreError: There is no state, or one of a newer release.
        """
        with self._explained():
            revision = self._look_up_revision()
        if revision is not None and revision > NEWEST_REVISION:
            raise StoreError(
                f"{self._place} was written by a newer release of Rowgate: its tables have revision {revision}, this "
                f"release knows them up to {NEWEST_REVISION}; run the release that wrote it, or a later one"
            )
        return revision

    def _load_grants(self, number: int | None = None) -> Iterator[Grants]:
        return loading.load_grants(self._run, number, max_secret_seconds=self._max_secret_seconds)

    def load_keys(self) -> KeyMaterial:
        """See `ports.StoreReader`."""
        with self._snapshot():
            return loading.load_keys(self._run, self._master_key)

    def load_state(self) -> StateSnapshot:
        """See `ports.StoreReader`."""
        with self._snapshot():
            return StateSnapshot(
                sequence=loading.load_sequence(self._run),
                grants=tuple(self._load_grants()),
                objects=tuple(loading.load_objects(self._run)),
                revocations=tuple(loading.load_revocations(self._run)),
                keys=loading.load_keys(self._run, self._master_key),
            )

    def load_changes(self, after: int) -> Changes | None:
        """See `ports.StoreReader`."""
        with self._snapshot():
            ((oldest, newest),) = self._run(_ENDS, ())
            # fewer than before: the database was put back to an earlier day
            if (oldest or 0) > after + 1 or (newest or 0) < after:
                return None
            rows = list(
                self._run("SELECT sequence, entity, name FROM changes WHERE sequence > ? ORDER BY sequence", (after,))
            )
            touched = {(entity, name) for _, entity, name in rows}
            if len(touched) > self.max_touched or any(entity not in _ENTITIES for entity, _ in touched):
                return None
            numbers = [int(name) for entity, name in touched if entity == "application"]
            handles = [bytes.fromhex(name) for entity, name in touched if entity == "revocation"]
            has_new_keys = any(entity == "keys" for entity, _ in touched)
            return Changes(
                sequence=rows[-1][0] if rows else after,
                applications={number: next(self._load_grants(number), None) for number in numbers},
                objects={name: loading.load_object(self._run, name) for entity, name in touched if entity == "object"},
                revocations=tuple(found for handle in handles for found in loading.load_revocations(self._run, handle)),
                keys=loading.load_keys(self._run, self._master_key) if has_new_keys else None,
            )
