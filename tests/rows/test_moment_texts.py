"""Columns of dates and moments are written as one by one, in every year that PostgreSQL has."""

import datetime as dt
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from rowgate.rows.moment_texts import write_dates, write_moments

EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - moments without a zone
MICROSECOND = dt.timedelta(microseconds=1)
CYCLE = dt.timedelta(days=146_097)  # 400 years, after which the calendar is the same
FIRST_DAY, LAST_DAY = -2_451_507, 2_145_031_948  # 4714-11-24 BC and 5874897-12-31, PostgreSQL's bounds
FIRST_MOMENT, LAST_MOMENT = FIRST_DAY * 86_400_000_000, 9_223_371_331_199_999_999  # until 294276-12-31


def split(lengths: Any, text: bytes) -> list[str]:
    if isinstance(lengths, int):
        lengths = [lengths] * (len(text) // lengths)
    ends = np.cumsum(lengths)
    assert ends[-1] == len(text)
    return [text[end - length : end].decode() for end, length in zip(ends, lengths, strict=True)]


def tell_date(days: int) -> tuple[str, str]:
    """Give a date and its era by way of a year that Python has."""
    cycles = (days + 730_119) // CYCLE.days
    date = EPOCH.date() + dt.timedelta(days=days - cycles * CYCLE.days)
    year = date.year + 400 * cycles
    return f"{year if year > 0 else 1 - year:04}{date:-%m-%d}", "" if year > 0 else " BC"


def tell_moment(microseconds: int, zone: str) -> str:
    days, rest = divmod(microseconds, 86_400_000_000)
    date, era = tell_date(days)
    time = (EPOCH + rest * MICROSECOND).time().isoformat()
    return f"{date}T{time.rstrip('0') if '.' in time else time}{zone}{era}"


usual_days = st.integers(-730_119, 2_921_939)
recent_days = st.integers(-30_000, 30_000)
all_days = st.integers(FIRST_DAY, LAST_DAY)
columns_of_days = st.one_of(*(st.lists(days, min_size=1, max_size=20) for days in (usual_days, recent_days, all_days)))


@given(columns_of_days)
@example([-730_119, 2_921_939])
@example([-730_120])
@example([-36_525, 36_524, 36_525])
def test_dates_are_those_of_the_calendar(days: list[int]) -> None:
    assert split(*write_dates(np.array(days, ">i4"))) == ["".join(tell_date(day)) for day in days]


seconds = st.integers(-3 * 10**9, 3 * 10**9).map(lambda second: second * 1_000_000)
usual_moments = st.integers(-730_119 * 86_400_000_000, 2_921_940 * 86_400_000_000 - 1)
halves = st.builds(lambda second, part: second + part, seconds, st.sampled_from([0, 500_000, 120_000, 1, 999_999]))
columns_of_moments = st.one_of(
    *(
        st.lists(moments, min_size=1, max_size=20)
        for moments in (seconds, halves, usual_moments, st.integers(FIRST_MOMENT, LAST_MOMENT))
    )
)


@given(columns_of_moments, st.sampled_from(["", "+00:00"]))
@example([-1, 0, 1], "")
@example([FIRST_MOMENT, LAST_MOMENT], "+00:00")
def test_moments_are_those_of_the_calendar_with_the_digits_they_have(moments: list[int], zone: str) -> None:
    found = split(*write_moments(np.array(moments, ">i8"), zone=zone.encode()))
    assert found == [tell_moment(moment, zone) for moment in moments]


def test_what_never_comes_is_told_beside_what_does() -> None:
    assert split(*write_dates(np.array([2**31 - 1, 0, -(2**31)], ">i4"))) == ["infinity", "2000-01-01", "-infinity"]
    found = split(*write_moments(np.array([2**63 - 1, 0, -(2**63)], ">i8"), zone=b"+00:00"))
    assert found == ["infinity", "2000-01-01T00:00:00+00:00", "-infinity"]


def test_a_column_of_nothing_is_empty() -> None:
    assert write_dates(np.array([], ">i4"))[1] == b""
    assert write_moments(np.array([], ">i8"), zone=b"")[1] == b""
