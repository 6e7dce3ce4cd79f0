"""Rows as an Arrow IPC stream: the schema, a record batch for each block, the end-of-stream marker.

A column's declared type decides its Arrow type, since the schema stands before the first row: whole numbers are int64,
other numbers float64, binary data is binary, all else utf8. On an engine that keeps to its types booleans are bool, and
decimals decimal128 where their digits are declared. A value of another type is written as its JSON text in a utf8
column. In the others it cannot be written, and the read ends rather than change the value.

Source: the Arrow columnar format 1.5, "IPC streaming format", "Validity bitmaps", "Variable-size binary layout"
"""

import re
import struct
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation
from importlib.util import find_spec
from itertools import accumulate
from typing import Any

import msgspec
import nanoarrow
from nanoarrow.ipc import StreamWriter

from rowgate.rows.encode_json import name_number
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Row, Value

# what a column's values become: the array's buffers after the validity bitmap; it raises one of UNFIT for NULL too
_Pack = Callable[[Sequence[Value]], list[bytes]]
UNFIT = (TypeError, ValueError, OverflowError, struct.error)
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_EXACT_INTEGER = 2**53  # beyond it a float64 does not hold every whole number
_DECIMALS = re.compile(r"\w+\((\d+)(?:, ?(\d+))?\)")
_EXACT = Context(prec=1000)
_MOST_DIGITS = 38  # of a decimal128
_encode = msgspec.json.Encoder(decimal_format="number").encode


def refuse_unfit(column: Column) -> InvalidParameter:
    """Give the refusal of a value that does not fit its column's type."""
    return InvalidParameter(
        f"The column {column.name} holds a value that its Arrow type, a number or binary, cannot hold.",
        field="format",
        expected="json, ndjson, csv or xlsx, or a request without that column",
    )


class ArrowArrays:
    """Makes record batches of rows."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._columns = columns
        chosen = [_choose_type(column) for column in columns]
        self._types = [nanoarrow.c_schema(arrow_type) for arrow_type, _ in chosen]
        self._pack = [pack for _, pack in chosen]
        self._substitutes = [_SUBSTITUTES.get(pack, Decimal(0)) for pack in self._pack]
        fields = {column.name: arrow_type for column, (arrow_type, _) in zip(columns, chosen, strict=True)}
        self.schema = nanoarrow.c_schema(nanoarrow.struct(fields))

    def make_batch(self, rows: Sequence[Row]) -> Any:
        """Give a record batch, by Arrow's C data interface.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        columns: Sequence[Sequence[Value]] = list(zip(*rows, strict=True)) if rows else [()] * len(self._columns)
        arrays = [self.make_array(place, values) for place, values in enumerate(columns)]
        return nanoarrow.c_array_from_buffers(self.schema, len(rows), [None], children=arrays, validation_level="none")

    def make_array(self, place: int, values: Sequence[Value]) -> Any:
        """Give the array of a column's values, by Arrow's C data interface.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        validity = None
        pack = self._pack[place]
        try:
            try:
                buffers = pack(values)
            except UNFIT:
                if None not in values:
                    raise
                # Looked for only now: to compare each value with None takes longer than to pack them.
                validity = _mark_valid(values)
                substitute = self._substitutes[place]
                buffers = pack([substitute if value is None else value for value in values])
        except UNFIT:
            raise refuse_unfit(self._columns[place]) from None
        return nanoarrow.c_array_from_buffers(
            self._types[place], len(values), [validity, *buffers], validation_level="none"
        )


class ArrowEncoder:
    """See `encode.BlockEncoder`.

    What comes after the first block is for PyArrow, where it is installed: a short answer does not wait for it to load.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._columns = columns
        self._arrays = ArrowArrays(columns)
        self._encode_later: Callable[[Sequence[Row]], bytes] | None = None
        self._written = _Written()
        self._writer = StreamWriter.from_writable(self._written)
        self._is_begun = False

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give a record batch; the schema before the first.

        Raises:
            InvalidParameter: A value does not fit its column's type.
        """
        if not rows:
            return b""
        if self._is_begun:
            self._encode_later = self._encode_later or self._choose_later()
            return self._encode_later(rows)
        return self._encode_exactly(rows)

    def _choose_later(self) -> Callable[[Sequence[Row]], bytes]:
        if find_spec("pyarrow") is None:
            return self._encode_exactly
        from rowgate.rows.row_arrays import RowArrays  # noqa: PLC0415 - its library is an extra, and large

        make_batch = RowArrays(self._columns).make_batch
        return lambda rows: make_batch(rows).serialize().to_pybytes()

    def _encode_exactly(self, rows: Sequence[Row]) -> bytes:
        self._write(rows)
        return self._take()

    def encode_end(self) -> bytes:
        """Give the end-of-stream marker; the schema before it where no row came."""
        if not self._is_begun:
            self._write(())
        return self._take() + END_OF_STREAM

    def _write(self, rows: Sequence[Row]) -> None:
        self._writer.write_array(self._arrays.make_batch(rows))
        self._is_begun = True

    def _take(self) -> bytes:
        written = b"".join(self._written.parts)
        self._written.parts.clear()
        return written


class _Written:
    """What the library writes to."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self.parts.append(bytes(part))  # the library's own memory does not last
        return len(part)


def _choose_type(column: Column) -> tuple[Any, _Pack]:
    match column.family:
        case Family.BOOLEAN if column.holds is Holds.BOOLEAN:
            return nanoarrow.bool_(), _pack_booleans
        case Family.NUMBER if column.holds is Holds.DECIMAL:
            return _choose_decimal(column.declared_type)
        case Family.NUMBER if column.may_be_real:
            return nanoarrow.float64(), _pack_reals
        case Family.NUMBER | Family.BOOLEAN:
            return nanoarrow.int64(), _pack_integers
        case Family.BINARY:
            return nanoarrow.binary(), _pack_binary
        case _:
            return nanoarrow.string(), _pack_texts


def _choose_decimal(declared: str) -> tuple[Any, _Pack]:
    found = _DECIMALS.fullmatch(declared)
    digits, scale = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    if not scale <= digits <= _MOST_DIGITS or not digits:
        return nanoarrow.string(), _pack_texts  # any number of digits: no other type holds them all

    def pack(values: Sequence[Any]) -> list[bytes]:
        return [b"".join([_write_decimal(value, digits, scale) for value in values])]

    return nanoarrow.decimal128(digits, scale), pack


def _write_decimal(value: Decimal, digits: int, scale: int) -> bytes:
    whole = int(_EXACT.scaleb(value, scale))  # ValueError or OverflowError: not finite
    if abs(whole) >= 10**digits or _EXACT.scaleb(Decimal(whole), -scale) != value:
        raise OverflowError
    return whole.to_bytes(16, "little", signed=True)


def _mark_valid(values: Sequence[Value]) -> bytes:
    """Give a bit for each value, the first in the lowest place: 0 for NULL."""
    digits = "".join(["0" if value is None else "1" for value in reversed(values)])
    return int(digits, 2).to_bytes((len(values) + 7) // 8, "little")


def _pack_integers(values: Sequence[Any]) -> list[bytes]:
    return [struct.pack(f"<{len(values)}q", *values)]


def _pack_booleans(values: Sequence[Any]) -> list[bytes]:
    if None in values:
        raise TypeError
    digits = "".join(["1" if value else "0" for value in reversed(values)])
    return [int(digits, 2).to_bytes((len(values) + 7) // 8, "little")] if digits else [b""]


def _pack_reals(values: Sequence[Any]) -> list[bytes]:
    # Only a whole number may be changed, and only a large one: most blocks have none and nobody looks at each value.
    try:
        is_large = bool(values) and not -_EXACT_INTEGER <= min(values) <= max(values) <= _EXACT_INTEGER
    except InvalidOperation:  # a decimal and a NaN have no order
        is_large = True
    if is_large and any(isinstance(v, int) and not -_EXACT_INTEGER <= v <= _EXACT_INTEGER for v in values):
        raise OverflowError
    return [struct.pack(f"<{len(values)}d", *values)]


def _pack_binary(values: Sequence[Value]) -> list[bytes]:
    parts = [value.encode() if isinstance(value, str) else value for value in values]
    return _join(parts)  # type: ignore[arg-type] # a number or None raises TypeError there


def _pack_texts(values: Sequence[Any]) -> list[bytes]:
    try:
        text = "".join(values)
    except TypeError:
        if None in values:
            raise
        values = [value if isinstance(value, str) else _write_as_text(value) for value in values]
        text = "".join(values)
    if text.isascii():
        return [_mark_ends(values), text.encode("ascii")]
    # encoded all at once: one by one takes twice as long
    encoded = "\0".join(values).encode().split(b"\0")
    return _join(encoded if len(encoded) == len(values) else [value.encode() for value in values])


def _write_as_text(value: Value) -> str:
    return _encode(name_number(value)).decode().strip('"')  # quotation marks around base64


def _join(parts: Sequence[bytes]) -> list[bytes]:
    return [_mark_ends(parts), b"".join(parts)]


def _mark_ends(parts: Sequence[str | bytes]) -> bytes:
    """Give the offsets: where each part begins, and where the last one ends."""
    return struct.pack(f"<{len(parts) + 1}i", 0, *accumulate(map(len, parts)))


# what stands in the place of a NULL, which the validity bitmap covers; of decimals it is one too
_SUBSTITUTES: dict[_Pack, Value] = {
    _pack_integers: 0,
    _pack_booleans: False,
    _pack_reals: 0.0,
    _pack_binary: b"",
    _pack_texts: "",
}
