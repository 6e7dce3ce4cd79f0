"""What an administrator decides about clients that register themselves: who may, and for how long they manage it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from rowgate.oauth.lineage import render_handle
from rowgate.oauth.model import Application
from rowgate.oauth.registration_tokens import (
    HANDLE_RANDOM_BYTES,
    TOKEN_RANDOM_BYTES,
    digest_initial_access_token,
    render_initial_access_token,
)
from rowgate.oauth.scope import parse_scope
from rowgate.records import InitialToken
from rowgate.service.admin.desk import AdminError, Desk, load_application

KEPT_SECONDS = 2_592_000  # 30 d after its end: until then one that comes back is told from one that never was
LONGEST_SECONDS = 604_800  # 7 d


@dataclass(frozen=True, slots=True)
class NewInitialToken:
    """What is shown once."""

    kept: InitialToken
    initial_access_token: str = field(repr=False)


class RegistrationDesk:
    """Makes initial access tokens, which `service.registrations` takes, and ends what clients manage themselves."""

    def __init__(self, desk: Desk) -> None:
        """Take the administrator's tools."""
        self._desk = desk

    def add_token(self, objects: Sequence[str], *, scope: str, lifetime_seconds: int) -> NewInitialToken:
        """Make a token with which one client registers itself.

        Args:
            objects: Names, aliases or patterns of what the client may read from the start; none: nothing.
            scope: The most that it may register.
            lifetime_seconds: Up to 7 d.

        Raises:
            AdminError: An object that does not exist, or a life that is too short or too long.
            InvalidScope: The scope is malformed.
        """
        if not 0 < lifetime_seconds <= LONGEST_SECONDS:
            raise AdminError("an initial access token lives for up to 7d: it is as good as a secret while it lives")
        now = int(self._desk.clock())
        handle = render_handle(self._desk.entropy(HANDLE_RANDOM_BYTES))
        text = render_initial_access_token(handle, self._desk.entropy(TOKEN_RANDOM_BYTES))
        kept = InitialToken(
            digest=digest_initial_access_token(self._desk.store.load_keys().digest, text),
            handle=handle,
            scope=parse_scope(scope),
            objects=self._desk.resolve_objects(objects),
            expires_at=now + lifetime_seconds,
        )
        with self._desk.store.changing() as change:
            change.initial_tokens.forget(now - KEPT_SECONDS)
            change.initial_tokens.add(kept)
            self._desk.tell(
                "registration.token",
                handle,
                scope=list(kept.scope),
                objects=list(kept.objects),
                expires_at=kept.expires_at,
            )
        return NewInitialToken(kept, text)

    def list_tokens(self) -> Sequence[InitialToken]:
        """Give the tokens that are known, used ones too."""
        with self._desk.store.reading() as look:
            return look.initial_tokens.list_all()

    def revoke_token(self, handle: str) -> None:
        """End a token before it is used; a client that registered with it stays.

        Raises:
            UnknownName: There is no such token.
        """
        with self._desk.store.changing() as change:
            change.initial_tokens.remove(handle)
            self._desk.tell("registration.revoke", handle)

    def end(self, name: str) -> Application:
        """Have an application's registration access token count no more: from now on only administrators change it.

        Raises:
            AdminError: There is no such application, or it does not manage its registration.
        """
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            if application.policy.registration is None:
                raise AdminError(f"{application.name} does not manage its registration anyway")
            change.set_policy(application.number, msgspec.structs.replace(application.policy, registration=None))
            self._desk.tell("registration.end", application.name, client_id=application.client_id)
        return application
