"""Rows as a workbook for people (Office Open XML): one sheet, its first row the names of the columns.

Written as it is sent, without a file beside it: the sheet is the last part of the archive. Every text is an inline
string, so that none can be taken for a formula. An archive without its directory, which is written last, is not opened.

Source: ECMA-376 part 1 §18.3.1 (sheets), §18.4 and §22.9.2.19 (text); the limits are those of Excel
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import assert_never
from xml.sax.saxutils import escape

from rowgate.rows.archive import Archive
from rowgate.rows.encode_json import name_number
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Column, Row, Value

MOST_ROWS = 1_048_575  # beside the one with the names
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767  # of one cell, in UTF-16
MOST_SHEET_BYTES = 4_294_901_760  # 4 GiB - 64 KiB, unpacked: an archive of Excel's knows no more
_DIGITS = 15  # of a cell's number; what has more is text
_EXACT_INTEGER = 10**_DIGITS
_MOST_EXPONENT = 307  # of the numbers that Excel has, from 2.2251E-308 to 9.99999999999999E+307, with any digits

# what XML cannot hold, or would hold as something else; and what reads as an escape already
_AWKWARD = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="rows" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_SHEET_BEGIN = (
    f'{_HEAD}<worksheet xmlns="{_SHEETS}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_SHEET_END = "</sheetData></worksheet>"
_NOTHING = "<c/>"


class XlsxEncoder:
    """See `encode.BlockEncoder`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order.

        Raises:
            InvalidParameter: There are more than a sheet has.
        """
        if len(columns) > MOST_COLUMNS:
            raise _refuse(f"A sheet holds {MOST_COLUMNS:,} columns.", "fewer columns, or another format")
        self._columns = columns
        self._rows = 0
        self._sheet_bytes = 0
        self._archive = Archive()
        begun = []
        for name, text in _PARTS.items():
            begun += [self._archive.begin_file(name), self._archive.write((_HEAD + text).encode())]
            begun.append(self._archive.end_file())
        begun.append(self._archive.begin_file("xl/worksheets/sheet1.xml"))
        begun.append(self._write(_SHEET_BEGIN + _render_rows([[_render_text(c.name, c)] for c in columns])))
        self._begun = b"".join(begun)

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of the next rows.

        Raises:
            InvalidParameter: A sheet does not hold so much, or not such a long text.
        """
        self._rows += len(rows)
        if self._rows > MOST_ROWS:
            raise _refuse(f"A sheet holds {MOST_ROWS:,} rows.", "fewer rows, by limit or filters, or another format")
        begun, self._begun = self._begun, b""
        if not rows:
            return begun
        by_column = zip(self._columns, zip(*rows, strict=True), strict=True)
        return begun + self._write(_render_rows([_render_column(column, values) for column, values in by_column]))

    def encode_end(self) -> bytes:
        """Give the end of the sheet and the archive's directory."""
        begun, self._begun = self._begun, b""
        return begun + self._write(_SHEET_END) + self._archive.end_file() + self._archive.end()

    def _write(self, text: str) -> bytes:
        written = text.encode()
        self._sheet_bytes += len(written)
        if self._sheet_bytes > MOST_SHEET_BYTES:
            raise _refuse("The sheet is larger than 4 GiB.", "fewer rows or columns, or another format")
        return self._archive.write(written)


def _render_rows(columns: Sequence[Sequence[str]]) -> str:
    """Give rows of cells; the cells come by column."""
    return "<row>" + "</row><row>".join(map("".join, zip(*columns, strict=True))) + "</row>"


def _render_column(column: Column, values: Sequence[Value]) -> list[str]:
    return [_render_cell(value, column) for value in values]


def _render_cell(value: Value, column: Column) -> str:
    match value:
        case str():
            text = value
        case None:
            return _NOTHING
        case bool():
            return f'<c t="b"><v>{value:d}</v></c>'
        case int() | float() | Decimal():
            if _is_exact(value):
                return f"<c><v>{value!s}</v></c>"
            text = str(name_number(value))
        case bytes():
            text = b64encode(value).decode()
        case _:
            assert_never(value)
    return _render_text(text, column)


def _is_exact(value: float | Decimal) -> bool:
    """Tell whether the number of a cell holds the value."""
    match value:
        case float():
            return isfinite(value)
        case Decimal():
            return value.is_finite() and len(value.as_tuple().digits) <= _DIGITS and _is_in_reach(value)
        case _:
            return -_EXACT_INTEGER < value < _EXACT_INTEGER


def _is_in_reach(value: Decimal) -> bool:
    """Tell whether a cell's number is neither infinite nor nothing in the place of the value."""
    return not value or abs(value.adjusted()) <= _MOST_EXPONENT


def _render_text(text: str, column: Column) -> str:
    if len(text) > MOST_CHARACTERS // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * MOST_CHARACTERS:
        raise _refuse(
            f"The column {column.name} holds a text that is longer than the {MOST_CHARACTERS:,} characters of a cell.",
            "another format, or a request without that column",
        )
    if _AWKWARD.search(text):
        text = _AWKWARD.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _refuse(text: str, expected: str) -> InvalidParameter:
    return InvalidParameter(text, field="format", expected=expected)
