"""Reads a rows request: query parameters of a GET, or the JSON body of a POST. Well-formedness only.

Parameter names match without regard to case (O-6, O-45). A name that does not exist is refused: a misspelt
`filter` that were ignored would answer with every row.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pyjson5

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Format, Function, RequestedFilter, RequestedOrder, RowsRequest, Scalar

MAX_JSON5_BYTES = 65_536  # 64 KiB; strict JSON may be as large as the body limit
MAX_JSON5_DEPTH = 16
MAX_FILTERS = 100
MAX_ANY_OF = 1000
MAX_VALUES = 10_000  # of all filters together; engines bound no more than some 30,000
MAX_COLUMNS = 2000
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

PARAMETERS = ("filters", "columns", "groupby", "orderby", "limit", "offset", "jobRuntimeKey", "format")
_BY_FOLDED_NAME = {name.lower(): name for name in PARAMETERS}
_FUNCTIONS = {function.value: function for function in Function}
_EXPECTED_FUNCTION = "one of " + ", ".join(Function)
_WITHOUT_VALUE = frozenset({Function.IS_NULL, Function.IS_NOT_NULL})
_DIRECTIONS = ("asc", "desc")


def parse_rows_body(body: bytes) -> RowsRequest:
    """Give the request in a POST body: a JSON object; an empty body asks for everything.

    Strict JSON is read first; where that fails, JSON5 within `MAX_JSON5_BYTES` (the origin's samples have
    bare keys and trailing commas).

    >>> parse_rows_body(b'{columns: ["name",], limit: 10}').columns
    ('name',)
    >>> parse_rows_body(b'{"colums": []}')
    Traceback (most recent call last):
    rowgate.rows.errors.InvalidParameter: There is no parameter of this name.

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    if not body.strip():
        return RowsRequest()
    parsed = _decode_json(body)
    if not isinstance(parsed, dict):
        raise InvalidParameter("The body is not a JSON object.", field="body", expected="a JSON object")
    return _build(_by_name([(str(name), value) for name, value in parsed.items()]))


def parse_rows_query(query: bytes) -> RowsRequest:
    """Give the request in a GET's query.

    Lists are comma lists or JSON; `filters` is JSON; `filter=column:function:value` may be repeated (O-21).

    >>> parse_rows_query(b"filter=bucket:equals:5&limit=100").filters[0].value
    '5'

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    if not query:
        return RowsRequest()
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FILTERS * 2
        )
    except ValueError:
        raise InvalidParameter(
            "The query cannot be read.", field="query", expected="name=value pairs in UTF-8"
        ) from None
    short = [value for name, value in pairs if name.lower() == "filter"]
    members = _by_name([(name, value) for name, value in pairs if name.lower() != "filter"])
    filters = _json_text(members["filters"], "filters") if members.get("filters") else []
    if not isinstance(filters, list):
        raise _wrong("filters", "a JSON list of {column, function, value}")
    members["filters"] = [*filters, *(_parse_short(text, place) for place, text in enumerate(short))]
    for name in ("columns", "groupby", "orderby"):
        if name in members:
            members[name] = _list_text(members[name], name)
    for name in ("limit", "offset"):
        if name in members:
            members[name] = _whole_number(members[name], name)
    return _build(members)


def _decode_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if len(body) > MAX_JSON5_BYTES:
        raise InvalidParameter("The body is not JSON.", field="body", expected="a JSON object")
    try:
        # decoded here: pyjson5 takes bytes that are not UTF-8 for Latin-1
        return pyjson5.decode(body.decode(), MAX_JSON5_DEPTH)
    except (pyjson5.Json5Exception, ValueError, RecursionError):
        raise InvalidParameter("The body is neither JSON nor JSON5.", field="body", expected="a JSON object") from None


def _json_text(text: str, field: str) -> Any:
    try:
        return _decode_json(text.encode())
    except (InvalidParameter, UnicodeEncodeError):
        raise _wrong(field, "JSON") from None


def _by_name(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for given, value in pairs:
        name = _BY_FOLDED_NAME.get(given.lower())
        if name is None:
            raise InvalidParameter(
                "There is no parameter of this name.",
                field=given[:64] or "''",
                expected="one of " + ", ".join(PARAMETERS),
            )
        if name in members:
            raise InvalidParameter("The parameter is given more than once.", field=name, expected="it once")
        members[name] = value
    return members


def _list_text(text: str, name: str) -> Any:
    if text.lstrip().startswith("["):
        return _json_text(text, name)
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole_number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise _wrong(name, "a whole number, 0 or more")
    return int(text.lstrip("0")[:20] or "0")


def _parse_short(text: str, place: int) -> dict[str, Any]:
    column, first, rest = text.partition(":")
    function, second, value = rest.partition(":")
    if not first:
        raise _wrong(f"filter[{place}]", "column:function:value")
    member: dict[str, Any] = {"column": column, "function": function}
    if second:
        member["value"] = value.split(",") if function.lower() == Function.BETWEEN else value
    return member


def _build(members: Mapping[str, Any]) -> RowsRequest:
    columns = members.get("columns")
    key = members.get("jobRuntimeKey")
    form = members.get("format")
    filters = tuple(
        _filter(item, f"filters[{place}]") for place, item in enumerate(_list(members, "filters", MAX_FILTERS))
    )
    if sum(len(found.value) for found in filters if isinstance(found.value, tuple)) > MAX_VALUES:
        raise _wrong("filters", f"at most {MAX_VALUES} values in all")
    return RowsRequest(
        filters=filters,
        columns=None if columns is None else tuple(_names(members, "columns")),
        group_by=tuple(_names(members, "groupby")),
        order_by=tuple(
            _order(item, f"orderby[{place}]") for place, item in enumerate(_list(members, "orderby", MAX_COLUMNS))
        ),
        limit=_count(members.get("limit"), "limit"),
        offset=_count(members.get("offset"), "offset") or 0,
        job_runtime_key=None if key in (None, "") else _scalar(key, "jobRuntimeKey"),
        format=None if form in (None, "") else parse_format(form),
    )


def parse_format(name: Any) -> Format:
    """Give the format of that name.

    Raises:
        InvalidParameter: There is none.
    """
    if isinstance(name, str) and name.lower() in tuple(Format):
        return Format(name.lower())
    raise _wrong("format", "one of " + ", ".join(Format))


def _list(members: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong(name, "a list")
    if len(value) > most:
        raise _wrong(name, f"at most {most} of them")
    return value


def _names(members: Mapping[str, Any], name: str) -> Sequence[str]:
    value = members.get(name)
    names = [value] if isinstance(value, str) else _list(members, name, MAX_COLUMNS)
    for place, item in enumerate(names):
        if not isinstance(item, str) or not item:
            raise _wrong(f"{name}[{place}]", "the name of a column")
    return names


def _filter(item: Any, field: str) -> RequestedFilter:
    if not isinstance(item, dict):
        raise _wrong(field, "an object {column, function, value}")
    members = _lower_names(item, field)
    for name in members:
        if name not in ("column", "function", "value"):
            raise InvalidParameter(
                "A filter has no such member.", field=f"{field}.{name[:64]}", expected="column, function, value"
            )
    column = members.get("column")
    if not isinstance(column, str) or not column:
        raise _wrong(f"{field}.column", "the name of a column")
    given = members.get("function")
    function = _FUNCTIONS.get(given.lower()) if isinstance(given, str) else None
    if function is None:
        raise _wrong(f"{field}.function", _EXPECTED_FUNCTION)
    value = members.get("value")
    if function in _WITHOUT_VALUE:
        if value is not None and value != "":
            raise _wrong(f"{field}.value", f"no value with {function}")
        return RequestedFilter(field, column, function, None)
    return RequestedFilter(field, column, function, _filter_value(value, f"{field}.value", function))


def _filter_value(value: Any, field: str, function: Function) -> Scalar | tuple[Scalar, ...]:
    if isinstance(value, list):
        if len(value) > MAX_ANY_OF:
            raise _wrong(field, f"at most {MAX_ANY_OF} values")
        values = tuple(_scalar(item, f"{field}[{place}]") for place, item in enumerate(value))
        if function is Function.BETWEEN and len(values) != 2:  # noqa: PLR2004
            raise _wrong(field, "two values, the least and the greatest")
        return values
    if function is Function.BETWEEN:
        raise _wrong(field, "a list of two values, the least and the greatest")
    return _scalar(value, field)


def _scalar(value: Any, field: str) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise _wrong(field, "text without lone surrogates") from None
        return value
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise _wrong(field, "a number within 64 bits")
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if value is None:
        raise _wrong(field, "text, a number, true or false (for null use is_null or is_not_null)")
    raise _wrong(field, "text, a number, true or false")


def _order(item: Any, field: str) -> RequestedOrder:
    column: Any
    direction: Any
    if isinstance(item, str):
        *before, last = item.rsplit(maxsplit=1) or [""]
        column, direction = (
            (before[0].strip(), last) if before and last.lower() in _DIRECTIONS else (item.strip(), "asc")
        )
    elif isinstance(item, dict):
        members = _lower_names(item, field)
        if not members.keys() <= {"column", "direction"}:
            raise _wrong(field, "an object {column, direction}")
        column, direction = members.get("column"), members.get("direction") or "asc"
    else:
        raise _wrong(field, "a column, or {column, direction}")
    if not isinstance(column, str) or not column:
        raise _wrong(field, "the name of a column")
    if not isinstance(direction, str) or direction.lower() not in _DIRECTIONS:
        raise _wrong(f"{field}.direction", "asc or desc")
    return RequestedOrder(field, column, direction.lower() == "desc")


def _lower_names(item: Mapping[Any, Any], field: str) -> dict[str, Any]:
    members = {str(name).lower(): value for name, value in item.items()}
    if len(members) != len(item):
        raise _wrong(field, "each member once")
    return members


def _count(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise _wrong(field, "a whole number, 0 or more")
    return value


def _wrong(field: str, expected: str) -> InvalidParameter:
    return InvalidParameter("The parameter has a wrong value.", field=field, expected=expected)
