"""A case of the protocol as data: what is sent and what must come back. `docs/reference/protocol.md` lists the numbers.

In the texts `<id>`, `<secret>`, `<access>` and the like stand for values of the running world (`world.py`), and
`b64[…]` for the base64 of what is inside.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import pytest

TOKEN = "/api/v1/token"
ROWS = "/api/v1/data/SA_ServiceAccounts/rows"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

CC = "grant_type=client_credentials"
CREDENTIALS = "client_id=<id>&client_secret=<secret>"
GOOD = f"{CC}&{CREDENTIALS}"
BASIC = "<id>:<secret>"

STD = {"content-type": JSON, "cache-control": "no-store", "pragma": "no-cache"}
BASIC_CHALLENGE = {"www-authenticate": 'Basic realm="rowgate", charset="UTF-8"'}
ALLOW_TOKEN = {"allow": "POST, OPTIONS"}
ALLOW_ROWS = {"allow": "GET, HEAD, POST, OPTIONS"}

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """One request that an HTTP client can express, and its answer."""

    number: str  # P22 or O-8
    name: str
    section: str  # the standard's clause, or "ours"
    status: int
    error: str = ""  # the answer's error code
    _: KW_ONLY
    method: str = "POST"
    path: str = TOKEN
    form: str | None = None  # a body of type FORM
    body: str | bytes | None = None  # a body of another type
    media: str | None = None
    basic: str = ""  # id:secret of a Basic header
    headers: Headers = ()
    answer: Mapping[str, str | None] = field(default_factory=dict)  # headers; None = absent
    members: Mapping[str, Any] = field(default_factory=dict)  # of the JSON answer; None = absent
    reason: str = ""  # what stands on record


@dataclass(frozen=True)
class RawCase:
    """Requests that only a bare connection can express, and the statuses that come back on it."""

    number: str
    name: str
    section: str
    statuses: tuple[int, ...]
    send: tuple[str, ...]  # each with <length> for the bytes of its body
    _: KW_ONLY
    error: str = ""  # of the last answer
    is_closed: bool = True  # the server closes afterwards
    half_close: bool = False  # the client ends its side first
    answer: Mapping[str, str | None] = field(default_factory=dict)  # headers of the last answer


def raw_request(
    form: str = GOOD,
    *headers: str,
    method: str = "POST",
    path: str = TOKEN,
    host: tuple[str, ...] = ("Host: rowgate.test",),
    length: str = "<length>",
) -> str:
    """Write a request; empty `length` leaves the header out."""
    lines = [f"{method} {path} HTTP/1.1", *host, f"Content-Type: {FORM}", *headers]
    if length:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", form])


AnyCase = Case | RawCase


def numbered(number: str, section: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a test of more than one request its number, in its id and as a mark."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        name = test.__name__.removeprefix("test_").replace("_", "-")
        parametrized = pytest.mark.parametrize("number", [pytest.param(number, id=f"{number}-{name}")], indirect=True)
        registered = pytest.mark.number(number, section)(parametrized(test))
        marked: Callable[..., None] = pytest.mark.usefixtures("number")(registered)
        return marked

    return mark


def list_params(cases: tuple[AnyCase, ...]) -> list[Any]:
    """Give the cases as test parameters whose ids carry the number."""
    return [
        pytest.param(case, id=f"{case.number}-{case.name}", marks=pytest.mark.number(case.number, case.section))
        for case in cases
    ]
