"""Rows as JSON (RFC 8259): one array, or an object on each line.

Integers are written with all 64 bits; floating-point numbers by their shortest exact text, decimals by all their
digits; what is no number JSON could write as the texts "Infinity", "-Infinity" and "NaN"; binary data as base64; NULL
as null; everything else as text.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import groupby, starmap
from math import isfinite
from operator import itemgetter, ne
from typing import Any

import msgspec

from rowgate.rows.model import Column, Row, Value

_INFINITIES = frozenset({float("inf"), float("-inf")})  # a decimal that is infinite is equal to one of them
_GROUP_ITEMS = b'"groupItems":['

_encoder = msgspec.json.Encoder(decimal_format="number")
_AWKWARD = re.compile(r'["\\\x00-\x1f]')  # what msgspec does not take in a member's name
_KEPT_COLUMNS = 64  # types of wider results are made anew: clients choose the columns, and a kept type has a size


def _row_type(names: tuple[str, ...]) -> Callable[..., Any]:
    return _make_row_type(names) if len(names) <= _KEPT_COLUMNS else _make_row_type.__wrapped__(names)


@lru_cache(maxsize=512)
def _make_row_type(names: tuple[str, ...]) -> Callable[..., Any]:
    """Give what makes an object of a row's values: a type whose members are the columns, encoded in one go."""
    if any(_AWKWARD.search(name) for name in names):
        return lambda *values: dict(zip(names, values, strict=True))
    fields = [(f"c{place}", Any) for place in range(len(names))]
    # gc=False: rows hold no cycles, and a block of them should not wake the collector
    return msgspec.defstruct("Row", fields, rename={f"c{p}": name for p, name in enumerate(names)}, gc=False)


def _find_real_places(columns: Sequence[Column]) -> tuple[int, ...]:
    return tuple(place for place, column in enumerate(columns) if column.may_be_real)


def may_hold_no_number(encoded: bytes) -> bool:
    """Tell whether a number that JSON cannot write may be among what was encoded: it comes out as one of these."""
    return b"null" in encoded or b"NaN" in encoded or b"Infinity" in encoded


def hold_no_number(values: Sequence[Value]) -> bool:
    """Tell whether a number among the values, if they are numbers, is infinite or not a number."""
    try:
        # most often one sum tells, in a fourth of the time; without NULL, which is no number either
        numbers: Iterable[Any] = filter(None, values)
        if isfinite(sum(numbers)):
            return False
    except (TypeError, ArithmeticError):
        pass  # there are texts, or numbers that do not add
    return not _INFINITIES.isdisjoint(values) or any(map(ne, values, values))


def name_number(value: Value) -> Value:
    """Give a text for a number that JSON cannot write, any other value as it is."""
    # a decimal may be finite and greater than any float
    if (isinstance(value, float) and not isfinite(value)) or (isinstance(value, Decimal) and not value.is_finite()):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - only NaN is not itself
    return value


def _name_numbers(rows: Sequence[Row], places: Sequence[int], encoded: bytes = b"null") -> Sequence[Row] | None:
    """Give the rows with texts for what JSON cannot write, or None when there is none among them.

    Args:
        rows: A block.
        places: Where such numbers may stand.
        encoded: The block as it was encoded, so that in most of them nobody has to look.
    """
    if may_hold_no_number(encoded):
        for place in places:
            if hold_no_number(list(map(itemgetter(place), rows))):
                return [tuple(map(name_number, row)) for row in rows]
    return None


class RowEncoder:
    """Objects of the columns; see `encode.BlockEncoder`."""

    def __init__(self, columns: Sequence[Column], *, lines: bool) -> None:
        """Take the columns, and whether each row is a line of its own (NDJSON)."""
        self._type = _row_type(tuple(column.name for column in columns))
        self._places = _find_real_places(columns)
        self._lines = lines
        self._started = False

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of the next rows."""
        if not rows:
            return b""
        encode = _encoder.encode_lines if self._lines else _encoder.encode
        plain = encode(list(starmap(self._type, rows)))
        if self._places and (named := _name_numbers(rows, self._places, plain)) is not None:
            plain = encode(list(starmap(self._type, named)))
        if self._lines:
            return plain
        encoded = bytearray(plain)
        encoded[0:1] = b"," if self._started else b"["
        del encoded[-1]
        self._started = True
        return bytes(encoded)

    def encode_end(self) -> bytes:
        """Give what closes the document."""
        if self._lines:
            return b""
        return b"]" if self._started else b"[]"


class GroupEncoder:
    """Objects of the group keys followed by `groupItems` (O-33); rows of a group come one after the other."""

    def __init__(self, group_by: Sequence[Column], columns: Sequence[Column], *, lines: bool) -> None:
        """Take the keys, the columns of an item, and whether each group is a line of its own (NDJSON)."""
        self._keys = len(group_by)
        self._key_type = _row_type(tuple(column.name for column in group_by))
        self._item_type = _row_type(tuple(column.name for column in columns))
        self._places = _find_real_places((*group_by, *columns))
        self._first, self._next, self._last = (b"", b"]}\n", b"]}\n") if lines else (b"[", b"]},", b"]}]")
        self._empty = b"" if lines else b"[]"
        self._open_key: Row | None = None

    def encode_block(self, rows: Sequence[Row]) -> bytes:
        """Give the bytes of the next rows."""
        parts = []
        keys = self._keys
        for key, group in groupby(_name_numbers(rows, self._places) or rows, lambda row: row[:keys]):
            items = _encoder.encode([self._item_type(*row[keys:]) for row in group])[1:-1]
            if key == self._open_key:
                parts.append(b"," + items)
                continue
            parts.append(self._first if self._open_key is None else self._next)
            parts.append(_encoder.encode(self._key_type(*key))[:-1] + b"," + _GROUP_ITEMS + items)
            self._open_key = key
        return b"".join(parts)

    def encode_end(self) -> bytes:
        """Give what closes the document."""
        return self._empty if self._open_key is None else self._last
