"""What the service asks of a served database; see `rowgate.ports`."""

from collections.abc import Sequence
from typing import Protocol

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.model import Format, ObjectDescription, ObjectListing, Plan, Statement, Value


class RowBlocks(Protocol):
    """The result of one statement, block by block. Used by one thread at a time, except `cancel`."""

    is_exhausted: bool

    def read_block(self) -> list[tuple[Value, ...]]:
        """Give the next rows; sets `is_exhausted` with the last of them.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
            StatementTimeout: The statement used up its seconds in the engine.
            StatementCancelled: `cancel` was called.
            EngineFailure: Anything else the engine says; its text is private.
        """

    def cancel(self) -> None:
        """Stop the statement from any thread, within a fraction of a second."""

    def close(self) -> None:
        """Give the connection back."""


class LineBlocks(Protocol):
    """The result of one statement as lines of CSV; see `rows.encode_lines`. In all else as `RowBlocks`."""

    is_exhausted: bool

    def read_block(self) -> Sequence[bytes]:
        """Give the next rows, a line each; see `RowBlocks.read_block`."""

    def cancel(self) -> None:
        """See `RowBlocks.cancel`."""

    def close(self) -> None:
        """See `RowBlocks.close`."""


class ArrayBatch(Protocol):
    """A record batch of PyArrow, of which most of the service knows how many rows it has."""

    def __len__(self) -> int:
        """Give the number of rows."""


class ArrayBlocks(Protocol):
    """The result of one statement as Arrow's arrays; see `rows.encode_arrays`. In all else as `RowBlocks`."""

    is_exhausted: bool

    def read_block(self) -> ArrayBatch:
        """Give the next rows; see `RowBlocks.read_block`."""

    def cancel(self) -> None:
        """See `RowBlocks.cancel`."""

    def close(self) -> None:
        """See `RowBlocks.close`."""


class RowSource(Protocol):
    """A served database, read-only."""

    @property
    def name(self) -> str:
        """Name the engine, for people."""

    @property
    def computes_here(self) -> bool:
        """Whether statements are worked on by this process, so that few of them should be at once."""

    @property
    def dialect(self) -> Dialect:
        """How `rows/sql.py` writes statements for it."""

    def prove_read_only(self) -> None:
        """Try to write.

        Raises:
            NotReadOnly: It worked, or it would.
            EngineUnavailable: The database cannot be opened.
        """

    def check_reachable(self) -> None:
        """Ask the database something small, past every cache.

        Raises:
            EngineUnavailable: It does not answer.
        """

    def list_objects(self) -> Sequence[ObjectListing]:
        """Give the tables and views in order of name."""

    def find_object(self, name: str) -> ObjectDescription | None:
        """Give the object of exactly this name, or None. Answers from memory while the catalog is unchanged.

        After a statement has failed it looks anew: what was remembered may be out of date.
        """

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> RowBlocks:
        """Start a statement. The seconds are those spent in the engine, not those waiting for the reader.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
        """

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> LineBlocks | ArrayBlocks | None:
        """Start what a plan reads, as the engine itself writes it; None: it does not, for this plan in this format.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
        """

    def estimate_rows(self, plan: Plan) -> int | None:
        """Give about how many rows a plan matches, without reading them; None where the engine cannot tell.

        The plan's limit, offset and page do not count.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
        """

    def find_version(self, described: ObjectDescription) -> bytes | None:
        """Give what tells whether an object's rows may have changed, without reading them; waits for nobody.

        Two versions that are equal, in whichever process: whatever was read between them gives the same again, whenever
        it began and whatever it asked of the object. None: the engine does not know, is not sure, or cannot tell now.
        """

    def explain(self, statement: Statement) -> Sequence[str]:
        """Give the engine's plan, line by line, without running the statement. No value that is bound stands in it.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
        """

    def count_connections(self) -> int | None:
        """Give how many connections work at this moment, without asking the database; None where nobody knows."""

    def close(self) -> None:
        """Let go of every connection."""
