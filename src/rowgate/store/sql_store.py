"""The Store on a SQL database: SQLite today. One transaction per administrative act."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError

from rowgate.ports import StoreError
from rowgate.store.master_key import DIGEST, SEALING, wrap_key
from rowgate.store.reader import BUSY_MILLISECONDS, NEWEST_REVISION, SqliteReader, explain_error
from rowgate.store.schema import keys
from rowgate.store.writer import SqlWriter


class SqlStore(SqliteReader):
    """See `ports.Store`. Used by one thread at a time."""

    def __init__(self, path: Path, master_key: bytes) -> None:
        """Open the state database, bringing its tables up to date.

        Raises:
            StoreError: The file is missing, damaged, locked or of a newer release.
        """
        super().__init__(path, master_key)
        self._engine = _open_engine(path)
        self._snapshots = self._engine.execution_options(rowgate_snapshot=True)
        with self._explained():
            _bring_up_to_date(self._engine, self.find_revision())

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
        store = cls(path, master_key)
        wrapped = [
            {"purpose": purpose, "wrapped": wrap_key(master_key, purpose, key, nonce), "created_at": int(now)}
            for purpose, key, nonce in ((SEALING, sealing, nonces[:12]), (DIGEST, digest, nonces[12:24]))
        ]
        with store._engine.begin() as connection:
            connection.execute(sa.insert(keys), wrapped)
        return store

    @contextmanager
    def changing(self) -> Iterator[SqlWriter]:
        """See `ports.Store`."""
        with self._explained(), self._engine.begin() as connection:
            yield SqlWriter(connection, self._master_key)

    @contextmanager
    def reading(self) -> Iterator[SqlWriter]:
        """See `ports.Store`."""
        with self._explained(), self._snapshots.connect() as connection:
            yield SqlWriter(connection, self._master_key)

    def close(self) -> None:
        """See `ports.Store`."""
        super().close()
        self._engine.dispose()

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
        snapshot = connection.get_execution_options().get("rowgate_snapshot", False)
        connection.exec_driver_sql("BEGIN" if snapshot else "BEGIN IMMEDIATE")

    return engine


def _bring_up_to_date(engine: Engine, revision: str | None) -> None:
    if revision == NEWEST_REVISION:
        return  # the common case, without the time it takes to load Alembic
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"{engine.url.database} is no state database of any release; restore it from a backup ({error})"
        ) from error
