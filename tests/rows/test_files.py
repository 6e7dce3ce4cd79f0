"""Parquet and workbooks as readers that nobody here wrote, or that know only the standard, understand them."""

import io
import math
import sys
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from pyarrow import parquet

from rowgate.rows import encode_parquet, encode_xlsx
from rowgate.rows.encode import open_encoder
from rowgate.rows.errors import InvalidParameter, NotAcceptable
from rowgate.rows.model import Column, Family, Format, ObjectDescription, Plan, Row
from rowgate.web.disposition import render_disposition
from rows.harness import Reader, refusal
from rows.sheets import read_sheet
from rows.test_encoders import COLUMNS, blocks, encode, to_text


def open_for(columns: tuple[Column, ...], form: Format) -> Any:
    return open_encoder(Plan(ObjectDescription("o", "table", columns), columns, (), (), None, (), None, 0), form)


@settings(deadline=None)  # the first loads the library
@given(blocks())
def test_parquet_holds_what_arrow_does(given_blocks: list[list[Row]]) -> None:
    with pa.ipc.open_stream(encode(COLUMNS, given_blocks, Format.ARROW)) as stream:
        expected = stream.read_all()
    found = parquet.read_table(io.BytesIO(encode(COLUMNS, given_blocks, Format.PARQUET)))
    found.validate(full=True)
    assert found.schema.equals(expected.schema)
    assert found.to_pylist() == expected.to_pylist()


def test_parquet_goes_out_in_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as one is full, so that memory stays flat."""
    monkeypatch.setattr(encode_parquet, "ROW_GROUP_ROWS", 1000)
    encoder = open_for(COLUMNS[:1], Format.PARQUET)
    parts = [encoder.encode_block([(n,) for n in range(start, start + 300)]) for start in range(0, 3000, 300)]
    assert [bool(part) for part in parts[1:]] == [False, False, True, False, False, False, True, False, False]
    file = parquet.ParquetFile(io.BytesIO(b"".join([*parts, encoder.encode_end()])))
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [1200, 1200, 600]
    assert file.read().column(0).to_pylist() == list(range(3000))


def test_parquet_that_was_cut_is_not_read() -> None:
    encoder = open_for(COLUMNS[:1], Format.PARQUET)
    begun = encoder.encode_block([(n,) for n in range(200_000)])
    assert len(begun) > 1000
    with pytest.raises(pa.ArrowInvalid):
        parquet.ParquetFile(io.BytesIO(begun))


def test_without_its_library_parquet_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotAcceptable) as refused:
        open_for(COLUMNS, Format.PARQUET)
    assert "rowgate[parquet]" in refused.value.description


def to_cell(value: Any) -> Any:
    """Give what a cell holds: numbers of at most 15 digits as numbers, everything else as text."""
    if isinstance(value, int):
        return value if abs(value) < 10**15 else str(value)
    return value if isinstance(value, float) and math.isfinite(value) else to_text(value)


@given(blocks())
def test_workbook_gives_every_value_to_another_reader(given_blocks: list[list[Row]]) -> None:
    names, *cells = read_sheet(encode(COLUMNS, given_blocks, Format.XLSX))
    assert names == [column.name for column in COLUMNS]
    expected = [[to_cell(value) for value in row] for block in given_blocks for row in block]
    assert cells == expected
    assert [[type(value) for value in row] for row in cells] == [[type(value) for value in row] for row in expected]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (True, True),
        (Decimal("10.50"), 10.5),
        (Decimal(-123456789012345), -123456789012345),
        (Decimal("12345678901234567890.12"), "12345678901234567890.12"),
        (Decimal("1E+307"), 1e307),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("-1E-400"), "-1E-400"),
        (Decimal("0E-400"), 0),
        (Decimal("NaN"), "NaN"),
        (Decimal("-Infinity"), "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_what_other_engines_give_has_its_cell(value: Any, cell: Any) -> None:
    """Truth values, and decimals as far as a number of a cell holds them."""
    assert read_sheet(encode(COLUMNS[:1], [[(value,)]], Format.XLSX))[1] == [cell]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A0", "\t=1", "1e5", "TRUE", "#N/A"])
def test_text_in_a_workbook_is_text_whatever_it_begins_with(text: str) -> None:
    """Neither a formula nor a number; `read_sheet` takes no formula."""
    assert read_sheet(encode(COLUMNS[2:3], [[(text,)]], Format.XLSX)) == [["t,é"], [text]]


def test_workbook_that_was_cut_is_no_archive() -> None:
    encoder = open_for(COLUMNS, Format.XLSX)
    begun = encoder.encode_block([(n, 0.5, str(n * n), b"", None) for n in range(20_000)])
    assert len(begun) > 10_000, "it goes out before its end"
    with pytest.raises(Exception, match="not a zip file"):
        read_sheet(begun)


def test_workbook_takes_the_rows_of_a_sheet_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_xlsx, "MOST_ROWS", 1000)
    column = COLUMNS[:1]
    assert len(read_sheet(encode(column, [[(1,)] * 600, [(1,)] * 400], Format.XLSX))) == 1001
    with pytest.raises(InvalidParameter) as refused:
        encode(column, [[(1,)] * 600, [(1,)] * 401], Format.XLSX)
    assert "1,000 rows" in refused.value.description
    assert refused.value.field == "format"


def test_workbook_refuses_what_a_sheet_would_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text longer than a cell, told by its column; more columns or bytes than a sheet has."""
    longest = "😀" * 16_383 + "e"  # counted in UTF-16
    assert read_sheet(encode(COLUMNS[2:3], [[(longest,)]], Format.XLSX))[1] == [longest]
    for text in (longest + "e", "a" * 32_768):
        with pytest.raises(InvalidParameter) as refused:
            encode(COLUMNS[2:3], [[(text,)]], Format.XLSX)
        assert "t,é" in refused.value.description
    many = tuple(Column(f"c{n}", "", Family.TEXT, may_be_real=False) for n in range(16_385))
    with pytest.raises(InvalidParameter):
        open_for(many, Format.XLSX)
    monkeypatch.setattr(encode_xlsx, "MOST_SHEET_BYTES", 10_000)
    with pytest.raises(InvalidParameter):
        encode(COLUMNS[2:3], [[("a" * 9000,)], [("a" * 1000,)]], Format.XLSX)


def test_same_rows_give_the_same_workbook() -> None:
    rows: list[Row] = [(1, 0.5, "a", b"b", None)]
    assert encode(COLUMNS, [rows], Format.XLSX) == encode(COLUMNS, [rows], Format.XLSX)


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx"])
def test_answer_that_becomes_a_file_has_a_name(odd: Reader, form: str) -> None:
    answer = odd.get("numbers", f"format={form}")
    assert answer.headers["content-disposition"] == f'attachment; filename="numbers.{form}"'
    assert "content-disposition" not in odd.get("numbers", "format=arrow").headers


def test_real_answers_are_read_back(odd: Reader) -> None:
    expected = list(range(4000))
    table = parquet.read_table(io.BytesIO(odd.get("numbers", "format=parquet&orderby=n").content))
    assert table.column("n").to_pylist() == expected
    names, *cells = read_sheet(odd.get("numbers", "format=xlsx&orderby=n").content)
    assert (names, [row[0] for row in cells]) == (["n"], expected)


def test_refusal_of_a_workbook_names_the_field(odd: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_xlsx, "MOST_ROWS", 5)
    assert refusal(odd.get("numbers", "limit=6&format=xlsx"))[0] == "format"
    assert odd.get("numbers", "limit=5&format=xlsx").status_code == 200


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a b", "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%20b.csv"),
        ('x"\r\nSet-Cookie: y', "attachment; filename=\"x_Set-Cookie__y.csv\"; filename*=UTF-8''x_Set-Cookie_%20y.csv"),
        ("../../etc/passwd", 'attachment; filename="etc_passwd.csv"'),
        ("山田", "attachment; filename=\"rows.csv\"; filename*=UTF-8''%E5%B1%B1%E7%94%B0.csv"),
        ("...", 'attachment; filename="rows.csv"'),
        ("a" * 300, f'attachment; filename="{"a" * 100}.csv"'),
    ],
)
def test_name_of_a_file_is_safe_whatever_the_object_is_called(name: str, told: str) -> None:
    assert render_disposition(name, "csv").decode() == told
