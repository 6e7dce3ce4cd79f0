"""The following side of the store on PostgreSQL, which replicas share; without what starts slowly.

Writers keep each other out (see `postgres_store`), so numbers of changes become visible in their order: whoever has
seen the newest has missed none before it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from rowgate.ports import StoreError
from rowgate.records import Changes, StateSnapshot
from rowgate.store import loading
from rowgate.store.following import SqlReader
from rowgate.store.postgres_connection import BoundedConnection, PostgresPlace, connect, explain_error


class PostgresReader(SqlReader):
    """See `ports.StoreReader`. Used by one thread at a time."""

    max_touched = 50  # each costs a few ways to the server and back

    def __init__(self, place: PostgresPlace, master_key: bytes, *, max_secret_seconds: int = 0) -> None:
        """Take the place; the connection is made when it is needed, and again when it is lost."""
        super().__init__(place.told, master_key, max_secret_seconds=max_secret_seconds)
        self._address = place
        self._reading: BoundedConnection | None = None
        self._newest: int | None = None
        self._has_been_lost = False

    def has_changed(self) -> bool:
        """See `ports.StoreReader`."""
        with self._explained():
            newest = loading.load_sequence(self._run)
        changed = newest != self._newest or self._has_been_lost
        self._newest = newest
        return changed

    def load_changes(self, after: int) -> Changes | None:
        """See `ports.StoreReader`. Nothing is known of them when the connection was lost in between.

        Another server may have taken over, without the last changes that the first one told of: their numbers are
        given to others there.
        """
        changes = super().load_changes(after)
        return None if self._has_been_lost else changes

    def load_state(self) -> StateSnapshot:
        """See `ports.StoreReader`."""
        state = super().load_state()
        self._has_been_lost = False
        return state

    def ask_clock(self) -> float:
        """Give the server's time of day, in seconds since 1970.

        Raises:
            StoreError: It cannot be asked.
        """
        with self._explained():
            ((now,),) = self._run("SELECT extract(epoch FROM clock_timestamp())::float8", ())
        return float(now)

    def close(self) -> None:
        """Let go of the connection."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _look_up_revision(self) -> str | None:
        ((table,),) = self._run("SELECT to_regclass('alembic_version')", ())
        if table is None:
            return None
        found = [revision for (revision,) in self._run("SELECT version_num FROM alembic_version", ())]
        return found[0] if found else None

    def _run(self, statement: str, values: Sequence[Any]) -> psycopg.Cursor[TupleRow]:
        if self._reading is not None and self._reading.closed:
            self._reading = None
            self._has_been_lost = True
        if self._reading is None:
            self._reading = connect(self._address, autocommit=True)
        return self._reading.execute(statement.replace("?", "%s"), values)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        with self._explained():
            self._run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())
            reading = self._reading
            assert reading is not None, "internal error: a statement that ran on no connection"
            try:
                yield
            finally:
                with suppress(psycopg.Error):  # a connection that is lost has ended it, and the next look tells
                    reading.execute("ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise StoreError(f"{self._place}: {explain_error(error)}") from error
