"""What a value of a filter becomes beside columns of numbers: the number it says, exactly, or a refusal."""

from decimal import Decimal

import pytest

from rowgate.rows.conditions import plan_values
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Function, Scalar, Value

NUMBER = Column("n", "", Family.NUMBER, may_be_real=True)
BOOLEAN = Column("b", "", Family.BOOLEAN, may_be_real=False, holds=Holds.BOOLEAN)
DECIMAL = Column("d", "", Family.NUMBER, may_be_real=True, holds=Holds.DECIMAL)
LEAST, GREATEST = -(2**63), 2**63 - 1


def become(column: Column, given: Scalar) -> Value:
    (value,) = plan_values(column, Function.EQUALS, (given,), ("filters[0].value",))
    return value


@pytest.mark.parametrize(
    ("column", "given", "value"),
    [
        (NUMBER, " 7 ", 7),
        (NUMBER, "-7", -7),
        (NUMBER, "1e3", 1000.0),
        (NUMBER, True, 1),
        (NUMBER, str(GREATEST), GREATEST),
        (NUMBER, str(LEAST), LEAST),
        (BOOLEAN, "true", 1),
        (BOOLEAN, "FALSE", 0),
        (BOOLEAN, "1", 1),
        (BOOLEAN, False, 0),
        (DECIMAL, "12345678901234567890.10", Decimal("12345678901234567890.10")),
        (DECIMAL, "-.5", Decimal("-0.5")),
        (DECIMAL, "1e1000", Decimal("1e1000")),
    ],
)
def test_text_is_the_number_that_it_says(column: Column, given: Scalar, value: Value) -> None:
    found = become(column, given)
    assert (type(found), str(found)) == (type(value), str(value))


@pytest.mark.parametrize(
    ("column", "given"),
    [
        (NUMBER, "true"),
        (NUMBER, "1_000"),
        (NUMBER, "nan"),
        (NUMBER, "-inf"),
        (NUMBER, ""),
        (NUMBER, str(GREATEST + 1)),
        (NUMBER, str(LEAST - 1)),
        (BOOLEAN, "yes"),
        (DECIMAL, "NaN"),
        (DECIMAL, "true"),
        (DECIMAL, "1e1001"),
        (DECIMAL, "1e-1001"),
        (DECIMAL, "\u0667"),  # a digit, and none of ASCII
    ],
)
def test_what_says_no_number_is_refused_where_it_stood(column: Column, given: Scalar) -> None:
    with pytest.raises(InvalidParameter) as refused:
        become(column, given)
    assert refused.value.field == "filters[0].value"


@pytest.mark.parametrize("function", [Function.CONTAINS, Function.STARTS_WITH, Function.ENDS_WITH])
@pytest.mark.parametrize(("given", "text"), [("1.50", "1.50"), ("x", "x"), (7, "7"), (0.5, "0.5")])
def test_what_is_looked_for_inside_numbers_is_text(function: Function, given: Scalar, text: str) -> None:
    assert plan_values(NUMBER, function, (given,), ("filters[0].value",)) == (text,)
