"""What every OpenAPI document of this server has: schemas and refusals that hang on no object. Data only."""

from typing import Any

_SCALAR = ["string", "number", "boolean"]
_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}

_LISTED: dict[str, Any] = {
    "name": _TEXT,
    "kind": {"type": "string", "enum": ["table", "view", "procedure"]},
    "aliases": {"type": "array", "items": _TEXT},
    "title": _TEXT,
    "href": {"type": "string", "format": "uri"},
    "rows": _TEXT_OR_NONE,
    "proc": _TEXT_OR_NONE,
    "estimated_rows": {"type": ["integer", "null"], "description": "with `count=estimated`"},
}
_ALWAYS_LISTED = ["name", "kind", "aliases", "title", "href"]

SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "properties": {
            "error": {"type": "string", "description": "a stable code"},
            "error_description": _TEXT,
            "field": {"type": "string", "description": "where in the request"},
            "expected": {"type": "string", "description": "what would have been right there"},
            "request_id": _TEXT,
            **{name: {"type": "integer", "description": "of a budget"} for name in ("limit", "used", "left")},
        },
        "required": ["error", "error_description", "request_id"],
    },
    "FilterValue": {
        "type": [*_SCALAR, "array"],
        "items": {"type": _SCALAR},
        "description": "`is_null` and `is_not_null` take none, `between` a list of two; a list elsewhere: any of them",
    },
    "Rows": {"type": "array", "items": {"type": "object"}},
    "ListedObject": {"type": "object", "properties": _LISTED, "required": _ALWAYS_LISTED},
    "DescribedObject": {
        "type": "object",
        "properties": {
            **_LISTED,
            "description": _TEXT,
            "columns": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": _TEXT,
                        "type": {"type": "string", "description": "as the database declares it"},
                        "compares_as": _TEXT,
                        "json_type": _TEXT,
                        "may_be_null": {"type": "boolean"},
                        "filters": {"type": "array", "items": _TEXT, "description": "functions that filters may have"},
                        "mask": {"type": ["string", "null"], "description": "what stands in place of its values"},
                    },
                    "required": ["name", "type", "filters"],
                },
            },
            "run_key": {"type": ["string", "null"], "description": "the column that tells runs apart"},
            "runs": _TEXT_OR_NONE,
            "key": {"type": ["array", "null"], "items": _TEXT, "description": "columns that tell rows apart"},
            "pages_by_cursor": {"type": "boolean"},
            "some_rows_only": {"type": "boolean", "description": "a rule decides which rows there are"},
            "formats": {"type": "array", "items": _TEXT},
            "parameters": {
                "type": ["array", "null"],
                "description": "of a procedure",
                "items": {
                    "type": "object",
                    "properties": {"name": _TEXT, "type": _TEXT, "required": {"type": "boolean"}},
                    "required": ["name", "type", "required"],
                },
            },
        },
        "required": [*_ALWAYS_LISTED, "columns", "pages_by_cursor", "formats"],
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
    "412": ("PreconditionFailed", "the answer has none of the tags in `If-Match`"),
    "500": ("Failed", "the database refused what it was asked, or the server failed"),
    "503": ("Unavailable", "try again after `Retry-After`"),
}
_OF_ROWS = {
    "429": ("BudgetExceeded", "a budget of the application is used up: `limit`, `used` and `left` say what fits")
}
_OF_BODIES = {
    "413": ("TooLarge", "the body is larger than the server takes"),
    "415": ("UnsupportedMediaType", "the body is compressed"),
}
_RETRIED = {"Retry-After": {"description": "seconds", "schema": {"type": "string"}}}
RESPONSES: dict[str, Any] = {
    name: {
        "description": description,
        **({"headers": _RETRIED} if status in {"429", "503"} else {}),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for status, (name, description) in (_REFUSALS | _OF_ROWS | _OF_BODIES).items()
}


def _refer(refusals: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{name}"} for status, (name, _) in refusals.items()}


ERRORS = _refer(_REFUSALS)
ERRORS_OF_ROWS = _refer(_REFUSALS | _OF_ROWS)
ERRORS_OF_BODIES = _refer(_REFUSALS | _OF_ROWS | _OF_BODIES)
NOT_MODIFIED = {"304": {"description": "what `If-None-Match` named is still good"}}
HEADERS_OF_ROWS = {
    header: {"description": text, "schema": {"type": "string"}}
    for header, text in {
        "X-Request-Id": "it stands in the log and in the record too",
        "Rowgate-Next-Cursor": "of the next page, if there is one",
        "Link": "to the next page, if there is one (RFC 8288)",
        "Rowgate-Count": "how many match, where `count` asked for it",
        "Rowgate-Rows": "how many there are in the answer; of a long one in the trailer",
        "Repr-Digest": "SHA-256 of the body (RFC 9530); of a long one in the trailer",
        "Unencoded-Digest": "the same of what a content coding was applied to, where one was",
        "ETag": "of a GET, where it is sure whether the rows have changed since",
        "Content-Disposition": "a file's name, for what people keep as files",
    }.items()
}
