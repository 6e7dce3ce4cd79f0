"""Rows as CSV (RFC 4180), with a header line.

What cannot be told apart in most CSV can be here: text stands in quotation marks, numbers do not, and NULL is
nothing between two commas where an empty text is two quotation marks. Only in a result of one column NULL is written
as an empty text is: a line with nothing on it would be passed over by many readers.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from importlib.util import find_spec

import msgspec

from rowgate.rows.encode_json import hold_no_number, may_hold_no_number, name_number
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Row, Value

LINE_END = b"\r\n"  # RFC 4180 §2 (1)
_encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines
_ESCAPE = re.compile(rb"\\(u[0-9a-f]{4}|.)")
_COMMON = ((rb"\"", b'""'), (rb"\n", b"\n"), (rb"\r", b"\r"), (rb"\t", b"\t"))
_ESCAPED = {b'"': b'""', b"\\": b"\\", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def render_head(columns: Sequence[Column]) -> bytes:
    """Give the header line."""
    names = (column.name.replace('"', '""') for column in columns)
    return ",".join(f'"{name}"' for name in names).encode() + LINE_END


class CsvEncoder:
    """See `encode.BlockEncoder`.

    JSON's writer does the work: lines of JSON arrays differ from lines of CSV in the brackets, in null and in what is
    escaped within text, and rows rarely hold the latter two.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        self._nothing = msgspec.Raw(b'""' if len(columns) == 1 else b"")  # readers pass over an empty line
        self._has_decimals = any(column.holds is Holds.DECIMAL for column in columns)  # written as NaN, not as null
        self._head = render_head(columns)
        self._may_be_rewritten = len(columns) > 1 and not self._has_decimals
        self._rewrite: Callable[[bytes, Sequence[Row]], bytes | None] = lambda _arrays, _rows: None

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the lines; the header before the first."""
        if not rows:
            return b""
        arrays = _encode_lines(rows)
        lines = self._rewrite(arrays, rows) or self._replace(arrays, rows)
        head, self._head = self._head, b""
        if head and self._may_be_rewritten and find_spec("numpy") is not None:  # a short answer does not wait for it
            from rowgate.rows.csv_lines import rewrite_lines  # noqa: PLC0415 - it is an extra

            self._rewrite = rewrite_lines
        return head + lines

    def _replace(self, arrays: bytes, rows: Sequence[Row]) -> bytes:
        if b"null" in arrays or (self._has_decimals and may_hold_no_number(arrays)):
            arrays = self._write_nothing(rows, arrays)
        # A line feed within text is escaped yet, so the first of these is where two rows meet and nothing else.
        lines = arrays[1:-2].replace(b"]\n[", LINE_END) + LINE_END
        return _unescape(lines) if b"\\" in lines else lines

    def _write_nothing(self, rows: Sequence[Row], arrays: bytes) -> bytes:
        """Give the rows, encoded, with nothing for NULL and texts for what is no number."""
        nulls = sum([row.count(None) for row in rows])
        if arrays.count(b"null") == nulls and not self._has_decimals:
            return arrays.replace(b"null", bytes(self._nothing))  # each of them is a NULL, and none stands in a text
        written = [_replace_nulls(_name_numbers(values), self._nothing) for values in zip(*rows, strict=True)]
        return _encode_lines(list(zip(*written, strict=True)))

    def encode_end(self) -> bytes:
        """Give the header, where no row came; nothing else closes a CSV."""
        head, self._head = self._head, b""
        return head


def _name_numbers(values: Sequence[Value]) -> Sequence[Value]:
    kinds = set(map(type, values))
    if kinds.isdisjoint((float, Decimal)) or not hold_no_number(values):
        return values
    return list(map(name_number, values))


def _replace_nulls(values: Sequence[Value], nothing: msgspec.Raw) -> Sequence[Value | msgspec.Raw]:
    """Give a column with nothing for NULL."""
    return [nothing if value is None else value for value in values] if None in values else values


def _unescape(lines: bytes) -> bytes:
    if rb"\\" not in lines:  # then every backslash begins an escape
        for escaped, sign in _COMMON:
            lines = lines.replace(escaped, sign)
            if b"\\" not in lines:
                return lines
    return _ESCAPE.sub(_replace, lines)


def _replace(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    return _ESCAPED[escaped] if len(escaped) == 1 else chr(int(escaped[1:], 16)).encode()
