"""The closed set of things that are put on record.

Rule: an event holds handles (client id, key id, token id), never a secret, a token or a header. Each event is
one JSON object; `kind` names it. Members may be added with a default, never renamed: old segments are read.
"""

import re
from typing import Any

import msgspec

_SECRET = re.compile(r"(rgcs_|rgat_|rgrt_|rgen_|rgit_|rgra_)([A-Za-z0-9]{0,16})[A-Za-z0-9_-]*")
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
    workload: str = ""  # of a job: its platform, by the name in the settings, and the token's subject
    audience: tuple[str, ...] = ()  # the resources that it was asked for; none: every one
    authorization_details: tuple[dict[str, Any], ...] = ()  # none: it is not narrowed
    subject_client_id: str = ""  # of an exchange: whose token it is, as the one that it was made of
    subject_token_id: str = ""  # that one
    actors: tuple[str, ...] = ()  # client ids of who acts for the subject, the last first


class TokenRefused(Event, frozen=True, tag="token_refused"):
    """A request was refused at the token endpoint, or at another where clients authenticate."""

    error: str
    reason: str
    client_id: str = ""  # as presented: not proved
    key_id: str = ""
    endpoint: str = "token"  # token, introspect, revoke, secret, enrol, register
    left_out: int = 0  # refusals of nobody before this one that are not on record, in this worker


class TokenRevoked(Event, frozen=True, tag="token_revoked"):
    """An application asked for a token's end; an administrator's revocation is an administrative_change."""

    client_id: str
    application: str
    key_id: str  # the secret or key it proved
    token_type: str = ""  # access_token, refresh_token; empty: no token of this server
    token_id: str = ""
    family: str = ""  # dies as a whole with a refresh token
    revoked: bool = False  # false: nothing was done, and the application is not told
    reason: str = ""  # why nothing was done


class TokenIntrospected(Event, frozen=True, tag="token_introspected"):
    """An application was told about a token."""

    client_id: str  # who asked
    application: str
    key_id: str  # the secret or key it proved
    token_id: str = ""  # of the token it asked about; empty: no token of this server
    active: bool = False
    reason: str = ""  # why it is not active; the application is not told


class SecretRenewed(Event, frozen=True, tag="secret_renewed"):
    """An application was given the next secret of its line."""

    client_id: str
    application: str
    key_id: str  # the secret it proved
    new_key_id: str
    expires_at: int  # of the new one; seconds since 1970, 0: never
    previous_expires_at: int  # of the one it proved
    repeated: bool = False  # the same secret once more: the answer before was lost, or several asked at once


class LineageFrozen(Event, frozen=True, tag="lineage_frozen"):
    """A theft: a secret was to be renewed again though its successor is in use. Every secret of the line has ended."""

    client_id: str
    application: str
    key_id: str  # the secret that came back
    used_key_id: str  # its successor
    frozen: tuple[str, ...]  # the key ids of the line; their tokens are dead


class EnrolmentRedeemed(Event, frozen=True, tag="enrolment_redeemed"):
    """A one-time code was exchanged for a secret, or for the registration of the client's own keys."""

    client_id: str
    application: str
    method: str  # client_secret, private_key_jwt
    key_id: str = ""  # of the secret
    expires_at: int = 0  # of the secret; 0: never, or none was made
    repeated: bool = False  # the answer was given once more to the same client: nothing was made


class EnrolmentReplayed(Event, frozen=True, tag="enrolment_replayed"):
    """A one-time code came once more: somebody holds a copy. The client is told no more than of an unknown code."""

    client_id: str
    application: str
    redeemed_at: int  # when it was redeemed


class ClientRegistered(Event, frozen=True, tag="client_registered"):
    """A client registered itself with an initial access token: there is a new application."""

    client_id: str
    application: str
    initial_token: str  # the handle of the token
    authentication_method: str
    scope: str
    grant_types: tuple[str, ...]
    objects: tuple[str, ...] = ()  # what it may read, by the initial access token
    client_name: str = ""  # what it calls itself
    jwks: tuple[str, ...] = ()  # the thumbprints of its keys (RFC 7638)
    key_id: str = ""  # of its secret
    expires_at: int = 0  # of its secret; 0: never, or it has none
    repeated: bool = False  # the answer was given once more to the same client: nothing was made


class RegistrationManaged(Event, frozen=True, tag="registration_managed"):
    """A client that registered itself looked at its registration, changed or ended it."""

    client_id: str
    application: str
    action: str  # read, update, delete
    changed: dict[str, Any] = msgspec.field(default_factory=dict)  # the new values
    key_id: str = ""  # of the secret that it was given
    expires_at: int = 0  # of that secret; 0: never, or none was made


class SecretsExpiring(Event, frozen=True, tag="secrets_expiring"):
    """The last good secret of an application is about to end, and no other is there."""

    client_id: str
    application: str
    key_id: str
    expires_at: int
    hours: int  # the warning: 24, 6 or 1


class WebhookAttempted(Event, frozen=True, tag="webhook_attempted"):
    """A warning was sent to the webhook, or could not be."""

    client_id: str
    application: str
    message_id: str  # the same for every attempt
    attempt: int  # from 1; numbers are left out while no server runs
    outcome: str  # delivered, failed
    status: int = 0  # of the receiver's answer; 0: there was none
    reason: str = ""  # refused, gone, or why there was no answer


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
    actors: tuple[str, ...] = ()  # client ids of who acts for the application, the last first
    aggregates: tuple[str, ...] = ()
    distinct: bool = False
    page: str = ""  # first, next: pages by cursor
    compared_with: tuple[Any, ...] = ()  # of two runs: the keys of the other one
    count: str = ""  # estimated, exact: how many match was told too
    procedure: bool = False  # the rows are what a procedure gave
    parameters: tuple[Any, ...] = ()  # that it was called with: the name of each, and its value or rows
    masks: tuple[str, ...] = ()  # of the columns, as Salary=null
    rule: tuple[Any, ...] = ()  # of the grant, as filters: which rows there were at all


class RowsPreviewed(RowsOpened, frozen=True, tag="rows_previewed"):
    """An application is told what a request for rows would run; nothing was read."""


class RowsEnded(Event, frozen=True, tag="rows_ended"):
    """A read is over."""

    client_id: str
    application: str
    token_id: str
    object: str
    rows: int  # that were made ready; of a cut answer the client has at most so many
    bytes: int
    seconds: float
    outcome: str  # complete, cut (the client went away or the server stopped), failed
    reason: str = ""
    sha256: str = ""  # of the whole body before its content coding, in hexadecimal; empty: it was not sent whole
    coding: str = ""  # gzip, zstd: the content coding; `bytes` are those before it
    sent_bytes: int = 0  # after the content coding, where there is one
    format: str = "json"


class RowsRefused(Event, frozen=True, tag="rows_refused"):
    """A request for rows was refused."""

    error: str
    reason: str
    client_id: str = ""
    application: str = ""
    token_id: str = ""
    object: str = ""
    left_out: int = 0  # as of `token_refused`
    parameters: tuple[Any, ...] = ()  # of a call that failed once they were found good; as in `rows_opened`


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


EVENT_TYPES = (
    TokenIssued,
    TokenRefused,
    TokenRevoked,
    TokenIntrospected,
    SecretRenewed,
    LineageFrozen,
    EnrolmentRedeemed,
    EnrolmentReplayed,
    ClientRegistered,
    RegistrationManaged,
    SecretsExpiring,
    RowsOpened,
    RowsPreviewed,
    RowsEnded,
    RowsRefused,
    AdministrativeChange,
    ServerEvent,
)
