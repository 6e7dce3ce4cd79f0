"""Dates and moments as texts, a whole column at once, of the numbers that PostgreSQL counts them by.

Its days and microseconds count from the year 2000; the least and the greatest number stand for those that never come.
Years from 1 to 9999 are written by tables, the others, which few have, one by one.

Source: docs/reference/types.md, PostgreSQL
"""

import datetime as dt
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DAY_MICROSECONDS = 86_400_000_000
_DAYS_BEFORE_2000 = dt.date(2000, 1, 1).toordinal()  # from the first day of year 1, which is 1
_DAYS_FROM_1970 = _DAYS_BEFORE_2000 - dt.date(1970, 1, 1).toordinal()
_FIRST, _LAST = dt.date.min.toordinal() - _DAYS_BEFORE_2000, dt.date.max.toordinal() - _DAYS_BEFORE_2000
_TABLE_FROM, _TABLE_TO = (dt.date(year, 1, 1).toordinal() - _DAYS_BEFORE_2000 for year in (1900, 2100))
_NO_DAYS = {-(2**31): b"-infinity", 2**31 - 1: b"infinity"}
_NO_MOMENTS = {-(2**63): b"-infinity", 2**63 - 1: b"infinity"}
_CYCLE_DAYS, _CYCLE_YEARS = 146_097, 4 * 100  # after which the calendar is the same again

_Numbers = NDArray[Any]
_DATE_LENGTH = 10
_DATE_PARTS = np.dtype([("year", "S4"), ("month", "S3"), ("day", "S3")])
_YEARS = np.array([b"%04d" % year for year in range(10_000)])
_PARTS = np.array([b"-%02d" % part for part in range(32)])  # of a date
_MINUTES = np.array([b"T%02d:%02d" % divmod(minute, 60) for minute in range(24 * 60)])
_SECONDS = np.array([b":%02d" % second for second in range(60)])
_THOUSANDTHS = np.array([b"%03d" % part for part in range(1000)])


def write_dates(days: _Numbers) -> tuple[int | _Numbers, bytes]:
    """Give the length of each text, or of all, and the texts one after the other."""
    days = days.astype(np.int64)
    if _are_usual(days):
        return _DATE_LENGTH, _render_days(days).tobytes()
    return _join([_write_date(int(day)) for day in days])


def write_moments(microseconds: _Numbers, *, zone: bytes) -> tuple[int | _Numbers, bytes]:
    """Give the length of each text, or of all, and the texts one after the other, each with the zone."""
    microseconds = microseconds.astype(np.int64)
    days = microseconds // _DAY_MICROSECONDS
    if not _are_usual(days):
        return _join([_write_moment(int(moment), zone) for moment in microseconds])
    rest = microseconds - days * _DAY_MICROSECONDS
    seconds = rest // 1_000_000
    fractions = rest - seconds * 1_000_000
    minutes = seconds // 60
    has_fractions = bool(fractions.any())
    parts = [("date", "S10"), ("minute", "S6"), ("second", "S3")]
    if has_fractions:
        parts += [("point", "S1"), ("milliseconds", "S3"), ("microseconds", "S3")]
    texts = np.empty(len(days), [*parts, ("zone", f"S{len(zone)}")] if zone else parts)
    texts["date"], texts["minute"], texts["second"] = (
        _render_days(days),
        _MINUTES[minutes],
        _SECONDS[seconds - minutes * 60],
    )
    if zone:
        texts["zone"] = zone
    if not has_fractions:
        return texts.itemsize, texts.tobytes()
    texts["point"] = b"."
    texts["milliseconds"], texts["microseconds"] = _THOUSANDTHS[fractions // 1000], _THOUSANDTHS[fractions % 1000]
    return _drop_zeros(texts, fractions)


def _drop_zeros(texts: _Numbers, fractions: _Numbers) -> tuple[_Numbers, bytes]:
    """Leave out the zeros that a fraction ends with, and its point where nothing follows."""
    digits = np.full(len(fractions), 6)
    for places in range(1, 6):
        digits -= fractions % 10**places == 0
    shown = np.where(fractions == 0, 0, digits + 1)  # with the point
    begin = texts.dtype.fields["point"][1]  # type: ignore[index] # it has fields
    is_kept = np.ones((len(texts), texts.itemsize), bool)
    is_kept[:, begin : begin + 7] = np.arange(7) < shown[:, np.newaxis]
    signs = texts.view(np.uint8).reshape(len(texts), texts.itemsize)
    return is_kept.sum(axis=1), signs[is_kept].tobytes()


def _are_usual(days: _Numbers) -> bool:
    return not len(days) or bool(days.min() >= _FIRST and days.max() <= _LAST)


def _render_days(days: _Numbers) -> _Numbers:
    if len(days) and days.min() >= _TABLE_FROM and days.max() < _TABLE_TO:
        texts: _Numbers = _make_table()[days - _TABLE_FROM]
        return texts
    return _compute_days(days)


@lru_cache(maxsize=1)
def _make_table() -> _Numbers:
    """Give the texts of the days that most are among, one after the other."""
    return _compute_days(np.arange(_TABLE_FROM, _TABLE_TO))


def _compute_days(days: _Numbers) -> _Numbers:
    dates = (days + _DAYS_FROM_1970).astype("M8[D]")
    months, years = dates.astype("M8[M]"), dates.astype("M8[Y]")
    texts = np.empty(len(days), _DATE_PARTS)
    texts["year"] = _YEARS[years.astype(np.int64) + 1970]
    texts["month"] = _PARTS[(months - years.astype("M8[M]")).astype(np.int64) + 1]
    texts["day"] = _PARTS[(dates - months.astype("M8[D]")).astype(np.int64) + 1]
    return texts.view(f"S{_DATE_LENGTH}")


def _join(texts: list[bytes]) -> tuple[_Numbers, bytes]:
    return np.array([len(text) for text in texts]), b"".join(texts)


def _write_date(day: int) -> bytes:
    """Give any date at all.

    >>> _write_date(-746_117), _write_date(2**31 - 1)
    (b'0044-03-15 BC', b'infinity')
    """
    return _NO_DAYS.get(day) or b"".join(_render_day(day))


def _write_moment(microseconds: int, zone: bytes) -> bytes:
    """Give any moment at all.

    >>> _write_moment(-(2**63), b""), _write_moment(500_000, b"+00:00")
    (b'-infinity', b'2000-01-01T00:00:00.5+00:00')
    """
    if (never := _NO_MOMENTS.get(microseconds)) is not None:
        return never
    day, rest = divmod(microseconds, _DAY_MICROSECONDS)
    date, era = _render_day(day)
    seconds, fraction = divmod(rest, 1_000_000)
    minutes, second = divmod(seconds, 60)
    digits = (b".%06d" % fraction).rstrip(b"0").rstrip(b".")
    return date + bytes(_MINUTES[minutes]) + bytes(_SECONDS[second]) + digits + zone + era


def _render_day(day: int) -> tuple[bytes, bytes]:
    """Give the date, and what follows everything: years before the first are counted backwards."""
    cycles, rest = divmod(day + _DAYS_BEFORE_2000 - 1, _CYCLE_DAYS)
    date = dt.date.fromordinal(rest + 1)
    year = date.year + cycles * _CYCLE_YEARS
    shown, era = (year, b"") if year > 0 else (1 - year, b" BC")
    return b"%04d-%02d-%02d" % (shown, date.month, date.day), era
