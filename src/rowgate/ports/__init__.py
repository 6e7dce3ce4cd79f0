"""What the service asks of the world: Protocols, each with its contract in the docstring, and their refusals."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from rowgate.audit.events import Event
from rowgate.oauth.model import Application, ClientPolicy, RefreshFamily, Secret
from rowgate.ports.registrations import InitialTokenWriter
from rowgate.ports.spending import SpendingWriter
from rowgate.records import (
    Changes,
    Enrolment,
    GrantPolicy,
    KeptSigningKey,
    KeyMaterial,
    ObjectSettings,
    Revocation,
    StateSnapshot,
)


class StoreError(Exception):
    """The home's state cannot be read or written; the text says what to do.

    StoreError
    ├── UnknownName     there is no such application, secret or key
    └── NameTaken       a name that must be unique is in use
    """


class UnknownName(StoreError):
    """There is nothing of that name."""


class NameTaken(StoreError):
    """The name belongs to something else."""


class AuditUnavailable(Exception):
    """The event could not be made durable, so what it tells of must not happen."""


class CallError(Exception):
    """Another host could not be asked; `reason` is a stable word for the log.

    CallError
    ├── CallForbidden   the settings do not allow it: asking again changes nothing
    └── CallFailed      the host cannot be reached, is too slow, or answers what nobody can use
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CallForbidden(CallError):
    """The address is not one that may be called."""


class CallFailed(CallError):
    """There is no answer; there may be one later."""


WhenDurable: TypeAlias = Callable[[AuditUnavailable | None], None]  # told None, or why it is not durable
Meanwhile: TypeAlias = Callable[[], None]


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> float:
        """Give seconds since 1970; may jump."""


class Entropy(Protocol):
    """Randomness that cannot be guessed."""

    def __call__(self, count: int, /) -> bytes:
        """Give that many fresh random bytes."""


class StoreReader(Protocol):
    """The serving side of the state: load once, then follow."""

    def load_state(self) -> StateSnapshot:
        """Give everything, as of one moment."""

    def load_keys(self) -> KeyMaterial:
        """Give the keys, opened with the home's master key.

        Raises:
            StoreError: The master key does not open them.
        """

    def has_changed(self) -> bool:
        """Tell, cheaply, whether anybody has committed since the last call. May say yes for nothing."""

    def load_changes(self, after: int) -> Changes | None:
        """Give what changed after that sequence number, as of one moment, or None when that is no longer known.

        After None the caller loads the whole state.
        """


class KeyWriter(Protocol):
    """The keys, inside a transaction of the administrator's side. Kept encrypted; every change reaches the followers.

    A nonce is 12 fresh random bytes, used for nothing else.
    """

    def load(self) -> KeyMaterial:
        """Give the keys, opened.

        Raises:
            StoreError: The master key does not open them.
        """

    def add_sealing_key(self, key: bytes, *, created_at: int, nonce: bytes) -> int:
        """Keep one more sealing key (32 bytes); give its number, higher than any before and never used again.

        Raises:
            StoreError: The numbers that fit into a token are used up.
        """

    def remove_sealing_key(self, number: int) -> None:
        """Forget a sealing key: what it sealed can never be opened again.

        Raises:
            UnknownName: There is no such sealing key.
        """

    def add_signing_key(self, key: KeptSigningKey, *, nonce: bytes) -> None:
        """Keep one more signing key.

        Raises:
            NameTaken: There is one of that kid.
        """

    def retire_signing_key(self, kid: str, *, retired_at: int, forget_at: int) -> None:
        """Say when a signing key's last signature is and when it is gone, in seconds since 1970.

        Raises:
            UnknownName: There is no such signing key.
        """

    def remove_signing_key(self, kid: str) -> None:
        """Forget a signing key.

        Raises:
            UnknownName: There is no such signing key.
        """


class StoreWriter(Protocol):
    """The administrator's side, inside one transaction (see `StoreAdmin.changing`).

    Every call takes effect when the transaction commits, and all of them or none. Names and numbers that do
    not exist raise `UnknownName`; a name that is taken raises `NameTaken`.
    """

    @property
    def keys(self) -> KeyWriter:
        """The keys, in the same transaction."""

    @property
    def initial_tokens(self) -> InitialTokenWriter:
        """The initial access tokens, in the same transaction."""

    @property
    def spending(self) -> SpendingWriter:
        """What was read of the budgets of a day, in the same transaction."""

    def find_application(self, name_or_client_id: str) -> tuple[Application, tuple[str, ...]] | None:
        """Give the application and the names of its granted objects, or None."""

    def list_applications(self) -> Sequence[tuple[Application, tuple[str, ...]]]:
        """Give every application with its grants, in order of name."""

    def add_application(self, application: Application) -> Application:
        """Keep a new application with its secrets; the numbers of the argument are ignored, those given back count."""

    def set_policy(self, application_number: int, policy: ClientPolicy) -> None:
        """Keep what is set for an application beyond the ordinary."""

    def set_terms(
        self,
        application_number: int,
        *,
        scope: tuple[str, ...],
        refresh_tokens: bool,
        access_lifetime_seconds: int,
        refresh_lifetime_seconds: int,
    ) -> None:
        """Keep what an application may ask for and how long its tokens live; for tokens from now on."""

    def set_enabled(self, application_number: int, *, enabled: bool) -> None:
        """Let an application in, or keep it out."""

    def remove_application(self, application_number: int) -> None:
        """Forget an application, its secrets and grants; its number is never used again."""

    def raise_epoch(self, application_number: int) -> None:
        """Kill every token the application was ever issued."""

    def grant(self, application_number: int, object_names: Sequence[str]) -> None:
        """Allow objects; those allowed already stay as they are, with their policies."""

    def find_grant_policy(self, application_number: int, object_name: str) -> GrantPolicy:
        """Give what a grant holds beyond its object; the whole object when nothing was set, or nothing is granted."""

    def set_grant_policy(self, application_number: int, object_name: str, policy: GrantPolicy) -> None:
        """Keep what a grant holds beyond its object, in place of what it held."""

    def ungrant(self, application_number: int, object_names: Sequence[str]) -> None:
        """Withdraw objects; those not allowed are no error."""

    def add_secret(self, application_number: int, secret: Secret) -> Secret:
        """Keep one more secret."""

    def revoke_secret(self, secret_number: int, *, kills_tokens: bool) -> None:
        """End a secret now; kills_tokens also ends what was issued with it."""

    def end_secret(self, secret_number: int, *, expires_at: int) -> None:
        """Have a secret expire at that second, in seconds since 1970; never later than it would have anyway."""

    def note_secret_use(self, secret_number: int, *, used_at: int) -> None:
        """Keep when a renewed secret first authenticated; later uses change nothing, and reach no follower."""

    def remove_secret(self, secret_number: int) -> None:
        """Forget a secret. Nothing that was issued with it can be ended through it any more."""

    def add_enrolment(self, enrolment: Enrolment) -> None:
        """Keep the digest of a new one-time code of an application."""

    def find_enrolment(self, digest: bytes) -> Enrolment | None:
        """Give the one-time code of that digest, or None."""

    def find_enrolled_application(self, digest: bytes) -> Application | None:
        """Give the application that a one-time code is bound to, or None when there is no such code."""

    def redeem_enrolment(self, digest: bytes, *, redeemed_at: int) -> bool:
        """Tell whether this is the first redemption of a known code; from then on it is not."""

    def forget_enrolments(self, expired_before: int) -> None:
        """Drop the codes that expired before that second, redeemed or not."""

    def find_object_settings(self, object_name: str) -> ObjectSettings:
        """Give what is set for an object; the defaults when nothing is."""

    def list_object_settings(self) -> Sequence[ObjectSettings]:
        """Give the objects for which anything is set."""

    def set_object_settings(self, settings: ObjectSettings) -> None:
        """Keep what is set for an object, aliases included."""

    def add_revocation(self, revocation: Revocation) -> None:
        """Kill one token or one family; forgotten some time after it would have expired by itself."""

    def is_revoked(self, handle: bytes) -> bool:
        """Tell whether a token id or family was killed."""

    def forget_revocations(self, now: float) -> None:
        """Drop the revocations of what would have expired anyway."""

    def use_once(self, handle: bytes, forget_at: int) -> bool:
        """Tell whether this is the first use of what the handle stands for; from then on it is not.

        Args:
            handle: 32 bytes, for example a hash over who used what.
            forget_at: Seconds since 1970 from when on it would be refused for its age anyway.
        """

    def find_refresh_family(self, family: bytes) -> RefreshFamily | None:
        """Give where a family of rotating refresh tokens stands, None before its first rotation."""

    def keep_refresh_family(self, family: bytes, state: RefreshFamily, *, forget_at: int) -> None:
        """Keep where a family stands, until its tokens have expired anyway."""

    def forget_refresh_families(self, now: float) -> None:
        """Drop the families whose tokens have expired."""

    def forget_used(self, now: float) -> None:
        """Drop the handles of what would be refused for its age."""


class Store(StoreReader, Protocol):
    """The whole state."""

    def changing(self) -> AbstractContextManager[StoreWriter]:
        """Open a transaction that excludes other writers; it commits at the end of the block unless that raises."""

    def reading(self) -> AbstractContextManager[StoreWriter]:
        """Open a transaction that is rolled back at the end; for listings."""

    def close(self) -> None:
        """Let go of the file or the connections."""


class AuditSink(Protocol):
    """Where events become durable."""

    async def record(self, event: Event) -> None:
        """Return when the event is durable.

        Raises:
            AuditUnavailable: It could not be made durable; nothing of it will appear.
        """

    def record_then(self, event: Event, when_durable: WhenDurable, meanwhile: Meanwhile | None = None) -> None:
        """Call back, on the event loop and after this has returned, when the event is durable or cannot be.

        Args:
            event: What to put on record.
            when_durable: Called once.
            meanwhile: Work for the time in which the disk is waited for, and needed only when the event is durable. It
                may be called, once and before `when_durable`.

        Raises:
            AuditUnavailable: It is already clear that it cannot; nobody is called back.
        """

    def record_soon(self, event: Event) -> None:
        """Make the event durable as soon as that can be done; the caller does not wait."""

    def leave_out(self, event: Event) -> None:
        """Count an event that does not go on record."""


@dataclass(frozen=True, slots=True)
class OutgoingAnswer:
    """What another host answered, whatever its status."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def is_success(self) -> bool:
        """Tell whether the host did what was asked (RFC 9110 §15.3)."""
        return self.status // 100 == 2  # noqa: PLR2004 - the class of the status

    @property
    def is_for_now(self) -> bool:
        """Tell whether the refusal may be another one later: the host has trouble, or too much to do."""
        return self.status // 100 == 5  # noqa: PLR2004 - likewise


class OutgoingHttp(Protocol):
    """Calls to other hosts: those that an administrator listed, over TLS, each within bounds; no redirect is followed.

    Both methods raise CallForbidden or CallFailed.
    """

    async def get(self, url: str, *, max_bytes: int) -> OutgoingAnswer:
        """Ask for a JSON document of at most so many bytes."""

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, max_bytes: int) -> OutgoingAnswer:
        """Send a document; the answer has at most so many bytes."""
