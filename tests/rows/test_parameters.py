"""Values of parameters are bound as they came, or refused with their name and what was expected (O-40, O-41, O-44)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.errors import EngineUnavailable, InvalidParameter
from rowgate.rows.model import ObjectDescription
from rowgate.rows.parameters import plan_call
from rowgate.rows.procedures import Parameter, ParameterType, Procedure, TableColumn
from rowgate.rows.request_call import parse_call_body

NAMES = (TableColumn("name", ParameterType.TEXT),)
PORTS = (TableColumn("Name", ParameterType.TEXT), TableColumn("port", ParameterType.INTEGER))


def bind(kind: ParameterType | tuple[TableColumn, ...], value: Any, *, required: bool = False) -> Any:
    described = Procedure("p", "procedure", (), parameters=(Parameter("it", kind, required),))
    return plan_call(described, {"it": value}).values[0]


BOUND = [
    (ParameterType.TEXT, "'; DROP TABLE t --", "'; DROP TABLE t --"),
    (ParameterType.TEXT, "", ""),
    (ParameterType.TEXT, "5", "5"),
    (ParameterType.INTEGER, 2**63 - 1, 2**63 - 1),
    (ParameterType.NUMBER, 1.5, 1.5),
    (ParameterType.NUMBER, 3, 3),
    (ParameterType.BOOLEAN, True, True),
    (ParameterType.DATE, "2018-11-05", "2018-11-05"),
    (ParameterType.MOMENT, "2018-11-05", "2018-11-05"),
    (ParameterType.MOMENT, "2018-11-05T13:15:30", "2018-11-05T13:15:30"),
    (ParameterType.MOMENT, "2018-11-05 13:15:30.123456+02:00", "2018-11-05 13:15:30.123456+02:00"),
    (ParameterType.MOMENT, "2018-11-05T13:15Z", "2018-11-05T13:15Z"),
    (ParameterType.BINARY, "AAE=", b"\0\1"),
    (ParameterType.TEXT, None, None),
    (NAMES, [], "[]"),
    (NAMES, [{"name": "a"}, {"NAME": "b"}], '[["a"],["b"]]'),
    (NAMES, ["a", "b", None], '[["a"],["b"],[null]]'),
    (NAMES, ["a", {"name": "b"}], '[["a"],["b"]]'),
    (PORTS, [{"port": 1, "name": "a"}, {"name": None, "port": None}], '[["a",1],[null,null]]'),
]


@pytest.mark.parametrize(("kind", "value", "bound"), BOUND)
def test_value_is_bound_as_it_came(kind: Any, value: Any, bound: Any) -> None:
    found = bind(kind, value)
    assert found == bound
    assert type(found) is type(bound)


REFUSED = [
    (ParameterType.TEXT, 5, "parameters.it", "text"),
    (ParameterType.TEXT, ["a"], "parameters.it", "text"),
    (ParameterType.TEXT, {"a": 1}, "parameters.it", "text"),
    (ParameterType.TEXT, "\ud800", "parameters.it", "text without lone surrogates"),
    (ParameterType.INTEGER, "5", "parameters.it", "a whole number"),
    (ParameterType.INTEGER, 5.0, "parameters.it", "a whole number"),
    (ParameterType.INTEGER, True, "parameters.it", "a whole number"),
    (ParameterType.INTEGER, 2**63, "parameters.it", "a number within 64 bits"),
    (ParameterType.NUMBER, False, "parameters.it", "a number"),
    (ParameterType.BOOLEAN, 1, "parameters.it", "true or false"),
    (ParameterType.BOOLEAN, "true", "parameters.it", "true or false"),
    (ParameterType.DATE, "2018-11-05T13:15", "parameters.it", "a date such as 2018-11-05"),
    (ParameterType.DATE, "2018-02-30", "parameters.it", "a date such as 2018-11-05"),
    (ParameterType.DATE, "20181105", "parameters.it", "a date such as 2018-11-05"),
    (ParameterType.MOMENT, "yesterday", "parameters.it", "a date or moment such as 2018-11-05T13:15:30"),
    (ParameterType.MOMENT, "2018-11-05T25:00", "parameters.it", "a date or moment such as 2018-11-05T13:15:30"),
    (ParameterType.MOMENT, "٢٠١٨-11-05", "parameters.it", "a date or moment such as 2018-11-05T13:15:30"),
    (ParameterType.BINARY, "no base64!", "parameters.it", "base64"),
    (NAMES, "a", "parameters.it", "a list for table(name text)"),
    (NAMES, {"name": "a"}, "parameters.it", "a list for table(name text)"),
    (NAMES, [1], "parameters.it[0].name", "text"),
    (NAMES, ["a", ["b"]], "parameters.it[1].name", "text"),
    (NAMES, [{}], "parameters.it[0]", "an object with name (text)"),
    (NAMES, [{"name": "a", "NAME": "b"}], "parameters.it[0]", "an object with name (text)"),
    (PORTS, ["a"], "parameters.it[0]", "an object with Name (text), port (integer)"),
    (PORTS, [{"name": "a"}], "parameters.it[0]", "an object with Name (text), port (integer)"),
    (PORTS, [{"name": "a", "port": 1, "x": 1}], "parameters.it[0]", "an object with Name (text), port (integer)"),
    (PORTS, [{"name": "a", "port": "1"}], "parameters.it[0].port", "a whole number"),
]


@pytest.mark.parametrize(("kind", "value", "field", "expected"), REFUSED)
def test_value_of_another_type_is_refused(kind: Any, value: Any, field: str, expected: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        bind(kind, value)
    assert (raised.value.field, raised.value.expected) == (field, expected)


PROCEDURE = Procedure(
    "p",
    "procedure",
    (),
    parameters=(
        Parameter("Department", ParameterType.TEXT, required=True),
        Parameter("since", ParameterType.MOMENT, default="2018-01-01"),
        Parameter("hosts", NAMES),
        Parameter("few", ParameterType.INTEGER, required=True),
    ),
)


def test_names_match_without_regard_to_case_and_defaults_stand_in() -> None:
    """O-45."""
    call = plan_call(PROCEDURE, {"FEW": 3, "department": "a"})
    assert call.values == ("a", "2018-01-01", "[]", 3)
    assert call.given == (("Department", "a"), ("few", 3))


@pytest.mark.parametrize(
    ("given_", "field", "expected"),
    [
        ({}, "parameters.Department", "Department (text), few (integer)"),
        ({"few": 1}, "parameters.Department", "Department (text)"),
        ({"Department": None, "few": 1}, "parameters.Department", "text"),
        ({"Department": "a", "few": 1, "x": 1}, "parameters.x", "one of Department, since, hosts, few"),
        ({"Department": "a", "DEPARTMENT": "b"}, "parameters.DEPARTMENT", "it once"),
        ({"Department": "a", "few": 1, "x" * 100: 1}, "parameters." + "x" * 64, "one of"),
    ],
)
def test_missing_extra_and_repeated_parameters_are_named(given_: Any, field: str, expected: str) -> None:
    """O-44."""
    with pytest.raises(InvalidParameter) as raised:
        plan_call(PROCEDURE, given_)
    assert raised.value.field == field
    assert raised.value.expected.startswith(expected)


def test_what_is_no_procedure_is_not_called() -> None:
    with pytest.raises(InvalidParameter):
        plan_call(ObjectDescription("t", "table", ()), {})
    with pytest.raises(EngineUnavailable) as raised:
        plan_call(Procedure("p", "procedure", (), fault="line 1: secret words"), {})
    assert "secret" not in raised.value.description
    assert "secret" in raised.value.detail


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def check_refusal(refusal: InvalidParameter) -> None:
    assert refusal.field.startswith("parameters.it")
    assert refusal.expected


@given(st.sampled_from([*ParameterType, NAMES, PORTS]), _json)
def test_whatever_comes_is_bound_or_refused(kind: Any, value: Any) -> None:
    try:
        bound = bind(kind, value)
    except InvalidParameter as refusal:
        check_refusal(refusal)
        return
    if isinstance(kind, tuple):
        assert len(json.loads(bound)) == (0 if value is None else len(value))
    else:
        assert bound is None or isinstance(bound, (str, int, float, bytes))


BODIES = {
    b'{"parameters": {"a": 1}, "limit": 3}': ({"a": 1}, 3),
    b"{PARAMETERS: {a: 1,}, limit: 3,}": ({"a": 1}, 3),
    b"": ({}, None),
    b"{}": ({}, None),
    b'{"parameters": null}': ({}, None),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.items())
def test_body_is_json_or_json5(body: bytes, expected: Any) -> None:
    request = parse_call_body(body)
    assert (request.parameters, request.result.limit) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", "body"),
        (b"nonsense", "body"),
        (b'{"parameters": []}', "parameters"),
        (b'{"parameters": "a"}', "parameters"),
        (b'{"parameters": {"": 1}}', "parameters"),
        (b'{"parameter": {}}', "parameter"),
        (b'{"cursor": ""}', "cursor"),
        (b'{"jobRuntimeKey": "all"}', "jobRuntimeKey"),
        (b'{"parameters": {}, "Parameters": {}}', "parameters"),
        (b'{"limit": -1}', "limit"),
    ],
)
def test_malformed_body_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        parse_call_body(body)
    assert raised.value.field == field
