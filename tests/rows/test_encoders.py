"""CSV and Arrow as readers that nobody here wrote understand them, for rows of every kind and blocks of every size."""

import base64
import csv
import io
import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv

from rowgate.rows.csv_lines import rewrite_lines
from rowgate.rows.encode import open_encoder
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Column, Family, Format, ObjectDescription, Plan, Row

_TEXT = st.text() | st.sampled_from(
    ["", "null", "]\n[", '"', '""', "\\", '\\"', "\\n", "\r\n", "\0", "\x1f", "\x7f", "a,b", " a ", "é\ud7ff😀", "NaN"]
)
_INTEGERS = st.integers(-(2**63), 2**63 - 1)
_REALS = st.floats(allow_nan=False)
_VALUES = {
    Family.NUMBER: _INTEGERS,
    Family.TEXT: _TEXT,
    Family.BINARY: st.binary(),
    Family.ANY: _TEXT | _INTEGERS | _REALS | st.binary(),
}


def make_column(name: str, family: Family, *, may_be_real: bool = False) -> Column:
    return Column(name, "", family, may_be_real)


COLUMNS = (
    make_column("n", Family.NUMBER),
    make_column('r"1', Family.NUMBER, may_be_real=True),
    make_column("t,é", Family.TEXT),
    make_column("b", Family.BINARY),
    make_column("a", Family.ANY, may_be_real=True),
)


@st.composite
def blocks(draw: st.DrawFn) -> list[list[Row]]:
    """Rows of COLUMNS, cut into blocks anywhere; some blocks are empty."""
    values = [_REALS if column.name == 'r"1' else _VALUES[column.family] for column in COLUMNS]
    row = st.tuples(*(st.none() | value for value in values))
    return draw(st.lists(st.lists(row, max_size=6), max_size=4))


def encode(columns: tuple[Column, ...], given_blocks: list[list[Row]], form: Format, *, keys: int = 0) -> bytes:
    plan = Plan(ObjectDescription("o", "table", columns), columns[keys:], columns[:keys], (), None, (), None, 0)
    encoder = open_encoder(plan, form)
    return b"".join([*(encoder.encode_block(rows) for rows in given_blocks), encoder.encode_end()])


def to_text(value: Any) -> str | None:
    """Give what a value is as text: infinities by name, binary data as base64, NULL as None."""
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return base64.b64encode(value).decode() if isinstance(value, bytes) else None if value is None else str(value)


def is_written(text: str | None, value: Any, *, null: str | None) -> bool:
    """Tell whether a text says what the value is; a floating-point number may be spelled in several ways."""
    if isinstance(value, float) and math.isfinite(value):
        return text is not None and float(text) == value
    return text == (null if value is None else to_text(value))


@given(blocks())
def test_csv_gives_every_value_to_two_other_readers(given_blocks: list[list[Row]]) -> None:
    encoded = encode(COLUMNS, given_blocks, Format.CSV)
    rows = [row for block in given_blocks for row in block]
    names, *got = csv.reader(io.StringIO(encoded.decode(), newline=""))
    assert names == [column.name for column in COLUMNS]
    assert len(got) == len(rows)
    for line, row in zip(got, rows, strict=True):
        for text, value in zip(line, row, strict=True):
            assert is_written(text, value, null="")


@given(blocks())
def test_csv_tells_null_from_empty_text_and_text_from_numbers(given_blocks: list[list[Row]]) -> None:
    """An Arrow reader for CSV that takes only what is not quoted for NULL."""
    encoded = encode(COLUMNS, given_blocks, Format.CSV)
    texts = arrow_csv.ConvertOptions(
        column_types={column.name: pa.string() for column in COLUMNS},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    table = arrow_csv.read_csv(
        io.BytesIO(encoded), parse_options=arrow_csv.ParseOptions(newlines_in_values=True), convert_options=texts
    )
    rows = [row for block in given_blocks for row in block]
    for column, values in zip(table.columns, zip(*rows, strict=True), strict=False):
        assert [text is None for text in column.to_pylist()] == [value is None for value in values]


@given(given_blocks=blocks())
def test_csv_of_later_blocks_is_that_of_first_ones(given_blocks: list[list[Row]]) -> None:
    lines = [encode(COLUMNS, [rows], Format.CSV).removeprefix(encode(COLUMNS, [], Format.CSV)) for rows in given_blocks]
    assert encode(COLUMNS, given_blocks, Format.CSV) == encode(COLUMNS, [], Format.CSV) + b"".join(lines)


def test_csv_of_common_values_needs_no_second_way() -> None:
    rows: list[Row] = [(1, None, 'say "a"\r\n\tb', "", "é]\x7f"), (2, -0.5, "[", None, "]")]
    arrays = msgspec.json.Encoder().encode_lines(rows)
    assert rewrite_lines(arrays, rows) == '1,,"say ""a""\r\n\tb","","é]\x7f"\r\n2,-0.5,"[",,"]"\r\n'.encode()
    for rare in ("null", "\\", "\x1f"):
        rows[0] = (rare, *rows[0][1:])
        assert rewrite_lines(msgspec.json.Encoder().encode_lines(rows), rows) is None


def test_csv_of_one_column_keeps_the_row_of_a_null() -> None:
    encoded = encode(COLUMNS[2:3], [[("a",), (None,), ("",)]], Format.CSV)
    assert encoded == '"t,é"\r\n"a"\r\n""\r\n""\r\n'.encode()


@pytest.mark.parametrize("form", [Format.CSV, Format.ARROW])
def test_result_without_rows_has_its_columns(form: Format) -> None:
    encoded = encode(COLUMNS, [], form)
    if form is Format.CSV:
        assert encoded == '"n","r""1","t,é","b","a"\r\n'.encode()
    else:
        table = pa.ipc.open_stream(encoded).read_all()
        assert table.column_names == [column.name for column in COLUMNS]
        assert table.num_rows == 0


@given(blocks())
def test_arrow_gives_every_value_in_its_columns_type(given_blocks: list[list[Row]]) -> None:
    encoded = encode(COLUMNS, given_blocks, Format.ARROW)
    with pa.ipc.open_stream(encoded) as stream:
        table = stream.read_all()
    table.validate(full=True)
    assert table.schema.types == [*(pa.int64(), pa.float64(), pa.string(), pa.binary(), pa.string())]
    rows = [row for block in given_blocks for row in block]
    assert table.num_rows == len(rows)
    *typed, mixed = [column.to_pylist() for column in table.columns]
    if rows:
        *expected, any_values = zip(*rows, strict=True)
        assert typed == [list(values) for values in expected]
        for text, value in zip(mixed, any_values, strict=True):
            assert is_written(text, value, null=None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (COLUMNS[0], 1.5),
        (COLUMNS[0], "a dozen"),
        (COLUMNS[0], b"\0"),
        (COLUMNS[1], "a dozen"),
        (COLUMNS[1], 2**53 + 1),
        (COLUMNS[3], 5),
    ],
)
def test_arrow_refuses_what_its_type_would_change(column: Column, value: Any) -> None:
    with pytest.raises(InvalidParameter) as refused:
        encode((column,), [[(None,), (value,)]], Format.ARROW)
    assert column.name in refused.value.description
    assert refused.value.field == "format"


@pytest.mark.parametrize("form", [Format.CSV, Format.ARROW])
def test_groups_are_flat_with_their_keys_first(form: Format) -> None:
    columns = (COLUMNS[2], COLUMNS[0])
    rows: list[Row] = [("a", 1), ("a", 2), (None, 3)]
    assert encode(columns, [rows], form, keys=1) == encode(columns, [rows], form)


def test_only_a_whole_arrow_stream_has_its_end() -> None:
    plan = Plan(ObjectDescription("o", "table", COLUMNS), COLUMNS, (), (), None, (), None, 0)
    encoder = open_encoder(plan, Format.ARROW)
    row: Row = (-1, -1.0, "\xff", b"\xff\xff\xff\xff\0\0\0\0", None)
    begun = encoder.encode_block([row])
    marker = b"\xff\xff\xff\xff\0\0\0\0"
    assert not begun.endswith(marker)
    assert encoder.encode_end() == marker
