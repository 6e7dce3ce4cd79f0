"""An Arrow IPC stream or Parquet of what an engine has written, with the schema that `encode_arrow` writes.

Lines of CSV are read by Arrow's own reader of them; arrays go on as they are.

Source: the Arrow columnar format 1.5, "IPC streaming format"
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv

from rowgate.rows.encode_arrow import END_OF_STREAM, ArrowArrays, refuse_unfit
from rowgate.rows.encode_parquet import ParquetFile
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column

_MOMENTS = frozenset({Holds.MOMENT, Holds.INSTANT})
_IRREGULAR = (b"B", b"i")  # of "BC" and of "infinity"; a single byte is looked for the fastest
_LARGEST_BLOCK_BYTES = 2**31 - 1  # of which the library makes one array


class ArrowOfLines:
    """See `encode_lines.LineEncoder`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._batches = _Batches(columns)
        self._head: bytes = self._batches.schema.serialize().to_pybytes()

    def encode_block(self, lines: Any) -> bytes:
        """Give a record batch; the schema before the first.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        if not lines:
            return b""
        return b"".join([self._take_head(), *(batch.serialize() for batch in self._batches.make(lines))])

    def encode_end(self) -> bytes:
        """Give the end-of-stream marker; the schema before it where no row came."""
        return self._take_head() + END_OF_STREAM

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head


class ParquetOfLines:
    """See `encode_lines.LineEncoder`, and `ParquetEncoder`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._batches = _Batches(columns)
        self._file = ParquetFile(self._batches.schema)
        self.encode_end = self._file.end

    def encode_block(self, lines: Any) -> bytes:
        """Give the bytes of the row groups that became full.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        return b"".join([self._file.add(batch) for batch in self._batches.make(lines)]) if lines else b""


class _Batches:
    """Makes record batches of the schema."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self.schema = pa.schema(ArrowArrays(columns).schema)
        self._names = [f"c{place}" for place in range(len(columns))]
        self._types = dict(zip(self._names, self.schema.types, strict=True))

    def make(self, lines: Any) -> list[Any]:
        """Give the record batches of lines, or the one of a record batch whose types are the schema's.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        if isinstance(lines, pa.RecordBatch):
            return [pa.RecordBatch.from_arrays(lines.columns, schema=self.schema)]
        text = b"".join(lines)
        try:
            read = self._read(text, self._names)
        except pa.ArrowInvalid:
            raise self._find_unfit(text) from None
        written = [
            _write_moments(values) if column.holds in _MOMENTS else values
            for values, column in zip(read.columns, self._columns, strict=True)
        ]
        batches: list[Any] = pa.Table.from_arrays(written, schema=self.schema).to_batches()
        return batches

    def _read(self, text: bytes, names: Sequence[str]) -> Any:
        """Give a table of the columns of these names. No thread of the library's: a read has its own."""
        return csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=_LARGEST_BLOCK_BYTES, column_names=self._names),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                check_utf8=False,  # the server has done so
                column_types=self._types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["true"],
                false_values=["false"],
                include_columns=names,
            ),
        )

    def _find_unfit(self, text: bytes) -> InvalidParameter:
        for name, column in zip(self._names, self._columns, strict=True):
            try:
                self._read(text, [name])
            except pa.ArrowInvalid:
                return refuse_unfit(column)
        raise AssertionError("internal error: lines that can be read column by column and not together")


def _write_moments(values: Any) -> Any:
    """Give a column of moments as docs/reference/types.md has them, of what PostgreSQL writes by itself."""
    return pa.chunked_array([_write_chunk(chunk) for chunk in values.chunks], pa.string())


def _write_chunk(values: Any) -> Any:
    # All the texts of a column stand in one buffer, and a T is as long as the space that is there.
    valid, ends, text = values.buffers()
    written = b"" if text is None else text.to_pybytes()
    if any(sign in written for sign in _IRREGULAR):
        return pa.array([None if value is None else _write_moment(value) for value in values.to_pylist()], pa.string())
    return pa.StringArray.from_buffers(len(values), ends, pa.py_buffer(written.replace(b" ", b"T")), valid)


def _write_moment(moment: str) -> str:
    """Give any moment at all.

    >>> _write_moment("0044-03-15 01:02:03+00 BC:00")
    '0044-03-15T01:02:03+00:00 BC'
    >>> _write_moment("-infinity:00")
    '-infinity'
    """
    if moment.endswith(" BC:00"):
        moment = moment.removesuffix(" BC:00") + ":00 BC"
    return moment.removesuffix(":00") if "infinity" in moment else moment.replace(" ", "T", 1)
