"""Reads the JSON of a request: strict, else JSON5. A member that comes twice in one object refuses it, at any depth.

Parsers keep the last of them in silence, and a proxy or a reviewer may have gone by the first. Strict JSON is read a
second time for that, by the parser of the standard library, which alone shows every member: some microseconds.
"""

import json
import re
from typing import Any

import msgspec
import pyjson5

from rowgate.rows.errors import InvalidParameter

MAX_JSON5_BYTES = 65_536  # 64 KiB; strict JSON may be as large as the body limit
MAX_JSON5_DEPTH = 16

# Of text that is known to be JSON5: there a colon stands behind a name, and nowhere else.
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?\*/)
    |(?P<sign>[{}:])
    |(?P<word>(?:[^\s{}\[\]:,"'/\\]|\\u[0-9A-Fa-f]{4})+)
    |.""",
    re.VERBOSE | re.DOTALL,
)


class RepeatedMember(InvalidParameter):
    """A member comes twice; `field` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__("A member is given more than once.", field=name[:64] or "''", expected="it once")


def decode_json(body: bytes) -> Any:
    """Give what a body holds.

    Strict JSON is read first; where that fails, JSON5 within `MAX_JSON5_BYTES` (the origin's samples have
    bare keys and trailing commas).

    >>> decode_json(b"{limit: 10,}")
    {'limit': 10}
    >>> decode_json(b'{"limit": 10, "limit": 20}')
    Traceback (most recent call last):
    rowgate.rows.request_json.RepeatedMember: A member is given more than once.

    Raises:
        InvalidParameter: It is neither; with `RepeatedMember` if a member comes twice.
    """
    try:
        return decode_strict(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if len(body) > MAX_JSON5_BYTES:
        raise InvalidParameter("The body is not JSON.", field="body", expected="a JSON object")
    try:
        # decoded here: pyjson5 takes bytes that are not UTF-8 for Latin-1
        text = body.decode()
        parsed = pyjson5.decode(text, MAX_JSON5_DEPTH)
    except (pyjson5.Json5Exception, ValueError, RecursionError):
        raise InvalidParameter("The body is neither JSON nor JSON5.", field="body", expected="a JSON object") from None
    _refuse_repeated(text)
    return parsed


def decode_strict(text: bytes) -> Any:
    """Give what strict JSON holds.

    Raises:
        RepeatedMember: A member comes twice.
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: It is none.
    """
    parsed = msgspec.json.decode(text)
    _look_for_repeated(text.decode())
    return parsed


def _collect(pairs: list[tuple[str, None]]) -> None:
    if len(dict(pairs)) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise RepeatedMember(name)
            seen.add(name)


# numbers are not made: one of many digits takes long, or is refused
_look_for_repeated = json.JSONDecoder(object_pairs_hook=_collect, parse_int=len, parse_float=len).decode


def _refuse_repeated(json5: str) -> None:
    r"""Refuse JSON5 that has a name twice in one object.

    >>> _refuse_repeated("{a: {b: 1}, 'b': [{c: 2}, {c: 3}], /* a: */ '\x61': ':'}")
    Traceback (most recent call last):
    rowgate.rows.request_json.RepeatedMember: A member is given more than once.
    """
    objects: list[set[str]] = []
    before = ""
    for token in _TOKEN.finditer(json5):
        if token.lastgroup in ("quoted", "word"):
            before = token[0]
        elif token[0] == "{":
            objects.append(set())
        elif token[0] == "}":
            objects.pop()
        elif token[0] == ":":
            name = _read_name(before)
            if name in objects[-1]:
                raise RepeatedMember(name)
            objects[-1].add(name)


def _read_name(token: str) -> str:
    if "\\" not in token:
        return token[1:-1] if token[0] in "\"'" else token
    (name,) = pyjson5.decode(f"{{{token}: 0}}")
    return str(name)
