"""Rows that PostgreSQL itself writes, passed on as they come: no value becomes one of Python's.

How they are asked for, as lines of CSV or in the binary form: rows/sql_lines.py.
"""

import struct

from psycopg import pq

from rowgate.engines.postgres_run import PostgresRun
from rowgate.rows.encode_lines import ARRAY_FORMATS
from rowgate.rows.errors import EngineFailure
from rowgate.rows.model import Format

# As CSV about what a socket holds: the server goes on writing while a block is worked on, and twice as much costs a
# fifth of the speed. As Arrow the server has the less to do of the two, and a block costs its reader 0.3 ms before the
# first line.
LINE_BLOCK_BYTES = {Format.CSV: 180_224, **dict.fromkeys(ARRAY_FORMATS, 524_288)}  # 176 and 512 KiB
BLOCK_LINES = 8000
# Source: PostgreSQL, "COPY", File Formats, Binary Format
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = struct.Struct(f">{len(_SIGNATURE)}sII")  # signature, flags, bytes of what may follow
_TRAILER = b"\xff\xff"


class PostgresLines(PostgresRun[bytes]):
    """See `ports.LineBlocks`."""

    _is_copying = False
    _weight = 0  # bytes of the block, so far
    block_bytes = LINE_BLOCK_BYTES[Format.CSV]

    def send(self) -> None:
        """See `PostgresRun`."""
        self._is_copying = False
        self.session.begin_copy(self.statement.text)

    def fill(self, parts: list[bytes], deadline: float) -> None:
        """See `PostgresRun`. Where a block ends depends on the lines alone: the same rows give the same document."""
        while not self.has_ended and len(parts) < BLOCK_LINES and self._weight < self.block_bytes:
            self.take(parts, deadline)
        self._weight = 0

    def take(self, parts: list[bytes], deadline: float) -> None:
        """See `PostgresRun`. What the connection holds is taken first; then it is waited for more."""
        if not self._is_copying:
            self._expect(pq.ExecStatus.COPY_OUT, deadline)
            self._is_copying = True
        may_be_more = True
        while may_be_more:
            taken_bytes, may_be_more = self.session.take_lines(
                parts, BLOCK_LINES - len(parts), most_bytes=self.block_bytes - self._weight
            )
            if taken_bytes and may_be_more:
                self._weight += taken_bytes
                self.heed_cancel()
                self.hear()
                return
            if may_be_more and not self.session.wait_for_lines(self.find_pause(deadline)):
                self.look(deadline)
        self._expect(pq.ExecStatus.COMMAND_OK, deadline)
        self.end()

    def _expect(self, status: pq.ExecStatus, deadline: float) -> None:
        result = self.wait(deadline)
        if result.status != status:
            raise self.refuse(result)


class PostgresTuples(PostgresLines):
    """See `ports.LineBlocks`; each row is a tuple of the binary form, what stands around them is taken off."""

    _is_begun = False

    def fill(self, parts: list[bytes], deadline: float) -> None:
        """See `PostgresRun`."""
        super().fill(parts, deadline)
        if not self._is_begun:
            self._is_begun = True
            if not parts[0].startswith(_SIGNATURE):
                raise self._refuse_form()
            _, _, extension_bytes = _HEADER.unpack_from(parts[0])
            parts[0] = parts[0][_HEADER.size + extension_bytes :]
            if not parts[0]:  # it may come alone
                del parts[0]
        if self.has_ended and (not parts or parts.pop() != _TRAILER):
            raise self._refuse_form()

    def _refuse_form(self) -> EngineFailure:
        self.session.condemn()
        return EngineFailure("The database could not answer.", detail="a copy that is not of the binary form")
