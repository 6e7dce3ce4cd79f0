"""Reads the body of a token request into its parameters. Strict; nothing outside the standard is guessed.

Parameter names match without regard to case, values are exact (O-6, PROTOCOL 27). An empty value counts as
absent (RFC 6749 §3.2). What cannot be read is InvalidRequest, never an exception of another kind.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from rowgate.oauth.errors import InvalidRequest

MAX_PARAMETERS = 100
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MEDIA_TYPE_HINT = f"Send {FORM}."

_READ_ONCE = frozenset(
    {
        "grant_type",
        "scope",
        "client_id",
        "client_secret",
        "refresh_token",
        "client_assertion",
        "client_assertion_type",
        "assertion",
    }
)
_EXTENSION_ONCE = frozenset(
    {
        "authorization_details",
        "subject_token",
        "subject_token_type",
        "actor_token",
        "actor_token_type",
        "requested_token_type",
    }
)
_REPEATED = frozenset({"resource", "audience"})  # RFC 8707 §2, RFC 8693 §2.1
_EXTENSION = _EXTENSION_ONCE | _REPEATED
_READ = _READ_ONCE | _EXTENSION
_IN_URL_FORBIDDEN = frozenset(
    {"client_secret", "client_assertion", "assertion", "refresh_token", "access_token", "subject_token", "actor_token"}
)
_FORM = FORM.encode()
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")


class ExtensionParameters(msgspec.Struct, frozen=True):
    """The parameters of standards beyond RFC 6749 and RFC 7521; None and () mean absent or empty.

    Apart from the others because most requests have none of them: a struct of so many members costs its microsecond.
    """

    authorization_details: str | None = None  # RFC 9396 §5, JSON text
    subject_token: str | None = None  # this and the next four: RFC 8693 §2.1
    subject_token_type: str | None = None
    actor_token: str | None = None
    actor_token_type: str | None = None
    requested_token_type: str | None = None
    resource: tuple[str, ...] = ()  # RFC 8707 §2, in their order
    audience: tuple[str, ...] = ()  # RFC 8693 §2.1, in their order

    def __repr__(self) -> str:
        return "<extension parameters>"  # never a token


NO_EXTENSION = ExtensionParameters()


class TokenParameters(msgspec.Struct, frozen=True):
    """The parameters of a token request that the server reads; None means absent or empty."""

    grant_type: str | None = None
    scope: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    client_assertion: str | None = None
    client_assertion_type: str | None = None
    assertion: str | None = None  # RFC 7521 §4.1
    extension: ExtensionParameters = NO_EXTENSION

    def __repr__(self) -> str:
        return f"<token parameters of {self.client_id!r}>"  # never the credentials


def parse_token_parameters(content_type: bytes | None, body: bytes) -> TokenParameters:
    """Give the parameters of a token request.

    A proper form is read as one. A body labelled application/json, or not labelled, may be a JSON object of
    strings or a form (O-18: PowerShell sends forms under that label; docs/divergences.md).

    >>> parse_token_parameters(b"application/x-www-form-urlencoded", b"grant_type=client_credentials").grant_type
    'client_credentials'
    >>> parse_token_parameters(b"multipart/form-data", b"x")
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidRequest: The media type is not supported. Send application/x-www-form-urlencoded.

    Raises:
        InvalidRequest: Unsupported media type, undecodable body, repeated parameter, too many parameters.

    Source: RFC 6749 §3.2, §4.4.2, Appendix B
    """
    if content_type == _FORM:  # as most clients spell it
        return _collect(_form_fields(body))
    media_type = (content_type or b"").split(b";", 1)[0].strip().lower()
    if media_type == _FORM:
        return _collect(_form_fields(body))
    if media_type in (b"application/json", b""):
        if body.lstrip()[:1] == b"{":
            return _collect(_json_fields(body))
        if not body or b"=" in body:
            return _collect(_form_fields(body.strip()))
        raise InvalidRequest("The body is neither a form nor a JSON object.", reason="unreadable_body")
    raise InvalidRequest(f"The media type is not supported. {MEDIA_TYPE_HINT}", reason="media_type")


def find_credential_in_query(query: bytes, *, further: frozenset[str] = frozenset()) -> str | None:
    """Name the credential that stands in the request's query, or give None.

    Source: RFC 6749 §2.3.1 (parameters MUST NOT be included in the request URI), RFC 6750 §2.3
    """
    if not query:
        return None
    for field in query.split(b"&"):
        name = unquote_to_bytes(field.partition(b"=")[0].replace(b"+", b" ")).strip().lower().decode("latin-1")
        if name in _IN_URL_FORBIDDEN or name in further:
            return name
    return None


def _collect(fields: Iterable[tuple[str, str, str]]) -> TokenParameters:
    """Give the parameters of fields: each a name, what stands between, and a value, as `str.partition` gives them."""
    found: dict[str, Any] = {}
    extension: dict[str, Any] = {}
    for name, _, value in fields:
        if name in _READ_ONCE and name not in found:
            found[name] = value or None  # RFC 6749 §3.2: without a value as if omitted
            continue
        key = name.lower()
        if key in found:
            # RFC 6749 §3.2: parameters MUST NOT be included more than once.
            raise InvalidRequest("A parameter is included more than once.", reason="duplicate_parameter")
        if key in _READ_ONCE:
            found[key] = value or None
        elif key in _EXTENSION:
            _collect_extension(extension, key, value)
    return (
        TokenParameters(**found, extension=ExtensionParameters(**extension)) if extension else TokenParameters(**found)
    )


def _collect_extension(found: dict[str, Any], key: str, value: str) -> None:
    if key in _EXTENSION_ONCE:
        if key in found:
            raise InvalidRequest("A parameter is included more than once.", reason="duplicate_parameter")
        found[key] = value or None
    elif value:
        found[key] = (*found.get(key, ()), value)


def _form_fields(body: bytes) -> list[tuple[str, str, str]]:
    if body.count(b"&") >= MAX_PARAMETERS:
        raise InvalidRequest("The body has too many parameters.", reason="too_many_parameters")
    if b"%" not in body and b"+" not in body:
        # nothing is escaped, as in most token requests: one decoding serves all
        return [field.partition("=") for field in _text(body).split("&")]
    if _BROKEN_ESCAPE.search(body):
        raise InvalidRequest("The body has a broken percent escape.", reason="broken_escape")
    return [
        (_text(unquote_to_bytes(name)), "=", _text(unquote_to_bytes(value)))
        for name, _, value in (field.partition(b"=") for field in body.replace(b"+", b" ").split(b"&"))
    ]


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.", reason="not_utf8") from None
    if "\x00" in text:
        raise InvalidRequest("The body holds a NUL character.", reason="nul_character")
    return text


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in the order they came, repeats included."""


def _json_fields(body: bytes) -> list[tuple[str, str, str]]:
    try:
        members = json.loads(body.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not a JSON object.", reason="unreadable_body") from None
    if not isinstance(members, _Pairs) or len(members) > MAX_PARAMETERS:
        raise InvalidRequest("The body is not a JSON object of parameters.", reason="unreadable_body")
    fields = []
    for name, value in members:
        if name.lower() not in _READ or value is None:
            continue
        if not isinstance(value, str):
            raise InvalidRequest("Every parameter in the JSON object must be a string.", reason="not_a_string")
        if "\x00" in value:
            raise InvalidRequest("The body holds a NUL character.", reason="nul_character")
        if not value.isascii() and _SURROGATE.search(value):
            # JSON can escape half a character; no UTF-8 text holds one, the audit record neither
            raise InvalidRequest("The body is not UTF-8.", reason="not_utf8")
        fields.append((name, ":", value))
    return fields
