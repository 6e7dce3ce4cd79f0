"""Arrow's arrays of what PostgreSQL copies out in its binary form: whole columns at once, no value becomes Python's.

A row is the number of its fields, and then of each field its length and its bytes; a length of -1 is NULL. As what each
column comes: sql_copied.py.

Source: PostgreSQL, "COPY", File Formats, Binary Format, Tuples
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rowgate.rows.encode_arrow import refuse_unfit
from rowgate.rows.errors import EngineFailure
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column
from rowgate.rows.moment_texts import write_dates, write_moments

Numbers: TypeAlias = NDArray[Any]

_INTEGER, _REAL, _DAY, _BYTE, _COUNT, _LENGTH = map(np.dtype, (">i8", ">f8", ">i4", "u1", ">i2", ">i4"))
_NUMBERS = {Holds.INTEGER: _INTEGER, Holds.REAL: _REAL, Holds.SINGLE: _REAL}
_PADDING = bytes(8)  # a NULL has no bytes, and the last of all is looked at as any other
_NULL = -1


@dataclass(frozen=True, slots=True)
class _Field:
    """Where the values of a column stand."""

    starts: Numbers
    lengths: Numbers  # 0 for NULL
    valid: Numbers | None  # which are not NULL; None: all


class CopiedArrays:
    """Makes arrays of the types that Arrow's schema has."""

    def __init__(self, columns: Sequence[Column], types: Sequence[Any]) -> None:
        """Take the columns in their order, and PyArrow's type of each."""
        self._columns = columns
        self._types = types
        self._every_second = pa.array([], pa.int32())

    def make(self, rows: Sequence[bytes]) -> list[Any]:
        """Give the array of each column.

        Raises:
            InvalidParameter: A value does not fit its column's type.
            EngineFailure: The rows are not of the form that was asked for.
        """
        if len(self._every_second) != len(rows):
            self._every_second = pa.array(np.arange(0, 2 * len(rows), 2, dtype=np.int32))
        block = _Block(rows)
        try:
            fields = block.find_fields(len(self._columns))
        except IndexError:
            raise _refuse_malformed() from None
        columns = zip(fields, self._columns, self._types, strict=True)
        return [self._make(block, field, column, arrow_type) for field, column, arrow_type in columns]

    def _make(self, block: "_Block", field: _Field, column: Column, arrow_type: Any) -> Any:
        match column.holds:
            case Holds.INTEGER | Holds.REAL | Holds.SINGLE:
                numbers = block.take(field, _NUMBERS[column.holds])
                return _join(arrow_type, field, [numbers.astype(numbers.dtype.newbyteorder("<"))])
            case Holds.BOOLEAN:
                return _join(arrow_type, field, [np.packbits(block.take(field, _BYTE), bitorder="little")])
            case Holds.DATE:
                return _place_texts(field, *write_dates(block.take_valid(field, _DAY)))
            case Holds.MOMENT | Holds.INSTANT:
                zone = b"+00:00" if column.holds is Holds.INSTANT else b""
                return _place_texts(field, *write_moments(block.take_valid(field, _INTEGER), zone=zone))
            case _:
                return self._gather(block, field, column, arrow_type)

    def _gather(self, block: "_Block", field: _Field, column: Column, arrow_type: Any) -> Any:
        """Give texts or bytes that stand apart in the block."""
        # Side by side they would be an array: so what lies between two of them is taken for an element, and left out.
        borders = np.empty(2 * block.rows + 1, np.int32)
        borders[0:-1:2] = field.starts
        borders[1::2] = field.starts + field.lengths
        borders[-1] = borders[-2]
        plain_type = pa.binary() if arrow_type == pa.binary() else pa.string()
        sides = pa.Array.from_buffers(plain_type, 2 * block.rows, [None, pa.py_buffer(borders), block.buffer])
        gathered = _join(plain_type, field, sides.take(self._every_second).buffers()[1:])
        if arrow_type == plain_type:
            return gathered
        try:
            return gathered.cast(arrow_type)
        except pa.ArrowInvalid:
            raise refuse_unfit(column) from None


class _Block:
    """The bytes of some rows, one after the other."""

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._data = b"".join([*rows, _PADDING])
        self._ends = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))
        self.rows = len(rows)
        self.buffer = pa.py_buffer(self._data)

    def find_fields(self, count: int) -> list[_Field]:
        """Give the fields of all rows. That they fill their rows, and no more, keeps reads within the block."""
        places = np.concatenate([[0], self._ends[:-1]])
        _require((self._look(_COUNT, places) == count).all())
        places = places + _COUNT.itemsize
        fields = []
        for _ in range(count):
            lengths = self._look(_LENGTH, places).astype(np.int64)
            starts = places + _LENGTH.itemsize
            valid = None
            if (least := lengths.min()) < 0:
                _require(least == _NULL)
                valid = lengths >= 0
                lengths *= valid
            fields.append(_Field(starts, lengths, valid))
            places = starts + lengths
        _require(np.array_equal(places, self._ends))
        return fields

    def take(self, field: _Field, form: np.dtype[Any]) -> Numbers:
        """Give a column of numbers, 0 for NULL."""
        numbers = self._look(form, field.starts)
        if field.valid is None:
            _require((field.lengths == form.itemsize).all())
        else:
            _require(np.array_equal(field.lengths, field.valid * form.itemsize))
            numbers[~field.valid] = 0
        return numbers

    def take_valid(self, field: _Field, form: np.dtype[Any]) -> Numbers:
        """Give the numbers of a column without its NULL."""
        numbers = self.take(field, form)
        return numbers if field.valid is None else numbers[field.valid]

    def _look(self, form: np.dtype[Any], places: Numbers) -> Numbers:
        """Give the numbers that begin at these places; an IndexError where one would leave the block."""
        at_every_byte: Numbers = np.ndarray((len(self._data) - form.itemsize + 1,), form, self._data, strides=(1,))
        return at_every_byte[places]


def _require(is_so: object) -> None:
    """See to what reads of memory hang on: they must not leave the block, whatever the server sends."""
    if not is_so:
        raise _refuse_malformed()


def _refuse_malformed() -> EngineFailure:
    return EngineFailure("The database could not answer.", detail="rows that are not of the form that was asked for")


def _place_texts(field: _Field, lengths: Numbers, text: bytes) -> Any:
    """Give an array of texts that lie side by side, NULL among them."""
    ends = np.zeros(len(field.starts) + 1, np.int32)
    if field.valid is None:
        np.cumsum(lengths, out=ends[1:])
    else:
        placed = np.zeros(len(field.starts), np.int64)
        placed[field.valid] = lengths
        np.cumsum(placed, out=ends[1:])
    return _join(pa.string(), field, [ends, text])


def _join(arrow_type: Any, field: _Field, buffers: Sequence[Any]) -> Any:
    """Give an array of its buffers after the validity bitmap."""
    valid = None if field.valid is None else pa.py_buffer(np.packbits(field.valid, bitorder="little"))
    held = [buffer if buffer is None or isinstance(buffer, pa.Buffer) else pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(arrow_type, len(field.starts), [valid, *held])
