"""An Arrow IPC stream or Parquet of what an engine has written, with the schema that `encode_arrow` writes.

What PostgreSQL copies out becomes arrays (copied_arrays.py); arrays go on as they are.

Source: the Arrow columnar format 1.5, "IPC streaming format"
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from rowgate.rows.copied_arrays import CopiedArrays
from rowgate.rows.encode_arrow import END_OF_STREAM, ArrowArrays
from rowgate.rows.encode_parquet import ParquetFile
from rowgate.rows.model import Column


class ArrowOfArrays:
    """See `encode_lines.LineEncoder`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._batches = _Batches(columns)
        self._head: bytes = self._batches.schema.serialize().to_pybytes()

    def encode_block(self, block: Any) -> bytes:
        """Give a record batch; the schema before the first.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        return self._take_head() + self._batches.make(block).serialize().to_pybytes() if len(block) else b""

    def encode_end(self) -> bytes:
        """Give the end-of-stream marker; the schema before it where no row came."""
        return self._take_head() + END_OF_STREAM

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head


class ParquetOfArrays:
    """See `encode_lines.LineEncoder`, and `ParquetEncoder`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._batches = _Batches(columns)
        self._file = ParquetFile(self._batches.schema)
        self.encode_end = self._file.end

    def encode_block(self, block: Any) -> bytes:
        """Give the bytes of the row groups that became full.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        return self._file.add(self._batches.make(block)) if len(block) else b""


class _Batches:
    """Makes record batches of the schema."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.schema = pa.schema(ArrowArrays(columns).schema)
        self._copied = CopiedArrays(columns, self.schema.types)

    def make(self, block: Any) -> Any:
        """Give the record batch of what was copied out, or of one whose types are the schema's.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        arrays = block.columns if isinstance(block, pa.RecordBatch) else self._copied.make(block)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)
