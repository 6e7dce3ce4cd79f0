"""The closed set of things that are put on record.

Rule: an event holds handles (client id, key id, token id), never a secret, a token or a header. Each event is
one JSON object; `kind` names it. Members may be added with a default, never renamed: old segments are read.
"""

from typing import Any

import msgspec


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
AnyEvent = TokenIssued | TokenRefused | RowsOpened | RowsEnded | RowsRefused | AdministrativeChange | ServerEvent
