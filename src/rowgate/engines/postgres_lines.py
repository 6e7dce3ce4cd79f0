"""Rows that PostgreSQL itself writes as lines of CSV, passed on as they come: no value becomes one of Python's.

How the lines are asked for: rows/sql_lines.py.
"""

from psycopg import pq

from rowgate.engines.postgres_run import PostgresRun
from rowgate.rows.encode_lines import ARRAY_FORMATS
from rowgate.rows.model import Format

# About what a socket holds: the server goes on writing while a block is worked on, and as CSV twice as much costs a
# fifth of the speed. As Arrow the server has the less to do of the two, and a block costs its reader 0.1 ms before the
# first line.
LINE_BLOCK_BYTES = {Format.CSV: 180_224, **dict.fromkeys(ARRAY_FORMATS, 360_448)}  # 176 and 352 KiB
BLOCK_LINES = 4000


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
        self.session.finish()
        self.has_ended = True

    def _expect(self, status: pq.ExecStatus, deadline: float) -> None:
        result = self.wait(deadline)
        if result.status != status:
            raise self.refuse(result)
