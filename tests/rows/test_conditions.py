"""What a value of a filter becomes beside columns of numbers: the number it says, exactly, or a refusal."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.rows.conditions import list_functions, plan_condition, plan_values
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.dialects.postgres import POSTGRES
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Function, ObjectDescription, RequestedFilter, Scalar, Statement, Value
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import build_request
from rowgate.rows.sql import render_select
from rows.test_other_dialects import DIALECTS
from support.laws import choose_examples

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


def test_who_says_no_truth_is_told_that_true_and_false_are_wanted() -> None:
    with pytest.raises(InvalidParameter) as refused:
        become(BOOLEAN, "yes")
    assert refused.value.expected == "true or false"


BINARY = Column("x", "", Family.BINARY, may_be_real=False, holds=Holds.BINARY)
RUN = Column("run", "", Family.TEXT, may_be_real=False)
TABLE = ObjectDescription("o", "table", (NUMBER, BINARY, RUN))


def test_binary_data_is_its_base64_and_is_compared_as_a_whole() -> None:
    assert become(BINARY, "AP8Q") == b"\x00\xff\x10"
    for value in ("AP8", "no base64!", "é", 7, True):
        with pytest.raises(InvalidParameter) as refused:
            become(BINARY, value)
        assert (refused.value.field, refused.value.expected) == ("filters[0].value", "base64")
    for function in Function:
        none = function in (Function.IS_NULL, Function.IS_NOT_NULL)
        asked = RequestedFilter("filters[0]", "x", function, None if none else "AP8Q")
        if function in list_functions(BINARY):
            plan_condition(TABLE, asked)
            continue
        with pytest.raises(InvalidParameter) as refused:
            plan_condition(TABLE, asked)
        assert refused.value.field == "filters[0].function"


def test_truth_is_a_number_beside_values_of_any_kind() -> None:
    found = become(Column("a", "", Family.ANY, may_be_real=True), given=True)
    assert (type(found), found) == (int, 1)


def test_a_filter_on_the_run_key_chooses_the_runs_however_deep_it_stands() -> None:
    """O-25: else the newest run alone would be read of those that it asks for."""
    on_run = {"column": "run", "function": "equals", "value": "2018"}
    other = {"column": "n", "function": "is_null"}
    for asked, chooses in (
        ([other], False),
        ([{"or": [other, {"not": other}]}], False),
        ([other, on_run], True),
        ([{"or": [other, {"not": {"and": [other, on_run]}}]}], True),
    ):
        planned = plan_rows(build_request({"filters": asked}), TABLE, run_key="run")
        assert (planned.latest_run is None) == chooses


@pytest.mark.parametrize(("function", "sign"), [("greater", ">"), ("greater_equal", ">"), ("less", "<=")])
def test_text_with_a_nul_stands_right_after_its_beginning_where_texts_hold_none(function: str, sign: str) -> None:
    asked = {"column": "run", "function": function, "value": "a\0b", "matchCase": True}
    planned = plan_rows(build_request({"filters": [asked]}), TABLE, run_key="run")
    statement = render_select(planned, POSTGRES)
    assert statement.parameters == ("a",)
    assert f' WHERE "run" {sign} CAST($1' in statement.text


@pytest.mark.parametrize("function", [Function.CONTAINS, Function.STARTS_WITH, Function.ENDS_WITH])
@pytest.mark.parametrize(("given", "text"), [("1.50", "1.50"), ("x", "x"), (7, "7"), (0.5, "0.5")])
def test_what_is_looked_for_inside_numbers_is_text(function: Function, given: Scalar, text: str) -> None:
    assert plan_values(NUMBER, function, (given,), ("filters[0].value",)) == (text,)


_ORDERED = {Function.GREATER: ">", Function.GREATER_EQUAL: ">=", Function.LESS: "<", Function.LESS_EQUAL: "<="}
_holds = st.sampled_from([Holds.ANYTHING, Holds.INTEGER, Holds.REAL, Holds.DECIMAL])
_numbers = st.integers(-3, 3) | st.integers(LEAST, GREATEST) | st.sampled_from([-0.5, 0.5, 2.0**53, -(2.0**70), 1e300])


def _render_order(column: Column, function: Function, given: Sequence[Scalar], dialect: Dialect) -> Statement:
    asked = {"column": column.name, "function": function.value, "value": list(given)}
    described = ObjectDescription("o", "table", (column,))
    return render_select(plan_rows(build_request({"filters": [asked], "limit": 1}), described, run_key=""), dialect)


@settings(max_examples=choose_examples(200), deadline=None)
@given(_holds, st.sampled_from(list(_ORDERED)), st.lists(_numbers, min_size=1, max_size=5), st.lists(_numbers))
def test_one_of_several_numbers_decides(
    holds: Holds, function: Function, asked: list[float], stored: list[float]
) -> None:
    """Greater than any of them is greater than the least, whatever the column can hold."""
    column = Column("n", "", Family.NUMBER, may_be_real=holds is not Holds.INTEGER, holds=holds)
    held = [int(n) if holds is Holds.INTEGER else float(n) for n in stored if abs(n) < 2**62]
    statement = _render_order(column, function, asked, SQLITE)
    alone = [_render_order(column, function, [value], SQLITE) for value in asked]
    assert len(statement.parameters) == len(alone[0].parameters)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE o (n)")
        database.executemany("INSERT INTO o VALUES (?)", [(n,) for n in held])

        def find(one: Statement) -> set[float]:
            (condition,) = re.findall("WHERE (.*) LIMIT", one.text)
            values = tuple(one.parameters)[:-1]
            return {n for (n,) in database.execute(f"SELECT n FROM o WHERE {condition}", values)}

        assert find(statement) == set().union(*map(find, alone))


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("function", _ORDERED)
@pytest.mark.parametrize(
    ("column", "asked"),
    [
        (NUMBER, [5, 1.5, "9", True]),
        (replace(NUMBER, holds=Holds.INTEGER), [5, 1.5, 2.0**70]),
        (replace(NUMBER, holds=Holds.REAL), [2**53 + 1, 0.1]),
        (DECIMAL, ["0.10", "1e30", 3]),
        (Column("m", "", Family.MOMENT, may_be_real=False, holds=Holds.MOMENT), ["2020", "2019-01-01T00:00:00.5"]),
        (Column("m", "", Family.MOMENT, may_be_real=False, holds=Holds.DATE), ["2020-01-01T10:00", "2019", "infinity"]),
    ],
)
def test_a_list_beside_an_order_is_bound_as_one_value(
    name: str, function: Function, column: Column, asked: list[Scalar]
) -> None:
    statement = _render_order(column, function, asked * (1000 // len(asked)), DIALECTS[name])
    assert len(statement.parameters) == len(_render_order(column, function, asked[:1], DIALECTS[name]).parameters)


@pytest.mark.parametrize(
    ("holds", "asked", "least", "most"),
    [
        (Holds.INTEGER, [1, 0.5, 1.5], (">", 0), ("<=", 1)),
        (Holds.INTEGER, [1, 1.0], (">", 1), ("<", 1)),
        (Holds.ANYTHING, [2**53 + 1, 2.0**53], (">", 2.0**53), ("<", 2**53 + 1)),
    ],
)
def test_beside_a_number_a_gap_stands_on_its_side(
    holds: Holds, asked: list[Scalar], least: tuple[str, float], most: tuple[str, float]
) -> None:
    column = replace(NUMBER, holds=holds)
    for function, (sign, value) in ((Function.GREATER, least), (Function.LESS, most)):
        statement = _render_order(column, function, asked, SQLITE)
        assert (f'"n" {sign} ?' in statement.text, statement.parameters[0]) == (True, value)
