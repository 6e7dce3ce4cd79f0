"""One read from its first block to its last. Its blocks are read and encoded in threads."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rowgate.access import Access
from rowgate.ports.calls import HeldCall
from rowgate.ports.rows import ArrayBlocks, LineBlocks, RowBlocks
from rowgate.rows.coding import PLAIN, AcceptedCoding
from rowgate.rows.comparison import Comparison
from rowgate.rows.encode import BlockEncoder, open_encoder
from rowgate.rows.encode_lines import LineEncoder, open_line_encoder
from rowgate.rows.errors import PreconditionFailed
from rowgate.rows.model import Format, Plan, Row, Value
from rowgate.rows.paging import note_place
from rowgate.rows.policy import WHOLE
from rowgate.rows.procedures import Call
from rowgate.service.body import Body
from rowgate.service.budgets import NOTHING
from rowgate.service.origin import Origin
from rowgate.service.turns import Turn

NO_PACE = nullcontext()
MAX_PAGE_BYTES = 16_777_216  # 16 MiB, and a block more: a page is held in memory


class Reading:
    """One read: its first block is in hand, the others come as `RowsService.deliver` asks for them."""

    def __init__(
        self, access: Access, origin: Origin, form: Format, *, begun_at: float, coding: AcceptedCoding = PLAIN
    ) -> None:
        """Take who reads, and since when (seconds since 1970); the rest comes with `start`, in a thread."""
        self.begun_at = begun_at
        self.coding = coding
        self.access = access
        self.origin = origin
        self.format = form
        self.plan: Plan
        self.call: Call | None = None  # of the procedure that gives the rows
        self.policy = WHOLE  # by which it was planned
        self.first = b""
        self.is_complete = False
        self.rows = 0
        self.body = Body(coding)
        self.begun = time.monotonic()
        self.next_cursor = ""  # of a page that others follow
        self.count: int | None = None  # of all rows that match, where it was asked for
        self.count_is_estimate = False
        self.comparison: Comparison | None = None  # of two runs, where one was asked for
        self.has_copy: Callable[[bytes], bool] | None = None  # tells whether the client holds what a tag stands for
        self.is_wanted: Callable[[bytes], bool] | None = None  # tells whether it takes an answer with a tag; None: any
        self.tag = b""  # of the answer, where it is sure
        self.is_unchanged = False  # the client has the same already: nothing is read
        self.turn: Turn | None = None  # see `Turns`; None: it has none, or none any more
        self.statement_seconds = 0.0  # of each of its statements
        self.charged = NOTHING  # what of it is counted, see `Budgets`
        self.charged_day: int | None = None  # the last of it
        self.pace: AbstractContextManager[None] = NO_PACE  # of its blocks
        self._blocks: RowBlocks | LineBlocks | ArrayBlocks | None = None
        self._encode: Callable[[Any], bytes]  # a block of rows, or of lines
        self._encode_end: Callable[[], bytes]
        self._held: HeldCall | None = None  # while it is being called
        self._cancelled = False
        self.cut_reason = ""
        self.cut_connection: Callable[[], None] | None = None  # while rows are being sent

    def cancel(self, reason: str = "server_stopped") -> None:
        """Stop the statement: nobody is reading any more. The first reason counts: a cut ends the connection too."""
        self._cancelled = True
        self.cut_reason = self.cut_reason or reason
        if self._blocks is not None:
            self._blocks.cancel()
        if (held := self._held) is not None:
            held.cancel()

    def cut(self, reason: str) -> None:
        """Stop the statement, and the connection too if rows are being sent: its reader may not have what is left."""
        self.cancel(reason)
        if self.cut_connection is not None:
            self.cut_connection()

    def start(self, plan: Plan, blocks: RowBlocks, seal: Callable[[Sequence[Value]], str], *, mask_key: bytes) -> None:
        """Read the first block, or the page. Runs in a thread.

        Args:
            plan: What is read.
            blocks: Its rows.
            seal: Gives the cursor for a place; called for a page that others follow.
            mask_key: What hashes in place of values are keyed by.
        """
        self.plan = plan
        self._hold(blocks)
        self._write_by(open_encoder(plan, self.format, mask_key=mask_key))
        self.first = self.read() if plan.page is None else self._read_page(plan, plan.page.size, blocks, seal)

    def start_lines(self, plan: Plan, blocks: LineBlocks | ArrayBlocks) -> None:
        """Read the first block of a result that the engine itself writes. Runs in a thread."""
        self.plan = plan
        self._hold(blocks)
        self._write_by(open_line_encoder(plan, self.format))
        self.first = self.read()

    def require_wanted(self, tag: bytes) -> None:
        """Refuse an answer with this tag (b"": with none) where the client wants another.

        Raises:
            PreconditionFailed: It does.
        """
        if self.is_wanted is not None and not self.is_wanted(tag):
            raise PreconditionFailed

    def end_unread(self, plan: Plan, tag: bytes) -> None:
        """Have nothing to read: the client holds it."""
        self.plan, self.tag = plan, tag
        self.is_unchanged = self.is_complete = True

    def read_few(self, blocks: RowBlocks) -> Sequence[Row]:
        """Give the rows of a result that has few, and its connection back. Runs in a thread."""
        self._hold(blocks)
        try:
            return blocks.read_block()
        finally:
            self.close()

    def _write_by(self, encoder: BlockEncoder | LineEncoder) -> None:
        self._encode, self._encode_end = encoder.encode_block, encoder.encode_end

    def take_held(self, held: HeldCall) -> None:
        """Have a call made, and what it gives held. Runs in a thread."""
        self._held = held
        if self._cancelled:
            held.cancel()
        held.hold()
        self._held = None  # what reads from it keeps it

    def _hold(self, blocks: RowBlocks | LineBlocks | ArrayBlocks) -> None:
        self._blocks = blocks
        if self._cancelled:
            blocks.cancel()

    def _read_page(self, plan: Plan, size: int, blocks: RowBlocks, seal: Callable[[Sequence[Value]], str]) -> bytes:
        """Give a page whole: its last row is known before its head is sent. Heavy rows make it shorter."""
        seen = len(plan.result_columns)
        parts: list[bytes] = []
        gathered_bytes = 0
        last: Row | None = None
        is_followed = False
        while not is_followed and not blocks.is_exhausted:
            rows = blocks.read_block()
            is_followed = len(rows) > size - self.rows
            rows = rows[: size - self.rows]
            if rows:
                last = rows[-1]
                parts.append(self._encode([row[:seen] for row in rows] if len(last) > seen else rows))
                self.rows += len(rows)
                gathered_bytes += len(parts[-1])
            if gathered_bytes >= MAX_PAGE_BYTES and not blocks.is_exhausted:
                is_followed = True
        if is_followed and last is not None:
            self.next_cursor = seal(note_place(plan, last))
        parts.append(self._encode_end())
        self.is_complete = True
        self.close()
        return self.body.take(b"".join(parts), is_last=True)

    def read(self) -> bytes:
        """Give the bytes of the next block; sets `is_complete` with the last. Runs in a thread."""
        assert self._blocks is not None, "internal error: a read that was not started"
        rows = self._blocks.read_block()
        self.rows += len(rows)
        encoded = self._encode(rows)
        if self._blocks.is_exhausted:
            self.is_complete = True
            encoded += self._encode_end()
            self.close()
        return self.body.take(encoded, is_last=self.is_complete)

    @property
    def is_open(self) -> bool:
        """Whether a connection is held."""
        return self._blocks is not None

    def close(self) -> None:
        """Give the connection back. Runs in a thread."""
        if self._blocks is not None:
            self._blocks.close()
            self._blocks = None
