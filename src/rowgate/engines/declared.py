"""Procedures that an administrator declares, each in a file of its own, on an engine that has none.

Rule: a file is found by listing the folder, never by a path made of a client's text, and what is wrong with it keeps
nothing else from being read.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import scandir, stat_result
from pathlib import Path

from rowgate.ports.calls import CallSource, HeldCall
from rowgate.ports.queries import QuerySource
from rowgate.ports.rows import ArrayBlocks, LineBlocks, RowBlocks
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.errors import EngineFailure
from rowgate.rows.fold import fold
from rowgate.rows.model import Format, ObjectDescription, ObjectListing, Plan, Statement
from rowgate.rows.procedure_text import MAX_TEXT_BYTES, Declaration, parse_procedure
from rowgate.rows.procedures import PROCEDURE, Call, Parameter, Piece, Procedure
from rowgate.rows.sql_call import render_probe, render_query
from rowgate.rows.sql_conditions import Binder
from rowgate.rows.statement_text import ProcedureFault

SUFFIX = ".sql"
LOOK_SECONDS = 1.0  # how long a look at the folder and at a procedure counts
MAX_PROCEDURES = 10_000

_Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a version of a file was found to be."""

    version: _Version
    looked_at: float  # by the monotonic clock
    declaration: Declaration | None  # None: the file cannot be read or declares nothing
    procedure: Procedure


class DeclaredProcedures:
    """See `ports.RowSource`: a database and its declared procedures. Safe for use from several threads."""

    def __init__(self, source: QuerySource, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the database, and the folder, which need not be there; nothing is read yet."""
        self._source = source
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._versions: Mapping[str, _Version] = {}
        self._folder_fault = ""
        self._known: dict[str, _Known] = {}

    @property
    def name(self) -> str:
        """See `ports.RowSource`."""
        return self._source.name

    @property
    def computes_here(self) -> bool:
        """See `ports.RowSource`."""
        return self._source.computes_here

    @property
    def dialect(self) -> Dialect:
        """See `ports.RowSource`."""
        return self._source.dialect

    def prove_read_only(self) -> None:
        """See `ports.RowSource`."""
        self._source.prove_read_only()

    def check_reachable(self) -> None:
        """See `ports.RowSource`."""
        self._source.check_reachable()

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`. What has the name of a table is not among them."""
        listed = self._source.list_objects()
        names = {found.name for found in listed}
        found = [self._find_procedure(name) for name in self._list_files() if name not in names]
        declared = [ObjectListing(one.name, PROCEDURE, one.title) for one in found if one is not None]
        return sorted([*listed, *declared], key=lambda found: found.name) if declared else listed

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`. A table comes before a procedure: no file takes its place."""
        known = self._known.get(name)  # only what is the name of no table
        if known is not None and self._clock() - known.looked_at < LOOK_SECONDS:
            return known.procedure
        return self._source.find_object(name) or self._find_procedure(name)

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> RowBlocks:
        """See `ports.RowSource`."""
        return self._source.open_rows(statement, statement_seconds=statement_seconds)

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> LineBlocks | ArrayBlocks | None:
        """See `ports.RowSource`."""
        return self._source.open_lines(plan, form, statement_seconds=statement_seconds)

    def open_call(self, call: Call, *, statement_seconds: float) -> HeldCall:
        """See `ports.CallSource`. Only procedures of the database's own are called so."""
        source = self._source
        assert isinstance(source, CallSource), "internal error: a call that no query is made of"
        return source.open_call(call, statement_seconds=statement_seconds)

    def estimate_rows(self, plan: Plan) -> int | None:
        """See `ports.RowSource`. Of a call nothing is known beforehand."""
        return None if isinstance(plan.object, Procedure) else self._source.estimate_rows(plan)

    def find_version(self, described: ObjectDescription) -> bytes | None:
        """See `ports.RowSource`. A call may compute whatever it likes."""
        return None if isinstance(described, Procedure) else self._source.find_version(described)

    def explain(self, statement: Statement) -> Sequence[str]:
        """See `ports.RowSource`."""
        return self._source.explain(statement)

    def count_connections(self) -> int | None:
        """See `ports.RowSource`."""
        return self._source.count_connections()

    def close(self) -> None:
        """See `ports.RowSource`."""
        self._source.close()

    def list_table_faults(self) -> Sequence[tuple[str, str]]:
        """Give the tables of the source that it cannot read, and why; most read all that they have."""
        list_them = getattr(self._source, "list_table_faults", None)
        return list_them() if list_them is not None else ()

    def list_faults(self) -> Sequence[tuple[str, str]]:
        """Give what cannot be called, by name, and why.

        Raises:
            EngineUnavailable: The database cannot be asked.
        """
        return list(self._tell_faults())

    def _tell_faults(self) -> Iterator[tuple[str, str]]:
        names = self._list_files()
        if self._folder_fault:
            yield self._folder.name, self._folder_fault
        tables = {fold(found.name): found.name for found in self._source.list_objects()}
        for name in names:
            if (table := tables.get(fold(name))) == name:
                yield name, "the database has an object of this name, which comes before it: rename the file"
            elif (found := self._find_procedure(name)) is not None and found.fault:
                yield name, found.fault
            elif table is not None:
                yield name, f"only case tells it from {table} of the database: rename the file"

    def _list_files(self) -> Sequence[str]:
        with self._lock:
            self._look()
            return sorted(self._versions)

    def _find_procedure(self, name: str) -> Procedure | None:
        with self._lock:
            self._look()
            version = self._versions.get(name)
            if version is None:
                self._known.pop(name, None)
                return None
            known = self._known.get(name)
            now = self._clock()
            if known is None or known.version != version or now - known.looked_at >= LOOK_SECONDS:
                known = self._examine(name, version, known, now)
                self._known[name] = known
            return known.procedure

    def _look(self) -> None:
        """Learn which files there are, unless that is known well enough."""
        now = self._clock()
        if now - self._looked_at < LOOK_SECONDS:
            return
        versions: dict[str, _Version] = {}
        self._folder_fault = ""
        try:
            with scandir(self._folder) as entries:
                for entry in entries:
                    name = entry.name.removesuffix(SUFFIX)
                    if name == entry.name or entry.name.startswith("."):
                        continue
                    if not name.isprintable():
                        self._folder_fault = f"{entry.name!r} is no name that a request can have"
                    elif len(versions) >= MAX_PROCEDURES:
                        self._folder_fault = f"there are more than {MAX_PROCEDURES} files"
                    else:
                        with suppress(FileNotFoundError):  # it went away meanwhile, or is a link to nothing
                            versions[name] = _identify(entry.stat())
        except FileNotFoundError:
            pass  # nothing is declared
        except OSError as error:
            self._folder_fault = error.strerror or str(error)
        self._versions = versions
        self._looked_at = now

    def _examine(self, name: str, version: _Version, known: _Known | None, now: float) -> _Known:
        """Read the file if it is another one, and ask the database about the query: its tables may have changed.

        Raises:
            EngineUnavailable: The database cannot be asked.
        """
        declaration = known.declaration if known is not None and known.version == version else None
        try:
            if declaration is None:
                declaration = self._declare(self._folder / f"{name}{SUFFIX}")
            procedure = self._describe(name, declaration)
        except ProcedureFault as fault:
            procedure = Procedure(name, PROCEDURE, (), fault=str(fault))
        except (EngineFailure, OSError, UnicodeDecodeError) as error:
            told = error.detail if isinstance(error, EngineFailure) else str(error)
            procedure = Procedure(name, PROCEDURE, (), fault=told)
        return _Known(version, now, declaration, procedure)

    def _declare(self, path: Path) -> Declaration:
        with path.open("rb") as file:
            text = file.read(MAX_TEXT_BYTES + 1)
        if len(text) > MAX_TEXT_BYTES:
            raise ProcedureFault(f"it has more than {MAX_TEXT_BYTES} bytes")
        return parse_procedure(text.decode("utf-8-sig"))

    def _describe(self, name: str, declaration: Declaration) -> Procedure:
        query = tuple(self._write(declaration.pieces))
        binder = Binder(self._source.dialect)
        text = render_query(query, lambda _: binder.bind(None))
        places = len(binder.values)
        columns = tuple(self._source.describe_query(text, places))
        if not columns:
            raise ProcedureFault("it gives no rows")
        names = [fold(column.name) for column in columns]
        for column in columns:
            if not column.name or names.count(fold(column.name)) > 1:
                raise ProcedureFault(f"its columns need names, each of its own: {column.name or 'one has none'}")
        # once more as a call reads it: what only stands alone, as EXPLAIN does, is no query
        self._source.describe_query(render_probe(text, columns, self._source.dialect), places)
        return Procedure(
            name,
            PROCEDURE,
            tuple(replace(column, never_null=False) for column in columns),
            parameters=declaration.parameters,
            query=query,
            title=declaration.title,
            description=declaration.description,
        )

    def _write(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if isinstance(piece, Parameter):
                kind = piece.type
                if isinstance(kind, tuple):
                    before, after = self._source.write_table(kind)
                else:
                    before, after = self._source.write_value(kind)
                yield before
                yield piece
                yield after
            else:
                yield self._source.write_text(piece) if isinstance(piece, str) else piece


def _identify(status: stat_result) -> _Version:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
