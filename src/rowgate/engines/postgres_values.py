"""Values on their way to PostgreSQL and back: text both ways, read in blocks by psycopg's own C code.

Types that are read as themselves are listed here; of every other the server's text is given.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import AdaptersMap, Buffer, Loader, Transformer
from psycopg.types.bool import BoolLoader
from psycopg.types.numeric import FloatLoader, IntLoader, NumericLoader
from psycopg.types.string import ByteaLoader, TextLoader

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Row, Value

BOOL, BYTEA, INT8, INT2, INT4, FLOAT4, FLOAT8, NUMERIC = 16, 17, 20, 21, 23, 700, 701, 1700
_LOADERS: dict[int, type[Loader]] = {
    BOOL: BoolLoader,
    BYTEA: ByteaLoader,
    INT8: IntLoader,
    INT2: IntLoader,
    INT4: IntLoader,
    FLOAT4: FloatLoader,
    FLOAT8: FloatLoader,
    NUMERIC: NumericLoader,
}
_EVERY_OTHER = 0
SQL_ASCII = b"SQL_ASCII"  # the encoding of a database that stores bytes, whatever they mean


class _RepairingLoader(Loader):
    """Text with U+FFFD for what is not valid UTF-8: of other databases the server sends nothing else."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "replace")


def _make_adapters(text: type[Loader]) -> AdaptersMap:
    adapters = AdaptersMap()
    for oid, loader in {_EVERY_OTHER: text, **_LOADERS}.items():
        adapters.register_loader(oid, loader)
    return adapters


_ADAPTERS, _REPAIRING = _make_adapters(TextLoader), _make_adapters(_RepairingLoader)


class _Context:
    """What psycopg asks for."""

    def __init__(self, connection: psycopg.Connection, adapters: AdaptersMap) -> None:
        self.connection = connection
        self.adapters = adapters


class ResultReader:
    """Reads the chunks of one result, each as far as it is asked to."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Take the connection, for its encoding."""
        is_unchecked = connection.pgconn.parameter_status(b"client_encoding") == SQL_ASCII
        self._transformer = Transformer(_Context(connection, _REPAIRING if is_unchecked else _ADAPTERS))
        self._is_ready = False
        self._next = 0
        self.held_rows = 0  # of the chunk, that were not read yet

    def hold(self, chunk: pq.abc.PGresult) -> None:
        """Take the next chunk, of which `read` gives the rows."""
        self._next, self.held_rows = 0, chunk.ntuples
        self._transformer.set_pgresult(chunk, set_loaders=not self._is_ready and self.held_rows > 0)
        self._is_ready |= self.held_rows > 0

    def read(self, most: int) -> list[Row]:
        """Give so many of the rows, or those there are."""
        begin = self._next
        count = min(most, self.held_rows)
        self._next += count
        self.held_rows -= count
        return self._transformer.load_rows(begin, self._next, tuple) if count else []


def write_parameters(values: Sequence[Value]) -> list[tuple[bytes | None, int]]:
    """Give each value as the server reads it, with its format.

    Raises:
        InvalidParameter: A text holds NUL: it would end there for the server, and mean something else.
    """
    return [_write(value) for value in values]


def _write(value: Any) -> tuple[bytes | None, int]:
    if isinstance(value, bytes):
        return value, pq.Format.BINARY
    if value is None:
        return None, pq.Format.TEXT
    text = str(value)
    if "\0" in text:
        raise InvalidParameter("PostgreSQL has no text with NUL.", field="value", expected="text without U+0000")
    return text.encode(), pq.Format.TEXT
