"""Lays masks on the values of a result: one closure by the places of the columns, made once.

Values come as they are encoded, so a moment is its text.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from rowgate.rows.holds import Collation, Holds
from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, Family, Row, Value

HASH_DIGITS = 32  # hexadecimal: 128 bits
SHOWN_CHARACTERS = 4
COVER = "****"
_YEAR = re.compile(r"\d{4}(?!\d)")
_DATED = frozenset({Family.MOMENT, Family.TEXT, Family.ANY})

MaskRows = Callable[[Sequence[Row]], Sequence[Row]]


def suits(mask: Mask, column: Column) -> bool:
    """Tell whether a mask leaves anything of such a column that is worth reading."""
    match mask:
        case Mask.NULL | Mask.HASH:
            return True
        case Mask.LAST_FOUR:
            return column.family is not Family.BINARY
        case Mask.YEAR:
            return column.family in _DATED
        case _:
            assert_never(mask)


def describe_masked(column: Column) -> Column:
    """Give the column as its values look when they are masked; one without a mask is as it is."""
    match column.mask:
        case None:
            return column
        case Mask.NULL:
            return replace(column, never_null=False)
        case Mask.HASH | Mask.LAST_FOUR:
            return _retype(column, "TEXT", Family.TEXT, Holds.TEXT)
        case Mask.YEAR:
            return replace(_retype(column, "INTEGER", Family.NUMBER, Holds.INTEGER), never_null=False)
        case _:
            assert_never(column.mask)


def _retype(column: Column, declared_type: str, family: Family, holds: Holds) -> Column:
    return replace(
        column,
        declared_type=declared_type,
        family=family,
        may_be_real=False,
        holds=holds,
        collation=Collation.UNKNOWN,
    )


def make_masking(columns: Sequence[Column], key: bytes) -> MaskRows | None:
    """Give what masks rows of these columns; None where there is nothing to mask.

    Args:
        columns: Of the result, in order.
        key: Of the home, 32 bytes; hashes are keyed by it.
    """
    assert key or all(column.mask is not Mask.HASH for column in columns), "internal error: a hash without a key"
    masked = [(place, _choose(column.mask, key)) for place, column in enumerate(columns) if column.mask is not None]
    if not masked:
        return None

    def mask_rows(rows: Sequence[Row]) -> Sequence[Row]:
        if not rows:
            return rows
        values: list[Sequence[Value]] = list(zip(*rows, strict=True))
        for place, write in masked:
            values[place] = [None if value is None else write(value) for value in values[place]]
        return list(zip(*values, strict=True))

    return mask_rows


def _choose(mask: Mask, key: bytes) -> Callable[[Value], Value]:
    match mask:
        case Mask.NULL:
            return _give_nothing
        case Mask.HASH:
            return lambda value: hmac.digest(key, _spell(value), hashlib.sha256).hex()[:HASH_DIGITS]
        case Mask.LAST_FOUR:
            return _give_end
        case Mask.YEAR:
            return _give_year
        case _:
            assert_never(mask)


def _give_nothing(_value: Value) -> None:
    return None


def _spell(value: Value) -> bytes:
    """Give the bytes of a value's text, so that 7, 7.00 and "7" are one: keys are numbers here and text there."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _write(value)
    if isinstance(value, Decimal) and "." in text:
        text = text.rstrip("0").rstrip(".")
    if isinstance(value, Decimal) and value.is_zero():
        text = "0"
    return text.encode("utf-8", "surrogatepass")


def _write(value: Value) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _give_end(value: Value) -> str | None:
    """Give the last characters behind a cover, half of them at most: a short value would stand there whole."""
    if isinstance(value, bytes):
        return None
    text = _write(value)
    shown = min(SHOWN_CHARACTERS, len(text) // 2)
    return COVER + text[len(text) - shown :]


def _give_year(value: Value) -> int | None:
    found = _YEAR.match(value) if isinstance(value, str) else None
    return None if found is None or not found[0].isascii() else int(found[0])
