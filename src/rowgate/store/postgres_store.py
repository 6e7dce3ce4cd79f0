"""The Store on PostgreSQL, which replicas share. One transaction per administrative act, one writer at a time.

Rule: a transaction that changes anything holds the lock of the writers from its beginning to its end. What it has
looked at is still so when it writes, on whatever replica it runs, exactly as on SQLite.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from rowgate.ports import StoreError
from rowgate.store.copying import copy_tables
from rowgate.store.following import NEWEST_REVISION
from rowgate.store.postgres import PostgresReader
from rowgate.store.postgres_connection import PostgresPlace, connect, explain_error
from rowgate.store.sql_store import SqlStore
from rowgate.store.tables import bring_up_to_date, keep_first_keys
from rowgate.store.transactions import SNAPSHOT, Transactions

_LOCK = "SELECT pg_advisory_xact_lock(1383032933, hashtext(current_schema()))"  # the number stands for Rowgate


class PostgresStore(Transactions, PostgresReader):
    """See `ports.Store`. Used by one thread at a time."""

    def __init__(self, place: PostgresPlace, master_key: bytes, *, max_secret_seconds: int = 0) -> None:
        """Open the state, bringing its tables up to date; the maximum is as for `SqlReader`.

        Raises:
            StoreError: It is missing, of a newer release, or cannot be reached.
        """
        super().__init__(place, master_key, max_secret_seconds=max_secret_seconds)
        self._take_engine(_open_engine(place))
        try:
            self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls, place: PostgresPlace, master_key: bytes, *, sealing: bytes, digest: bytes, nonces: bytes, now: float
    ) -> "PostgresStore":
        """Make a new state with its first keys; the arguments are those of `SqlStore.create`.

        Raises:
            StoreError: There is one, or it cannot be made.
        """
        _make_state(
            place,
            lambda connection: keep_first_keys(
                connection, master_key, sealing=sealing, digest=digest, nonces=nonces, now=now
            ),
        )
        return cls(place, master_key)

    @classmethod
    def copy(cls, place: PostgresPlace, master_key: bytes, source: SqlStore) -> "PostgresStore":
        """Make a new state that holds all that another one holds; meanwhile that one takes no changes.

        Raises:
            StoreError: There is one here, it cannot be made, or the other cannot be read or is not this key's.
        """
        source.load_keys()
        with source.held() as held:
            _make_state(place, lambda connection: copy_tables(held, connection))
        return cls(place, master_key)

    def _bring_up_to_date(self) -> None:
        revision = self.find_revision()
        if revision is None:
            raise StoreError(f"{self._place}: it holds no state: `rowgate init --state` makes one")
        if revision != NEWEST_REVISION:
            with self._explained(), self._engine.begin() as connection:
                bring_up_to_date(connection, self._place)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with super()._explained(), _explained(self._address):
            yield


@contextmanager
def _explained(place: PostgresPlace) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StoreError(f"{place.told}: {explain_error(error)}") from error
    except DBAPIError as error:
        raise StoreError(f"{place.told}: {explain_error(error.orig)}") from error


def _make_state(place: PostgresPlace, fill: Callable[[Connection], None]) -> None:
    """Make the tables of a new state and fill them: both, or nothing but an empty schema."""
    with _explained(place):
        _make_schema(place)
        engine = _open_engine(place)
        try:
            with engine.begin() as connection:
                if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is not None:
                    raise StoreError(
                        f"{place.told}: there is one already; another replica gets a copy of the first one's "
                        "rowgate.toml and master.key"
                    )
                bring_up_to_date(connection, place.told)
                fill(connection)
        finally:
            engine.dispose()


def _make_schema(place: PostgresPlace) -> None:
    with contextlib.closing(connect(place, autocommit=True)) as connection:
        # Asked first: who was given a schema need not have the right to make one.
        if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (place.schema,)).fetchall():
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{place.schema}"')


def _open_engine(place: PostgresPlace) -> Engine:
    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(place, autocommit=False),
        use_native_hstore=False,
        # One thread uses it. A connection that was lost since the last change is replaced before the next.
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(SNAPSHOT, False):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        else:
            connection.exec_driver_sql(_LOCK)

    return engine
