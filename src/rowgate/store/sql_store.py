"""The Store on SQLite, a file in the home. One transaction per administrative act."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError

from rowgate.ports import StoreError
from rowgate.store.following import BUSY_MILLISECONDS, NEWEST_REVISION
from rowgate.store.reader import SqliteReader, explain_error
from rowgate.store.tables import bring_up_to_date, keep_first_keys
from rowgate.store.transactions import SNAPSHOT, Transactions


class SqlStore(Transactions, SqliteReader):
    """See `ports.Store`. Used by one thread at a time."""

    def __init__(
        self, path: Path, master_key: bytes, *, max_secret_seconds: int = 0, may_be_empty: bool = False
    ) -> None:
        """Open the state database, bringing its tables up to date; the maximum is as for `SqlReader`.

        Raises:
            StoreError: The file is missing, damaged, locked or of a newer release, or it is empty and may not be.
        """
        super().__init__(path, master_key, max_secret_seconds=max_secret_seconds)
        self._take_engine(_open_engine(path))
        with self._explained():
            revision = self.find_revision()
            if revision is None and not may_be_empty:
                # what a full disk or a torn copy leaves: with tables of its own it would look like a new state
                raise StoreError(f"{path} holds no state: restore it from a backup")
            if revision != NEWEST_REVISION:
                with self._engine.begin() as connection:
                    bring_up_to_date(connection, self._place)

    @classmethod
    def create(
        cls, path: Path, master_key: bytes, *, sealing: bytes, digest: bytes, nonces: bytes, now: float
    ) -> "SqlStore":
        """Make a new state database with its first keys.

        Args:
            path: Must not exist yet.
            master_key: 32 bytes.
            sealing: 32 random bytes, the key that seals tokens.
            digest: 32 random bytes, the key of the secrets' digests.
            nonces: 24 random bytes.
            now: Seconds since 1970.

        Raises:
            StoreError: The file exists, or cannot be made.
        """
        try:
            path.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            raise StoreError(f"{path} cannot be made: {error.strerror}") from error
        store = cls(path, master_key, may_be_empty=True)
        with store._engine.begin() as connection:
            keep_first_keys(connection, master_key, sealing=sealing, digest=digest, nonces=nonces, now=now)
        return store

    @contextmanager
    def held(self) -> Iterator[Connection]:
        """Keep all writers out while the state is copied; give the connection to read it with."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with super()._explained():
            try:
                yield
            except DatabaseError as error:
                raise StoreError(f"{self._path}: {explain_error(error.orig)}") from error


def _open_engine(path: Path) -> Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_MILLISECONDS / 1000})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # begin() below decides how a transaction begins
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that reads, then writes, must not find that another has written in between.
        snapshot = connection.get_execution_options().get(SNAPSHOT, False)
        connection.exec_driver_sql("BEGIN" if snapshot else "BEGIN IMMEDIATE")

    return engine
