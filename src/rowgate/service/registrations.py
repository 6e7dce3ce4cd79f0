"""Registers clients that hold an initial access token.

The token is worth as much as a secret while it lives: kept as a digest, good for a short time and once, and who
guesses is slowed down by address. What is refused for its metadata leaves it good. A client whose answer was lost
gets it again when it sends the same request with the same Idempotency-Key.
"""

import dataclasses

import msgspec

from rowgate.audit.events import ClientRegistered, Event
from rowgate.oauth.client_auth import digest_client_secret
from rowgate.oauth.client_metadata import SECRET_METHODS, RequestedMetadata, parse_client_metadata
from rowgate.oauth.errors import InvalidToken, OAuthError
from rowgate.oauth.idempotency import derive_entropy, is_repeat_in_time, parse_idempotency_key
from rowgate.oauth.kept_registration import KeptRegistration
from rowgate.oauth.lineage import find_secret_end, render_handle
from rowgate.oauth.model import ACCESS_LIFETIME_SECONDS, REFRESH_LIFETIME_SECONDS, Application, ClientPolicy
from rowgate.oauth.registration import (
    ClientInformation,
    decide_policy,
    decide_scope,
    describe_client,
    list_good_secrets,
    name_application,
)
from rowgate.oauth.registration_tokens import (
    TOKEN_RANDOM_BYTES,
    digest_initial_access_token,
    digest_registration_access_token,
    find_initial_handle,
    is_registration_access_token,
    render_registration_access_token,
)
from rowgate.ports import NameTaken, StoreError, StoreWriter
from rowgate.records import InitialToken
from rowgate.service.admin.policies import list_registered_keys
from rowgate.service.client_requests import RepeatableRequest
from rowgate.service.origin import Origin
from rowgate.service.registration_tools import REFUSED, FreshSecret, RegistrationTools, draw_secret, read_token

CLIENT_ID_RANDOM_BYTES = 20
_GUESSER = "registration"  # all guesses of one address count together: an initial access token names no client


class _Fresh(msgspec.Struct, frozen=True):
    """The randomness of a new client, or what stands in for it: see `oauth.idempotency`.

    Drawn before the transaction, which may run twice.
    """

    client_id: str
    secret: FreshSecret
    registration_access_token: str

    def __repr__(self) -> str:
        return f"<fresh client {self.client_id}>"


class _Registered(msgspec.Struct, frozen=True):
    application: Application
    initial_token: InitialToken
    is_repeated: bool = False


class RegistrationService:
    """Makes applications of clients that ask for it with a good token."""

    def __init__(self, tools: RegistrationTools) -> None:
        """Take what the steps need."""
        self._tools = tools

    async def register(self, request: RepeatableRequest) -> ClientInformation:
        """Give a new client what it is, when that is durable and on record.

        1. An address that has guessed too often waits.
        2. Read the token and the metadata; the token is judged first.
        3. Decide and write, in one transaction; it is on record before it is committed.

        Raises:
            OAuthError: InvalidToken for every token that does not count; InvalidClientMetadata, InvalidRedirectUri or
                InvalidRequest, which leave the token good; MissingToken, TooManyRequests. Each is on record.
            AuditUnavailable: Nothing can be put on record; a token that was good stays good.
            StoreError: The state cannot be written.

        Source: RFC 7591 §3
        """
        tools, origin = self._tools, request.origin
        now = tools.clock()
        presented = ""
        try:
            tools.throttle.check(_GUESSER, origin.source, now)
            presented = read_token(request)
            fresh = self._draw(presented, request)
            registered = await self._decide_and_write(presented, _parse(request), fresh, origin, now)
            if isinstance(registered, OAuthError):
                raise registered
        except (OAuthError, StoreError) as refusal:
            if isinstance(refusal, InvalidToken):
                refusal.key_id = find_initial_handle(presented)
            await tools.refuse(refusal, origin, client_id="", counted_as=_GUESSER, now=now)
            raise
        return tools.inform(
            registered.application,
            fresh.registration_access_token,
            now,
            client_secret=self._find_secret(registered.application, fresh, now),
        )

    def _draw(self, presented: str, request: RepeatableRequest) -> _Fresh:
        tools = self._tools
        entropy, idempotency_key = tools.entropy, parse_idempotency_key(request.idempotency_keys)
        if idempotency_key:
            parts = (b"register", presented.encode(), idempotency_key, request.body)
            entropy = derive_entropy(tools.digest_key, *parts)
        return _Fresh(
            render_handle(entropy(CLIENT_ID_RANDOM_BYTES)),
            draw_secret(entropy),
            render_registration_access_token(entropy(TOKEN_RANDOM_BYTES)),
        )

    def _find_secret(self, application: Application, fresh: _Fresh, now: float) -> str | None:
        """Give the secret that was drawn if the client has it: a repeated answer has none that has ended since."""
        digest = digest_client_secret(self._tools.digest_key, application.client_id, fresh.secret.value)
        return fresh.secret.value if digest in [one.digest for one in list_good_secrets(application, now)] else None

    async def _decide_and_write(
        self, presented: str, requested: RequestedMetadata | OAuthError, fresh: _Fresh, origin: Origin, now: float
    ) -> _Registered | OAuthError:
        digest = digest_initial_access_token(self._tools.digest_key, presented)

        def work(change: StoreWriter) -> _Registered | OAuthError:
            token = change.initial_tokens.find(digest)
            if token is None:
                return InvalidToken(REFUSED, reason="unknown_initial_token")
            if token.used_at:
                return self._decide_repeat(change, token, fresh, now)
            if now >= token.expires_at:
                return InvalidToken(REFUSED, reason="expired_initial_token")
            if isinstance(requested, OAuthError):
                return requested
            try:
                scope = decide_scope(requested, token.scope)
            except OAuthError as refusal:
                return refusal  # as a value: others share the transaction, and nothing of this one was written
            application = _add(change, self._draft(requested, scope, fresh, int(now)), requested.client_name)
            change.grant(application.number, token.objects)
            change.initial_tokens.use(digest, used_at=int(now), client_id=application.client_id)
            return _Registered(application, token)

        return await self._tools.writes.write(work, tell=lambda outcome: _tell(outcome, origin, now))

    def _decide_repeat(
        self, change: StoreWriter, token: InitialToken, fresh: _Fresh, now: float
    ) -> _Registered | OAuthError:
        """Give what a token gets that was used: the same answer for the same request, if it comes in time.

        Its client id shows that it is the same: nobody else can have it drawn, nor choose one.
        """
        found = change.find_application(token.client_id) if token.client_id == fresh.client_id else None
        kept = None if found is None else found[0].policy.registration
        if (
            found is None
            or kept is None
            or not found[0].enabled
            or not is_repeat_in_time(token.used_at, now)
            or not is_registration_access_token(
                self._tools.digest_key, fresh.client_id, fresh.registration_access_token, kept.token_digest
            )
        ):
            return InvalidToken(REFUSED, reason="used_initial_token")
        return _Registered(found[0], token, is_repeated=True)

    def _draft(self, requested: RequestedMetadata, scope: tuple[str, ...], fresh: _Fresh, now: int) -> Application:
        tools = self._tools
        digest = digest_registration_access_token(tools.digest_key, fresh.client_id, fresh.registration_access_token)
        kept = KeptRegistration(digest.hex(), requested.client_name)
        policy = decide_policy(requested, ClientPolicy(registration=kept))
        has_secret = requested.authentication_method in SECRET_METHODS
        expires_at = find_secret_end(policy, now, now, most_seconds=tools.max_secret_seconds)
        secret = tools.make_secret(fresh.secret, fresh.client_id, now, expires_at=expires_at)
        return Application(
            number=0,
            client_id=fresh.client_id,
            name=name_application(requested.client_name, fresh.client_id),
            enabled=True,
            epoch=0,
            scope=scope,
            refresh_tokens=requested.refresh_tokens,
            access_lifetime_seconds=ACCESS_LIFETIME_SECONDS,
            refresh_lifetime_seconds=REFRESH_LIFETIME_SECONDS,
            created_at=now,
            secrets=(secret,) if has_secret else (),
            policy=policy,
        )


def _parse(request: RepeatableRequest) -> RequestedMetadata | OAuthError:
    """Give the metadata, or why they are refused: nobody without a good token is to learn that."""
    try:
        return parse_client_metadata(request.content_type, request.body)
    except OAuthError as refusal:
        return refusal


def _add(change: StoreWriter, draft: Application, client_name: str) -> Application:
    """Keep the application under the name that the client calls itself if that is free.

    The client is not told which it was: it is not to find out what others are called.
    """
    if client_name:
        try:
            return change.add_application(dataclasses.replace(draft, name=client_name))
        except NameTaken:  # nothing was written
            pass
    return change.add_application(draft)


def _tell(registered: _Registered | OAuthError, origin: Origin, now: float) -> list[Event]:
    """Give what goes on record before it is so; a refusal changes nothing, and is told of afterwards."""
    if isinstance(registered, OAuthError):
        return []
    application, token = registered.application, registered.initial_token
    metadata = describe_client(application)
    secret = next(iter(application.secrets), None)
    return [
        ClientRegistered(
            at=now,
            request_id=origin.request_id,
            source=origin.source,
            client_id=application.client_id,
            application=application.name,
            initial_token=token.handle,
            authentication_method=metadata.token_endpoint_auth_method,
            scope=metadata.scope,
            grant_types=metadata.grant_types,
            objects=token.objects,
            client_name=metadata.client_name or "",
            jwks=tuple(key.thumbprint for key in list_registered_keys(application.policy)),
            key_id="" if secret is None else secret.key_id,
            expires_at=0 if secret is None else secret.expires_at,
            repeated=registered.is_repeated,
        )
    ]
