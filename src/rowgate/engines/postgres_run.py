"""One statement under way on a PostgreSQL connection: sent, waited for, cancelled, ended.

What is taken of its result is for those who extend it.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from psycopg import pq

from rowgate.engines.postgres_functions import translate_call_error
from rowgate.engines.postgres_pool import PostgresPool
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError, StatementCancelled, StatementTimeout
from rowgate.rows.model import Statement

LOOK_SECONDS = 0.1  # between looks at deadline and cancel
SILENT_SECONDS = 10.0  # after which the server is asked whether it is there
_GONE = ("42", "3F")  # undefined, of another type or no longer allowed; no such schema: the catalog has changed

_T = TypeVar("_T")


class PostgresRun(ABC, Generic[_T]):
    """Gives a result as parts, in blocks; see `ports.RowBlocks`."""

    def __init__(
        self, pool: PostgresPool, statement: Statement, *, seconds: float, notice_change: Callable[[], None]
    ) -> None:
        """Take the statement, how long it may take in the engine, and what hears of a catalog that has changed.

        Raises:
            EngineUnavailable: There is no connection.
        """
        self.is_exhausted = False
        self.statement = statement
        self.has_ended = False  # the server has nothing more to say
        self.session = pool.borrow()
        self._pool = pool
        self._notice_change = notice_change
        self._seconds_left = seconds
        self._is_sent = False
        self._cancelled = False
        self._silent_looks = 0  # since the server has said something

    @abstractmethod
    def send(self) -> None:
        """Send the statement."""

    @abstractmethod
    def take(self, parts: list[_T], deadline: float) -> None:
        """Take what comes next, or learn that there is nothing more."""

    @abstractmethod
    def fill(self, parts: list[_T], deadline: float) -> None:
        """Take until the block is full."""

    def read_block(self) -> list[_T]:
        """See `ports.RowBlocks`."""
        begun = time.monotonic()
        deadline = begun + self._seconds_left
        parts: list[_T] = []
        try:
            if self._cancelled:
                raise StatementCancelled("The read was cancelled.")
            if not self._is_sent:
                self._start(parts, deadline)
            self.fill(parts, deadline)
        finally:
            self._seconds_left -= time.monotonic() - begun
        self.is_exhausted = self.has_ended
        return parts

    def _start(self, parts: list[_T], deadline: float) -> None:
        """Send the statement and take its first parts; once more when an idle connection turns out to be gone."""
        self._is_sent = True
        self.send()
        try:
            self.take(parts, deadline)
        except EngineUnavailable:
            if not self.session.is_lost or not self.session.was_idle:
                raise
            self.session = self._pool.renew(self.session)
            self.has_ended = False  # the server may have said why it ended the other
            self.send()
            self.take(parts, deadline)

    def wait(self, deadline: float) -> pq.abc.PGresult:
        """Give the next result."""
        result = self.session.find_result()
        if result is None:
            while not self.session.wait(self.find_pause(deadline)):
                self.look(deadline)
            self.hear()
            result = self.session.take_result()
        if self._cancelled:
            self.heed_cancel()
        return result

    def hear(self) -> None:
        """Note that the server has said something."""
        self._silent_looks = 0

    def find_pause(self, deadline: float) -> float:
        """Give the seconds until the next look."""
        return min(LOOK_SECONDS, max(deadline - time.monotonic(), 0))

    def look(self, deadline: float) -> None:
        """End the statement where it is cancelled, has taken too long, or waits for a server that is no longer there.

        Only a server that works and one that is frozen or cut off are silent alike: the one takes connections.
        """
        self.heed_cancel()
        self._silent_looks += 1
        if self._silent_looks * LOOK_SECONDS >= SILENT_SECONDS:
            self._silent_looks = 0
            try:
                self._pool.check_alive()
            except EngineUnavailable:
                self.session.condemn()  # to cancel it would wait for the same server
                self.session.was_idle = False  # nor would another connection help
                raise
        if time.monotonic() >= deadline:
            self.session.stop()
            raise StatementTimeout("The statement took longer than the server allows.")

    def end(self) -> None:
        """Take the end of the statement, whose last result is there.

        Raises:
            EngineFailure: What was read has set how values are written, so nobody knows what they mean.
        """
        self.session.finish()
        changed: list[str] = []  # what a call sets is undone with its transaction, and its values were written before
        if not self.statement.is_call:
            changed = self.session.reset() if self.statement.runs_code else self.session.list_changed()
        if changed:
            raise EngineFailure(
                "The database could not answer.",
                detail=f"a view or function that was read sets {' and '.join(changed)} for the whole session",
            )
        self.has_ended = True

    def heed_cancel(self) -> None:
        """End the statement where it is cancelled."""
        if self._cancelled:
            self.session.stop()
            raise StatementCancelled("The read was cancelled.")

    def cancel(self) -> None:
        """See `ports.RowBlocks`. Who waits for rows looks at it; nobody is kept waiting here."""
        self._cancelled = True

    def close(self) -> None:
        """See `ports.RowBlocks`."""
        if self._is_sent and not self.has_ended:
            if not self.session.is_lost:
                self.session.stop()
        elif self._is_sent and self.statement.is_call:
            self.session.undo()  # a function may have set something for the whole session
        self._pool.give_back(self.session)

    def refuse(self, result: pq.abc.PGresult) -> RowsError:
        """Give what stands for a result that has no rows."""
        if result.status != pq.ExecStatus.FATAL_ERROR:
            # what gives no rows is none of ours, and who knows what it has changed in the session
            self.session.condemn()
            return EngineFailure("The database could not answer.", detail="the statement gives no rows")
        error = self.session.take_error(result)
        if self.statement.is_call:
            error = translate_call_error(error, self.session.last_code)
        if isinstance(error, EngineFailure) and self.session.last_code.startswith(_GONE):
            self._notice_change()
        self.has_ended = True
        return error
