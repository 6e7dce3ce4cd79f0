"""Rows as CSV (RFC 4180), with a header line.

What cannot be told apart in most CSV can be here: text stands in quotation marks, numbers do not, and NULL is
nothing between two commas where an empty text is two quotation marks. Only in a result of one column NULL is written
as an empty text is: a line with nothing on it would be passed over by many readers.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from rowgate.rows.encode_json import hold_no_number, may_hold_no_number, name_number
from rowgate.rows.model import Column, Row, Value

_LINE_END = b"\r\n"  # RFC 4180 §2 (1)
_encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines
_ESCAPE = re.compile(rb"\\(u[0-9a-f]{4}|.)")
_ESCAPED = {b'"': b'""', b"\\": b"\\", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class CsvEncoder:
    """See `encode.BlockEncoder`.

    JSON's writer does the work: lines of JSON arrays differ from lines of CSV in the brackets, in null and in what is
    escaped within text, and rows rarely hold the latter two.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take the columns in their order."""
        names = (column.name.replace('"', '""') for column in columns)
        self._nothing = msgspec.Raw(b'""' if len(columns) == 1 else b"")  # readers pass over an empty line
        self._head = ",".join(f'"{name}"' for name in names).encode() + _LINE_END

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the lines; the header before the first."""
        if not rows:
            return b""
        arrays = _encode_lines(rows)
        if may_hold_no_number(arrays):
            written = [_write_nothing(_name_numbers(values), self._nothing) for values in zip(*rows, strict=True)]
            arrays = _encode_lines(list(zip(*written, strict=True)))
        # A line feed within text is escaped yet, so the first of these is where two rows meet and nothing else.
        lines = arrays[1:-2].replace(b"]\n[", _LINE_END) + _LINE_END
        if b"\\" in lines:
            lines = _unescape(lines)
        head, self._head = self._head, b""
        return head + lines

    def encode_end(self) -> bytes:
        """Give the header, where no row came; nothing else closes a CSV."""
        head, self._head = self._head, b""
        return head


def _name_numbers(values: Sequence[Value]) -> Sequence[Value]:
    kinds = set(map(type, values))
    if kinds.isdisjoint((float, Decimal)) or not hold_no_number(values):
        return values
    return list(map(name_number, values))


def _write_nothing(values: Sequence[Value], nothing: msgspec.Raw) -> Sequence[Value | msgspec.Raw]:
    """Give a column with nothing for NULL."""
    return [nothing if value is None else value for value in values] if None in values else values


def _unescape(lines: bytes) -> bytes:
    if rb"\\" not in lines:  # then a backslash before a quotation mark is there for it
        lines = lines.replace(rb"\"", b'""')
        if b"\\" not in lines:
            return lines
    return _ESCAPE.sub(_replace, lines)


def _replace(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    return _ESCAPED[escaped] if len(escaped) == 1 else chr(int(escaped[1:], 16)).encode()
