"""Reads a body that must be one JSON object. Strict: a member that comes twice, at any depth, refuses it."""

import json
from typing import Any

from rowgate.oauth.errors import InvalidRequest

_JSON_TYPES = (b"application/json", b"")


def parse_json_object(content_type: bytes | None, body: bytes) -> dict[str, Any]:
    """Give the members of the object in a body.

    >>> parse_json_object(b"application/json", b'{"code": "x"}')
    {'code': 'x'}
    >>> parse_json_object(b"application/json", b"[]")
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidRequest: The body is not a JSON object.

    Raises:
        InvalidRequest: Another media type, no JSON object, a repeated member.

    Source: RFC 8259 §4 (names SHOULD be unique), RFC 7591 §3.1
    """
    if (content_type or b"").split(b";", 1)[0].strip().lower() not in _JSON_TYPES:
        raise InvalidRequest("The media type is not supported. Send application/json.", reason="media_type")
    try:
        members = json.loads(body.decode("utf-8"), object_pairs_hook=_collect)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not a JSON object.", reason="unreadable_body") from None
    if not isinstance(members, dict):
        raise InvalidRequest("The body is not a JSON object.", reason="unreadable_body")
    return members


def _collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest("A member is included more than once.", reason="duplicate_parameter")
    return members
