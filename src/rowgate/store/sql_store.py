"""The Store on a SQL database: SQLite today. One transaction per administrative act; readers follow by number."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError

from rowgate.service.model import Changes, KeyMaterial, StateSnapshot
from rowgate.store import loading
from rowgate.store.errors import StoreError
from rowgate.store.master_key import unwrap_key, wrap_key
from rowgate.store.schema import changes, keys
from rowgate.store.writer import SqlWriter

NEWEST_REVISION = "0001"
SEALING = "sealing"
DIGEST = "digest"
_BUSY_MILLISECONDS = 5000


class SqlStore:
    """See `ports.Store`. Used by one thread at a time."""

    def __init__(self, path: Path, master_key: bytes) -> None:
        """Open the state database, bringing its tables up to date.

        Raises:
            StoreError: The file is missing, damaged, locked or of a newer release.
        """
        if not path.exists():
            raise StoreError(f"{path} is missing: `rowgate init` makes a home")
        self._master_key = master_key
        self._path = path
        self._engine = _open_engine(path)
        self._snapshots = self._engine.execution_options(rowgate_snapshot=True)
        self._follower: sqlite3.Connection | None = None
        self._data_version: int | None = None
        with self._explained():
            _bring_up_to_date(self._engine)

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

    def load_keys(self) -> KeyMaterial:
        """See `ports.StoreReader`."""
        sealing, digest = {}, b""
        with self._explained(), self._snapshots.connect() as connection:
            for number, purpose, wrapped in connection.execute(
                sa.select(keys.c.number, keys.c.purpose, keys.c.wrapped)
            ):
                key = unwrap_key(self._master_key, purpose, wrapped)
                if purpose == SEALING:
                    sealing[number] = key
                else:
                    digest = key
        if not sealing or not digest:
            raise StoreError(f"{self._path} holds no keys: restore it from a backup")
        return KeyMaterial(sealing, digest)

    def load_state(self) -> StateSnapshot:
        """See `ports.StoreReader`."""
        with self._explained(), self._snapshots.connect() as connection:
            return StateSnapshot(
                sequence=loading.load_sequence(connection),
                grants=tuple(loading.load_grants(connection)),
                objects=tuple(loading.load_objects(connection)),
                revocations=tuple(loading.load_revocations(connection)),
            )

    def has_changed(self) -> bool:
        """See `ports.StoreReader`. SQLite counts the commits of other connections for us."""
        with self._explained():
            if self._follower is None:
                self._follower = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            (version,) = self._follower.execute("PRAGMA data_version").fetchone()
        changed = bool(version != self._data_version)
        self._data_version = version
        return changed

    def load_changes(self, after: int) -> Changes | None:
        """See `ports.StoreReader`."""
        with self._explained(), self._snapshots.connect() as connection:
            oldest = connection.execute(sa.select(sa.func.min(changes.c.sequence))).scalar()
            if oldest is not None and oldest > after + 1:
                return None
            rows = connection.execute(
                sa.select(changes.c.sequence, changes.c.entity, changes.c.name)
                .where(changes.c.sequence > after)
                .order_by(changes.c.sequence)
            ).all()
            if not rows:
                return Changes(sequence=after)
            touched: dict[str, set[str]] = {"application": set(), "object": set(), "revocation": set()}
            for row in rows:
                touched[row.entity].add(row.name)
            numbers = {int(name) for name in touched["application"]}
            applications = dict.fromkeys(numbers, None) | {
                found.application.number: found for found in loading.load_grants(connection, numbers)
            }
            return Changes(
                sequence=rows[-1].sequence,
                applications=applications,
                objects={name: loading.load_object(connection, name) for name in touched["object"]},
                revocations=tuple(
                    loading.load_revocations(connection, {bytes.fromhex(h) for h in touched["revocation"]})
                ),
            )

    @contextmanager
    def changing(self) -> Iterator[SqlWriter]:
        """See `ports.Store`."""
        with self._explained(), self._engine.begin() as connection:
            yield SqlWriter(connection)

    @contextmanager
    def reading(self) -> Iterator[SqlWriter]:
        """See `ports.Store`."""
        with self._explained(), self._snapshots.connect() as connection:
            yield SqlWriter(connection)

    def close(self) -> None:
        """See `ports.Store`."""
        if self._follower is not None:
            self._follower.close()
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise StoreError(f"{self._path}: {_explain(error.orig)}") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path}: {_explain(error)}") from error


def _explain(error: BaseException | None) -> str:
    text = str(error)
    if "locked" in text:
        return "another process is writing to it for too long; try again"
    if "disk is full" in text or "disk I/O" in text:
        return "the disk is full or failing; make room, then try again"
    if "readonly" in text or "unable to open" in text:
        return "it cannot be written: check the owner and mode of the home"
    return f"it is damaged or no state database of this release; restore it from a backup ({text})"


def _open_engine(path: Path) -> Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_MILLISECONDS / 1000})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # begin() below decides how a transaction begins
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a transaction that reads, then writes, must not find that another has written in between.
        snapshot = connection.get_execution_options().get("rowgate_snapshot", False)
        connection.exec_driver_sql("BEGIN" if snapshot else "BEGIN IMMEDIATE")

    return engine


def _bring_up_to_date(engine: Engine) -> None:
    with engine.connect() as connection:
        has_version = sa.inspect(connection).has_table("alembic_version")
        revision = (
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if has_version else None
        )
        connection.rollback()
    if revision == NEWEST_REVISION:
        return  # the common case, without the time it takes to load Alembic
    if revision is not None and revision > NEWEST_REVISION:
        raise StoreError(f"{engine.url.database} was written by a newer release of Rowgate; upgrade this one")
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
