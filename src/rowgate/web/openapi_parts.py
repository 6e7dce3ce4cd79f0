"""What every OpenAPI document of this server has: schemas and refusals that hang on no object. Data only."""

from typing import Any

_SCALAR = ["string", "number", "boolean"]
_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}

SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "properties": {
            "error": {"type": "string", "description": "a stable code"},
            "error_description": _TEXT,
            "field": {"type": "string", "description": "where in the request"},
            "expected": {"type": "string", "description": "what would have been right there"},
            "request_id": _TEXT,
        },
        "required": ["error", "error_description", "request_id"],
    },
    "FilterValue": {
        "type": [*_SCALAR, "array"],
        "items": {"type": _SCALAR},
        "description": "`is_null` and `is_not_null` take none, `between` a list of two; a list elsewhere: any of them",
    },
    "Rows": {"type": "array", "items": {"type": "object"}},
    "ListedObject": {
        "type": "object",
        "properties": {
            "name": _TEXT,
            "kind": {"type": "string", "enum": ["table", "view", "procedure"]},
            "aliases": {"type": "array", "items": _TEXT},
            "title": _TEXT,
            "href": {"type": "string", "format": "uri"},
            "rows": _TEXT_OR_NONE,
            "proc": _TEXT_OR_NONE,
            "estimated_rows": {"type": ["integer", "null"], "description": "with `count=estimated`"},
        },
        "required": ["name", "kind", "aliases", "title", "href"],
    },
    "Preview": {
        "type": "object",
        "description": "the answer to `dry_run`",
        "properties": {
            "object": _TEXT,
            "engine": _TEXT,
            "format": _TEXT,
            "columns": {"type": "array", "items": {"type": "object", "properties": {"name": _TEXT, "type": _TEXT}}},
            "statements": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "purpose": _TEXT,
                        "sql": _TEXT,
                        "values": {"type": "integer"},
                        "plan": {"type": ["array", "null"], "items": _TEXT},
                    },
                },
            },
            "estimated_rows": {"type": ["integer", "null"]},
            "parameters": {
                "type": "array",
                "description": "of a procedure",
                "items": {"type": "object", "properties": {"name": _TEXT, "type": _TEXT, "value_from": _TEXT}},
            },
        },
        "required": ["object", "statements"],
    },
}

_REFUSALS = {
    "400": ("BadRequest", "a parameter is wrong: `field` says which, `expected` what would do"),
    "401": ("Unauthorized", "there is no token, it is not good, or it is not for this"),
    "403": ("Forbidden", "the token is not for this, where the server says so with 403"),
    "404": ("NotFound", "there is no such object"),
    "406": ("NotAcceptable", "none of the accepted formats is offered"),
    "503": ("Unavailable", "try again after `Retry-After`"),
}
RESPONSES: dict[str, Any] = {
    name: {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for name, description in _REFUSALS.values()
}
ERRORS = {status: {"$ref": f"#/components/responses/{name}"} for status, (name, _) in _REFUSALS.items()}
