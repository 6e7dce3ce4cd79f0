"""What JSON cannot write as a number is written as a text, wherever it stands among others; all else as it is."""

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.encode import open_encoder
from rowgate.rows.model import Column, Family, Format, ObjectDescription, Plan, Row

COLUMNS = (Column("a", "", Family.ANY, may_be_real=True), Column("b", "", Family.NUMBER, may_be_real=True))
_DECIMALS = st.decimals() | st.sampled_from([Decimal("1E400"), Decimal("-1E400"), Decimal("NaN"), Decimal("-NaN7")])
_NUMBERS = st.floats() | st.integers(-(2**63), 2**64 - 1) | _DECIMALS.filter(lambda number: not number.is_snan())
_VALUES = _NUMBERS | st.none() | st.text(max_size=3) | st.sampled_from([math.inf, -math.inf, math.nan, 1e308])


def encode(rows: list[Row], form: Format) -> str:
    plan = Plan(ObjectDescription("o", "table", COLUMNS), COLUMNS, (), (), None, (), None, 0)
    encoder = open_encoder(plan, form)
    return (encoder.encode_block(rows) + encoder.encode_end()).decode()


def expect(value: Any) -> Any:
    if isinstance(value, (float, Decimal)) and not Decimal(value).is_finite():
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - only NaN is not itself
    return value


@given(st.lists(st.tuples(_VALUES, _NUMBERS | st.none()), max_size=8))
def test_only_what_is_no_number_is_a_text(rows: list[Row]) -> None:
    told = json.loads(encode(rows, Format.JSON), parse_float=Decimal)
    for row, told_row in zip(rows, told, strict=True):
        for value, told_value in zip(map(expect, row), told_row.values(), strict=True):
            if isinstance(told_value, Decimal):
                assert value == (float(told_value) if isinstance(value, float) else told_value)
            else:
                assert told_value == value


@pytest.mark.parametrize("form", [Format.JSON, Format.NDJSON, Format.CSV])
def test_decimal_beyond_every_float_is_a_number_also_beside_what_is_none(form: Format) -> None:
    text = encode([(Decimal("1E400"), math.inf), (Decimal("NaN"), None)], form)
    assert "1E+400" in text
    assert text.count("Infinity") == 1
