"""What drivers give, as the values that rows are made of: dates as ISO 8601 writes them, the odd as text."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any

from rowgate.rows.model import Row, Value

_AS_THEY_ARE = frozenset({int, float, str, bytes, bool, Decimal, NoneType})
_UTC = "+00:00"


def make_plain(rows: Sequence[Sequence[Any]]) -> list[Row]:
    """Give a block of rows without a driver's own types; columns that have none are not touched.

    >>> make_plain([(1, datetime(2020, 1, 2, 3, 4, 5, 500000)), (2, None)])
    [(1, '2020-01-02T03:04:05.5'), (2, None)]
    """
    columns = list(zip(*rows, strict=True))
    odd = [place for place, values in enumerate(columns) if not _AS_THEY_ARE.issuperset(map(type, values))]
    if not odd:
        return [tuple(row) for row in rows]
    plain: list[Sequence[Value]] = list(columns)
    for place in odd:
        plain[place] = [_write(value) for value in columns[place]]
    return list(zip(*plain, strict=True))


def _write(value: Any) -> Value:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        plain: Value = value
        return plain
    write = _WRITERS.get(kind)
    return write(value) if write is not None else _write_odd(value)


def _write_moment(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return _trim(value.isoformat())
    return _trim((value - offset).replace(tzinfo=None).isoformat()) + _UTC


def _write_time(value: time) -> str:
    return _trim(value.isoformat())


def _write_span(value: timedelta) -> str:
    """Give a time of a day, or a span of hours, as MySQL's TIME holds it."""
    sign = "-" if value < timedelta() else ""
    seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return _trim(f"{sign}{hour:02}:{minute:02}:{second:02}.{micros:06}")


def _trim(text: str) -> str:
    """Take away the zeros at the end of a fraction: every engine writes a moment in the same way."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write_odd(value: Any) -> Value:
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=_write)
    return str(value)


_WRITERS: dict[type, Callable[[Any], Value]] = {
    datetime: _write_moment,
    date: date.isoformat,
    time: _write_time,
    timedelta: _write_span,
}
