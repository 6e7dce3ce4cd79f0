"""The closed set of things that are put on record.

Rule: an event holds handles (client id, key id, token id), never a secret, a token or a header. Each event is
one JSON object; `kind` names it. Members may be added with a default, never renamed: old segments are read.
"""

import re
from typing import Any

import msgspec

_SECRET = re.compile(r"(rgcs_|rgat_|rgrt_)([A-Za-z0-9]{0,16})[A-Za-z0-9_-]*")
MAX_CLIENT_TEXT = 200


def redact(client_text: str) -> str:
    """Give a text that a client sent, fit for the record: bounded, and without a secret or token in it.

    >>> redact("inventory:rgcs_k1x2y3z4_c2VjcmV0")
    'inventory:rgcs_k1x2y3z4…'
    """
    return _SECRET.sub(_keep_handle, client_text)[:MAX_CLIENT_TEXT]


def _keep_handle(found: re.Match[str]) -> str:
    # of a secret the key id may be known, of a token nothing
    return f"{found[1]}{found[2][:8] if found[1] == 'rgcs_' else ''}…"


class Event(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", omit_defaults=True):
    """What every event has."""

    at: float  # seconds since 1970
    request_id: str = ""
    source: str = ""  # the client's address


class TokenIssued(Event, frozen=True, tag="token_issued"):
    """An application was given tokens."""

    client_id: str
    application: str
    key_id: str  # the secret it proved
    grant_type: str
    scope: str
    token_id: str
    family: str
    expires_at: int


class TokenRefused(Event, frozen=True, tag="token_refused"):
    """A token request was refused."""

    error: str
    reason: str
    client_id: str = ""  # as presented: not proved
    key_id: str = ""


class RowsOpened(Event, frozen=True, tag="rows_opened"):
    """An application is about to be sent rows."""

    client_id: str
    application: str
    token_id: str
    object: str
    columns: tuple[str, ...] = ()
    filters: tuple[Any, ...] = ()
    group_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    run: str = ""  # latest: only the newest run
    limit: int | None = None
    offset: int = 0
    format: str = "json"


class RowsEnded(Event, frozen=True, tag="rows_ended"):
    """A read is over."""

    client_id: str
    application: str
    token_id: str
    object: str
    rows: int
    bytes: int
    seconds: float
    outcome: str  # complete, cut (the client went away or the server stopped), failed
    reason: str = ""


class RowsRefused(Event, frozen=True, tag="rows_refused"):
    """A request for rows was refused."""

    error: str
    reason: str
    client_id: str = ""
    application: str = ""
    token_id: str = ""
    object: str = ""


class AdministrativeChange(Event, frozen=True, tag="administrative_change"):
    """Somebody changed who may do what."""

    actor: str  # the operating system's user, or the console's
    action: str  # for example application.add
    target: str
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class ServerEvent(Event, frozen=True, tag="server"):
    """A server process started or stopped, or could write its record again after a failure."""

    action: str  # started, stopped, resumed
    version: str
    process: int


EVENT_TYPES = (TokenIssued, TokenRefused, RowsOpened, RowsEnded, RowsRefused, AdministrativeChange, ServerEvent)
