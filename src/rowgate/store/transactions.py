"""The changing side of the store, whatever database it is in: one transaction for each administrative act."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from rowgate.store.following import SqlReader
from rowgate.store.writer import SqlWriter

SNAPSHOT = "rowgate_snapshot"  # of a connection's options: it reads as of one moment and changes nothing


class Transactions(SqlReader):
    """See `ports.Store`. Stands before a reader of the database; `_take_engine` must be called."""

    _engine: Engine  # whose transactions keep all other writers out, but for those of the option
    _snapshots: Engine

    def _take_engine(self, engine: Engine) -> None:
        self._engine = engine
        self._snapshots = engine.execution_options(**{SNAPSHOT: True})

    @contextmanager
    def changing(self) -> Iterator[SqlWriter]:
        """See `ports.Store`."""
        with self._explained(), self._engine.begin() as connection:
            yield SqlWriter(connection, self._master_key, max_secret_seconds=self._max_secret_seconds)

    @contextmanager
    def reading(self) -> Iterator[SqlWriter]:
        """See `ports.Store`."""
        with self._explained(), self._snapshots.connect() as connection:
            yield SqlWriter(connection, self._master_key, max_secret_seconds=self._max_secret_seconds)

    def close(self) -> None:
        """See `ports.Store`."""
        super().close()  # type: ignore[safe-super] # the reader behind this one
        self._engine.dispose()
