"""Any engine that SQLAlchemy has a dialect for, as a served database; what it does in its own way: manners.py.

Rule: a connection on which anything has failed, or which was woken before its statement ended, is not used again.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from rowgate.engines.block_weight import BLOCK_BYTES, BLOCK_ROWS, choose_batch, weigh
from rowgate.engines.driver_values import make_plain
from rowgate.engines.kept_catalog import KeptCatalog
from rowgate.engines.manners import Manner
from rowgate.engines.watch import Watch
from rowgate.ports.rows import ArrayBlocks
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError, StatementCancelled, StatementTimeout
from rowgate.rows.model import Format, ObjectDescription, ObjectListing, Plan, Statement, Value

ASK_SECONDS = 60.0  # that the catalog may take


class GenericRun:
    """One statement on its connection, block by block; what a block is, those below say."""

    def __init__(self, source: "GenericSource", connection: sqlalchemy.Connection, statement: Statement) -> None:
        self.is_exhausted = False
        self.seconds_left = 0.0
        self.may_ask = True  # what an error means, by another statement
        self._source = source
        self._connection: sqlalchemy.Connection | None = connection
        self._driver: Any = connection.connection.driver_connection  # of one that is broken SQLAlchemy gives another
        self._statement = statement
        self._result: Any = None  # what rows are fetched from: a result of SQLAlchemy's, or a cursor of the driver's
        self._cancelled = False
        self._timed_out = False
        self._hurry: Callable[[], None] | None = None

    def _take(self) -> Any:
        """Give the next block, with the errors of `ports.RowBlocks.read_block`."""
        begun = time.monotonic()
        if self._cancelled:
            self._let_go()
            raise StatementCancelled("The read was cancelled.")
        try:
            with self._source.watch.until(begun + self.seconds_left, self._wake) as self._hurry:
                if self._cancelled:
                    self._hurry()  # it came before there was anything to hurry
                rows = self._read()
        except RowsError as error:
            self._let_go()
            interruption = self._find_interruption()
            if interruption is None:
                raise
            raise interruption from error
        except (SQLAlchemyError, self._source.driver_error, OSError, ValueError, AttributeError) as error:
            # a driver whose connection is broken under it raises whatever it stumbles over
            raise self._fail(error) from error
        finally:
            self._hurry = None
            self.seconds_left -= time.monotonic() - begun
        self._timed_out |= self.seconds_left <= 0 and not self.is_exhausted
        interruption = self._find_interruption()
        if interruption is not None:  # to some drivers what was cut is a result that ends there
            self._let_go()
            raise interruption
        return rows

    def _find_interruption(self) -> RowsError | None:
        if self._cancelled:
            return StatementCancelled("The read was cancelled.")
        if self._timed_out:
            return StatementTimeout("The statement took longer than the server allows.")
        return None

    def _read(self) -> Any:
        if self._result is None:
            try:
                self._result = self._start()
            except (SQLAlchemyError, self._source.driver_error, OSError) as error:
                if not self._may_try_again(error):
                    raise
                self._let_go()
                self._connection = self._source.borrow_anew()
                self._driver = self._connection.connection.driver_connection
                self._result = self._start()
        return self._fill(self._result)

    def _start(self) -> Any:
        assert self._connection is not None, "internal error: a read that has ended"
        self._source.manner.check(
            self._connection.connection.driver_connection, self._statement.text, seconds=self.seconds_left
        )
        result = self._connection.exec_driver_sql(self._statement.text, self._statement.parameters)
        if not result.returns_rows:
            # what gives no rows is none of ours, and who knows what it has changed in the session
            raise EngineFailure("The database could not answer.", detail="the statement gives no rows")
        return result

    def _may_try_again(self, error: Exception) -> bool:
        """Tell whether a connection turned out to be dead before it gave anything; another host may be alive."""
        is_lost = isinstance(self._source.manner.translate(self._source.unwrap(error)), EngineUnavailable)
        return is_lost and not self._cancelled and not self._timed_out

    def _fill(self, result: Any) -> Any:
        """Take rows until the block is full, or heavy: a table of documents must not fill the memory."""
        rows: list[Sequence[Any]] = []
        weight, wanted = 0, 1  # the first row alone: a hundred like it may be too many
        while len(rows) < BLOCK_ROWS and weight < BLOCK_BYTES:
            taken = result.fetchmany(wanted)
            rows += taken
            if len(taken) < wanted:
                self.is_exhausted = True
                break
            heavy = weigh(taken[-1])
            weight += len(taken) * heavy
            wanted = choose_batch(BLOCK_ROWS - len(rows), weight, heavy)
        return rows

    def cancel(self) -> None:
        """See `ports.RowBlocks`."""
        self._cancelled = True
        hurry = self._hurry
        if hurry is not None:
            hurry()

    def close(self) -> None:
        """See `ports.RowBlocks`."""
        if self._connection is None:
            return
        if self.is_exhausted or self._result is None:
            connection, self._connection = self._connection, None
            self._source.give_back(connection, self._driver)
        else:
            self._let_go()  # the rest of the result is not worth reading

    def _wake(self) -> None:
        self._timed_out = not self._cancelled
        self._wake_driver()

    def _wake_driver(self) -> None:
        connection = self._connection
        if connection is not None and not connection.invalidated:
            self._source.manner.wake(self._driver)

    def _let_go(self) -> None:
        """Never use the connection again, and have the server stop what it does for it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            is_under_way = self._result is not None or self._timed_out or self._cancelled
            self._source.let_go(connection, self._driver, stop=is_under_way and not self.is_exhausted)

    def _fail(self, error: Exception) -> RowsError:
        self._let_go()
        interruption = self._find_interruption()
        if interruption is not None:
            return interruption
        if not self.may_ask:
            return self._source.manner.translate(self._source.unwrap(error))
        return self._source.translate_call(error) if self._statement.is_call else self._source.translate(error)


class GenericRows(GenericRun):
    """See `ports.RowBlocks`."""

    def read_block(self) -> list[tuple[Value, ...]]:
        """See `ports.RowBlocks`."""
        return make_plain(self._take())


class GenericSource:
    """See `ports.RowSource`. Safe for use from several threads."""

    def __init__(
        self, manner: Manner, *, max_connections: int = 32, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the engine's manner and how many statements may run at once; nothing is opened yet.

        By the clock (seconds) what was learnt of the catalog grows old.
        """
        self.manner = manner
        self.name = manner.name
        self.watch = Watch(f"watch {manner.name}")
        self.driver_error: type[Exception] = SQLAlchemyError
        self._max_connections = max_connections
        self._lock = threading.Lock()
        self._engine: sqlalchemy.Engine | None = None
        self._identity: Any = None
        self._catalog = KeptCatalog(clock)

    @property
    def computes_here(self) -> bool:
        """See `ports.RowSource`."""
        return self.manner.computes_here

    @property
    def dialect(self) -> Dialect:
        """See `ports.RowSource`."""
        self._open_engine()
        return self.manner.dialect

    def prove_read_only(self) -> None:
        """See `ports.RowSource`."""
        self.manner.prove_read_only(self.ask)

    def check_reachable(self) -> None:
        """See `ports.RowSource`."""
        self.ask(self.manner.smallest)
        self.manner.check_presence(self.ask)

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`."""
        self._open_engine()  # another database in its place has other objects
        return self._catalog.find_list() or self._catalog.keep_list(self._list)

    def _list(self) -> Sequence[ObjectListing]:
        listed = self.manner.list_objects(self.ask)
        if not listed:
            self.manner.check_presence(self.ask)
        return listed

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`."""
        self._open_engine()
        return self._catalog.find(name) or self._catalog.keep(name, lambda: self._describe(name))

    def _describe(self, name: str) -> ObjectDescription | None:
        described = self.manner.describe(self.ask, name)
        if described is None:
            self.manner.check_presence(self.ask)
        return described

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> GenericRows:
        """See `ports.RowSource`."""
        rows = GenericRows(self, self.borrow(), statement)
        rows.seconds_left = statement_seconds
        return rows

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> ArrayBlocks | None:  # noqa: ARG002
        """See `ports.RowSource`. Most drivers give rows as values only."""
        return None

    def estimate_rows(self, plan: Plan) -> int | None:  # noqa: ARG002
        """See `ports.RowSource`. Engines say it in too many ways; the rows are counted."""
        return None

    def find_version(self, described: ObjectDescription) -> bytes | None:  # noqa: ARG002
        """See `ports.RowSource`. None of these engines is known to tell."""
        return None

    def explain(self, statement: Statement) -> Sequence[str]:
        """See `ports.RowSource`."""
        return self.manner.explain(self.ask, statement)

    def count_connections(self) -> int | None:
        """See `ports.RowSource`."""
        engine = self._engine
        if engine is None:
            return 0
        return engine.pool.checkedout() if isinstance(engine.pool, QueuePool) else None

    def close(self) -> None:
        """See `ports.RowSource`."""
        self.watch.close()
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
                self._identity = None

    def translate(self, error: Exception) -> RowsError:
        """Give the refusal that stands for an error; forget the catalog if the error says that it has changed."""
        raised = self.unwrap(error)
        if self.manner.is_of_catalog(raised):
            self._catalog.forget()
            try:
                self.manner.check_presence(self._ask_once)
            except RowsError as gone:
                return gone
        return self.manner.translate(raised)

    def translate_call(self, error: Exception) -> RowsError:
        """Give the refusal that stands for an error of a call; what it was given may be at fault."""
        return self.translate(error)

    @staticmethod
    def unwrap(error: Exception) -> Exception:
        """Give the driver's own error."""
        inner = getattr(error, "orig", None)
        return inner if isinstance(inner, Exception) else error

    def borrow(self) -> sqlalchemy.Connection:
        """Give a connection that streams.

        Raises:
            EngineUnavailable: There is none to be had.
        """
        engine = self._open_engine()
        try:
            return engine.connect().execution_options(stream_results=True)
        except PoolTimeout as error:
            raise EngineUnavailable("The database is busy at the moment.", detail=str(error)) from error
        except (SQLAlchemyError, self.driver_error, OSError) as error:
            failed = self.manner.translate(self.unwrap(error))  # to ask for more would take another connection
            if isinstance(failed, EngineUnavailable):
                raise failed from error
            raise EngineUnavailable("The database cannot be read at the moment.", detail=failed.detail) from error

    def borrow_anew(self) -> sqlalchemy.Connection:
        """Give a connection that was not there before: one was dead, and the others may be to the same host."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()  # what is being read is read to its end
        return self.borrow()

    def give_back(self, connection: sqlalchemy.Connection, driver: Any) -> None:
        """Take back a connection whose statement has ended."""
        try:
            connection.close()
        except (SQLAlchemyError, self.driver_error, OSError):
            self.let_go(connection, driver, stop=False)

    def let_go(self, connection: sqlalchemy.Connection, driver: Any, *, stop: bool) -> None:
        """Close a connection for good, and have the server stop what the driver's one has asked for."""
        with suppress(SQLAlchemyError, self.driver_error, OSError, AttributeError):
            self.manner.wake(driver)
            connection.invalidate()
            connection.close()
        if stop:
            with suppress(SQLAlchemyError, self.driver_error, OSError, AttributeError):
                self.manner.stop(driver)

    def ask(self, text: str, *values: Value) -> list[tuple[Any, ...]]:
        """Give all rows of a statement of the manner's own."""
        return self._ask(Statement(text, values), may_ask=True)

    def _ask_once(self, text: str, *values: Value) -> list[tuple[Any, ...]]:
        """As `ask`, but that an error leads to no further question, which might fail in the same way without end."""
        return self._ask(Statement(text, values), may_ask=False)

    def _ask(self, statement: Statement, *, may_ask: bool) -> list[tuple[Any, ...]]:
        rows = self.open_rows(statement, statement_seconds=ASK_SECONDS)
        rows.may_ask = may_ask
        found: list[tuple[Any, ...]] = []
        try:
            while not rows.is_exhausted:
                found += rows.read_block()
        finally:
            rows.close()
        return found

    def _open_engine(self) -> sqlalchemy.Engine:
        identity = self.manner.identify()
        engine = self._engine
        if engine is not None and identity == self._identity:
            return engine
        with self._lock:
            if self._engine is None or identity != self._identity:
                if self._engine is not None:
                    self._engine.dispose()  # what is being read is read to its end
                self._catalog.forget()
                self._engine = self.manner.open_engine(max_connections=self._max_connections)
                self.driver_error = self._engine.dialect.loaded_dbapi.Error
                self._identity = identity
            return self._engine
