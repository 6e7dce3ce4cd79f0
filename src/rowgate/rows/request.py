"""Reads a rows request: query parameters of a GET, or the JSON body of a POST. Well-formedness only.

Parameter names match without regard to case (O-6, O-45). A name that does not exist is refused: a misspelt
`filter` that were ignored would answer with every row.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Counting, Format, RequestedOrder, RowsRequest
from rowgate.rows.request_aggregates import parse_aggregates
from rowgate.rows.request_filters import MAX_FILTERS, parse_filters, parse_short_filter
from rowgate.rows.request_json import RepeatedMember, decode_json
from rowgate.rows.request_values import MAX_INTEGER, take_list, take_members, take_scalar, wrong

MAX_COLUMNS = 2000
MAX_CURSOR = 4096  # characters

PARAMETERS = (
    "filters",
    "columns",
    "groupby",
    "aggregates",
    "distinct",
    "orderby",
    "limit",
    "offset",
    "cursor",
    "count",
    "jobRuntimeKey",
    "compare",
    "format",
    "dry_run",
)
_TRUTH = {"true": True, "false": False, "": None}
_NULLS = ("first", "last")
_DIRECTIONS = ("asc", "desc")


def parse_rows_body(body: bytes) -> RowsRequest:
    """Give the request in a POST body: a JSON object; an empty body asks for everything.

    It is JSON, or JSON5: see `decode_json`.

    >>> parse_rows_body(b'{columns: ["name",], limit: 10}').columns
    ('name',)
    >>> parse_rows_body(b'{"colums": []}')
    Traceback (most recent call last):
    rowgate.rows.errors.InvalidParameter: There is no parameter of this name.

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    return build_request(read_members(body, PARAMETERS)) if body.strip() else RowsRequest()


def read_members(body: bytes, allowed: Sequence[str]) -> dict[str, Any]:
    """Give the members of a body by the names that are allowed; an empty body has none.

    Raises:
        InvalidParameter: It is no JSON object, or a member is unknown or repeated.
    """
    if not body.strip():
        return {}
    parsed = decode_json(body)
    if not isinstance(parsed, dict):
        raise InvalidParameter("The body is not a JSON object.", field="body", expected="a JSON object")
    return _by_name([(str(name), value) for name, value in parsed.items()], allowed)


def parse_rows_query(query: bytes, allowed: Sequence[str] = PARAMETERS) -> RowsRequest:
    """Give the request in a GET's query, of parameters that are allowed at its address.

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
    short: list[str] = []
    if "filters" in allowed:
        short = [value for name, value in pairs if name.lower() == "filter"]
        pairs = [(name, value) for name, value in pairs if name.lower() != "filter"]
    members = _by_name(pairs, allowed, told=_tell_names(tuple(allowed)))
    filters = _json_text(members["filters"], "filters") if members.get("filters") else []
    if not isinstance(filters, list):
        raise wrong("filters", "a JSON list of {column, function, value}")
    members["filters"] = [*filters, *(parse_short_filter(text, place) for place, text in enumerate(short))]
    _read_texts(members)
    return build_request(members)


def _read_texts(members: dict[str, Any]) -> None:
    """Make of a query's texts what a body has in their places."""
    for name in ("columns", "groupby", "aggregates", "orderby"):
        if name in members:
            members[name] = _list_text(members[name], name)
    for name in ("limit", "offset"):
        if name in members:
            members[name] = _whole_number(members[name], name)
    for name in ("distinct", "dry_run"):
        if name in members:
            members[name] = _TRUTH.get(members[name].lower(), members[name])


def _json_text(text: str, field: str) -> Any:
    try:
        return decode_json(text.encode())
    except RepeatedMember:
        raise
    except (InvalidParameter, UnicodeEncodeError):
        raise wrong(field, "JSON") from None


def _by_name(
    pairs: Sequence[tuple[str, Any]], allowed: Sequence[str], *, told: Sequence[str] | None = None
) -> dict[str, Any]:
    """Give the members by the names that are allowed; a refusal says what is `told`, those unless another list is."""
    members: dict[str, Any] = {}
    by_folded_name = _fold_names(tuple(allowed))
    for given, value in pairs:
        name = by_folded_name.get(given.lower())
        if name is None:
            names = ", ".join(told or allowed)
            raise InvalidParameter(
                "There is no parameter of this name.",
                field=given[:64] or "''",
                expected=f"one of {names}" if names else "none at this address: rows are at its /rows",
            )
        if name in members:
            raise InvalidParameter("The parameter is given more than once.", field=name, expected="it once")
        members[name] = value
    return members


@cache  # there are as many lists of names as there are addresses
def _tell_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the names that a query may have: `filter` too, which is read apart, where filters may stand."""
    return ("filter", *names) if "filters" in names else names


@cache
def _fold_names(names: tuple[str, ...]) -> Mapping[str, str]:
    return {name.lower(): name for name in names}


def _list_text(text: str, name: str) -> Any:
    if text.lstrip().startswith("["):
        return _json_text(text, name)
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole_number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise wrong(name, "a whole number, 0 or more")
    return int(text.lstrip("0")[:20] or "0")


def build_request(members: Mapping[str, Any]) -> RowsRequest:
    """Give the request that the members make.

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    columns = members.get("columns")
    key, compare = members.get("jobRuntimeKey"), members.get("compare")
    form = members.get("format")
    return RowsRequest(
        filters=parse_filters(members),
        columns=None if columns is None else tuple(_names(members, "columns")),
        group_by=tuple(_names(members, "groupby")),
        aggregates=parse_aggregates(members),
        distinct=_truth(members.get("distinct"), "distinct"),
        order_by=tuple(
            _order(item, f"orderby[{place}]") for place, item in enumerate(take_list(members, "orderby", MAX_COLUMNS))
        ),
        limit=_count(members.get("limit"), "limit"),
        offset=_count(members.get("offset"), "offset") or 0,
        cursor=_cursor(members.get("cursor")),
        count=_counting(members.get("count")),
        job_runtime_key=None if key in (None, "") else take_scalar(key, "jobRuntimeKey"),
        compare=None if compare in (None, "") else take_scalar(compare, "compare"),
        format=None if form in (None, "") else parse_format(form),
        dry_run=_truth(members.get("dry_run"), "dry_run"),
    )


def parse_format(name: Any) -> Format:
    """Give the format of that name.

    Raises:
        InvalidParameter: There is none.
    """
    if isinstance(name, str) and name.lower() in tuple(Format):
        return Format(name.lower())
    raise wrong("format", "one of " + ", ".join(Format))


def _names(members: Mapping[str, Any], name: str) -> Sequence[str]:
    value = members.get(name)
    names = [value] if isinstance(value, str) else take_list(members, name, MAX_COLUMNS)
    for place, item in enumerate(names):
        if not isinstance(item, str) or not item:
            raise wrong(f"{name}[{place}]", "the name of a column")
    return names


def _order(item: Any, field: str) -> RequestedOrder:
    column: Any
    direction: Any
    nulls: Any
    if isinstance(item, str):
        column, direction, nulls = _split_order(item.strip())
    elif isinstance(item, dict):
        members = take_members(item, field)
        if not members.keys() <= {"column", "direction", "nulls"}:
            raise wrong(field, "an object {column, direction, nulls}")
        column, direction, nulls = (members.get(name) for name in ("column", "direction", "nulls"))
    else:
        raise wrong(field, "a column, or {column, direction, nulls}")
    if not isinstance(column, str) or not column:
        raise wrong(field, "the name of a column")
    direction, nulls = direction or "asc", nulls or None
    if not isinstance(direction, str) or direction.lower() not in _DIRECTIONS:
        raise wrong(f"{field}.direction", "asc or desc")
    if nulls is not None and (not isinstance(nulls, str) or nulls.lower() not in _NULLS):
        raise wrong(f"{field}.nulls", "first or last")
    nulls_first = None if nulls is None else nulls.lower() == "first"
    return RequestedOrder(field, column, direction.lower() == "desc", nulls_first)


def _split_order(text: str) -> tuple[str, str, str]:
    """Give `column [asc|desc] [nulls first|last]` in its parts; names may hold spaces."""
    direction, nulls = "", ""
    match text.rsplit(maxsplit=2):
        case [rest, keyword, place] if keyword.lower() == "nulls" and place.lower() in _NULLS:
            text, nulls = rest.rstrip(), place
    *before, last = text.rsplit(maxsplit=1) or [""]
    if before and last.lower() in _DIRECTIONS:
        text, direction = before[0].rstrip(), last
    return text, direction, nulls


def _truth(value: Any, field: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise wrong(field, "true or false")
    return bool(value)


def _cursor(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_CURSOR:
        raise wrong("cursor", "nothing for the first page, or the cursor of the page before")
    return value


def _counting(value: Any) -> Counting:
    if value in (None, ""):
        return Counting.NONE
    if isinstance(value, str) and value.lower() in tuple(Counting):
        return Counting(value.lower())
    raise wrong("count", "one of " + ", ".join(Counting))


def _count(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise wrong(field, "a whole number, 0 or more")
    return value
