"""Holds the parameters of a call against those of its procedure: each value is checked, and ready to be bound.

Values are passed on untouched (O-40): what has another type is refused, never converted.
"""

import base64
import contextlib
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from rowgate.rows.errors import EngineUnavailable, InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.model import ObjectDescription, Value
from rowgate.rows.procedures import Call, Parameter, ParameterType, Procedure, TableColumn, describe_type
from rowgate.rows.request_values import take_scalar, wrong

MAX_DEPTH = 32  # of a value
_MOST_NAMES_TOLD = 60
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_EXPECTED = {
    ParameterType.TEXT: "text",
    ParameterType.INTEGER: "a whole number",
    ParameterType.NUMBER: "a number",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.DATE: "a date such as 2018-11-05",
    ParameterType.MOMENT: "a date or moment such as 2018-11-05T13:15:30",
    ParameterType.BINARY: "base64",
    ParameterType.JSON: "JSON",
}
_encode = msgspec.json.Encoder().encode


def require_no_procedure(described: ObjectDescription) -> None:
    """Refuse to read rows of what is called.

    Raises:
        InvalidParameter: It is a procedure.
    """
    if isinstance(described, Procedure):
        raise InvalidParameter("The object is a procedure.", field="object", expected="POST to …/proc")


def require_callable(procedure: Procedure) -> None:
    """Refuse what is declared wrongly.

    Raises:
        EngineUnavailable: The procedure is there and cannot be called.
    """
    if procedure.fault:
        raise EngineUnavailable("The procedure cannot be called at the moment.", detail=procedure.fault)


def plan_call(described: ObjectDescription, given: Mapping[str, Any], *, holds_nul: bool = True) -> Call:
    """Give the call of a procedure.

    Args:
        described: The object that is to be called.
        given: Values by name, as they stood in the request; names match without regard to case (O-45).
        holds_nul: The engine's texts may hold the character U+0000.

    Raises:
        InvalidParameter: It is no procedure, or a parameter is unknown, missing or of another type.
        EngineUnavailable: The procedure is there and cannot be called.
    """
    if not isinstance(described, Procedure):
        raise InvalidParameter("The object is no procedure.", field="object", expected="GET or POST to …/rows")
    require_callable(described)
    by_name = _match_names(described.parameters, given)
    missing = [p for p in described.parameters if p.required and p.name not in by_name]
    if missing:
        told = ", ".join(f"{parameter.name} ({describe_type(parameter.type)})" for parameter in missing)
        raise InvalidParameter("A parameter is missing.", field=f"parameters.{missing[0].name}", expected=told)
    for name, value in by_name.items():
        _refuse_depth(value, f"parameters.{name}", MAX_DEPTH)
        if not holds_nul and _find_nul(value):
            raise wrong(f"parameters.{name}", "text without the character U+0000")
    values = tuple([_bind(parameter, by_name) for parameter in described.parameters])
    return Call(described, values, tuple((p.name, by_name[p.name]) for p in described.parameters if p.name in by_name))


def _refuse_depth(value: Any, field: str, left: int) -> None:
    """Refuse what is nested so deeply that whoever walks through it next would fall."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    if inner and not left:
        raise wrong(field, f"values nested {MAX_DEPTH} deep at most")
    for item in inner:
        _refuse_depth(item, field, left - 1)


def _find_nul(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_find_nul(item) for item in value)
    if isinstance(value, dict):
        return any(_find_nul(item) for pair in value.items() for item in pair)
    return isinstance(value, str) and "\0" in value


def _match_names(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    known = {fold(parameter.name): parameter.name for parameter in parameters}
    found: dict[str, Any] = {}
    for name, value in given.items():
        spelled = known.get(fold(name))
        if spelled is None:
            told = [parameter.name for parameter in parameters[:_MOST_NAMES_TOLD]]
            raise InvalidParameter(
                "The procedure has no parameter of this name.",
                field=f"parameters.{name[:64]}",
                expected="one of " + ", ".join(told) if told else "no parameters",
            )
        if spelled in found:
            raise InvalidParameter(
                "The parameter is given more than once.", field=f"parameters.{name[:64]}", expected="it once"
            )
        found[spelled] = value
    return found


def _bind(parameter: Parameter, given: Mapping[str, Any]) -> Value:
    field, kind = f"parameters.{parameter.name}", parameter.type
    if isinstance(kind, tuple) and not (parameter.takes_null and given.get(parameter.name) is None):
        rows = given.get(parameter.name, ())
        return _check_table(() if rows is None and not parameter.required else rows, kind, field)
    if parameter.name not in given:
        return parameter.default
    value = given[parameter.name]
    if value is None and (parameter.takes_null or not parameter.required):
        return None
    assert not isinstance(kind, tuple), "internal error: a table that is no list"
    return check_scalar(value, kind, field)


def _check_table(value: Any, columns: tuple[TableColumn, ...], field: str) -> str:
    """Give the rows as JSON; plain values stand for rows of a single column (O-41)."""
    if not isinstance(value, (list, tuple)):
        raise wrong(field, f"a list for {describe_type(columns)}")
    rows = []
    for place, item in enumerate(value):
        row = item if isinstance(item, dict) else {columns[0].name: item}  # the long spelling
        rows.append(_check_row(row, columns, f"{field}[{place}]"))
    return _encode(rows).decode()


def _check_row(item: Mapping[Any, Any], columns: tuple[TableColumn, ...], field: str) -> list[Value]:
    members = {str(name).lower(): value for name, value in item.items()}
    if len(members) < len(item) or members.keys() != {column.name.lower() for column in columns}:
        raise wrong(field, _describe_row(columns))
    values = [(column, members[column.name.lower()]) for column in columns]
    return [None if v is None else check_scalar(v, column.type, f"{field}.{column.name}") for column, v in values]


def _describe_row(columns: Sequence[TableColumn]) -> str:
    return "an object with " + ", ".join(f"{column.name} ({column.type.value})" for column in columns)


def check_scalar(value: Any, kind: ParameterType, field: str) -> Value:  # noqa: PLR0911 - one per type
    """Give a value of that type as it is bound.

    >>> check_scalar("2018-11-05", ParameterType.DATE, "parameters.since")
    '2018-11-05'

    Raises:
        InvalidParameter: It has another type.
    """
    match kind:
        case ParameterType.TEXT if isinstance(value, str):
            return take_scalar(value, field)
        case ParameterType.BOOLEAN if isinstance(value, bool):
            return value
        case ParameterType.INTEGER if isinstance(value, int) and not isinstance(value, bool):
            return take_scalar(value, field)
        case ParameterType.NUMBER if isinstance(value, (int, float)) and not isinstance(value, bool):
            return take_scalar(value, field)
        case ParameterType.DATE if isinstance(value, str) and _DATE.fullmatch(value) and _is_real(value):
            return value
        case ParameterType.MOMENT if isinstance(value, str) and _MOMENT.fullmatch(value) and _is_real(value):
            return value
        case ParameterType.JSON:
            return _encode(value).decode()
        case ParameterType.BINARY if isinstance(value, str):
            with contextlib.suppress(ValueError):  # binascii.Error is one
                return base64.b64decode(value, validate=True)
        case _:
            pass
    raise wrong(field, _EXPECTED[kind])


def _is_real(text: str) -> bool:
    """Tell whether there is such a day, and such a time."""
    try:
        return bool(datetime.fromisoformat(text) if len(text) > len("2018-11-05") else date.fromisoformat(text))
    except ValueError:
        return False
