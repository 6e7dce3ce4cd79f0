"""The OpenAPI document of one access token: the objects that it may read, how they are asked and what they answer.

Pure: it is made of descriptions. Schemas are those of docs/reference/http.md.

Source: OpenAPI Specification 3.1.0; JSON Schema 2020-12
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rowgate.oauth.model import DEFAULT_SCOPE
from rowgate.rows.encode import CONTENT_TYPES
from rowgate.rows.model import Aggregation, Counting, Family, Format, Function
from rowgate.rows.procedures import ParameterType
from rowgate.rows.request_filters import MAX_FILTERS
from rowgate.service.descriptions import DescribedColumn, DescribedObject, DescribedParameter
from rowgate.web.data_requests import DATA_PATH
from rowgate.web.metadata import TOKEN_PATH
from rowgate.web.openapi_parts import (
    ERRORS,
    ERRORS_OF_BODIES,
    ERRORS_OF_ROWS,
    HEADERS_OF_ROWS,
    NOT_MODIFIED,
    RESPONSES,
    SCHEMAS,
)

Document = dict[str, Any]

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_JSON_TYPES = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_OF_RUNS = ("limit", "offset", "count", "format", "dry_run")
_OF_CALLS_NOT = ("jobRuntimeKey", "compare", "cursor")


def render_openapi(objects: Sequence[DescribedObject], *, application: str, issuer: str, version: str) -> Document:
    """Give the document.

    Args:
        objects: What the token may read.
        application: Who asks.
        issuer: The address that clients use.
        version: Of the server.
    """
    paths: Document = {DATA_PATH: {"get": _describe_list()}}
    schemas: Document = dict(SCHEMAS)
    for name, described in _name_apart(objects):
        schemas[f"{name}Row"] = _render_row(described.columns)
        if any(column.filters for column in described.columns):
            schemas[f"{name}Filter"] = _render_filter(described.columns, f"{name}Filter")
        paths |= _render_paths(name, described, issuer)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"What {application} may read",
            "version": version,
            "description": "Made for one access token: another may be told of other objects and columns.",
        },
        "servers": [{"url": issuer}],
        "security": [{"clientCredentials": [DEFAULT_SCOPE]}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": RESPONSES,
            "securitySchemes": {
                "clientCredentials": {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": issuer + TOKEN_PATH,
                            "scopes": {DEFAULT_SCOPE: "read what is granted"},
                        }
                    },
                },
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _name_apart(objects: Sequence[DescribedObject]) -> Iterator[tuple[str, DescribedObject]]:
    """Give each object with a name that programs can have: letters and digits, and no two alike."""
    taken: set[str] = {name.lower() for name in SCHEMAS}
    for described in objects:
        plain = "".join(part[:1].upper() + part[1:] for part in _UNSAFE.split(described.name)) or "Object"
        name, count = plain, 1
        while name.lower() in taken:
            count += 1
            name = f"{plain}X{count}"
        taken.add(name.lower())
        yield name, described


def _render_paths(name: str, described: DescribedObject, issuer: str) -> Document:
    paths: Document = {described.href.removeprefix(issuer): {"get": _describe_object(name)}}
    about = {"tags": [described.name], "summary": described.title or described.name}
    if described.description:
        about["description"] = described.description
    members = _list_members(name, described)
    if described.rows is not None:
        answer = _answer_rows(name)
        paths[described.rows.removeprefix(issuer)] = {
            "get": {
                **about,
                "operationId": f"read{name}",
                "parameters": _list_query(members),
                "responses": answer | ERRORS_OF_ROWS | NOT_MODIFIED,
            },
            "post": {
                **about,
                "operationId": f"query{name}",
                "requestBody": _take_body(members, is_required=False),
                "responses": answer | ERRORS_OF_BODIES,
            },
        }
    if described.runs is not None:
        asked = {member: members[member] for member in _OF_RUNS}
        paths[described.runs.removeprefix(issuer)] = {
            "get": {
                **about,
                "operationId": f"list{name}Runs",
                "parameters": _list_query(asked),
                "responses": _answer({"anyOf": [_refer("Rows"), _refer("Preview")]}) | ERRORS_OF_ROWS | NOT_MODIFIED,
            }
        }
    if described.proc is not None:
        taken = {member: schema for member, schema in members.items() if member not in _OF_CALLS_NOT}
        parameters = described.parameters or ()
        taken = {"parameters": _render_parameters(parameters), **taken}
        paths[described.proc.removeprefix(issuer)] = {
            "post": {
                **about,
                "operationId": f"call{name}",
                "requestBody": _take_body(taken, is_required=any(one.required for one in parameters)),
                "responses": _answer_rows(name) | ERRORS_OF_BODIES,
            }
        }
    return paths


def _list_members(name: str, described: DescribedObject) -> Document:
    """Give the schemas of a request's parameters, by name, as a POST has them."""
    names = [column.name for column in described.columns]
    columns = {"type": "array", "items": {"type": "string", **({"enum": names} if names else {})}}
    members: Document = {
        "filters": {"type": "array", "maxItems": MAX_FILTERS, "items": _refer(f"{name}Filter")},
        "columns": columns,
        "groupby": columns,
        "aggregates": _texts(
            "`function:column:as`, of " + ", ".join(Aggregation) + "; count needs no column", examples=["count"]
        ),
        "distinct": {"type": "boolean"},
        "orderby": _texts(
            "a column of the answer, `column desc`, `column desc nulls last`",
            examples=[f"{column.name} desc" for column in described.columns if column.filters][:1],
        ),
        "limit": {"type": "integer", "minimum": 0},
        "offset": {"type": "integer", "minimum": 0},
        "cursor": {"type": "string", "description": "empty for the first page, then the cursor of the page before"},
        "count": {"type": "string", "enum": list(Counting)},
        "format": {"type": "string", "enum": list(Format)},
        "dry_run": {"type": "boolean", "description": "tell what would be run, and read nothing"},
    }
    if not names:  # only what a call gives tells them
        members["filters"]["items"] = {"type": "object"}
    elif not any(column.filters for column in described.columns):
        del members["filters"]
    if not described.pages_by_cursor:
        del members["cursor"]
    if described.run_key is not None:
        members["jobRuntimeKey"] = {"type": ["string", "number"], "description": "a run, or `all`; absent: the latest"}
        members["compare"] = {"type": ["string", "number"], "description": "a run, to be told what differs from it"}
    return members


def _texts(description: str, examples: Sequence[str]) -> Document:
    items: Document = {"type": "string", "minLength": 1, "description": description}
    if examples:
        items["examples"] = examples
    return {"type": "array", "items": items}


def _list_query(members: Mapping[str, Any]) -> list[Document]:
    """Give the parameters of a GET: lists are joined by commas, filters are JSON or short."""
    parameters: list[Document] = []
    for name, schema in members.items():
        parameter: Document = {"name": name, "in": "query"}
        if name == "filters":
            parameters.append(parameter | {"content": {"application/json": {"schema": schema}}})
            parameters.append(
                {
                    "name": "filter",
                    "in": "query",
                    "schema": {"type": "array", "items": {"type": "string"}},
                    "description": "`column:function:value`, which may be repeated",
                }
            )
            continue
        if schema["type"] == "array":
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter | {"schema": schema} | ({"allowEmptyValue": True} if name == "cursor" else {}))
    return parameters


def _take_body(members: Mapping[str, Any], *, is_required: bool) -> Document:
    schema = {"type": "object", "properties": dict(members), "additionalProperties": False}
    if is_required:
        schema["required"] = ["parameters"]
    return {"required": is_required, "content": {"application/json": {"schema": schema}}}


def _render_row(columns: Sequence[DescribedColumn]) -> Document:
    """Give an object of the columns; none is required, since a request may leave any of them out."""
    return {"type": "object", "properties": {column.name: _render_column(column) for column in columns}}


def _render_column(column: DescribedColumn) -> Document:
    schema: Document = {}
    if column.json_type:
        schema["type"] = [column.json_type, "null"] if column.may_be_null else column.json_type
    if column.compares_as is Family.BINARY:
        schema["contentEncoding"] = "base64"
    if column.type:
        schema["description"] = column.type
    return schema


def _render_filter(columns: Sequence[DescribedColumn], own_name: str) -> Document:
    """Give a filter: a comparison, or filters that are one.

    One object with all their members, not a choice of several: generators of clients know what to do with it.
    """
    names = [column.name for column in columns if column.filters]
    functions = dict.fromkeys(function for column in columns for function in column.filters)
    fewer = [column for column in columns if column.filters and len(column.filters) < len(Function)]
    own = _refer(own_name)
    several = {"type": "array", "items": own, "minItems": 1}
    schema: Document = {
        "type": "object",
        "properties": {
            "column": {"type": "string", "enum": names},
            "function": {"type": "string", "enum": list(functions)},
            "value": _refer("FilterValue"),
            "matchCase": {"type": "boolean"},
            "and": several,
            "or": several,
            "not": own,
        },
        "minProperties": 1,
        "additionalProperties": False,
        "description": "a column and a function; or one of `and`, `or`, `not` alone",
    }
    if fewer:
        told = [f"{column.name} takes only {', '.join(column.filters)}" for column in fewer]
        schema["description"] += ". " + "; ".join(told)
    return schema


def _render_parameters(parameters: Sequence[DescribedParameter]) -> Document:
    schema: Document = {
        "type": "object",
        "properties": {one.name: _render_parameter(one) for one in parameters},
        "additionalProperties": False,
    }
    if required := [one.name for one in parameters if one.required]:
        schema["required"] = required
    return schema


def _render_parameter(parameter: DescribedParameter) -> Document:
    schema: Document = {"description": ": ".join(filter(None, (parameter.type, parameter.description)))}
    if parameter.columns is not None:
        items = _render_table_row(parameter.columns)
        return schema | {"type": "array" if parameter.required else ["array", "null"], "items": items}
    if parameter.type == ParameterType.JSON:
        return schema
    json_type = _JSON_TYPES.get(parameter.type, "string")
    schema["type"] = json_type if parameter.required else [json_type, "null"]
    return schema if parameter.default is None else schema | {"default": parameter.default}


def _render_table_row(columns: Sequence[Mapping[str, str]]) -> Document:
    """Give a row of a table that is a parameter: an object of its columns, or the value of the only one."""
    values = {column["name"]: _render_value(column["type"]) for column in columns}
    row = {"type": "object", "properties": values, "required": list(values), "additionalProperties": False}
    return row if len(values) > 1 else {"anyOf": [row, *values.values()]}


def _render_value(kind: str) -> Document:
    return {} if kind == ParameterType.JSON else {"type": [_JSON_TYPES.get(kind, "string"), "null"]}


def _answer_rows(name: str) -> Document:
    rows = {"type": "array", "items": _refer(f"{name}Row")}
    return _answer({"anyOf": [rows, _refer("Rows"), _refer("Preview")]})


def _answer(in_json: Document) -> Document:
    """Give the responses of what answers with rows."""
    content: Document = {
        content_type.partition(";")[0]: {"schema": in_json} if form is Format.JSON else {}
        for form, content_type in CONTENT_TYPES.items()
    }
    return {"200": {"description": "rows", "headers": HEADERS_OF_ROWS, "content": content}}


def _describe_list() -> Document:
    content = {"application/json": {"schema": {"type": "array", "items": _refer("ListedObject")}}}
    return {
        "operationId": "listObjects",
        "summary": "What may be read",
        "parameters": [
            {"name": "count", "in": "query", "schema": {"type": "string", "enum": [Counting.NONE, Counting.ESTIMATED]}},
        ],
        "responses": {"200": {"description": "objects", "content": content}, **NOT_MODIFIED, **ERRORS},
    }


def _describe_object(name: str) -> Document:
    content = {"application/json": {"schema": _refer("DescribedObject")}}
    return {
        "operationId": f"describe{name}",
        "summary": "What it holds",
        "responses": {"200": {"description": "an object", "content": content}, **NOT_MODIFIED, **ERRORS},
    }


def _refer(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}
