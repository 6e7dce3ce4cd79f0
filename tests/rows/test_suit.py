"""What values become beside columns of one type: comparing keeps its meaning, and the engine gets what it can take."""

import math
import operator
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family
from rowgate.rows.suit import NANOSECONDS, Gap, suit

_FIRST_NANOSECOND, _LAST_NANOSECOND = "1677-09-21T00:12:43.145224194", "2262-04-11T23:47:16.854775806"
_ORDERS: tuple[Callable[[Any, Any], bool], ...] = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq)


def _column(holds: Holds) -> Column:
    return Column("c", "", Family.NUMBER, may_be_real=False, holds=holds)


def _stands(stored: Any, place: Any, order: Callable[[Any, Any], bool]) -> bool:
    """Compare as the conditions of a statement do."""
    if not isinstance(place, Gap):
        return order(stored, place)
    if order is operator.eq:
        return False
    if order in (operator.lt, operator.le):
        return bool(stored <= place.value if place.is_after else stored < place.value)
    return bool(stored > place.value if place.is_after else stored >= place.value)


wholes = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2) | st.sampled_from([2**53, 2**53 + 1])
reals = st.floats(allow_nan=False, allow_infinity=False)
singles = st.floats(width=32, allow_nan=False)


@given(wholes, wholes | reals)
def test_whole_numbers_compare_with_every_number(stored: int, value: float) -> None:
    for order in _ORDERS:
        assert _stands(stored, suit(_column(Holds.INTEGER), value), order) is order(stored, value)


@given(st.floats(allow_nan=False), wholes | reals)
def test_doubles_compare_with_every_number(stored: float, value: float) -> None:
    for order in _ORDERS:
        assert _stands(stored, suit(_column(Holds.REAL), value), order) is order(stored, value)


_WIDE = {"DECIMAL(38,0)": 0, "decimal(30, 20)": 20, "DECIMAL(16,16)": 16, "HUGEINT": 0, "UHUGEINT": 0, "UBIGINT": 0}
_numbers = st.decimals(allow_nan=False, allow_infinity=False) | st.integers(-(10**39), 10**39).map(Decimal)


@given(data=st.data(), declared=st.sampled_from(sorted(_WIDE)))
def test_decimals_of_many_digits_compare_with_every_number(data: st.DataObject, declared: str) -> None:
    column = Column("c", declared, Family.NUMBER, may_be_real=True, holds=Holds.DECIMAL)
    places = [suit(column, value) for value in (Decimal("-1e999"), Decimal("1e999"))]
    least, greatest = [Decimal(str(place.value)) for place in places if isinstance(place, Gap)]
    stored = data.draw(st.decimals(least, greatest, places=_WIDE[declared]) | st.sampled_from([least, greatest]))
    value: Any = data.draw(_numbers | st.just(stored) | wholes | reals)
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    place = suit(column, value)
    held = place.value if isinstance(place, Gap) else place
    assert least <= Decimal(str(held)) <= greatest
    for order in _ORDERS:
        assert _stands(stored, place, order) is order(stored, exact)


def test_what_wide_types_hold() -> None:
    for declared, least, greatest in (
        ("HUGEINT", -(2**127), 2**127 - 1),
        ("UHUGEINT", 0, 2**128 - 1),
        ("DECIMAL(20,19)", Decimal("-9.9999999999999999999"), Decimal("9.9999999999999999999")),
    ):
        column = Column("c", declared, Family.NUMBER, may_be_real=True, holds=Holds.DECIMAL)
        assert suit(column, Decimal("1e40")) == Gap(greatest, is_after=True)
        assert suit(column, Decimal("-1e40")) == Gap(least, is_after=False)
    few = Column("c", "DECIMAL(15,2)", Family.NUMBER, may_be_real=True, holds=Holds.DECIMAL)
    assert suit(few, Decimal("1e40")) == Decimal("1e40")


@given(st.booleans(), wholes | reals)
def test_truth_values_compare_as_1_and_0(stored: bool, value: float) -> None:  # noqa: FBT001
    for order in _ORDERS:
        assert _stands(stored, suit(_column(Holds.BOOLEAN), value), order) is order(stored, value)


@given(singles, wholes | reals)
def test_singles_compare_with_what_a_value_rounds_to(stored: float, value: float) -> None:
    """As 0.1 was rounded when it was stored."""
    try:
        rounded = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        rounded = math.copysign(3.5e38, value)
    if rounded == 0 and value != 0:
        rounded = math.copysign(1e-50, value)
    for order in _ORDERS:
        assert _stands(stored, suit(_column(Holds.SINGLE), value), order) is order(stored, rounded)


@st.composite
def beginnings(draw: st.DrawFn) -> str:
    text = draw(moments).isoformat()
    return text[: draw(st.sampled_from([4, 7, 10, 13, 16, 19, 26]))]


moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000 or 5)
)


def _read(place: Any, read: Callable[[str], Any]) -> Any:
    return Gap(read(str(place.value)), place.is_after) if isinstance(place, Gap) else read(place)


@given(moments, beginnings())
def test_a_beginning_stands_before_all_moments_that_begin_so(stored: datetime, value: str) -> None:
    place = _read(suit(_column(Holds.MOMENT), value), datetime.fromisoformat)
    for order in (operator.lt, operator.gt, operator.eq):
        assert _stands(stored, place, order) is order(stored.isoformat(), value)


@given(moments.map(datetime.date), beginnings())
def test_a_date_compares_with_moments_as_their_texts_do(stored: date, value: str) -> None:
    place = _read(suit(_column(Holds.DATE), value), date.fromisoformat)
    for order in _ORDERS:
        assert _stands(stored, place, order) is order(stored.isoformat(), value)


@pytest.mark.parametrize(
    ("holds", "value", "expected"),
    [
        (Holds.INSTANT, "2018-11-05T13:15:30", "2018-11-05T13:15:30+00:00"),
        (Holds.INSTANT, "2018-11-05 13:15:30Z", "2018-11-05T13:15:30+00:00"),
        (Holds.INSTANT, "2018-11-05T13:15:30.5+0130", "2018-11-05T13:15:30.500000+01:30"),
        (Holds.INSTANT, "2018-11-05T13:15:30-01:30", "2018-11-05T13:15:30-01:30"),
        (Holds.INSTANT, "2018-11-05T13:15:30+02", "2018-11-05T13:15:30+02:00"),
        (Holds.SINGLE, 0, 0.0),
        (Holds.SINGLE, 1e-50, Gap(0.0, is_after=True)),
        (Holds.SINGLE, -1e-50, Gap(0.0, is_after=False)),
        (Holds.INSTANT, "2018-11-05", Gap("2018-11-05T00:00:00+00:00", is_after=False)),
        (Holds.MOMENT, "2018-11-05T13:15:30.1234567", Gap("2018-11-05T13:15:30.123456", is_after=True)),
        (Holds.MOMENT, "Infinity", "infinity"),
        (Holds.TIME, "13:15", Gap("13:15:00", is_after=False)),
        (Holds.TIME, "13:15:30", "13:15:30"),
        (Holds.TEXT, "anything", "anything"),
        (Holds.ANYTHING, "anything", "anything"),
        (Holds.DECIMAL, 0.1, 0.1),
    ],
)
def test_values_become(holds: Holds, value: Any, expected: Any) -> None:
    assert suit(_column(holds), value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2018-11-05T13:15:30.123456789", "2018-11-05T13:15:30.123456789"),
        ("2018-11-05 13:15:30.1", "2018-11-05T13:15:30.100000000"),
        ("2018-11-05T13:15:30.1234567891", Gap("2018-11-05T13:15:30.123456789", is_after=True)),
        ("2018", Gap("2018-01-01T00:00:00.000000000", is_after=False)),
        ("infinity", "infinity"),
        ("0001-01-01", Gap(_FIRST_NANOSECOND, is_after=False)),
        ("9999-12-31T23:59:59", Gap(_LAST_NANOSECOND, is_after=True)),
        (_LAST_NANOSECOND, _LAST_NANOSECOND),
    ],
)
def test_nanoseconds_keep_nine_digits_and_their_few_centuries(value: str, expected: Any) -> None:
    assert suit(replace(_column(Holds.MOMENT), declared_type=NANOSECONDS), value) == expected


@pytest.mark.parametrize(
    ("holds", "value"),
    [
        *(
            (Holds.DATE, value)
            for value in ("", "x", "18-11-05", "2018-13", "2018-02-30", "0000-01-01", "'; --", "٢٠١٨")
        ),
        *((Holds.DATE, value) for value in ("2018-11-05T25", "2018-11-05 13:60")),
        *((Holds.MOMENT, value) for value in ("2018-11-05T25", "2018-11-05T13:15:30Z", "2018Z", "2018-11-05T13:60")),
        *((Holds.INSTANT, value) for value in ("2018-11-05T13:15:30+16:00", "2018-11-05T13:15:30 UTC", "2018\n")),
        *((Holds.TIME, value) for value in ("1", "24:00:00", "13:15:30+01", "13:15:30.")),
    ],
)
def test_what_is_no_moment_is_refused_by_name(holds: Holds, value: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        suit(_column(holds), value, "filters[0].value")
    assert refused.value.field == "filters[0].value"


@pytest.mark.parametrize("value", ["2024-03-31T01:30:00 01:00", "2024-03-31 01:30 0100"])
def test_a_plus_that_has_become_a_space_is_told(value: str) -> None:
    column = Column("c", "", Family.MOMENT, may_be_real=False, holds=Holds.INSTANT)
    with pytest.raises(InvalidParameter) as refused:
        suit(column, value, "filters[0].value")
    assert "%2B" in refused.value.expected


@given(st.text(max_size=12) | moments.map(str) | st.times().map(time.isoformat))
def test_every_text_is_read_or_refused(value: str) -> None:
    for holds in Holds:
        try:
            place = suit(_column(holds), value)
        except InvalidParameter:
            continue
        found = str(place.value if isinstance(place, Gap) else place)
        if holds in (Holds.MOMENT, Holds.INSTANT) and "infinity" not in found:
            assert isinstance(datetime.fromisoformat(found), datetime)
