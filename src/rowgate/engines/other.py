"""Any SQLAlchemy dialect behind the generic fetcher: what is known of SQLAlchemy's own, and nothing else.

Of an account nobody knows whether it may write. It is asked to make a table; that it may not proves nothing of the
tables that there are. So an administrator must vouch for it in the settings, and the engine's name says wherever it is
shown that nothing was proven. What is run is one statement that begins as a question does, and is never committed.
"""

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from rowgate.engines.kept_catalog import KeptCatalog
from rowgate.engines.manners import BORROW_SECONDS, Ask
from rowgate.engines.reflected_catalog import describe, list_catalog
from rowgate.rows.dialects.standard import STANDARD, StandardDialect
from rowgate.rows.errors import EngineFailure, EngineUnavailable, NotReadOnly, RowsError
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement

_PLACES = {"qmark": "?", "numeric": ":{}", "named": ":{}", "format": "%s", "pyformat": "%s"}
_PERCENT = ("format", "pyformat")  # most such drivers take a lone percent sign for a place; pymssql does not
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^]]*]""")
_UNKNOWN_PLAN = "this engine's plan is not asked for"


class OtherManner:
    """See `Manner`."""

    computes_here = False
    explains_by = ""  # what is put before a statement; nothing: nobody knows how
    proves_by = "CREATE TABLE {} (a INTEGER)"

    def __init__(
        self,
        url: sqlalchemy.URL,
        *,
        accept_unproven: bool,
        dialect: StandardDialect | None = None,
        title: str = "",
        options: Mapping[str, Any] | None = None,
        session: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the address with its password, and whether the administrator vouches for the account.

        Args:
            url: As SQLAlchemy has it.
            accept_unproven: An account counts as read-only of which nobody can tell.
            dialect: How the engine writes; without one it is learned from SQLAlchemy.
            title: Names the engine, for people.
            options: What its driver is told when it connects.
            session: What each transaction begins with.
            clock: Seconds, by which the list of objects grows old.
        """
        self._url = url
        self._accepted = accept_unproven
        self._options = options or {}
        self._session = session
        self._is_known = dialect is not None
        self._engine: sqlalchemy.Engine | None = None
        self._kept = KeptCatalog(clock)
        self.name = f"{title or url.get_backend_name()} (not proven to be read-only)"
        self.dialect: StandardDialect = dialect or STANDARD
        self.smallest = "SELECT 1"

    def identify(self) -> Hashable:
        """See `Manner`. The address is all there is."""
        return None

    def open_engine(self, *, max_connections: int) -> sqlalchemy.Engine:
        """See `Manner`."""
        engine = sqlalchemy.create_engine(
            self._url,
            pool_size=max_connections,
            max_overflow=0,
            pool_timeout=BORROW_SECONDS,
            hide_parameters=True,
            connect_args=self._options,
        )
        self._learn(engine.dialect)
        sqlalchemy.event.listen(engine, "before_cursor_execute", self._note_cursor, retval=True)
        sqlalchemy.event.listen(engine, "handle_error", _note_loss)
        if self._session:

            @sqlalchemy.event.listens_for(engine, "begin")
            def prepare(connection: sqlalchemy.Connection) -> None:
                for setting in self._session:
                    connection.exec_driver_sql(setting)

        self._engine = engine
        return engine

    def _learn(self, found: sqlalchemy.Dialect) -> None:
        """Take over from SQLAlchemy how the driver has its places, and the engine its quotes and pages."""
        style = found.loaded_dbapi.paramstyle
        probe: sqlalchemy.Select[Any] = sqlalchemy.select(sqlalchemy.literal_column("1"))
        self.smallest = str(probe.compile(dialect=found)).replace("\n", " ")
        prepares = found.identifier_preparer
        doubles = style in _PERCENT and prepares._double_percents  # noqa: SLF001 - told nowhere else
        dialect = replace(self.dialect, places=_PLACES[style], doubles_percent=doubles)
        if not self._is_known:
            paged = str(probe.limit(1).offset(1).compile(dialect=found))
            dialect = replace(
                dialect,
                quotes=(prepares.initial_quote, prepares.final_quote),
                pages_by_limit="LIMIT" in paged,
            )
        self.dialect = dialect

    def _note_cursor(
        self,
        connection: sqlalchemy.Connection,
        cursor: Any,
        text: str,
        values: Any,
        _context: object,
        _many: object,
    ) -> tuple[str, Any]:
        """Keep the cursor, which may be what cancels; undo the doubled percent signs of a text that has no values."""
        with contextlib.suppress(AttributeError):  # written in C
            connection.connection.driver_connection.rowgate_cursor = cursor  # type: ignore[union-attr]
        if not values and self.dialect.doubles_percent:
            text = text.replace("%%", "%")
        return text, values

    @contextlib.contextmanager
    def connect(self) -> Iterator[sqlalchemy.Connection]:
        """Give a connection for SQLAlchemy's own questions, which `Ask` cannot put.

        Raises:
            EngineUnavailable: There is none to be had.
        """
        assert self._engine is not None, "internal error: asked before it was opened"
        try:
            connection = self._engine.connect()
        except (SQLAlchemyError, OSError) as error:
            raise EngineUnavailable("The database cannot be read at the moment.", detail=str(error)) from error
        try:
            yield connection
        except (SQLAlchemyError, OSError) as error:
            raise self.translate(getattr(error, "orig", None) or error) from error
        finally:
            connection.close()

    def check_presence(self, ask: Ask) -> None:
        """See `Manner`."""
        ask(self.smallest)

    def prove_read_only(self, ask: Ask) -> None:
        """See `Manner`."""
        ask(self.smallest)
        with self.connect() as connection:
            if self._can_make_table(connection):
                raise NotReadOnly("the database lets the account make tables; give it the right to read and no more")
        ask(self.smallest)  # it refused, and was not away
        if not self._accepted:
            raise NotReadOnly(
                "nobody can tell whether the account may write; give it one that may only read, and say so with "
                "accept_unproven = true in its [[databases]] table"
            )

    def _can_make_table(self, connection: sqlalchemy.Connection) -> bool:
        """Try; where that cannot be rolled back the table is taken away again."""
        # a name of its own: that another worker's table is there already would look like a refusal
        name = f"rowgate_proof_{secrets.token_hex(4)}"
        try:
            connection.exec_driver_sql(self.proves_by.format(name))
        except SQLAlchemyError as error:
            refused = self.translate(getattr(error, "orig", None) or error)
            if isinstance(refused, EngineUnavailable):
                raise refused from error
            return False
        connection.rollback()
        with contextlib.suppress(SQLAlchemyError):
            if sqlalchemy.inspect(connection).has_table(name):
                connection.exec_driver_sql(f"DROP TABLE {name}")
                connection.commit()
        return True

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """See `Manner`."""
        ask(self.smallest)
        with self.connect() as connection:
            return self._kept.keep_list(lambda: list_catalog(connection))

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """See `Manner`."""
        ask(self.smallest)
        with self.connect() as connection:
            listed = self._kept.find_list() or self._kept.keep_list(lambda: list_catalog(connection))
            kind = next((found.kind for found in listed if found.name == name), None)
            # databases find it by another spelling too
            return None if kind is None else describe(connection, name, kind)

    def explain(self, ask: Ask, statement: Statement) -> Sequence[str]:  # noqa: ARG002
        """See `Manner`. What an engine tells may hold the values, and nobody knows where."""
        ask(self.smallest)
        return (_UNKNOWN_PLAN,)

    def check(self, connection: Any, text: str, *, seconds: float) -> None:  # noqa: ARG002
        """See `Manner`."""
        if not text.removeprefix(self.explains_by).startswith("SELECT ") or ";" in _QUOTED.sub("", text):
            raise EngineFailure("The database could not answer.", detail="the statement is none that reads")

    def wake(self, connection: Any) -> None:
        """See `Manner`. A driver that has no way to it ends its statement first."""
        noted = getattr(getattr(connection, "rowgate_cursor", None), "cancel", None)
        cancel = noted or getattr(connection, "interrupt", None) or getattr(connection, "cancel", None)
        if cancel is not None:
            with contextlib.suppress(Exception):  # a driver raises whatever it stumbles over when it is cut
                cancel()

    def stop(self, connection: Any) -> None:
        """See `Manner`. What was woken has stopped, or cannot be."""

    def translate(self, error: Exception) -> RowsError:
        """See `Manner`."""
        detail = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError) or self.is_away(error):
            return EngineUnavailable("The database cannot be read at the moment.", detail=detail)
        return EngineFailure("The database could not answer.", detail=detail)

    def is_away(self, error: Exception) -> bool:
        """Tell whether a driver's error says that the database cannot be reached."""
        return getattr(error, "rowgate_is_lost", False)

    def is_of_catalog(self, error: Exception) -> bool:  # noqa: ARG002
        """See `Manner`. Nobody can tell of every engine; what was remembered counts for a few seconds only."""
        return False


def _note_loss(context: sqlalchemy.engine.ExceptionContext) -> None:
    """Keep with an error what SQLAlchemy makes out by the connection: that it is gone."""
    if context.is_disconnect:
        with contextlib.suppress(AttributeError):  # written in C
            context.original_exception.rowgate_is_lost = True  # type: ignore[attr-defined]
