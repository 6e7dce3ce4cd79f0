"""A database with replicas to read from: the one that answers and has the fewest reads is read; the primary is last.

Rule: nothing is asked of a server before it has proven itself that it cannot be written: what holds for the primary's
account says nothing of another server's.

The catalog is that of the first in their order that answers. One that did not is left alone for a while, except by the
one reader who finds out whether it is back.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from rowgate.engines.shared_look import SharedLook
from rowgate.ports.calls import CallSource, HeldCall
from rowgate.ports.queries import QuerySource
from rowgate.ports.rows import ArrayBlocks, LineBlocks, RowBlocks
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.errors import EngineUnavailable, NotReadOnly
from rowgate.rows.model import Column, Format, ObjectDescription, ObjectListing, Plan, Statement
from rowgate.rows.procedures import Call, ParameterType, TableColumn

AWAY_SECONDS = 10.0  # that a server which did not answer is left alone
_NEVER = float("-inf")

_log = logging.getLogger("rowgate.databases")
_T = TypeVar("_T")


class ReplicatedSource(QuerySource, CallSource, Protocol):
    """What a server's source must be."""


@dataclass(eq=False)
class Server:
    """A server of a database."""

    label: str  # for people
    source: ReplicatedSource
    is_proven: bool = False
    reads: int = 0  # that are under way
    away_until: float = _NEVER  # by the clock; it did not answer when it was asked last
    proving: SharedLook = field(default_factory=SharedLook)

    @property
    def is_away(self) -> bool:
        """Whether it has not answered since it failed to."""
        return self.away_until != _NEVER


class ReadReplicas:
    """See `ports.RowSource`, `ports.QuerySource`, `ports.CallSource`. Safe for use from several threads."""

    def __init__(self, servers: Sequence[Server], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the servers in the order in which they are to be read, and a clock (seconds); nothing is opened yet."""
        self._servers = servers
        self._clock = clock
        self._lock = threading.Lock()  # around the counts of reads

    @property
    def name(self) -> str:
        """See `ports.RowSource`."""
        return self._servers[-1].source.name

    @property
    def computes_here(self) -> bool:
        """See `ports.RowSource`."""
        return False

    @property
    def dialect(self) -> Dialect:
        """See `ports.RowSource`. The servers have the same rows, so the same encoding and collations."""
        return self._ask(lambda source: source.dialect)

    def prove_read_only(self) -> None:
        """See `ports.RowSource`. One that cannot be reached now proves it before it is read from.

        Raises:
            NotReadOnly: One of them would let us write.
            EngineUnavailable: None of them can be reached.
        """
        failures: list[EngineUnavailable] = []
        for server in self._servers:
            try:
                self._prove(server)
            except EngineUnavailable as error:
                self.note_away(server, error)
                failures.append(error)
            except NotReadOnly as error:
                raise NotReadOnly(f"{server.label}: {error}") from error
        if len(failures) == len(self._servers):
            raise failures[-1]

    def check_reachable(self) -> None:
        """See `ports.RowSource`. One that answers will do."""
        self._ask(lambda source: source.check_reachable())

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`."""
        return self._ask(lambda source: source.list_objects())

    def find_object(self, name: str) -> ObjectDescription | None:
        """See `ports.RowSource`."""
        return self._ask(lambda source: source.find_object(name))

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> RowBlocks:
        """See `ports.RowSource`."""
        return _Blocks(self, lambda source: source.open_rows(statement, statement_seconds=statement_seconds))

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> LineBlocks | ArrayBlocks | None:
        """See `ports.RowSource`."""
        blocks = _Blocks(self, lambda source: source.open_lines(plan, form, statement_seconds=statement_seconds))
        if blocks.are_given:
            return blocks
        blocks.close()
        return None

    def estimate_rows(self, plan: Plan) -> int | None:
        """See `ports.RowSource`."""
        return self._ask(lambda source: source.estimate_rows(plan))

    def find_version(self, described: ObjectDescription) -> bytes | None:  # noqa: ARG002 - the port's shape
        """See `ports.RowSource`. A version of one server says nothing of another's rows."""
        return None

    def explain(self, statement: Statement) -> Sequence[str]:
        """See `ports.RowSource`."""
        return self._ask(lambda source: source.explain(statement))

    def open_call(self, call: Call, *, statement_seconds: float) -> HeldCall:
        """See `ports.CallSource`."""
        return self._ask(lambda source: source.open_call(call, statement_seconds=statement_seconds))

    def describe_query(self, text: str, places: int) -> Sequence[Column]:
        """See `ports.QuerySource`."""
        return self._ask(lambda source: source.describe_query(text, places))

    def write_table(self, columns: Sequence[TableColumn]) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        return self._servers[-1].source.write_table(columns)

    def write_value(self, kind: ParameterType) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        return self._servers[-1].source.write_value(kind)

    def write_text(self, text: str) -> str:
        """See `ports.QuerySource`."""
        return self._servers[-1].source.write_text(text)

    def count_connections(self) -> int | None:
        """See `ports.RowSource`."""
        counted = [server.source.count_connections() for server in self._servers]
        return sum(count for count in counted if count is not None) if any(c is not None for c in counted) else None

    def close(self) -> None:
        """See `ports.RowSource`."""
        for server in self._servers:
            server.source.close()

    def _ask(self, ask: Callable[[ReplicatedSource], _T]) -> _T:
        return self.ask_first(ask)[1]

    def ask_first(self, ask: Callable[[ReplicatedSource], _T]) -> tuple[Server, _T]:
        """Ask the first server that answers; give which one it was, too.

        Raises:
            EngineUnavailable: None does.
        """
        return self._ask_one_of(self._servers, lambda server: ask(server.source))

    def begin_read(self, begin: Callable[[ReplicatedSource], _T]) -> tuple[Server, _T]:
        """Begin a read on the replica that has the fewest, of equals on the first; `end_read` must be told of its end.

        Raises:
            EngineUnavailable: No server answers.
        """

        def begin_on(server: Server) -> _T:
            self._count(server, 1)
            try:
                return begin(server.source)
            except BaseException:
                self.end_read(server)
                raise

        *replicas, primary = self._servers
        return self._ask_one_of([*sorted(replicas, key=lambda server: server.reads), primary], begin_on)

    def end_read(self, server: Server) -> None:
        """Note that a read has ended."""
        self._count(server, -1)

    def _count(self, server: Server, change: int) -> None:
        with self._lock:
            server.reads += change

    def _ask_one_of(self, servers: Sequence[Server], ask: Callable[[Server], _T]) -> tuple[Server, _T]:
        failed: EngineUnavailable | None = None
        for server in self._list_in_turn(servers):
            try:
                self._prove(server)
                if server.is_away:
                    server.source.check_reachable()  # what follows may be answered from memory
                given = ask(server)
            except EngineUnavailable as error:
                self.note_away(server, error)
                failed = error
            except NotReadOnly as error:
                _log.error("%s is not read: it is not read-only: %s", server.label, error)
                failed = EngineUnavailable("The database cannot be read at the moment.", detail=str(error))
                self.note_away(server, failed)
            else:
                self._note_back(server)
                return server, given
        assert failed is not None, "internal error: a database without servers"
        raise failed

    def _list_in_turn(self, servers: Sequence[Server]) -> Iterator[Server]:
        """Give those that are thought to answer, in their order; then the others, for nothing else is left."""
        passed_over: list[Server] = []
        for server in servers:
            now = self._clock()
            if server.away_until > now:
                passed_over.append(server)
                continue
            if server.is_away:
                server.away_until = now + AWAY_SECONDS  # it may keep this reader waiting, and nobody else
            yield server
        yield from passed_over

    def _prove(self, server: Server) -> None:
        if server.is_proven:
            return
        with server.proving.alone():
            if not server.is_proven:
                server.source.prove_read_only()
                server.is_proven = True

    def note_away(self, server: Server, error: EngineUnavailable) -> None:
        """Leave a server alone that did not answer."""
        if not server.is_away:
            _log.warning("%s does not answer, the next is read: %s", server.label, error.detail)
        server.away_until = self._clock() + AWAY_SECONDS

    def _note_back(self, server: Server) -> None:
        if server.is_away:
            server.away_until = _NEVER
            _log.warning("%s answers again", server.label)


class _Blocks:
    """What a server gives of a statement, block by block; what the next one gives where it is lost before the first.

    See `ports.RowBlocks`, `ports.LineBlocks`.
    """

    def __init__(self, servers: ReadReplicas, begin: Callable[[ReplicatedSource], Any]) -> None:
        self.is_exhausted = False
        self._servers = servers
        self._begin = begin
        self._has_begun = False
        self._cancelled = False
        self._is_counted = True
        self._server, self._blocks = servers.begin_read(begin)

    @property
    def are_given(self) -> bool:
        """Whether the server does it at all."""
        return self._blocks is not None

    def read_block(self) -> Any:
        try:
            block = self._blocks.read_block()
        except EngineUnavailable as error:
            if self._has_begun or self._cancelled:
                raise  # what was given cannot be told from what another server has
            block = self._begin_elsewhere(error)
        self._has_begun = True
        self.is_exhausted = self._blocks.is_exhausted
        return block

    def _begin_elsewhere(self, error: EngineUnavailable) -> Any:
        self.close()
        self._servers.note_away(self._server, error)
        self._server, self._blocks = self._servers.begin_read(self._begin)
        self._is_counted = True
        if self._cancelled:
            self._blocks.cancel()
        return self._blocks.read_block()

    def cancel(self) -> None:
        self._cancelled = True
        if (blocks := self._blocks) is not None:
            blocks.cancel()

    def close(self) -> None:
        blocks, self._blocks = self._blocks, None
        if blocks is not None:
            blocks.close()
        if self._is_counted:
            self._is_counted = False
            self._servers.end_read(self._server)
