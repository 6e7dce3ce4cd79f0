"""What a store keeps and hands over: grants, object settings, revocations, keys. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from rowgate.oauth.model import Application


class ObjectDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of an object as JSON: members may be added with defaults, never renamed."""

    title: str = ""  # for people
    description: str = ""
    key: tuple[str, ...] = ()  # columns that tell all rows apart and are never NULL; empty: what the database says


NO_DETAILS = ObjectDetails()


@dataclass(frozen=True, slots=True)
class ObjectSettings:
    """What an administrator has set for an object of the served database."""

    name: str  # exactly as the database spells it
    blocked: bool = False
    block_reason: str = ""
    aliases: tuple[str, ...] = ()
    run_key: str = ""  # the run-key column; empty: found by its name (O-25)
    details: ObjectDetails = NO_DETAILS


# A revocation is kept for so long after the last token of it has ended: while a machine's clock is hours ahead nothing
# may be forgotten that lives again once the clock is set right.
CLOCK_ERROR_SECONDS = 172_800  # 48 h


@dataclass(frozen=True, slots=True)
class Revocation:
    """One dead token, or one dead family."""

    handle: bytes  # 16 bytes: token id or family
    forget_at: int  # seconds since 1970; by then it would have expired anyway


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A one-time code that is still known, without its value."""

    digest: bytes = field(repr=False)  # 32 bytes: keyed SHA-256 of the code
    application_number: int
    expires_at: int  # seconds since 1970
    redeemed_at: int = 0  # 0: not yet


@dataclass(frozen=True, slots=True)
class InitialToken:
    """An initial access token that is still known, without its value."""

    digest: bytes = field(repr=False)  # 32 bytes: keyed SHA-256 of the token
    handle: str
    scope: tuple[str, ...]  # the most that a client may register with it
    objects: tuple[str, ...]  # what the client may read from the start, as the database spells it
    expires_at: int  # seconds since 1970
    used_at: int = 0  # 0: not yet
    client_id: str = ""  # who registered with it


class GrantPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a grant holds beyond its object, kept as JSON: members may be added with defaults, never renamed."""

    columns: tuple[str, ...] = ()  # the only ones, as the database spells them; none: every one
    masks: tuple[tuple[str, str], ...] = ()  # by name of column, likewise, one of rows.masks.Mask
    rows: str = ""  # the filters that every row must meet, as JSON; empty: every row


WHOLE_OBJECT = GrantPolicy()


@dataclass(frozen=True, slots=True)
class Grants:
    """An application and the names of the objects it may read."""

    application: Application
    objects: frozenset[str]
    policies: Mapping[str, GrantPolicy] = field(default_factory=dict)  # by name, only those that keep something back


@dataclass(frozen=True, slots=True)
class KeptSigningKey:
    """A signing key as it is kept, opened; `service.keys` makes `oauth.signing.SigningKey` of it. Never printed."""

    kid: str
    algorithm: str
    private_key: bytes = field(repr=False)  # PKCS #8 PEM
    created_at: int  # all four in seconds since 1970
    not_before: int
    retired_at: int  # NEVER while it may sign
    forget_at: int  # NEVER while it may sign


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """The home's keys, opened. Never printed."""

    sealing: dict[int, bytes] = field(repr=False)  # 32 bytes each, by key number
    digest: bytes = field(repr=False)  # 32 bytes: keys the digests of client secrets
    sealing_created_at: dict[int, int] = field(default_factory=dict)  # seconds since 1970, by key number
    signing: tuple[KeptSigningKey, ...] = ()  # in order of kid


NO_KEYS = KeyMaterial({}, b"")


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """Everything, as of one change number."""

    sequence: int
    grants: tuple[Grants, ...]
    objects: tuple[ObjectSettings, ...]
    revocations: tuple[Revocation, ...]
    keys: KeyMaterial = NO_KEYS


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different since a change number; a number or name without its record is gone."""

    sequence: int
    applications: dict[int, Grants | None] = field(default_factory=dict)
    objects: dict[str, ObjectSettings] = field(default_factory=dict)
    revocations: tuple[Revocation, ...] = ()
    keys: KeyMaterial | None = None  # None: no different
