"""What one engine does in its own way behind the generic fetcher: the contract, and what its parts are made of."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import sqlalchemy

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.errors import RowsError
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement

Ask = Callable[..., list[tuple[Any, ...]]]  # a statement with its values: all rows

CONNECT_SECONDS = 5
BUSY_SECONDS = 5  # that a statement waits for somebody's lock
BORROW_SECONDS = 10.0  # that a statement waits for a connection


class Manner(Protocol):
    """One engine's own way. Safe for use from several threads."""

    @property
    def name(self) -> str:
        """Name the engine, for people."""

    @property
    def computes_here(self) -> bool:
        """See `ports.RowSource`."""

    @property
    def dialect(self) -> Dialect:
        """How `rows/sql.py` writes statements for it; it stays the same once an engine was opened."""

    @property
    def smallest(self) -> str:
        """A statement that reads one row of nothing."""

    def identify(self) -> Hashable:
        """Give something that differs once the database is another one, so that every connection must be opened anew.

        Raises:
            EngineUnavailable: There is no database.
        """

    def open_engine(self, *, max_connections: int) -> sqlalchemy.Engine:
        """Give SQLAlchemy's engine: every connection of its pool reads only, as far as the database knows of that.

        Raises:
            EngineUnavailable: There is no database.
        """

    def check_presence(self, ask: Ask) -> None:
        """Ask whether the database itself is there, which a connection opened earlier may outlive.

        Raises:
            EngineUnavailable: It is gone.
        """

    def prove_read_only(self, ask: Ask) -> None:
        """Look up whether the account may write.

        Raises:
            NotReadOnly: It may, or nobody can tell.
        """

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """Give the tables and views in order of name."""

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """Give the object of exactly this name, or None."""

    def explain(self, ask: Ask, statement: Statement) -> Sequence[str]:
        """Give the engine's plan, line by line, without the values."""

    def check(self, connection: Any, text: str, *, seconds: float) -> None:
        """Prepare a driver's connection for a statement.

        Raises:
            EngineFailure: The statement is none that reads.
        """

    def wake(self, connection: Any) -> None:
        """End what a driver's connection waits for, from another thread and at once; it is not used again."""

    def stop(self, connection: Any) -> None:
        """Have the server stop what a connection that was woken has asked for; may take a while."""

    def translate(self, error: Exception) -> RowsError:
        """Give the refusal that stands for a driver's error; its own words go into the private detail."""

    def is_of_catalog(self, error: Exception) -> bool:
        """Tell whether an error says that an object is not as it was described."""
