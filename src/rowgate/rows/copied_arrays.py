"""Arrow's arrays of what PostgreSQL copies out in its binary form: whole columns at once, no value becomes Python's.

A row is the number of its fields, and then of each field its length and its bytes; a length of -1 is NULL. As what each
column comes: sql_lines.py.

Source: PostgreSQL, "COPY", File Formats, Binary Format, Tuples
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rowgate.rows.copied_order import order_copied
from rowgate.rows.encode_arrow import refuse_unfit
from rowgate.rows.errors import EngineFailure
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column
from rowgate.rows.moment_texts import write_dates, write_moments

Numbers: TypeAlias = NDArray[Any]

_COUNT, _LENGTH = np.dtype(">i2"), np.dtype(">i4")
_NULL = -1
_FORMS = {
    holds: np.dtype(form)
    for form, held in {
        ">i8": (Holds.INTEGER, Holds.MOMENT, Holds.INSTANT),
        ">f8": (Holds.REAL, Holds.SINGLE),
        ">i4": (Holds.DATE,),
        "u1": (Holds.BOOLEAN,),
    }.items()
    for holds in held
}


@dataclass(frozen=True, slots=True)
class _Field:
    """Where the values of a column stand, or its numbers where they stand at the same place of each row."""

    starts: Numbers
    lengths: Numbers  # 0 for NULL
    valid: Numbers | None = None  # which are not NULL; None: all
    numbers: Numbers | None = None


class CopiedArrays:
    """Makes arrays of the types that Arrow's schema has."""

    def __init__(self, columns: Sequence[Column], types: Sequence[Any]) -> None:
        """Take the columns in their order, and PyArrow's type of each. They come in that of `order_copied`."""
        self._columns = columns
        self._types = types
        self._order = order_copied(columns)
        self._form = _RowForm([_FORMS.get(columns[place].holds) for place in self._order])
        self._every_second = pa.array([], pa.int32())

    def make(self, rows: Sequence[bytes]) -> list[Any]:
        """Give the array of each column.

        Raises:
            InvalidParameter: A value does not fit its column's type.
            EngineFailure: The rows are not of the form that was asked for.
        """
        if len(self._every_second) != len(rows):
            self._every_second = pa.array(np.arange(0, 2 * len(rows), 2, dtype=np.int32))
        block = _Block(rows, self._form.head.itemsize)
        try:
            fields = block.find_fields(self._form)
        except IndexError:
            raise _refuse_malformed() from None
        arrays: list[Any] = [None] * len(fields)
        for place, field in zip(self._order, fields, strict=True):
            arrays[place] = self._make_array(block, field, self._columns[place], self._types[place])
        return arrays

    def _make_array(self, block: "_Block", field: _Field, column: Column, arrow_type: Any) -> Any:
        if (form := _FORMS.get(column.holds)) is None:
            return self._gather(block, field, column, arrow_type)
        numbers = block.take(field, form)
        match column.holds:
            case Holds.BOOLEAN:
                return _join(block, arrow_type, field, [np.packbits(numbers, bitorder="little")])
            case Holds.DATE | Holds.MOMENT | Holds.INSTANT:
                if field.valid is not None:
                    numbers = numbers[field.valid]
                return _place_texts(block, field, *_write(numbers, column))
            case _:
                return _join(block, arrow_type, field, [numbers.astype(form.newbyteorder("<"))])

    def _gather(self, block: "_Block", field: _Field, column: Column, arrow_type: Any) -> Any:
        """Give texts or bytes that stand apart in the block."""
        # Side by side they would be an array: so what lies between two of them is taken for an element, and left out.
        borders = np.empty(2 * block.rows + 1, np.int32)
        borders[0:-1:2] = field.starts
        borders[1::2] = field.starts + field.lengths
        borders[-1] = borders[-2]
        plain_type = pa.binary() if arrow_type == pa.binary() else pa.string()
        sides = pa.Array.from_buffers(plain_type, 2 * block.rows, [None, pa.py_buffer(borders), block.buffer])
        gathered = _join(block, plain_type, field, sides.take(self._every_second).buffers()[1:])
        if arrow_type == plain_type:
            return gathered
        try:
            return gathered.cast(arrow_type)
        except pa.ArrowInvalid:
            raise refuse_unfit(column) from None


class _RowForm:
    """What every row has: the number of fields and, as long as no NULL comes, numbers at the same places."""

    def __init__(self, forms: Sequence[np.dtype[Any] | None]) -> None:
        """Take the form of each field's numbers, in the order in which they come; None: it has none."""
        self.fields = len(forms)
        self.forms = [form for form in forms if form is not None]
        parts: list[tuple[str, np.dtype[Any]]] = [("count", _COUNT)]
        for place, form in enumerate(self.forms):
            parts += [(f"length{place}", _LENGTH), (f"number{place}", form)]
        self.head = np.dtype(parts)


class _Block:
    """The bytes of some rows, one after the other."""

    def __init__(self, rows: Sequence[bytes], most_bytes: int) -> None:
        """Take the rows, and how many bytes are ever looked at from a place within them."""
        self._data = b"".join([*rows, bytes(max(most_bytes, _LENGTH.itemsize))])
        self._ends = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))
        self.rows = len(rows)
        self.buffer = pa.py_buffer(self._data)

    def find_fields(self, row: _RowForm) -> list[_Field]:
        """Give the fields of all rows. That they fill their rows, and no more, keeps reads within the block."""
        places = np.concatenate([[0], self._ends[:-1]])
        # as bytes that mean nothing yet: numpy copies them ten times as fast
        heads = self._look(np.dtype(f"V{row.head.itemsize}"), places).view(row.head)
        _require((heads["count"] == row.fields).all())
        places = places + _COUNT.itemsize
        fields = []
        for place, form in enumerate(row.forms):
            if not (heads[f"length{place}"] == form.itemsize).all():
                break
            fields.append(_Field(places, places, numbers=heads[f"number{place}"]))
            places = places + _LENGTH.itemsize + form.itemsize
        while len(fields) < row.fields:
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
        if field.numbers is not None:
            return field.numbers
        numbers = self._look(form, field.starts)
        if field.valid is None:
            _require((field.lengths == form.itemsize).all())
        else:
            _require(np.array_equal(field.lengths, field.valid * form.itemsize))
            numbers[~field.valid] = 0
        return numbers

    def _look(self, form: np.dtype[Any], places: Numbers) -> Numbers:
        """Give what begins at these places; an IndexError where it would leave the block."""
        at_every_byte: Numbers = np.ndarray((len(self._data) - form.itemsize + 1,), form, self._data, strides=(1,))
        return at_every_byte[places]


def _write(numbers: Numbers, column: Column) -> tuple[int | Numbers, bytes]:
    if column.holds is Holds.DATE:
        return write_dates(numbers)
    return write_moments(numbers, zone=b"+00:00" if column.holds is Holds.INSTANT else b"")


def _require(is_so: object) -> None:
    """See to what reads of memory hang on: they must not leave the block, whatever the server sends."""
    if not is_so:
        raise _refuse_malformed()


def _refuse_malformed() -> EngineFailure:
    return EngineFailure("The database could not answer.", detail="rows that are not of the form that was asked for")


def _place_texts(block: _Block, field: _Field, lengths: int | Numbers, text: bytes) -> Any:
    """Give an array of texts that lie side by side, NULL among them."""
    if field.valid is None and isinstance(lengths, int):
        ends = np.arange(0, block.rows * lengths + 1, lengths, dtype=np.int32)
    else:
        placed = np.zeros(block.rows, np.int64)
        placed[slice(None) if field.valid is None else field.valid] = lengths
        ends = np.zeros(block.rows + 1, np.int32)
        np.cumsum(placed, out=ends[1:])
    return _join(block, pa.string(), field, [ends, text])


def _join(block: _Block, arrow_type: Any, field: _Field, buffers: Sequence[Any]) -> Any:
    """Give an array of its buffers after the validity bitmap."""
    valid = None if field.valid is None else pa.py_buffer(np.packbits(field.valid, bitorder="little"))
    held = [buffer if buffer is None or isinstance(buffer, pa.Buffer) else pa.py_buffer(buffer) for buffer in buffers]
    return pa.Array.from_buffers(arrow_type, block.rows, [valid, *held])
