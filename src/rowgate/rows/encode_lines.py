"""Documents made of what the engine has written, lines of CSV or arrays: no row is taken apart here.

A line ends with a line feed. Texts, dates and binary data stand in quotation marks, NULL is nothing. What is left to do
is rare: a real that begins with MARK is written anew, and a number that is none, or infinite, gets its quotation marks.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from math import isfinite
from typing import Any, Protocol

import msgspec

from rowgate.rows.encode_csv import LINE_END, render_head
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Format, Plan

ARRAY_FORMATS = frozenset({Format.ARROW, Format.PARQUET})  # made of lines by way of Arrow's arrays
FEWEST_ROWS = 1000  # fewer are one block anyway
MARK = "\x01"
_MARK = MARK.encode()
# a text whole, so that what stands in it is passed over
_TEXT_OR_NUMBER = re.compile(rb'"[^"]*"|\x01[^,\r\n]+|-?Infinity|NaN')
_REALS = frozenset({Holds.DECIMAL, Holds.REAL, Holds.SINGLE})
_RARE = re.compile(rb"\x01|NaN|Infinity")
_encode = msgspec.json.Encoder().encode
_NULL, _EMPTY = b"\n", b'""\n'


class LineEncoder(Protocol):
    """See `encode.BlockEncoder`; it is given lines in place of rows, or a record batch of Arrow's."""

    def encode_block(self, lines: Any) -> bytes:
        """Give the bytes of the next rows.

        Raises:
            InvalidParameter: The format has no way to write a value; nothing of the block is written.
        """

    def encode_end(self) -> bytes:
        """Give what closes the document."""


@lru_cache(maxsize=1)
def has_arrays() -> bool:
    """Tell whether documents can be made of arrays here: what works with them is an extra."""
    return all(map(find_spec, ("numpy", "pyarrow")))


def takes_lines(form: Format) -> bool:
    """Tell whether documents of a format can be made of what an engine has written."""
    return form is Format.CSV or (form is not Format.XLSX and has_arrays())


def may_be_long(plan: Plan) -> bool:
    """Tell whether so many rows may come that it pays to have the engine write text of them."""
    return plan.limit is None or plan.limit > FEWEST_ROWS


def open_line_encoder(plan: Plan, form: Format) -> LineEncoder:
    """Give the encoder for what the engine writes of a plan's rows, in a format that takes it."""
    assert takes_lines(form), "internal error: a format without lines"
    columns = plan.result_columns
    if form is Format.CSV:
        return _Csv(columns)
    if form not in ARRAY_FORMATS:
        from rowgate.rows.encode_array_texts import JsonOfArrays  # noqa: PLC0415 - start-up does without its libraries

        return JsonOfArrays(columns, form)
    from rowgate.rows import encode_arrays  # noqa: PLC0415 - the same

    make = encode_arrays.ArrowOfArrays if form is Format.ARROW else encode_arrays.ParquetOfArrays
    return make(columns)


class _Csv:
    """The head, then lines of CSV: as they came, or made of arrays."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._head = render_head(columns)
        self._write: Callable[[Any], bytes] | None = None

    def encode_block(self, block: Any) -> bytes:
        if not len(block):
            return b""
        self._write = self._write or self._choose(block)
        return self._take_head() + self._write(block)

    def encode_end(self) -> bytes:
        return self._take_head()

    def _choose(self, block: Any) -> Callable[[Any], bytes]:
        if isinstance(block, list):
            return _CsvLines(self._columns).write
        from rowgate.rows.encode_array_texts import ArrayTexts  # noqa: PLC0415 - start-up does without its libraries

        return ArrayTexts(self._columns, Format.CSV).write

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head


class _CsvLines:
    """Puts right what the engine writes in another way than docs/reference/types.md has it."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._is_single = len(columns) == 1
        self._has_reals = any(column.holds in _REALS for column in columns)

    def write(self, lines: Sequence[bytes]) -> bytes:
        if self._is_single:  # readers pass over an empty line
            lines = [_EMPTY if line == _NULL else line for line in lines]
        text = _join(lines)
        if self._has_reals and (_MARK in text or b"NaN" in text or b"Infinity" in text):
            text = _join([_TEXT_OR_NUMBER.sub(_put_right, line) if _RARE.search(line) else line for line in lines])
        return text


def _join(lines: Sequence[bytes]) -> bytes:
    return LINE_END.join([line[:-1] for line in lines]) + LINE_END


def _put_right(found: re.Match[bytes]) -> bytes:
    text = found[0]
    if text.startswith(b'"'):
        return text
    if text.startswith(_MARK):
        text = text[1:]
        real = float(text)
        if isfinite(real):
            return _encode(real)
    return b'"' + text + b'"'
