"""What PyArrow makes of rows is what is packed by hand, and what it would change is refused as there."""

import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rowgate.rows.encode import open_encoder
from rowgate.rows.encode_arrow import ArrowArrays
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Format, ObjectDescription, Plan, Row
from rowgate.rows.row_arrays import RowArrays

COLUMNS = (
    Column("whole", "", Family.NUMBER, may_be_real=False),
    Column("real", "", Family.NUMBER, may_be_real=True),
    Column("truth", "", Family.BOOLEAN, may_be_real=False, holds=Holds.BOOLEAN),
    Column("flag", "", Family.BOOLEAN, may_be_real=False),
    Column("exact", "numeric(6,2)", Family.NUMBER, may_be_real=True, holds=Holds.DECIMAL),
    Column("text", "", Family.TEXT, may_be_real=False),
    Column("binary", "", Family.BINARY, may_be_real=False),
)
FITTING: tuple[st.SearchStrategy[Any], ...] = (
    st.integers(-(2**63), 2**63 - 1),
    st.floats() | st.integers(-(2**53), 2**53),
    st.booleans(),
    st.integers(0, 1),
    st.decimals(-9999, 9999, places=2),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.binary(max_size=8) | st.text(st.characters(codec="utf-8"), max_size=8),
)
ANY_VALUE = st.one_of(
    *FITTING,
    st.sampled_from(
        [1.0, 1.5, 2**53 + 1, 2**64, 10**400, Decimal(1), Decimal("NaN"), b"\xff", b"a", "1", "\ud800", True]
    ),
)
ROWS = st.lists(st.tuples(*(st.none() | values for values in FITTING)), min_size=1, max_size=6)


def tell(make: type[ArrowArrays | RowArrays], columns: Sequence[Column], rows: list[Row]) -> tuple[Any, ...] | str:
    """Give the schema and the values, told apart as their text tells them, or the refusal."""
    try:
        batch = pa.record_batch(make(columns).make_batch(rows))
    except InvalidParameter as refused:
        return refused.description
    batch.validate(full=True)
    return batch.schema, repr(batch.to_pylist())


@given(ROWS)
def test_rows_that_fit_give_the_same(rows: list[Row]) -> None:
    assert tell(RowArrays, COLUMNS, rows) == tell(ArrowArrays, COLUMNS, rows)
    assert not isinstance(tell(RowArrays, COLUMNS, rows), str)


@given(st.sampled_from(COLUMNS), st.lists(st.none() | ANY_VALUE, min_size=1, max_size=4))
@example(COLUMNS[0], [1, 1.5])
@example(COLUMNS[0], [2.0])
@example(COLUMNS[0], [True])
@example(COLUMNS[1], [2**53 + 1])
@example(COLUMNS[1], [float("nan"), Decimal("0.00")])
@example(COLUMNS[1], [float("nan"), None, Decimal("0.00")])
@example(COLUMNS[1], [Decimal("NaN")])
@example(COLUMNS[1], [Decimal("NaN"), 2**53 + 1])
@example(COLUMNS[1], [Decimal("sNaN")])
@example(COLUMNS[5], ["a", b"b"])
@example(COLUMNS[5], [b"b"])
@example(COLUMNS[5], [None, None])
@example(COLUMNS[4], [Decimal("NaN")])
def test_whatever_stands_in_a_column_is_written_or_refused_alike(column: Column, values: list[Any]) -> None:
    rows: list[Row] = [(value,) for value in values]
    assert tell(RowArrays, (column,), rows) == tell(ArrowArrays, (column,), rows)


BLOCKS: list[list[Row]] = [[(n, n / 2, n > 1, 1, None, f"é{n}", b"\xff") for n in range(k, k + 3)] for k in range(4)]


def encode(blocks: list[list[Row]]) -> bytes:
    plan = Plan(ObjectDescription("o", "table", COLUMNS), COLUMNS, (), (), None, (), None, 0)
    encoder = open_encoder(plan, Format.ARROW)
    return b"".join([*map(encoder.encode_block, blocks), encoder.encode_end()])


def test_a_stream_holds_the_same_with_and_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.ipc.open_stream(encode(BLOCKS)).read_all()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        without = encode(BLOCKS)
    assert table.equals(pa.ipc.open_stream(without).read_all())
    assert [tuple(row.values()) for row in table.to_pylist()] == [row for block in BLOCKS for row in block]


def test_a_block_alone_does_not_load_the_library() -> None:
    """It would cost a short answer more than everything else."""
    asked = (
        "import sys; from rowgate.rows.encode_arrow import ArrowEncoder; "
        "from rowgate.rows.model import Column, Family; "
        "encoder = ArrowEncoder([Column('n', '', Family.NUMBER, False)]); "
        "encoder.encode_block([(1,)]); encoder.encode_end(); print('pyarrow' in sys.modules); "
        "encoder.encode_block([(2,)]); print('pyarrow' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.split() == ["False", "True"]
