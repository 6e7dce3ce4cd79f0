"""Rows as Parquet: the arrays of an Arrow stream, gathered into row groups and compressed by column with Snappy.

Without its footer, which is written last, nobody reads a Parquet file: one that was cut never looks whole.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from rowgate.rows.errors import NotAcceptable
from rowgate.rows.model import Column, Row

ROW_GROUP_BYTES = 3_145_728  # 3 MiB of arrays, which a read holds in memory, and the library half as much again
ROW_GROUP_ROWS = 122_880  # more are no better to read
_PAGE_BYTES = 65_536  # 64 KiB: each is gathered before it is compressed
_DICTIONARY_BYTES = 131_072  # 128 KiB: a column with more that is different is written as it is, which costs less


class ParquetEncoder:
    """See `encode.BlockEncoder`. Most blocks give nothing: they wait for the others of their row group."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order.

        Raises:
            NotAcceptable: The library is not installed.
        """
        if find_spec("pyarrow") is None:
            raise NotAcceptable(
                "This server writes no Parquet: rowgate[parquet] is not installed.",
                field="format",
                expected="another format",
            )
        from rowgate.rows.row_arrays import RowArrays  # noqa: PLC0415 - its library is an extra, and large

        self._arrays = RowArrays(columns)
        self._file = ParquetFile(self._arrays.schema)
        self.encode_end = self._file.end

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of the row groups that became full.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        return self._file.add(self._arrays.make_batch(rows)) if rows else b""


class ParquetFile:
    """The file that record batches become. They are held, as they are, until their row group is full."""

    def __init__(self, schema: Any) -> None:
        """Take the schema, one of PyArrow's."""
        import pyarrow as pa  # noqa: PLC0415 - an extra, and large
        from pyarrow import parquet  # noqa: PLC0415

        self._pa = pa
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            schema,
            compression="snappy",
            data_page_size=_PAGE_BYTES,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
        )
        self._gathered: list[Any] = []
        self._gathered_bytes = self._gathered_rows = 0

    def add(self, batch: Any) -> bytes:
        """Take a record batch; give the bytes of the row group that it filled."""
        self._gathered.append(batch)
        self._gathered_bytes += batch.nbytes
        self._gathered_rows += len(batch)
        if self._gathered_bytes >= ROW_GROUP_BYTES or self._gathered_rows >= ROW_GROUP_ROWS:
            self._write_group()
        return self._sink.take()

    def end(self) -> bytes:
        """Give the last row group and the footer."""
        if self._gathered:
            self._write_group()
        self._writer.close()
        return self._sink.take()

    def _write_group(self) -> None:
        table = self._pa.Table.from_batches(self._gathered)
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._gathered, self._gathered_bytes, self._gathered_rows = [], 0, 0


class _Sink:
    """What the library takes for a file."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written_bytes = 0

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))  # the library's own memory does not last
        self._written_bytes += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written_bytes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
