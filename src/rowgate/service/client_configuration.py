"""Lets a client that registered itself look at its registration, change and end it, by its registration access token.

The token is not rotated (docs/choices.md): an answer that was lost strands nobody.
"""

import msgspec

from rowgate.audit.events import Event, RegistrationManaged
from rowgate.oauth.client_auth import MAX_CREDENTIAL_LENGTH, digest_client_secret
from rowgate.oauth.client_metadata import RequestedUpdate, parse_client_id, parse_client_update
from rowgate.oauth.errors import InvalidClientMetadata, InvalidToken, OAuthError
from rowgate.oauth.model import Application, Secret
from rowgate.oauth.registration import (
    ClientInformation,
    check_update,
    decide_new_secret,
    decide_policy,
    list_good_secrets,
)
from rowgate.oauth.registration_tokens import is_registration_access_token
from rowgate.ports import StoreError, StoreWriter
from rowgate.service.admin.policies import describe_change
from rowgate.service.client_requests import ClientRequest
from rowgate.service.origin import Origin
from rowgate.service.registration_tools import REFUSED, FreshSecret, RegistrationTools, draw_secret, read_token

_NO_DIGEST = bytes(32).hex()


class _Manager(msgspec.Struct, frozen=True):
    """Who has proved that it may manage a registration."""

    application: Application
    registration_access_token: str

    def __repr__(self) -> str:
        return f"<manager of {self.application.client_id}>"


class _Updated(msgspec.Struct, frozen=True):
    before: Application
    after: Application
    secret: Secret | None  # that was made


class ClientConfigurationService:
    """One method for each of what a client may do with its registration."""

    def __init__(self, tools: RegistrationTools) -> None:
        """Take what the steps need."""
        self._tools = tools

    async def read(self, request: ClientRequest) -> ClientInformation:
        """Give a client its registration; the value of its secret is kept nowhere, so it is not told again.

        Raises:
            OAuthError: InvalidToken, MissingToken, InvalidRequest or TooManyRequests; on record.
            AuditUnavailable: Nothing can be put on record.

        Source: RFC 7592 §2.1
        """
        now = self._tools.clock()
        manager = await self._authenticate(request, now)
        await self._tools.audit.record(_tell("read", manager.application, request.origin, now))
        return self._tools.inform(manager.application, manager.registration_access_token, now)

    async def update(self, request: ClientRequest) -> ClientInformation:
        """Change a registration to what the client sends; a secret that ends soon gets another beside it.

        Raises:
            OAuthError: As `read`; InvalidClientMetadata, InvalidRedirectUri: nothing was changed. On record.
            AuditUnavailable: Nothing can be put on record; nothing was changed.
            StoreError: The state cannot be written.

        Source: RFC 7592 §2.2
        """
        tools = self._tools
        now = tools.clock()
        manager = await self._authenticate(request, now)
        fresh = draw_secret(tools.entropy)
        try:
            wanted = parse_client_update(request.content_type, request.body)
            updated = await tools.writes.write(
                lambda change: self._update(change, manager, wanted, fresh=fresh, now=int(now)),
                tell=lambda updated: _tell_of_update(updated, request.origin, now),
            )
            if isinstance(updated, OAuthError):
                raise updated
        except (OAuthError, StoreError) as refusal:
            await tools.refuse(refusal, request.origin, client_id=manager.application.client_id, now=now)
            raise
        secret = updated.secret
        return tools.inform(
            updated.after,
            manager.registration_access_token,
            now,
            client_secret=None if secret is None else fresh.value,
        )

    async def delete(self, request: ClientRequest) -> None:
        """Forget a client; its secrets and every token it holds die with it.

        Raises:
            OAuthError: As `read`.
            AuditUnavailable: Nothing can be put on record; nothing was changed.
            StoreError: The state cannot be written.

        Source: RFC 7592 §2.3
        """
        tools = self._tools
        now = tools.clock()
        manager = await self._authenticate(request, now)

        event = _tell("delete", manager.application, request.origin, now)

        def work(change: StoreWriter) -> OAuthError | None:
            application = _find_managed(change, manager)
            if application is None:
                return _refuse_unknown()
            change.remove_application(application.number)
            return None

        try:
            refused = await tools.writes.write(work, tell=lambda refused: () if refused else (event,))
            if refused is not None:
                raise refused
        except (OAuthError, StoreError) as refusal:
            await tools.refuse(refusal, request.origin, client_id=manager.application.client_id, now=now)
            raise

    async def _authenticate(self, request: ClientRequest, now: float) -> _Manager:
        """Give who may manage the registration that the address names.

        A client that is gone, one that never registered itself and a token of another's are refused alike.

        Source: RFC 7592 §2.1 (401 for a client that does not exist), RFC 6750 §2.1
        """
        tools, source, client_id = self._tools, request.origin.source, ""
        try:
            client_id = parse_client_id(request.query)
            tools.throttle.check(client_id, source, now)
            presented = read_token(request)
            application = tools.state.find_application(client_id)
            kept = None if application is None else application.policy.registration
            kept_digest = _NO_DIGEST if kept is None else kept.token_digest
            is_good = is_registration_access_token(tools.digest_key, client_id, presented, kept_digest)
            if application is None or kept is None or not is_good:
                raise _refuse_unknown()
        except OAuthError as refusal:
            await tools.refuse(refusal, request.origin, client_id=client_id, counted_as=client_id, now=now)
            raise
        tools.throttle.note_success(client_id, source)
        if not application.enabled:
            disabled = InvalidToken(REFUSED, reason="disabled_application")
            await tools.refuse(disabled, request.origin, client_id=client_id, now=now)
            raise disabled
        return _Manager(application, presented)

    def _update(
        self, change: StoreWriter, manager: _Manager, wanted: RequestedUpdate, *, fresh: FreshSecret, now: int
    ) -> _Updated | OAuthError:
        before = _find_managed(change, manager)
        if before is None or before.policy.registration is None:
            return _refuse_unknown()
        requested = wanted.metadata
        try:
            self._check_identity(before, wanted, now)
            scope = check_update(before, requested)
        except OAuthError as refusal:
            return refusal  # as a value: others share the transaction, and nothing of this one was written
        kept = msgspec.structs.replace(before.policy.registration, client_name=requested.client_name)
        policy = msgspec.structs.replace(decide_policy(requested, before.policy), registration=kept)
        change.set_policy(before.number, policy)
        change.set_terms(
            before.number,
            scope=scope,
            refresh_tokens=requested.refresh_tokens,
            access_lifetime_seconds=before.access_lifetime_seconds,
            refresh_lifetime_seconds=before.refresh_lifetime_seconds,
        )
        most_seconds = self._tools.max_secret_seconds
        decided = decide_new_secret(before, requested.authentication_method, now, most_seconds=most_seconds)
        secret = None
        if decided is not None:
            ends, began = decided
            made = self._tools.make_secret(fresh, before.client_id, now, expires_at=ends, lineage_began_at=began)
            secret = change.add_secret(before.number, made)
        found = change.find_application(before.client_id)
        assert found is not None, "internal error: an application that was just changed is not there"
        return _Updated(before, found[0], secret)

    def _check_identity(self, application: Application, wanted: RequestedUpdate, now: float) -> None:
        if wanted.client_id != application.client_id:
            raise InvalidClientMetadata("The client_id is another client's.", reason="other_client_id")
        presented = wanted.presented_secret
        if presented is None:
            return
        # RFC 7592 §2.2: it MUST match the one that was issued; the client MUST NOT choose its own
        is_readable = presented.isascii() and len(presented) <= MAX_CREDENTIAL_LENGTH
        key, client_id = self._tools.digest_key, application.client_id
        digest = digest_client_secret(key, client_id, presented) if is_readable else b""
        if digest not in [secret.digest for secret in list_good_secrets(application, now)]:
            raise InvalidClientMetadata("The client_secret is not the client's.", reason="other_client_secret")


def _refuse_unknown() -> InvalidToken:
    return InvalidToken(REFUSED, reason="unknown_registration_token")


def _find_managed(change: StoreWriter, manager: _Manager) -> Application | None:
    """Give the application as the transaction reads it, if the proof that was given still holds there."""
    found = change.find_application(manager.application.client_id)
    if found is None or not found[0].enabled:
        return None
    kept, proved = found[0].policy.registration, manager.application.policy.registration
    return found[0] if kept and proved and kept.token_digest == proved.token_digest else None


def _tell_of_update(updated: _Updated | OAuthError, origin: Origin, now: float) -> list[Event]:
    if isinstance(updated, OAuthError):
        return []
    secret = updated.secret
    event = msgspec.structs.replace(
        _tell("update", updated.after, origin, now),
        changed=describe_change(updated.before, updated.after),
        key_id="" if secret is None else secret.key_id,
        expires_at=0 if secret is None else secret.expires_at,
    )
    return [event]


def _tell(action: str, application: Application, origin: Origin, now: float) -> RegistrationManaged:
    return RegistrationManaged(
        at=now,
        request_id=origin.request_id,
        source=origin.source,
        client_id=application.client_id,
        application=application.name,
        action=action,
    )
