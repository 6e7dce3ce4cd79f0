"""Reads rows for an Access: has reads started, streams them, and puts on record who read what and how it ended.

Statements run and rows are encoded in threads (starting.py, reading.py); the event loop only passes bytes on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rowgate.access import Access
from rowgate.audit.events import RowsPreviewed
from rowgate.oauth.errors import InsufficientScope, OAuthError
from rowgate.oauth.model import ORDINARY
from rowgate.ports import AuditSink, Clock
from rowgate.ports.spending import Spent
from rowgate.rows.coding import PLAIN, AcceptedCoding
from rowgate.rows.errors import BudgetExceeded, RowsError, StatementCancelled
from rowgate.rows.model import Format, RowsRequest
from rowgate.rows.procedures import Call
from rowgate.rows.request_call import CallRequest
from rowgate.service.body import Body
from rowgate.service.budgets import NOTHING, Budgets
from rowgate.service.cursors import Cursors
from rowgate.service.databases import Databases
from rowgate.service.giving_way import give_way
from rowgate.service.hands import Hands
from rowgate.service.object_access import ObjectAccess
from rowgate.service.origin import Origin
from rowgate.service.patience import TOO_SLOW, Patience
from rowgate.service.preview import Preview
from rowgate.service.reading import Reading
from rowgate.service.row_tags import NO_TAG, RowTags
from rowgate.service.rows_record import COMPLETE, CUT, FAILED, tell_ended, tell_opened
from rowgate.service.starting import Confirm, Starting
from rowgate.service.state import LiveState
from rowgate.service.turns import Turns

_log = logging.getLogger("rowgate.rows")

CLOSE_SECONDS = 5.0  # for reads that were told to stop; the engine looks about every millisecond
SMALL_BYTES = 65_536  # 64 KiB: what a read may hold in memory without having its turn


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one worker allows."""

    max_reads: int
    max_reads_per_application: int
    queue_seconds: float
    statement_seconds: float
    reader_seconds: float  # that one read may wait for its reader, altogether


class RowsService:
    """The data side of a worker."""

    def __init__(
        self,
        state: LiveState,
        databases: Databases,
        *,
        confirm: Confirm,
        audit: AuditSink,
        clock: Clock,
        limits: ReadLimits,
        objects: ObjectAccess,
        cursors: Cursors,
        mask_key: bytes,
        tags: RowTags,
        budgets: Budgets,
    ) -> None:
        """Take what the steps need; `confirm` decides once more on an Access, see `TokenService.confirm`."""
        self._state = state
        self._budgets = budgets
        self._confirm = confirm
        self._audit = audit
        self._clock = clock
        self._limits = limits
        self._objects = objects
        self._under_way: set[Reading] = set()
        self._all_ended = asyncio.Event()
        self._starting = Starting(
            state,
            databases,
            confirm=confirm,
            clock=clock,
            objects=objects,
            cursors=cursors,
            mask_key=mask_key,
            tags=tags,
        )
        self._hands = Hands(limits.max_reads, name="rows")
        self._long_hands = Hands(limits.max_reads, name="blocks", prepare=give_way)
        self._turns = Turns(
            most=limits.max_reads,
            most_per_application=limits.max_reads_per_application,
            queue_seconds=limits.queue_seconds,
        )

    async def open_rows(
        self,
        access: Access,
        object_name: str,
        request: RowsRequest | CallRequest,
        origin: Origin,
        *,
        form: Format,
        on_disconnect: Callable[[Callable[[str], None]], None],
        coding: AcceptedCoding = PLAIN,
        has_copy: Callable[[bytes], bool] | None = None,
        is_wanted: Callable[[bytes], bool] | None = None,
        on_failed_call: Callable[[Call], None] | None = None,
    ) -> Reading:
        """Give a read whose first block is in hand and which is on record, durably. The caller must `deliver` it.

        Args:
            access: Who reads.
            object_name: A name or alias, as the client spelled it.
            request: What to read, or which procedure's result.
            origin: Where the request came from.
            form: How the rows are written.
            on_disconnect: Is given what to call, with a word why, when the connection is gone.
            coding: How the bytes are sent.
            has_copy: Tells whether the client holds what a tag stands for; then nothing is read. None: it does not ask.
            is_wanted: Tells whether the client takes an answer with this tag, b"" if it has none. None: it takes any.
            on_failed_call: Is given the call of a procedure before what went wrong with it is raised.

        Raises:
            InsufficientScope: The token's scope or details, or the application's grants, do not allow it, or it is
                blocked.
            RowsError: No such object, a wrong parameter, or the database cannot answer now.
            AuditUnavailable: The read could not be put on record; nothing was sent.
        """
        reading = Reading(access, origin, form, begun_at=self._clock(), coding=coding)
        reading.has_copy, reading.is_wanted = has_copy, is_wanted
        await self._take_turn(reading)
        self._under_way.add(reading)
        on_disconnect(reading.cancel)
        started: asyncio.Future[None] | None = None
        try:
            started = self._hands.run(self._starting.start, reading, object_name, request)
            # shield: the thread goes on when this task is cancelled, and must be waited for
            await asyncio.shield(started)
            self._charge(reading)
            if reading.is_complete and len(reading.first) <= SMALL_BYTES:
                self._give_turn_back(reading)  # the engine is done with it: others need not wait for the disk
            await self._audit.record(tell_opened(reading, self._clock()))
        except BaseException:
            self._give_budget_back(reading)
            await self._abandon(reading, started)
            if reading.call is not None and on_failed_call is not None:
                on_failed_call(reading.call)
            raise
        return reading

    async def preview(
        self,
        access: Access,
        object_name: str,
        request: RowsRequest | CallRequest,
        origin: Origin,
        *,
        form: Format,
        is_wanted: Callable[[bytes], bool] | None = None,
    ) -> Preview:
        """Give what `open_rows` would run, on record, without reading. Refused as the read itself would be.

        An estimate of how many rows match costs one row, as `count` does.

        Raises:
            InsufficientScope: See `open_rows`.
            RowsError: See `open_rows`, as far as that is known without reading; its budget may not have that row.
            AuditUnavailable: It could not be put on record.
        """
        reading = Reading(access, origin, form, begun_at=self._clock())
        reading.is_wanted = is_wanted
        await self._take_turn(reading)
        try:
            preview = await self._hands.run(self._starting.preview, reading, object_name, request)
            reading.require_wanted(NO_TAG)
            reading.count = preview.estimated_rows
            self._charge(reading)
            await self._audit.record(tell_opened(reading, self._clock(), RowsPreviewed))
        except BaseException:
            self._give_budget_back(reading)
            raise
        finally:
            self._give_turn_back(reading)
        return preview

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
        patience = Patience(self._limits.reader_seconds, partial(reading.cut, TOO_SLOW))
        outcome, reason = FAILED, "internal_error"
        ahead: asyncio.Future[bytes] | None = None
        try:
            block = reading.first
            while True:
                is_last = reading.is_complete
                if not is_last:
                    ahead = self._long_hands.run(_read_on, reading)
                if is_last:
                    await send(block, is_last)
                    outcome, reason = COMPLETE, ""
                    return True
                await patience.wait(send(block, is_last))
                assert ahead is not None, "internal error: no block ahead"
                self._decide_again(reading)
                block, ahead = await asyncio.shield(ahead), None
                self._charge(reading)
        except BudgetExceeded as refusal:
            outcome, reason = CUT, refusal.field
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
            cut()  # now: a database that does not answer is waited for below
            raise
        finally:
            await self._abandon(reading, ahead)
            self._audit.record_soon(tell_ended(reading, self._clock(), outcome, reason))
        return False

    @property
    def under_way(self) -> int:
        """How many reads are."""
        return len(self._under_way)

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._turns.waiting

    def look_again(self) -> None:
        """Cut the reads that are no longer allowed; called when the state has changed.

        A read looks by itself after each block. One whose client takes nothing would look too late.
        """
        for reading in self._under_way:
            if reading.cut_connection is not None:
                try:
                    self._decide_again(reading)
                except OAuthError as refusal:
                    reading.cut(refusal.reason)

    def _decide_again(self, reading: Reading) -> None:
        """Hold a read that is under way against the state as it is now.

        Raises:
            OAuthError: The token was revoked or may read no more, or the object was withdrawn, blocked or granted
                otherwise since.
        """
        self._objects.decide_scope(self._confirm(reading.access, now=reading.begun_at))
        name = reading.plan.object.name
        self._objects.decide_grant(reading.access, name)
        if self._objects.find_policy(reading.access, name) != reading.policy:
            raise InsufficientScope("The object is granted in another way now.", reason="policy_changed")

    async def end_with_head(self, reading: Reading) -> None:
        """End a read of which only the head was wanted (HEAD).

        The head of a short answer tells how many rows it has, and a digest from which few values can be guessed. So it
        costs these rows, and no bytes.
        """
        await self._discard(reading, "head", COMPLETE, cost=reading.charged.rows if reading.is_complete else 0)

    async def discard(self, reading: Reading, reason: str, *, outcome: str = COMPLETE) -> None:
        """End a read of which nothing is sent, and nothing told."""
        await self._discard(reading, reason, outcome, cost=0)

    async def _discard(self, reading: Reading, reason: str, outcome: str, *, cost: int) -> None:
        await self._abandon(reading, None)
        self._give_budget_back(reading, but_rows=cost)
        reading.rows, reading.body = 0, Body()
        self._audit.record_soon(tell_ended(reading, self._clock(), outcome, reason))

    async def close(self) -> None:
        """End every read that is under way, on record, then the threads."""
        for reading in tuple(self._under_way):
            reading.cancel()
        if self._under_way:
            self._all_ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), CLOSE_SECONDS)
        for hands in (self._hands, self._long_hands):
            hands.close(wait=not self._under_way)

    async def _take_turn(self, reading: Reading) -> None:
        """Return when the application may read, as far as its budgets and everybody's limits go."""
        number = reading.access.application_number
        application = self._state.find_application_by_number(number)
        policy = ORDINARY if application is None else application.policy
        most = self._limits.statement_seconds
        reading.statement_seconds = min(most, policy.statement_seconds or most)
        await self._budgets.check(number)
        reading.turn = await self._turns.take(number, budget=policy.max_reads)

    def _charge(self, reading: Reading) -> None:
        """Count the block that is in hand, or raise BudgetExceeded: then it is not sent."""
        rows = reading.rows + (reading.count is not None)  # a count is what an answer of one row would tell
        so_far, before = Spent(rows, reading.body.sent_bytes), reading.charged
        more = Spent(so_far.rows - before.rows, so_far.bytes - before.bytes)
        reading.charged_day = self._budgets.charge(reading.access.application_number, more)
        reading.charged = so_far

    def _give_budget_back(self, reading: Reading, *, but_rows: int = 0) -> None:
        """Take back what was counted, but for so many rows; nothing of it was sent."""
        unsent = Spent(reading.charged.rows - but_rows, reading.charged.bytes)
        self._budgets.give_back(reading.access.application_number, unsent, reading.charged_day)
        reading.charged = NOTHING

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
        self._give_turn_back(reading)

    def _give_turn_back(self, reading: Reading) -> None:
        if reading.turn is not None:
            turn, reading.turn = reading.turn, None
            self._turns.give_back(turn)


def _read_on(reading: Reading) -> bytes:
    with reading.pace:
        return reading.read()
