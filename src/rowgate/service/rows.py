"""Reads rows for an Access: decides, plans, opens, streams, and puts on record who read what and how it ended.

Statements run and rows are encoded in threads; the event loop only passes bytes on.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rowgate.access import Access
from rowgate.audit.events import RowsEnded, RowsOpened
from rowgate.oauth.authorization_details import find_allowed_columns
from rowgate.oauth.errors import InsufficientScope, OAuthError
from rowgate.oauth.model import DEFAULT_SCOPE
from rowgate.ports import AuditSink, Clock, RowBlocks, RowSource
from rowgate.rows.encode import BlockEncoder, open_encoder
from rowgate.rows.errors import RowsError, StatementCancelled, UnknownObject
from rowgate.rows.model import Condition, Format, ObjectDescription, Plan, RowsRequest
from rowgate.rows.plan import plan_rows
from rowgate.rows.sql import render_select
from rowgate.service.hands import Hands
from rowgate.service.origin import Origin
from rowgate.service.state import LiveState
from rowgate.service.turns import Turns

_log = logging.getLogger("rowgate.rows")


class Confirm(Protocol):
    """Decides once more on an access; see `TokenService.confirm`."""

    def __call__(self, access: Access, *, now: float) -> Access:
        """Give the access as it stands, or raise InvalidToken."""


MAX_VALUE_ON_RECORD = 200  # characters of a filter's value
MAX_VALUES_ON_RECORD = 20  # of one filter
CLOSE_SECONDS = 5.0  # for reads that were told to stop; the engine looks about every millisecond
COMPLETE, CUT, FAILED = "complete", "cut", "failed"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one worker allows."""

    max_reads: int
    max_reads_per_application: int
    queue_seconds: float
    statement_seconds: float


class Reading:
    """One read: its first block is in hand, the others come as `RowsService.deliver` asks for them."""

    def __init__(self, access: Access, origin: Origin, form: Format, *, begun_at: float) -> None:
        """Take who reads, and since when (seconds since 1970); the rest comes with `start`, in a thread."""
        self.begun_at = begun_at
        self.access = access
        self.origin = origin
        self.format = form
        self.plan: Plan
        self.first = b""
        self.is_complete = False
        self.rows = 0
        self.bytes = 0
        self.begun = time.monotonic()
        self._blocks: RowBlocks | None = None
        self._encoder: BlockEncoder
        self._cancelled = False
        self.cut_reason = ""
        self.cut_connection: Callable[[], None] | None = None  # while rows are being sent

    def cancel(self, reason: str = "server_stopped") -> None:
        """Stop the statement: nobody is reading any more. The first reason counts: a cut ends the connection too."""
        self._cancelled = True
        self.cut_reason = self.cut_reason or reason
        if self._blocks is not None:
            self._blocks.cancel()

    def start(self, plan: Plan, blocks: RowBlocks) -> None:
        """Read the first block. Runs in a thread."""
        self.plan = plan
        self._blocks = blocks
        if self._cancelled:
            blocks.cancel()
        self._encoder = open_encoder(plan, self.format)
        self.first = self.read()

    def read(self) -> bytes:
        """Give the bytes of the next block; sets `is_complete` with the last. Runs in a thread."""
        assert self._blocks is not None, "internal error: a read that was not started"
        rows = self._blocks.read_block()
        self.rows += len(rows)
        encoded = self._encoder.encode_block(rows)
        if self._blocks.is_exhausted:
            self.is_complete = True
            encoded += self._encoder.encode_end()
            self.close()
        self.bytes += len(encoded)
        return encoded

    @property
    def is_open(self) -> bool:
        """Whether a connection is held."""
        return self._blocks is not None

    def close(self) -> None:
        """Give the connection back. Runs in a thread."""
        if self._blocks is not None:
            self._blocks.close()
            self._blocks = None


class RowsService:
    """The data side of a worker."""

    def __init__(
        self,
        state: LiveState,
        source: RowSource,
        *,
        confirm: Confirm,
        audit: AuditSink,
        clock: Clock,
        limits: ReadLimits,
        conceal_objects: bool,
    ) -> None:
        """Take what the steps need; `confirm` decides once more on an Access, see `TokenService.confirm`."""
        self._state = state
        self._source = source
        self._confirm = confirm
        self._audit = audit
        self._clock = clock
        self._limits = limits
        self._conceal_objects = conceal_objects
        self._under_way: set[Reading] = set()
        self._all_ended = asyncio.Event()
        self._hands = Hands(limits.max_reads, name="rows")
        self._turns = Turns(
            most=limits.max_reads,
            most_per_application=limits.max_reads_per_application,
            queue_seconds=limits.queue_seconds,
        )

    async def open_rows(
        self,
        access: Access,
        object_name: str,
        request: RowsRequest,
        origin: Origin,
        *,
        form: Format,
        on_disconnect: Callable[[Callable[[str], None]], None],
    ) -> Reading:
        """Give a read whose first block is in hand and which is on record, durably. The caller must `deliver` it.

        Args:
            access: Who reads.
            object_name: A name or alias, as the client spelled it.
            request: What to read.
            origin: Where the request came from.
            form: How the rows are written.
            on_disconnect: Is given what to call, with a word why, when the connection is gone.

        Raises:
            InsufficientScope: The token's scope or details, or the application's grants, do not allow it, or it is
                blocked.
            RowsError: No such object, a wrong parameter, or the database cannot answer now.
            AuditUnavailable: The read could not be put on record; nothing was sent.
        """
        reading = Reading(access, origin, form, begun_at=self._clock())
        await self._turns.take(access.application_number)
        self._under_way.add(reading)
        on_disconnect(reading.cancel)
        started = self._hands.run(self._start, reading, object_name, request)
        try:
            # shield: the thread goes on when this task is cancelled, and must be waited for
            await asyncio.shield(started)
            await self._audit.record(_opened(reading, self._clock()))
        except BaseException:
            await self._abandon(reading, started)
            raise
        return reading

    async def deliver(
        self, reading: Reading, send: Callable[[bytes, bool], Awaitable[None]], cut: Callable[[], None]
    ) -> bool:
        """Send the whole read, block by block, while the next one is being fetched; tell whether it is whole.

        Args:
            reading: What `open_rows` gave.
            send: Takes bytes and whether they are the last; returns when the client takes more, or is gone.
            cut: Cuts the connection at once, with what the client has not taken yet.
        """
        reading.cut_connection = cut
        outcome, reason = FAILED, "internal_error"
        ahead: asyncio.Future[bytes] | None = None
        try:
            block = reading.first
            while True:
                is_last = reading.is_complete
                if not is_last:
                    ahead = self._hands.run(reading.read)
                await send(block, is_last)
                if is_last:
                    outcome, reason = COMPLETE, ""
                    return True
                assert ahead is not None, "internal error: no block ahead"
                self._decide_again(reading)
                block, ahead = await asyncio.shield(ahead), None
        except StatementCancelled:
            outcome, reason = CUT, reading.cut_reason or "client_went_away"
        except OAuthError as refusal:
            outcome, reason = CUT, refusal.reason  # revoked, withdrawn or blocked while it was read
            cut()
        except RowsError as error:
            outcome, reason = FAILED, error.code
            _log.error(
                "a read failed: %s %s", error.description, error.detail, extra={"request_id": reading.origin.request_id}
            )
        except asyncio.CancelledError:
            outcome, reason = CUT, "server_stopped"
            raise
        finally:
            await self._abandon(reading, ahead)
            self._audit.record_soon(_ended(reading, self._clock(), outcome, reason))
        return False

    def look_again(self) -> None:
        """Cut the reads that are no longer allowed; called when the state has changed.

        A read looks by itself after each block. One whose client takes nothing would look too late.
        """
        for reading in self._under_way:
            if reading.cut_connection is not None:
                try:
                    self._decide_again(reading)
                except OAuthError as refusal:
                    reading.cancel(refusal.reason)
                    reading.cut_connection()

    def _decide_again(self, reading: Reading) -> None:
        """Raises OAuthError when the token was revoked, or the object withdrawn or blocked, since the read began."""
        self._confirm(reading.access, now=reading.begun_at)
        self._decide_grant(reading.access, reading.plan.object.name)

    async def discard(self, reading: Reading) -> None:
        """End a read of which only the head was wanted (HEAD)."""
        await self._abandon(reading, None)
        reading.rows = reading.bytes = 0
        self._audit.record_soon(_ended(reading, self._clock(), COMPLETE, "head"))

    async def close(self) -> None:
        """End every read that is under way, on record, then the threads."""
        for reading in tuple(self._under_way):
            reading.cancel()
        if self._under_way:
            self._all_ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), CLOSE_SECONDS)
        self._hands.close(wait=not self._under_way)

    def _start(self, reading: Reading, object_name: str, request: RowsRequest) -> None:
        # While the request arrived or waited for its turn, the token may have been revoked.
        self._confirm(reading.access, now=self._clock())
        name = self._state.resolve_alias(object_name)
        described = self._source.find_object(name)
        self._decide_object(reading.access, name, described)
        assert described is not None, "internal error: an object that does not exist was allowed"
        plan = plan_rows(
            request,
            described,
            run_key=self._state.find_settings(name).run_key,
            allowed_columns=find_allowed_columns(reading.access.allowed, name),
        )
        statement = render_select(plan, self._source.dialect)
        blocks = self._source.open_rows(statement, statement_seconds=self._limits.statement_seconds)
        reading.start(plan, blocks)

    def _decide_object(self, access: Access, name: str, described: ObjectDescription | None) -> None:
        """Refuse unless the object exists, is granted and is not blocked (O-17, O-36, PROTOCOL 103, 104).

        Raises:
            UnknownObject: It does not exist; with conceal_objects also when it is refused.
            InsufficientScope: The token's scope or details, the grants or a block stand against it.
        """
        if DEFAULT_SCOPE not in access.scope:
            raise InsufficientScope("The token's scope does not allow reading.", reason="scope_lacks_read")
        if described is None:
            raise _unknown()
        try:
            self._decide_grant(access, name)
        except InsufficientScope:
            if self._conceal_objects:
                raise _unknown() from None
            raise

    def _decide_grant(self, access: Access, name: str) -> None:
        if name not in self._state.list_granted(access.application_number):
            raise InsufficientScope("The application may not read this object.", reason="not_granted")
        if self._state.find_settings(name).blocked:
            raise InsufficientScope("The object is blocked from remote access.", reason="blocked_object")
        columns = find_allowed_columns(access.allowed, name)
        if columns is not None and not columns:
            raise InsufficientScope("The access token is not for this object.", reason="outside_token")

    async def _abandon(self, reading: Reading, under_way: asyncio.Future[Any] | None) -> None:
        """Give back what the read holds, once no thread uses it any more."""
        if under_way is not None and not under_way.done():
            reading.cancel()
            await asyncio.wait([under_way])
        if under_way is not None and under_way.done() and not under_way.cancelled():
            under_way.exception()
        if reading.is_open:
            # in a thread: the database may be busy with others
            await asyncio.shield(self._hands.run(reading.close))
        reading.first = b""
        self._under_way.discard(reading)
        if not self._under_way:
            self._all_ended.set()
        self._turns.give_back(reading.access.application_number)


def _unknown() -> UnknownObject:
    return UnknownObject("There is no such object.", field="object", expected="a table, view or alias")


def _opened(reading: Reading, now: float) -> RowsOpened:
    plan, access = reading.plan, reading.access
    return RowsOpened(
        at=now,
        request_id=reading.origin.request_id,
        source=reading.origin.source,
        client_id=access.client_id,
        application=access.application_name,
        token_id=access.token_id,
        object=plan.object.name,
        columns=tuple(column.name for column in plan.columns),
        filters=tuple(_render_condition(condition) for condition in plan.conditions),
        group_by=tuple(column.name for column in plan.group_by),
        order_by=tuple(order.column.name + (" desc" if order.descending else "") for order in plan.order_by),
        run="latest" if plan.latest_run else "",
        limit=plan.limit,
        offset=plan.offset,
        format=reading.format.value,
        actors=access.actors,
    )


def _render_condition(condition: Condition) -> tuple[object, ...]:
    kept = condition.values[:MAX_VALUES_ON_RECORD]
    values = [value[:MAX_VALUE_ON_RECORD] if isinstance(value, (str, bytes)) else value for value in kept]
    more = len(condition.values) - len(values)
    return (condition.column.name, condition.function.value, *values, *([f"… and {more} more"] if more else []))


def _ended(reading: Reading, now: float, outcome: str, reason: str) -> RowsEnded:
    return RowsEnded(
        at=now,
        request_id=reading.origin.request_id,
        source=reading.origin.source,
        client_id=reading.access.client_id,
        application=reading.access.application_name,
        token_id=reading.access.token_id,
        object=reading.plan.object.name,
        rows=reading.rows,
        bytes=reading.bytes,
        seconds=round(time.monotonic() - reading.begun, 6),
        outcome=outcome,
        reason=reason,
    )
