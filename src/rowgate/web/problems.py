"""The one map from errors to HTTP. What is not named here becomes server_error, and says nothing more."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from rowgate.oauth.dpop import render_dpop_challenge
from rowgate.oauth.errors import (
    DpopRefusal,
    InsufficientScope,
    InvalidClient,
    MissingToken,
    OAuthError,
    TooManyRequests,
    UseDpopNonce,
)
from rowgate.ports import AuditUnavailable, StoreError
from rowgate.rows.errors import BudgetExceeded, RowsError
from rowgate.service.mint import NoSigningKey
from rowgate.service.remote_keys import KeysUnavailable
from rowgate.web.exchange import BodyTooLarge, Headers
from rowgate.web.well_known import PROTECTED_RESOURCE, locate_document

NO_STORE: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
]
NONCE_HEADER = b"dpop-nonce"  # RFC 9449 §8
READ_ALLOW = b"GET, HEAD, OPTIONS"  # of an address that is only read
RETRY_SECONDS = 5
_REALM = 'realm="rowgate"'

_encode = msgspec.json.encode


class HttpProblem(Exception):
    """A refusal of the edge itself: path, method, size, media type."""

    def __init__(self, status: int, code: str, description: str, headers: Headers | None = None) -> None:
        """Take everything that the answer says."""
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description
        self.headers = headers or []


def require_get(method: str) -> None:
    """Refuse what does not ask for a document: it is read with GET, or HEAD.

    Raises:
        HttpProblem: Another method.
    """
    if method not in ("GET", "HEAD"):
        raise HttpProblem(405, "invalid_request", "Ask with GET.", [(b"allow", READ_ALLOW)])


def require_plain_body(content_encoding: bytes) -> None:
    """Refuse a body that is compressed (PROTOCOL 11).

    Raises:
        HttpProblem: It is.
    """
    if content_encoding not in (b"", b"identity"):
        raise HttpProblem(415, "invalid_request", "Send the body without a content encoding.")


@dataclass(frozen=True, slots=True)
class Edge:
    """The settings that answers depend on."""

    issuer: str
    forbidden_as_403: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer with an error."""

    status: int
    code: str
    headers: Headers
    body: bytes


def describe_problem(error: Exception, request_id: str, edge: Edge) -> Problem:
    """Give what a client is told of an error."""
    extra: Mapping[str, str | int] = {}
    headers: Headers = []
    match error:
        case OAuthError():
            status, headers = _describe_oauth(error, edge)
            code, description = error.code, error.description
        case RowsError():
            status, code, description = error.status, error.code, error.description
            extra, headers = _describe_rows_extras(error)
        case HttpProblem():
            status, code, description, headers = error.status, error.code, error.description, error.headers
        case BodyTooLarge():
            status, code, description = 413, "invalid_request", "The body is too large."
            headers = [(b"connection", b"close")]
        case NoSigningKey():
            status, code = 503, "temporarily_unavailable"
            description = "The server has no key yet to sign the token with."
        case KeysUnavailable():
            status, code = 503, "temporarily_unavailable"
            description = "The host of the keys cannot be reached at the moment."
        case StoreError():
            status, code = 503, "temporarily_unavailable"
            description = "The server cannot write its state at the moment."
        case AuditUnavailable():
            status, code = 503, "temporarily_unavailable"
            description = "The server cannot keep its record at the moment."
        case _:
            status, code, description = 500, "server_error", "The server failed; the request id leads to the reason."
    if status == 503:  # noqa: PLR2004
        headers = [*headers, (b"retry-after", b"%d" % RETRY_SECONDS)]
    code = code or "missing_token"
    body = {"error": code, "error_description": description, **extra, "request_id": request_id}
    return Problem(status, code, [*NO_STORE, *headers], _encode(body))


def _describe_rows_extras(error: RowsError) -> tuple[Mapping[str, str | int], Headers]:
    told: dict[str, str | int] = {name: value for name in ("field", "expected") if (value := getattr(error, name))}
    if not isinstance(error, BudgetExceeded):
        return told, []
    told |= {"limit": error.limit, "used": error.used, "left": error.left}
    return told, [(b"retry-after", b"%d" % error.retry_after_seconds)]  # RFC 6585 §4


def _describe_oauth(error: OAuthError, edge: Edge) -> tuple[int, Headers]:
    status = error.status
    headers: Headers = []
    if isinstance(error, InsufficientScope) and edge.forbidden_as_403:
        status = 403  # RFC 6750 §3.1; 401 by default, O-17
    if isinstance(error, TooManyRequests):
        headers = [(b"retry-after", b"%d" % error.retry_after_seconds)]  # RFC 6585 §4
    elif isinstance(error, UseDpopNonce):
        headers = [(NONCE_HEADER, error.fresh_nonce.encode())]
    if status in (401, 403):
        headers.append((b"www-authenticate", _challenge(error, edge).encode()))
    return status, headers


def _challenge(error: OAuthError, edge: Edge) -> str:
    """Give the WWW-Authenticate value.

    Source: RFC 7617 §2 (Basic), RFC 6750 §3 (Bearer), RFC 9728 §5.1 (resource_metadata)
    """
    if isinstance(error, InvalidClient):
        return f'Basic {_REALM}, charset="UTF-8"'
    if isinstance(error, DpopRefusal) or error.reason == "other_key":
        return render_dpop_challenge(error)  # RFC 9449 §7.1
    parts = [_REALM]
    if not isinstance(error, MissingToken):
        parts.append(f'error="{error.code}"')
        parts.append(f'error_description="{_quote(error.description)}"')
    if isinstance(error, InsufficientScope):
        parts.append('scope="read"')
    parts.append(f'resource_metadata="{_quote(locate_document(PROTECTED_RESOURCE, edge.issuer))}"')
    return "Bearer " + ", ".join(parts)


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
