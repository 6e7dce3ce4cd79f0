"""DuckDB behind the generic fetcher: a database file, or a folder of files and Iceberg tables, read here.

Nothing here can write: a file is attached read-only, statements other than SELECT are refused before they run, and once
it is open DuckDB may neither open other files nor be told otherwise.
"""

import contextlib
import itertools
import json
import os
import re
import time
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy
from duckdb_engine import ConnectionWrapper

from rowgate.engines.duckdb_catalog import describe, list_kinds
from rowgate.engines.duckdb_folder import ServedFolder
from rowgate.engines.duckdb_spill import render_spill_settings
from rowgate.engines.duckdb_texts import quote_text
from rowgate.engines.manners import BORROW_SECONDS, Ask
from rowgate.rows.dialects.duckdb import DUCKDB, DuckdbDialect
from rowgate.rows.errors import (
    EngineFailure,
    EngineUnavailable,
    InvalidParameter,
    NotReadOnly,
    ObjectUnreadable,
    RowsError,
)
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement

_SERVED = "served"  # what the file is called inside
_READING = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})
_CSV_LINE = re.compile(r"CSV Error on Line: (?P<line>\d+)\n.*^ *file = (?P<file>[^\n]*)", re.DOTALL | re.MULTILINE)
_BEYOND = "out of range for the destination type INT64"  # how a sum of more than 64 bits is refused
_BY_WORDS: Mapping[str, type[Exception]] = {  # those that `translate` tells apart, by what their texts begin with
    "IO Error": duckdb.IOException,
    "Connection Error": duckdb.ConnectionException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Out of Range Error": duckdb.OutOfRangeException,
}
_instances = itertools.count()


class DuckdbManner:
    """See `Manner`."""

    name = "DuckDB"
    dialect: DuckdbDialect = DUCKDB
    computes_here = True
    smallest = "SELECT 1"

    def __init__(
        self, path: Path, *, memory: str = "1GB", threads: int = 2, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the file or folder, what DuckDB may use of the machine, and a clock (seconds)."""
        self._path = path
        self._memory = memory
        self._threads = threads
        self._keeper: Any = None
        self._folder = ServedFolder(path, clock)  # of use where the path is one
        self._kinds: tuple[Any, Mapping[str, str]] | None = None  # of all objects, in the instance that this one keeps

    def identify(self) -> Hashable:
        """See `Manner`. A folder is another one when a file was added, taken away or replaced, or a table written."""
        try:
            status = self._path.stat()
            if self._path.is_dir():
                return status.st_ino, self._folder.identify()
        except OSError as error:
            raise EngineUnavailable("The database cannot be read at the moment.", detail=str(error)) from error
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

    def open_engine(self, *, max_connections: int) -> sqlalchemy.Engine:
        """See `Manner`."""
        # an instance of its own, in memory: connections to it share what is attached, and nothing else of the process
        engine = sqlalchemy.create_engine(
            f"duckdb:///:memory:rowgate-{os.getpid()}-{next(_instances)}",
            # what the keeper has set for itself holds for its duplicates, and for no connection that is made anew
            creator=lambda: ConnectionWrapper(kept().duplicate()),
            pool_size=max_connections,
            max_overflow=0,
            pool_timeout=BORROW_SECONDS,
            hide_parameters=True,
        )
        keeper = engine.dialect.connect(engine.url.database)
        kept: Any = weakref.ref(keeper)  # the pool does not keep the instance: it may outlive the manner
        try:
            self._open_files(keeper)
        except duckdb.Error as error:
            keeper.close()
            raise self.translate(error) from error
        use = f"USE {_SERVED}" if not self._path.is_dir() else ""

        @sqlalchemy.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            if use:
                connection.execute(use)

        self._kinds = None
        self._keeper = keeper  # as long as one connection is open the instance lives
        return engine

    def _open_files(self, keeper: Any) -> None:
        for setting in (
            f"SET memory_limit = '{self._memory}'",
            f"SET threads = {self._threads}",
            "SET default_null_order = 'sqlite'",
            "SET TimeZone = 'UTC'",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET enable_progress_bar = false",  # it would be drawn into the server's output
            *render_spill_settings(),
        ):
            keeper.execute(setting)
        if self._path.is_dir():
            self._folder.make_views(lambda statement: keeper.execute(statement).fetchall())
            keeper.execute(f"SET allowed_directories = [{quote_text(str(self._path))}]")
        else:
            keeper.execute(f"ATTACH {quote_text(str(self._path))} AS {_SERVED} (READ_ONLY)")
        keeper.execute("SET enable_external_access = false")
        keeper.execute("SET lock_configuration = true")

    def find_file(self, name: str) -> Path | None:
        """Give the one file that says what an object's rows are; None: it is none of a folder's."""
        return self._folder.places.get(name)

    def list_faults(self) -> Sequence[tuple[str, str]]:
        """Give what of a folder is left out, and why, as it was when it was opened."""
        return sorted(self._folder.faults.items())

    def check_presence(self, ask: Ask) -> None:
        """See `Manner`. `identify` has looked."""

    def prove_read_only(self, ask: Ask) -> None:
        """See `Manner`."""
        for attempt in ("CREATE TABLE rowgate_proof (a INTEGER)", "SET threads = 1", "ATTACH ':memory:' AS b"):
            try:
                ask(attempt)
            except EngineFailure:
                continue
            raise NotReadOnly(f"{self._path} let the service write")

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """See `Manner`."""
        return [ObjectListing(name, kind) for name, kind in self._list_kinds(ask).items()]

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """See `Manner`."""
        kind = self._list_kinds(ask).get(name)
        fault = self._folder.faults.get(name)
        if fault is not None:
            raise ObjectUnreadable("The object cannot be read as it is.", detail=f"{name}: {fault}")
        return None if kind is None else describe(ask, name, kind)

    def _list_kinds(self, ask: Ask) -> Mapping[str, str]:
        """Give the kind of each object by its name; what is open does not change, so it is asked once."""
        keeper, known = self._keeper, self._kinds
        if known is not None and known[0] is keeper:
            return known[1]
        kinds = list_kinds(ask)
        if self._keeper is keeper:  # else they may be of the next one
            self._kinds = keeper, kinds
        return kinds

    def explain(self, ask: Ask, statement: Statement) -> Sequence[str]:
        """See `Manner`. Only operators and tables are told: their conditions hold the values."""
        ((_, plan),) = ask("EXPLAIN (FORMAT JSON) " + statement.text, *statement.parameters)
        return list(_tell_steps(json.loads(plan), depth=0))

    def check(self, connection: Any, text: str, *, seconds: float) -> None:  # noqa: ARG002
        """See `Manner`."""
        statements = _unwrap(connection).extract_statements(text)
        if len(statements) != 1 or statements[0].type not in _READING:
            raise EngineFailure("The database could not answer.", detail="the statement is none that reads")

    def wake(self, connection: Any) -> None:
        """See `Manner`."""
        with contextlib.suppress(duckdb.Error):
            _unwrap(connection).interrupt()

    def stop(self, connection: Any) -> None:
        """See `Manner`. What was woken has stopped."""

    def translate(self, error: Exception) -> RowsError:
        """See `Manner`."""
        line = _CSV_LINE.search(str(error))
        if line is not None:
            detail = f"line {line['line']} of {line['file']} does not fit what the first lines were taken for"
            return ObjectUnreadable("The object cannot be read as it is.", detail=detail)  # the error holds the row
        error = _restore(error)
        detail = f"{type(error).__name__}: {error}"
        if isinstance(error, (duckdb.IOException, duckdb.ConnectionException, duckdb.InterruptException, OSError)):
            return EngineUnavailable("The database cannot be read at the moment.", detail=detail)
        if isinstance(error, duckdb.OutOfMemoryException):
            return EngineUnavailable("The database has no memory left for this at the moment.", detail=detail)
        if isinstance(error, duckdb.OutOfRangeException) or _BEYOND in str(error):
            return InvalidParameter(
                "A number is beyond what the database can compute.", field="aggregates", expected="avg"
            )
        return EngineFailure("The database could not answer.", detail=detail)

    def is_of_catalog(self, error: Exception) -> bool:
        """See `Manner`."""
        return isinstance(error, (duckdb.CatalogException, duckdb.BinderException))


def _restore(error: Exception) -> Exception:
    """Give DuckDB's own error for one that came through a stream of arrays: there only its text is left."""
    if isinstance(error, OSError) and error.errno is None:
        return _BY_WORDS.get(str(error).partition(":")[0], duckdb.Error)(str(error))
    return error


def _tell_steps(steps: Sequence[Any], *, depth: int) -> Iterator[str]:
    for step in steps:
        told = step.get("extra_info", {})
        table, rows = told.get("Table", ""), told.get("Estimated Cardinality", "")
        yield "  " * depth + f"{step['name'].strip()} {table} {f'~{rows} rows' if rows else ''}".strip()
        yield from _tell_steps(step.get("children", ()), depth=depth + 1)


def _unwrap(connection: Any) -> Any:
    """Give DuckDB's own connection of what SQLAlchemy's dialect wraps."""
    return getattr(connection, "c", connection)
