"""JSON, NDJSON and CSV of Arrow's arrays: whole columns become text at once, few values become Python's.

What comes out is byte for byte what `encode_json` and `encode_csv` write of the same rows. Reals come as their text and
binary data as base64 (rows/dialects/duckdb.py); rare values are written by JSON's own writer, one by one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowgate.rows.encode_json import name_number
from rowgate.rows.holds import NUMERIC, Holds
from rowgate.rows.model import Column, Format

_CSV_END = "\r\n"  # RFC 4180 §2 (1)
_FIRST_PLAIN = ord(" ")  # JSON escapes all that is less
_COMMON = {b"\\": r"\\", b'"': r"\"", b"\n": r"\n", b"\r": r"\r", b"\t": r"\t"}  # what escapes begin with comes first
_COMMON_CONTROLS = (b"\n", b"\r", b"\t")
_encode = msgspec.json.Encoder().encode


class ArrayTexts:
    """Writes the rows of a record batch as lines of CSV, or as objects of JSON that end with what is wanted."""

    def __init__(self, columns: Sequence[Column], form: Format, *, end: str = _CSV_END) -> None:
        """Take the columns in their order, and what ends a row."""
        is_csv = form is Format.CSV
        self._write = [_choose_writer(column, is_csv=is_csv) for column in columns]
        self._quotes = ["" if column.holds in NUMERIC else '"' for column in columns]
        if is_csv:
            self._null = '""' if len(columns) == 1 else ""  # readers pass over an empty line
            self._before = ["", *[","] * (len(columns) - 1)]
            self._end = end
        else:
            self._null = "null"
            self._before = [
                f"{',' if place else '{'}{_encode(column.name).decode()}:" for place, column in enumerate(columns)
            ]
            self._end = "}" + end

    def write(self, batch: Any) -> bytes:
        """Give the rows, one after the other."""
        parts: list[Any] = []
        between = ""  # what stands between two values
        for write, quote, before, array in zip(self._write, self._quotes, self._before, batch.columns, strict=True):
            texts = write(array)
            between += before
            after = quote
            if texts.null_count:
                quoted = pc.binary_join_element_wise(quote, texts, quote, "") if quote else texts
                texts, after = pc.fill_null(quoted, self._null), ""
            else:
                between += quote
            parts += [pa.scalar(between), texts]
            between = after
        lines = pc.binary_join_element_wise(*parts, pa.scalar(between + self._end), "")
        return _take_text(lines)


class JsonOfArrays:
    """See `encode_lines.LineEncoder`."""

    def __init__(self, columns: Sequence[Column], form: Format) -> None:
        """Take the columns in their order, and whether each row is a line of its own (NDJSON)."""
        self._is_array = form is Format.JSON
        self._texts = ArrayTexts(columns, form, end="," if self._is_array else "\n")
        self._is_begun = False

    def encode_block(self, batch: Any) -> bytes:
        """Give the bytes of the next rows."""
        if not len(batch):
            return b""
        rows = self._texts.write(batch)
        if not self._is_array:
            return rows
        head = b"," if self._is_begun else b"["
        self._is_begun = True
        return head + rows[:-1]

    def encode_end(self) -> bytes:
        """Give what closes the document."""
        if not self._is_array:
            return b""
        return b"]" if self._is_begun else b"[]"


def _take_text(texts: Any) -> bytes:
    """Give the characters of an array of texts, one after the other."""
    _, ends, data = texts.buffers()
    first, last = np.frombuffer(ends, np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    return b"" if data is None else data.slice(first, last - first).to_pybytes()


def _choose_writer(column: Column, *, is_csv: bool) -> Callable[[Any], Any]:
    """Give what makes an array of texts of a column's."""
    match column.holds:
        case Holds.REAL | Holds.SINGLE:
            return _write_reals
        case Holds.BINARY:
            return lambda array: array
        case holds if holds in NUMERIC:
            return lambda array: array.cast(pa.string())
        case _:
            return _double_quotes if is_csv else _escape


def _write_reals(texts: Any) -> Any:
    """Put right what DuckDB writes in another way: exponents, and what is no number or infinite."""
    written = _take_text(texts)
    return _map(_write_real, texts) if b"e" in written or b"n" in written else texts


def _write_real(text: str) -> bytes:
    return _encode(name_number(float(text))) if "e" in text or "n" in text else text.encode()


def _map(write: Callable[[str], bytes], texts: Any) -> Any:
    """Give what a function makes of each text that is not NULL."""
    return pa.array([None if text is None else write(text) for text in texts.to_pylist()], pa.string())


def _double_quotes(texts: Any) -> Any:
    return pc.replace_substring(texts, '"', '""') if b'"' in _take_text(texts) else texts


def _escape(texts: Any) -> Any:
    """Give texts as they stand between the quotation marks of JSON."""
    text = _take_text(texts)
    controls = np.count_nonzero(np.frombuffer(text, np.uint8) < _FIRST_PLAIN)
    if controls > sum(map(text.count, _COMMON_CONTROLS)):
        return _map(lambda value: _encode(value)[1:-1], texts)
    for sign, escaped in _COMMON.items():
        if sign in text:
            texts = pc.replace_substring(texts, sign.decode(), escaped)
    return texts
