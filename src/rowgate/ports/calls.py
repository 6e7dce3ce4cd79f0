"""What is asked of a served database whose procedures cannot stand in a query; see `engines/held.py`."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rowgate.ports.rows import RowBlocks
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.model import Column, Plan, Statement
from rowgate.rows.procedures import Call

HELD = "result"  # what the held rows are named in statements


class HeldCall(Protocol):
    """A call, and what it gave: a table `HELD` of this process alone. Used by one thread at a time, except `cancel`."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the result, once it is held."""

    @property
    def dialect(self) -> Dialect:
        """How statements that read it are written."""

    def hold(self) -> None:
        """Call, and take all that it gives.

        Raises:
            InvalidParameter: The procedure cannot work with its values, or gives more than is held.
            EngineUnavailable: The database is busy or cannot be read, or the result is none that can be read from.
            StatementTimeout: The call used up its seconds.
            StatementCancelled: `cancel` was called.
            EngineFailure: Anything else the engine says; its text is private.
        """

    def cancel(self) -> None:
        """Stop the call from any thread, within a fraction of a second."""

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> RowBlocks:
        """Start a statement that reads what is held; one at a time. What is held goes with the last who knows it."""

    def estimate_rows(self, plan: Plan) -> int | None:
        """See `RowSource`. What is held can be counted."""

    def close(self) -> None:
        """Give the call's connection back."""


@runtime_checkable
class CallSource(Protocol):
    """A served database with such procedures."""

    def open_call(self, call: Call, *, statement_seconds: float) -> HeldCall:
        """Give a call that has not begun. The seconds are those spent in the engine.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
        """
