"""What a value becomes beside a column that holds values of one type only.

A value that the type cannot hold stands somewhere between those that it can: right after one of them or right before
it. So a comparison keeps its meaning whatever the type, and the engine is never given what it cannot take.
"""

import re
import struct
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from math import floor

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import EXACT_DIGITS, Holds
from rowgate.rows.model import Column, Value
from rowgate.rows.request_values import MAX_INTEGER, MIN_INTEGER

_DECIMALS = re.compile(r"decimal\((\d+), ?(\d+)\)", re.ASCII | re.IGNORECASE)
_WIDE_INTEGERS = {  # of DuckDB
    "UBIGINT": (0, 2**64 - 1),
    "HUGEINT": (-(2**127), 2**127 - 1),
    "UHUGEINT": (0, 2**128 - 1),
}
_EXACT = Context(prec=1000)
_LARGEST_SINGLE = struct.unpack("f", b"\xff\xff\x7f\x7f")[0]
_TIME = r"(?P<hour>\d\d)(:(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d+))?)?)?"
_TIMES = re.compile(_TIME, re.ASCII)
_MOMENTS = re.compile(
    rf"(?P<year>\d{{4}})(-(?P<month>\d\d)(-(?P<day>\d\d)([Tt ]{_TIME})?)?)?(?P<zone>[Zz]|[+-]\d\d(:?\d\d)?)?", re.ASCII
)
_UUIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DATED = (Holds.DATE, Holds.MOMENT, Holds.INSTANT)
_INFINITIES = ("infinity", "-infinity")
_MICROSECOND_DIGITS = 6
_NANOSECOND_DIGITS = 9
NANOSECONDS = "TIMESTAMP_NS"  # of DuckDB
_FIRST_NANOSECOND, _LAST_NANOSECOND = "1677-09-21T00:12:43.145224194", "2262-04-11T23:47:16.854775806"  # that it holds


@dataclass(frozen=True, slots=True)
class Gap:
    """A place between two values that a column can hold: right after this one, or right before it."""

    value: Value
    is_after: bool


def suit(column: Column, value: Value, field: str = "") -> Value | Gap:
    """Give the value as the column's type holds it, or the place where it would stand.

    >>> from rowgate.rows.model import Family
    >>> suit(Column("n", "bigint", Family.NUMBER, may_be_real=False, holds=Holds.INTEGER), 1.5)
    Gap(value=1, is_after=True)

    Raises:
        InvalidParameter: It has no place among the column's values; `field` says where it stood in the request.
    """
    if isinstance(value, (int, float)) and column.holds in _SUIT_NUMBER:
        return _SUIT_NUMBER[column.holds](value)
    if isinstance(value, (int, float, Decimal)) and column.holds is Holds.DECIMAL:
        return _suit_decimal(_find_range(column.declared_type), value)
    if isinstance(value, str) and column.holds is Holds.TIME:
        return _suit_time(column, value, field)
    if isinstance(value, str) and column.holds in _DATED:
        return _suit_moment(column, value, field)
    return value


def is_uuid(text: str, *, match_case: bool) -> bool:
    """Tell whether a text is a UUID as an engine writes it, or would be but for case."""
    return _UUIDS.fullmatch(text if match_case else text.lower()) is not None


def _suit_integer(value: float) -> Value | Gap:
    whole = floor(value)
    if whole > MAX_INTEGER:
        return Gap(MAX_INTEGER, is_after=True)
    if whole < MIN_INTEGER:
        return Gap(MIN_INTEGER, is_after=False)
    return whole if whole == value else Gap(whole, is_after=True)


@dataclass(frozen=True, slots=True)
class _Range:
    """What a type holds: from the least to the greatest what is a multiple of the unit."""

    least: Decimal
    greatest: Decimal
    unit: Decimal
    is_whole: bool = False


@lru_cache(maxsize=512)
def _find_range(declared_type: str) -> _Range | None:
    """Give the range of a type with more digits than floating-point numbers have; None: it has not, or nobody knows."""
    if declared_type in _WIDE_INTEGERS:
        least, greatest = map(Decimal, _WIDE_INTEGERS[declared_type])
        return _Range(least, greatest, Decimal(1), is_whole=True)
    found = _DECIMALS.fullmatch(declared_type)
    if found is None or int(found[1]) <= EXACT_DIGITS:
        return None
    unit = Decimal(1).scaleb(-int(found[2]))
    greatest = _EXACT.multiply(Decimal(10 ** int(found[1]) - 1), unit)
    return _Range(_EXACT.minus(greatest), greatest, unit)


def _suit_decimal(held: _Range | None, value: float | Decimal) -> Value | Gap:
    if held is None:
        return value
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if exact > held.greatest:
        return Gap(_spell(held, held.greatest), is_after=True)
    if exact < held.least:
        return Gap(_spell(held, held.least), is_after=False)
    below = exact.quantize(held.unit, ROUND_FLOOR, _EXACT)
    return _spell(held, below) if below == exact else Gap(_spell(held, below), is_after=True)


def _spell(held: _Range, value: Decimal) -> Value:
    return int(value) if held.is_whole else value  # drivers take decimals of 39 digits for floating-point numbers


def _suit_real(value: float) -> Value | Gap:
    nearest = float(value)
    return nearest if nearest == value else Gap(nearest, is_after=nearest < value)


def _suit_single(value: float) -> Value | Gap:
    """Give what rounds to the nearest single, as the engine rounds what it stores."""
    try:
        single = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return Gap(_LARGEST_SINGLE, is_after=True) if value > 0 else Gap(-_LARGEST_SINGLE, is_after=False)
    if single == 0 and value != 0:
        return Gap(0.0, is_after=value > 0)
    return float(single)


def _suit_boolean(value: float) -> Value | Gap:
    if value in (0, 1):
        return bool(value)
    return Gap(value > 1, is_after=value > 0)


def _suit_time(column: Column, value: str, field: str) -> Value | Gap:
    found = _TIMES.fullmatch(value)
    if found is None:
        raise _refuse(column, field, "a time as ISO 8601 writes it, or its beginning: 13:15:30.5, 13:15")
    try:
        return _place(found, _read_time(found).isoformat())
    except ValueError:
        raise _refuse(column, field, "a time that there is") from None


def _suit_moment(column: Column, value: str, field: str) -> Value | Gap:
    """Give the moment. A beginning, such as a year, stands right before all moments that begin so."""
    if value.lower() in _INFINITIES:
        return value.lower()
    found = _MOMENTS.fullmatch(value)
    if found is None:
        expected = "a date or time as ISO 8601 writes it, or its beginning: 2018-11-05T13:15:30, 2018"
        if _MOMENTS.fullmatch("+".join(value.rsplit(" ", 1))):  # a form's way to read a bare +
            expected = "the + of the zone written as %2B, since + is a space in an address"
        raise _refuse(column, field, expected)
    zone = found["zone"] or ""
    if zone and (column.holds is not Holds.INSTANT or found["hour"] is None):
        raise _refuse(column, field, "a date or time without a zone")
    try:
        day = date(int(found["year"]), int(found["month"] or 1), int(found["day"] or 1))
        if column.holds is Holds.DATE:
            return _place_in_dates(found, day)
        if column.declared_type == NANOSECONDS:
            return _place_in_nanoseconds(found, day)
        moment = datetime.combine(day, _read_time(found)).isoformat()
        return _place(found, moment + _spell_zone(column, zone))
    except ValueError:
        raise _refuse(column, field, "a date or time that there is") from None


def _place_in_dates(found: re.Match[str], day: date) -> Value | Gap:
    if found["day"] is None:
        return Gap(day.isoformat(), is_after=False)
    if found["hour"] is None:
        return day.isoformat()
    _read_time(found)
    return Gap(day.isoformat(), is_after=True)  # a date is what all the moments of its day begin with


def _place_in_nanoseconds(found: re.Match[str], day: date) -> Value | Gap:
    micros = datetime.combine(day, _read_time(found)).isoformat(timespec="microseconds")
    text = micros + (found["fraction"] or "")[_MICROSECOND_DIGITS:_NANOSECOND_DIGITS].ljust(3, "0")
    if text < _FIRST_NANOSECOND:
        return Gap(_FIRST_NANOSECOND, is_after=False)
    if text > _LAST_NANOSECOND:
        return Gap(_LAST_NANOSECOND, is_after=True)
    return _place(found, text, _NANOSECOND_DIGITS)


def _read_time(found: re.Match[str]) -> time:
    micros = (found["fraction"] or "")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    return time(int(found["hour"] or 0), int(found["minute"] or 0), int(found["second"] or 0), int(micros))


def _place(found: re.Match[str], text: str, digits: int = _MICROSECOND_DIGITS) -> Value | Gap:
    if found["second"] is None:
        return Gap(text, is_after=False)
    finer = (found["fraction"] or "")[digits:].strip("0")
    return Gap(text, is_after=True) if finer else text


def _spell_zone(column: Column, zone: str) -> str:
    if column.holds is not Holds.INSTANT:
        return ""
    if zone in ("", "Z", "z"):
        return "+00:00"
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    if offset >= timedelta(hours=16):  # more than any zone, and than engines take
        raise ValueError
    return f"{zone[0]}{hours:02}:{minutes:02}"


def _refuse(column: Column, field: str, expected: str) -> InvalidParameter:
    return InvalidParameter(f"{column.name} holds dates or times.", field=field, expected=expected)


_SUIT_NUMBER = {
    Holds.INTEGER: _suit_integer,
    Holds.REAL: _suit_real,
    Holds.SINGLE: _suit_single,
    Holds.BOOLEAN: _suit_boolean,
}
