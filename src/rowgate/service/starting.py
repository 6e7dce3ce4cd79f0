"""What a read does up to its first rows: decides, plans, renders, opens. Runs in threads.

Rule: all permission checks on a request stand in `_decide`, and every statement is made of a plan that came from it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from rowgate.access import Access
from rowgate.ports import Clock
from rowgate.ports.calls import HELD, CallSource, HeldCall
from rowgate.ports.rows import ArrayBlocks, LineBlocks, RowBlocks, RowSource
from rowgate.rows.encode_lines import takes_lines
from rowgate.rows.errors import EngineFailure, EngineUnavailable
from rowgate.rows.model import Counting, ObjectDescription, Plan, Row, RowsRequest, Statement, Value
from rowgate.rows.parameters import plan_call, require_no_procedure
from rowgate.rows.plan import Planner
from rowgate.rows.procedures import Call
from rowgate.rows.request_call import CallRequest
from rowgate.rows.sql import render_count, render_select
from rowgate.rows.sql_call import render_read
from rowgate.service.comparing import ChangedRows, find_comparison
from rowgate.service.cursors import Cursors, Seal
from rowgate.service.databases import Databases
from rowgate.service.object_access import ObjectAccess
from rowgate.service.pace import Pace
from rowgate.service.planning import make_planner
from rowgate.service.preview import Preview, preview_call, preview_rows
from rowgate.service.reading import Reading
from rowgate.service.row_tags import NO_TAG, RowTags
from rowgate.service.state import LiveState


class Confirm(Protocol):
    """Decides once more on an access; see `TokenService.confirm`."""

    def __call__(self, access: Access, *, now: float) -> Access:
        """Give the access as it stands, or raise InvalidToken."""


class Starting:
    """Starts the reads of a worker."""

    def __init__(
        self,
        state: LiveState,
        databases: Databases,
        *,
        confirm: Confirm,
        clock: Clock,
        objects: ObjectAccess,
        cursors: Cursors,
        mask_key: bytes,
        tags: RowTags,
    ) -> None:
        """Take what the steps need; `confirm` decides once more on an Access, see `TokenService.confirm`."""
        self._state = state
        self._databases = databases
        self._confirm = confirm
        self._clock = clock
        self._objects = objects
        self._cursors = cursors
        self._mask_key = mask_key
        self._tags = tags
        self._pace = Pace()

    def start(self, reading: Reading, object_name: str, request: RowsRequest | CallRequest) -> None:
        """Start a read; see `RowsService.open_rows`."""
        described, plan_request = self._decide(reading, object_name)
        source = self._databases.open_source(described)
        if source.computes_here:
            reading.pace = self._pace
        with self._noticing_change(reading, described), reading.pace:
            if isinstance(request, CallRequest):
                call = reading.call = plan_call(described, request.parameters, holds_nul=source.dialect.holds_nul)
                if call.procedure.is_held:
                    self._read_held(reading, call, request.result, source)
                    return
                plan = replace(plan_request(request.result), latest_run=None)
                self._read(reading, plan, source, _seal_nothing, query=call)
                return
            require_no_procedure(described)
            if request.compare is None:
                self._start_rows(reading, request, plan_request(request), source)
            else:
                self._start_comparison(reading, request, plan_request, source)

    def _start_rows(self, reading: Reading, request: RowsRequest, plan: Plan, source: RowSource) -> None:
        seal: Seal = _seal_nothing
        if request.cursor is not None:
            plan, seal = self._cursors.open_page(plan, request.cursor, reading.access.application_number)
        self._read(reading, plan, source, seal, itself=source)

    def _read_held(self, reading: Reading, call: Call, request: RowsRequest, source: RowSource) -> None:
        """Call what cannot stand in a query, and read from what it gave: its columns are known only then."""
        assert isinstance(source, CallSource), "internal error: a call that no query is made of"
        reading.require_wanted(NO_TAG)
        held = source.open_call(call, statement_seconds=reading.statement_seconds)
        reading.take_held(held)
        described = replace(call.procedure, columns=tuple(held.columns), path=(HELD,))
        plan = replace(self._make_planner(reading, described)(request), latest_run=None)
        self._read(reading, plan, held, _seal_nothing)

    def _read(
        self,
        reading: Reading,
        plan: Plan,
        source: RowSource | HeldCall,
        seal: Seal,
        *,
        query: Call | None = None,
        itself: RowSource | None = None,
    ) -> None:
        """Read the plan's rows, of the object `itself`, of the `query` that stands for it, or of what it gave."""
        may_have_tag = itself is not None and plan.count is Counting.NONE
        if not may_have_tag:
            reading.require_wanted(NO_TAG)
        if plan.count is not Counting.NONE:
            self._count(reading, plan, source, query)
        statement = render_read(render_select, plan, query, source.dialect)

        def start() -> None:
            lines = None if itself is None else self._open_lines(reading, plan, itself)
            if lines is None:
                reading.start(plan, self._open(reading, statement, source), seal, mask_key=self._mask_key)
            else:
                reading.start_lines(plan, lines)

        if itself is not None and may_have_tag:
            self._tags.start(reading, plan, statement, itself, start)
        else:
            start()

    def preview(self, reading: Reading, object_name: str, request: RowsRequest | CallRequest) -> Preview:
        """Tell what a read would run; see `RowsService.preview`."""
        described, plan_request = self._decide(reading, object_name)
        if isinstance(request, CallRequest):
            return self._preview_call(reading, described, plan_request, request)
        require_no_procedure(described)
        plan = plan_request(request)
        if request.cursor is not None:
            plan, _ = self._cursors.open_page(plan, request.cursor, reading.access.application_number)
        request = replace(request, format=reading.format)
        with self._noticing_change(reading, described):
            preview, reading.plan = preview_rows(
                request, plan, plan_request, described, self._databases.open_source(described)
            )
        return preview

    def _preview_call(
        self, reading: Reading, described: ObjectDescription, plan_request: Planner, request: CallRequest
    ) -> Preview:
        source = self._databases.open_source(described)
        call = reading.call = plan_call(described, request.parameters, holds_nul=source.dialect.holds_nul)
        plan: Plan | None = None
        if described.columns:
            plan = reading.plan = replace(plan_request(request.result), latest_run=None)
        else:
            asked = request.result
            reading.plan = Plan(described, (), (), (), None, (), asked.limit, asked.offset)
        return preview_call(call, plan, form=reading.format, source=source)

    @contextlib.contextmanager
    def _noticing_change(self, reading: Reading, described: ObjectDescription) -> Iterator[None]:
        """Refuse by what the object is now, where a statement failed that was made of what it was."""
        try:
            yield
        except EngineFailure as failure:
            reading.close()  # to look needs a connection, and all may be held by reads that fail alike
            found = self._databases.find_object(described.name)
            if self._objects.decide(reading.access, described.name, found) != described:
                raise EngineUnavailable("The object has just been changed; ask again.", detail=failure.detail) from None
            raise

    def _decide(self, reading: Reading, object_name: str) -> tuple[ObjectDescription, Planner]:
        """Give the object and what plans requests for its rows: all permission checks are in these two."""
        # While the request arrived or waited for its turn, the token may have been revoked, or its scope narrowed.
        access = self._confirm(reading.access, now=self._clock())
        name = self._state.resolve_alias(object_name)
        described = self._objects.decide(access, name, self._databases.find_object(name))
        reading.policy = self._objects.find_policy(access, name)
        return described, self._make_planner(reading, described)

    def _make_planner(self, reading: Reading, described: ObjectDescription) -> Planner:
        return make_planner(reading.access, described, reading.policy, self._state)

    def _start_comparison(
        self, reading: Reading, request: RowsRequest, plan_request: Planner, source: RowSource
    ) -> None:
        def read(plan: Plan) -> Sequence[Row]:
            return reading.read_few(self._open(reading, render_select(plan, source.dialect), source))

        comparison = reading.comparison = find_comparison(request, plan_request, read)
        reading.require_wanted(NO_TAG)
        blocks = self._open(reading, render_select(comparison.read, source.dialect), source)
        rows = ChangedRows(blocks, comparison, reading.format)
        reading.start(comparison.shown, rows, _seal_nothing, mask_key=self._mask_key)

    def _open(self, reading: Reading, statement: Statement, source: RowSource | HeldCall) -> RowBlocks:
        return source.open_rows(statement, statement_seconds=reading.statement_seconds)

    def _open_lines(self, reading: Reading, plan: Plan, source: RowSource) -> LineBlocks | ArrayBlocks | None:
        """Give the rows as the engine writes them, where it does; there the document is made without values."""
        if not takes_lines(reading.format):
            return None
        return source.open_lines(plan, reading.format, statement_seconds=reading.statement_seconds)

    def _count(self, reading: Reading, plan: Plan, source: RowSource | HeldCall, query: Call | None) -> None:
        statement = render_read(render_count, plan, query, source.dialect)
        if plan.count is Counting.ESTIMATED and not plan.rule:  # what engines know is of all rows
            reading.count = source.estimate_rows(plan)
            reading.count_is_estimate = reading.count is not None
        if reading.count is None:
            ((count,),) = reading.read_few(self._open(reading, statement, source))
            assert isinstance(count, int), "internal error: a count that is no number"
            reading.count = count


def _seal_nothing(_place: Sequence[Value]) -> str:
    raise AssertionError("internal error: a cursor for a read without pages")
