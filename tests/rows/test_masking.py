"""Masks on values: what each lets through, and nothing more."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.masking import COVER, HASH_DIGITS, SHOWN_CHARACTERS, make_masking
from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, Family, Value

KEY = b"k" * 32
values = st.none() | st.text(max_size=12) | st.integers() | st.floats(allow_nan=False) | st.decimals() | st.binary()


def lay(mask: Mask | None, value: Value, *, key: bytes = KEY) -> Any:
    """Give what stands in place of a value in a row between two that are not masked."""
    columns = [
        Column(str(place), "", Family.ANY, may_be_real=True, mask=m) for place, m in enumerate((None, mask, None))
    ]
    mask_rows = make_masking(columns, key)
    if mask_rows is None:
        return value
    ((before, masked, after),) = mask_rows([("before", value, 7)])
    assert (before, after) == ("before", 7)
    assert list(mask_rows([])) == []
    return masked


@given(values)
def test_without_a_mask_a_value_is_itself(value: Value) -> None:
    assert make_masking([Column("a", "", Family.ANY, may_be_real=True)], b"") is None
    assert lay(None, value) is value


@pytest.mark.parametrize("mask", Mask)
def test_null_stays_null(mask: Mask) -> None:
    assert lay(mask, None) is None


@given(values)
def test_nothing_is_left_under_the_mask_of_nothing(value: Value) -> None:
    assert lay(Mask.NULL, value) is None


@given(st.text())
def test_the_end_is_four_characters_or_half_of_them(text: str) -> None:
    shown = lay(Mask.LAST_FOUR, text)
    assert shown.startswith(COVER)
    end = shown.removeprefix(COVER)
    assert text.endswith(end)
    assert len(end) == min(SHOWN_CHARACTERS, len(text) // 2)


@given(st.binary())
def test_bytes_have_no_end_to_show(value: bytes) -> None:
    assert lay(Mask.LAST_FOUR, value) is None


finite = st.decimals(allow_nan=False, allow_infinity=False, places=3)
there = values.filter(lambda value: value is not None)
kinds: list[st.SearchStrategy[Any]] = [st.text(), st.integers(), st.floats(), st.binary()]
pairs = st.sampled_from(kinds).flatmap(lambda kind: st.tuples(kind, kind))


@given(there)
def test_a_hash_leads_nowhere_without_the_key(value: Value) -> None:
    hashed = lay(Mask.HASH, value)
    assert len(hashed) == HASH_DIGITS
    assert set(hashed) <= set("0123456789abcdef")
    assert hashed != lay(Mask.HASH, value, key=b"K" * 32)


@given(pairs)
def test_hashes_are_equal_for_equal_values_alone(pair: tuple[Value, Value]) -> None:
    one, other = pair
    same = one == other or str(one) == str(other)
    assert (lay(Mask.HASH, one) == lay(Mask.HASH, other)) == same


@given(finite, st.integers(0, 20), finite)
def test_a_decimal_has_one_hash_however_many_places_it_is_written_with(
    value: Decimal, places: int, other: Decimal
) -> None:
    longer = Decimal(f"{value}{'0' * places}")
    assert longer == value
    assert lay(Mask.HASH, longer) == lay(Mask.HASH, value)
    assert (lay(Mask.HASH, other) == lay(Mask.HASH, value)) == (other == value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (Decimal("7.00"), "7"),
        (Decimal("0.50"), "0.5"),
        (Decimal("-0.00"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal(70), "70"),
    ],
)
def test_a_number_and_its_text_have_one_hash(number: Value, text: str) -> None:
    assert lay(Mask.HASH, number) == lay(Mask.HASH, text) == lay(Mask.HASH, text.encode())


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("2018-11-05", 2018),
        ("2018-11-05T13:15:30Z", 2018),
        ("2018", 2018),
        ("0001-01-01", 1),
        ("20181105", None),
        ("201", None),
        ("", None),
        (" 2018-11-05", None),
        ("November 2018", None),
        ("٢٠١٨-11-05", None),
        (2018, None),
        (b"2018-11-05", None),
    ],
)
def test_a_year_is_what_a_date_begins_with(value: Value, year: int | None) -> None:
    assert lay(Mask.YEAR, value) == year
