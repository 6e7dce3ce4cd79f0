"""What is copied out becomes the arrays of the same values; what is malformed is refused, wherever it lies."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.copied_arrays import CopiedArrays
from rowgate.rows.errors import EngineFailure, InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family


def pack(form: str) -> Callable[[Any], bytes]:
    return struct.Struct(form).pack


KINDS: dict[Holds, tuple[Any, st.SearchStrategy[Any], Callable[[Any], bytes]]] = {
    Holds.INTEGER: (pa.int64(), st.integers(-(2**63), 2**63 - 1), pack(">q")),
    Holds.REAL: (pa.float64(), st.floats(allow_nan=False), pack(">d")),
    Holds.BOOLEAN: (pa.bool_(), st.booleans(), pack(">?")),
    Holds.TEXT: (pa.string(), st.text(st.characters(codec="utf-8"), max_size=9), str.encode),
    Holds.BINARY: (pa.binary(), st.binary(max_size=9), bytes),
}
COLUMNS = [Column(holds.value, "", Family.ANY, may_be_real=False, holds=holds) for holds in KINDS]
ROWS = st.lists(st.tuples(*(st.none() | values for _, values, _ in KINDS.values())), min_size=1, max_size=30)


def write(row: Sequence[Any]) -> bytes:
    packed = [None if value is None else form(value) for value, (_, _, form) in zip(row, KINDS.values(), strict=True)]
    fields = [struct.pack(">i", -1) if field is None else struct.pack(">i", len(field)) + field for field in packed]
    return struct.pack(">h", len(fields)) + b"".join(fields)


def make_arrays() -> CopiedArrays:
    return CopiedArrays(COLUMNS, [arrow_type for arrow_type, _, _ in KINDS.values()])


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_arrays_are_valid_and_hold_the_same(blocks: list[list[tuple[Any, ...]]]) -> None:
    arrays = make_arrays()
    for rows in blocks:
        made = arrays.make([write(row) for row in rows])
        for array in made:
            array.validate(full=True)
        assert list(zip(*(array.to_pylist() for array in made), strict=True)) == rows


GOOD = write((1, 0.5, True, "one", b"two"))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\0",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[:2],
        struct.pack(">h", 4) + GOOD[2:],
        GOOD.replace(struct.pack(">i", 3) + b"one", struct.pack(">i", -2) + b"one"),
        GOOD.replace(struct.pack(">i", 3) + b"one", struct.pack(">i", 2**31 - 1) + b"one"),
        GOOD.replace(struct.pack(">i", 3) + b"one", struct.pack(">i", 4) + b"one"),
        GOOD.replace(struct.pack(">iq", 8, 1), struct.pack(">ii", 4, 1)),
    ],
    ids=["empty", "byte", "short", "long", "count alone", "count", "negative", "huge", "into the next", "width"],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_malformed_rows_are_refused_whatever_stands_around_them(bad: bytes, place: int) -> None:
    rows = [GOOD, GOOD]
    rows.insert(place, bad)
    with pytest.raises(EngineFailure):
        make_arrays().make(rows)


@given(st.binary(max_size=80), st.integers(0, 2))
def test_whatever_bytes_come_they_are_refused_or_read_within_bounds(noise: bytes, place: int) -> None:
    rows = [GOOD, GOOD]
    rows.insert(place, struct.pack(">h", len(COLUMNS)) + noise)
    try:
        made = make_arrays().make(rows)
    except EngineFailure:
        return
    assert {len(array) for array in made} == {3}
    for array in made:
        array.slice(place, 1).validate()


def test_a_decimal_that_its_type_cannot_hold_is_refused() -> None:
    column = Column("d", "numeric(4,1)", Family.NUMBER, may_be_real=True, holds=Holds.DECIMAL)
    arrays = CopiedArrays([column], [pa.decimal128(4, 1)])

    def copy(text: bytes) -> list[bytes]:
        return [struct.pack(">hi", 1, len(text)) + text]

    (made,) = arrays.make(copy(b"-12.5"))
    assert str(made[0]) == "-12.5"
    with pytest.raises(InvalidParameter):
        arrays.make(copy(b"NaN"))
