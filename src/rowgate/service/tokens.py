"""Issues tokens and checks them: the text of `issue_token` is the order of the steps."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from rowgate.access import Access
from rowgate.audit.events import Event, TokenIssued, TokenRefused, redact
from rowgate.oauth.bearer import decide_bearer, parse_bearer
from rowgate.oauth.client_auth import SECRET_PREFIX, find_key_id, parse_client_authentication, verify_client
from rowgate.oauth.errors import InvalidGrant, InvalidRequest, InvalidToken, OAuthError
from rowgate.oauth.form import TokenParameters, find_credential_in_query, parse_token_parameters
from rowgate.oauth.grants import (
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    RefreshRequest,
    decide_grant,
    decide_refresh,
)
from rowgate.oauth.model import Application, IssuedTokens, Secret
from rowgate.oauth.scope import narrow_scope, render_scope
from rowgate.oauth.tokens import ACCESS, REFRESH, TOKEN_ID_BYTES, TokenRecord, TokenSealer, UnreadableToken
from rowgate.ports import AuditSink, AuditUnavailable, Clock, Entropy
from rowgate.service.origin import Origin
from rowgate.service.state import LiveState

Reply: TypeAlias = Callable[[IssuedTokens | OAuthError | AuditUnavailable], None]


class TokenService:
    """Client credentials in, sealed tokens out; sealed tokens in, an Access out."""

    def __init__(
        self,
        state: LiveState,
        sealer: TokenSealer,
        *,
        digest_key: bytes,
        audit: AuditSink,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Take what the steps need."""
        self._state = state
        self._sealer = sealer
        self._digest_key = digest_key
        self._audit = audit
        self._clock = clock
        self._entropy = entropy

    def issue_token(
        self,
        *,
        query: bytes,
        content_type: bytes | None,
        body: bytes,
        authorization: Sequence[bytes],
        origin: Origin,
        reply: Reply,
    ) -> None:
        """Decide a token request; what was decided is handed to `reply` when it is on record, durably.

        A refusal is on record too. When nothing can be put on record the reply is AuditUnavailable: no token.
        No step before the record waits for anything, so this is no coroutine: a task would cost as much as a step.

        Raises:
            AuditUnavailable: There is no record to write to; `reply` is not called.

        Source: RFC 6749 §4.4, §5, §6; the order of the checks: PROTOCOL 5.0
        """
        now = self._clock()
        parameters = TokenParameters()
        try:
            parameters = parse_token_parameters(content_type, body)
            _refuse_credential_in_query(query)
            presented = parse_client_authentication(authorization, parameters)
            parameters = _name_client(parameters, presented.client_id)
            application = self._state.find_application(presented.client_id)
            secret = verify_client(application, presented, key=self._digest_key, now=now)
            assert application is not None, "internal error: an unknown client proved its secret"
            request = decide_grant(parameters, application)
            if isinstance(request, RefreshRequest):
                grant_type = REFRESH_TOKEN
                issued = self._refresh(application, secret, request, now)
            else:
                grant_type = CLIENT_CREDENTIALS
                issued = self._issue(application, secret, narrow_scope(request.scope, application.scope), now)
        except OAuthError as refusal:
            self._reply_on_record(_refused(refusal, parameters, origin, now), refusal, reply)
            return
        event = TokenIssued(
            at=now,
            request_id=origin.request_id,
            source=origin.source,
            client_id=application.client_id,
            application=application.name,
            key_id=secret.key_id,
            grant_type=grant_type,
            scope=issued.scope,
            token_id=issued.access_token_id,
            family=issued.family,
            expires_at=int(now) + issued.expires_in,
        )
        self._reply_on_record(event, issued, reply)

    def authorize_bearer(self, authorization: Sequence[bytes]) -> Access:
        """Give the access that the bearer token of a request stands for now. Nothing is looked up outside memory.

        Raises:
            OAuthError: MissingToken, InvalidToken or InvalidRequest.

        Source: RFC 6750 §2.1, §3.1
        """
        unverified_token = parse_bearer(authorization)
        try:
            token_id, record = self._sealer.open(ACCESS, unverified_token)
        except UnreadableToken:
            raise InvalidToken("The access token is not valid.", reason="unreadable_token") from None
        return self._decide(token_id, record, self._clock())

    def confirm(self, access: Access, *, now: float) -> Access:
        """Decide once more on a token that was good: it may have been revoked since.

        Args:
            access: What `authorize_bearer` gave.
            now: Which moment counts for its expiry; a long read may outlive the token that began it.

        Raises:
            InvalidToken: It is revoked.
        """
        assert isinstance(access.proof, tuple), "internal error: an access without its proof"
        token_id, record = access.proof
        return self._decide(token_id, record, now)

    def _reply_on_record(self, event: Event, outcome: IssuedTokens | OAuthError, reply: Reply) -> None:
        self._audit.record_then(event, lambda failure: reply(outcome if failure is None else failure))

    def _decide(self, token_id: bytes, record: TokenRecord, now: float) -> Access:
        application = self._state.find_application_by_number(record.application_number)
        revoked = self._state.is_revoked(token_id, record.family)
        return decide_bearer(token_id, record, application, revoked=revoked, now=now)

    def _issue(self, application: Application, secret: Secret, scope: tuple[str, ...], now: float) -> IssuedTokens:
        random = self._entropy(2 * TOKEN_ID_BYTES)
        access_id, family = random[:TOKEN_ID_BYTES], random[TOKEN_ID_BYTES:]
        granted = _Granted(application, secret, family, render_scope(scope), int(now))
        refresh_token = None
        if application.refresh_tokens:
            record = granted.make_record(application.refresh_lifetime_seconds)
            refresh_token = self._sealer.seal(REFRESH, family, record)
        return self._seal(granted, access_id, refresh_token)

    def _refresh(self, application: Application, secret: Secret, request: RefreshRequest, now: float) -> IssuedTokens:
        try:
            token_id, record = self._sealer.open(REFRESH, request.refresh_token)
        except UnreadableToken:
            raise InvalidGrant("The refresh token is not valid.", reason="unreadable_token") from None
        revoked = self._state.is_revoked(token_id, record.family)
        scope = decide_refresh(record, application, request.scope, revoked=revoked, now=now)
        granted = _Granted(application, secret, record.family, render_scope(scope), int(now))
        # Not rotated (docs/choices.md): the client keeps its refresh token (RFC 6749 §6).
        return self._seal(granted, self._entropy(TOKEN_ID_BYTES), None)

    def _seal(self, granted: "_Granted", access_id: bytes, refresh_token: str | None) -> IssuedTokens:
        lifetime = granted.application.access_lifetime_seconds
        return IssuedTokens(
            access_token=self._sealer.seal(ACCESS, access_id, granted.make_record(lifetime)),
            refresh_token=refresh_token,
            scope=granted.scope,
            expires_in=lifetime,
            client_secret_expires_at=granted.secret.expires_at,
            access_token_id=access_id.hex(),
            family=granted.family.hex(),
        )


class _Granted(msgspec.Struct, frozen=True):
    """What was decided, before it is sealed."""

    application: Application
    secret: Secret
    family: bytes
    scope: str
    now: int

    def make_record(self, lifetime_seconds: int) -> TokenRecord:
        return TokenRecord(
            application_number=self.application.number,
            epoch=self.application.epoch,
            secret_number=self.secret.number,
            issued_at=self.now,
            expires_at=self.now + lifetime_seconds,
            family=self.family,
            scope=self.scope,
        )


def _refuse_credential_in_query(query: bytes) -> None:
    """Refuse, naming the secret that is exposed now by its handle (PROTOCOL 25)."""
    if query and find_credential_in_query(query):
        _, _, rest = query.partition(SECRET_PREFIX.encode())
        key_id = find_key_id(SECRET_PREFIX + rest.decode("latin-1")) if rest else ""
        raise InvalidRequest("A credential stands in the URL.", reason="secret_in_url", key_id=key_id)


def _name_client(parameters: TokenParameters, client_id: str) -> TokenParameters:
    if parameters.client_id == client_id:
        return parameters
    return TokenParameters(
        grant_type=parameters.grant_type,
        scope=parameters.scope,
        client_id=client_id,
        refresh_token=parameters.refresh_token,
    )


def _refused(refusal: OAuthError, parameters: TokenParameters, origin: Origin, now: float) -> TokenRefused:
    return TokenRefused(
        at=now,
        request_id=origin.request_id,
        source=origin.source,
        error=refusal.code,
        reason=refusal.reason,
        client_id=redact(parameters.client_id or ""),  # what a stranger typed
        key_id=refusal.key_id,
    )
