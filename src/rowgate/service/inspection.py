"""Tells applications about tokens, and revokes theirs: introspection (RFC 7662, RFC 9701) and revocation (RFC 7009)."""

import msgspec

from rowgate.audit.events import TokenIntrospected, TokenRevoked
from rowgate.oauth.authorization_details import render_details
from rowgate.oauth.bearer import decide_bearer
from rowgate.oauth.errors import InvalidGrant, OAuthError, UnsupportedTokenType
from rowgate.oauth.grants import decide_refresh
from rowgate.oauth.introspection import (
    INTROSPECTION_TYPE,
    ActiveToken,
    decide_introspection,
    describe_token,
    render_introspection,
    sign_introspection,
)
from rowgate.oauth.jwt_access_token import find_actor, find_confirmation
from rowgate.oauth.lifetimes import NO_MAXIMA, Maxima
from rowgate.oauth.model import Application
from rowgate.oauth.revocation import find_forget_at, refuse_other_type
from rowgate.oauth.tokens import TokenRecord
from rowgate.ports import AuditSink, StoreError
from rowgate.records import Revocation
from rowgate.service.client_requests import ClientRequest, record_refusal
from rowgate.service.mint import NoSigningKey, Signers
from rowgate.service.narrowing import Narrowing
from rowgate.service.questions import OpenedToken, Questions
from rowgate.service.rotation import RefreshRotation
from rowgate.service.state import LiveState
from rowgate.service.throttle import RevocationQuota
from rowgate.service.writes import Writes

INTROSPECT_SCOPE = "introspect"  # in an application's scope: it may ask about everybody's tokens
INTROSPECT, REVOKE = "introspect", "revoke"  # the endpoints' names on record
ANOTHERS = "another_applications_token"


class Introspection(msgspec.Struct, frozen=True):
    """The body of an answer."""

    body: bytes
    is_signed: bool  # a JWT, else JSON


class InspectionService:
    """Answers the two endpoints; the text of its two public methods is the order of the steps."""

    def __init__(
        self,
        state: LiveState,
        questions: Questions,
        signers: Signers,
        narrowing: Narrowing,
        rotation: RefreshRotation,
        *,
        maxima: Maxima = NO_MAXIMA,
        quota: RevocationQuota | None = None,
        writes: Writes,
        issuer: str,
        audit: AuditSink,
    ) -> None:
        """Take what the steps need."""
        self._state = state
        self._questions = questions
        self._signers = signers
        self._narrowing = narrowing
        self._rotation = rotation
        self._quota = quota or RevocationQuota()
        self._maxima = maxima
        self._writes = writes
        self._issuer = issuer
        self._audit = audit

    async def introspect(self, request: ClientRequest, *, is_signed: bool, takes_json: bool) -> Introspection:
        """Give the answer to an introspection request, on record: JSON, or a JWT about the same.

        Args:
            request: As it came.
            is_signed: Whether the client would rather have the JWT.
            takes_json: Whether it takes JSON where there is no key to sign with.

        Raises:
            OAuthError: The request or its client is refused; that is on record too.
            NoSigningKey: It must be signed, and there is no key; no answer is on record.
            AuditUnavailable: Nothing can be put on record.
            StoreError: What the client proved itself with cannot be marked as used, or the state cannot say whether a
                refresh token was replaced.

        Source: RFC 7662 §2, RFC 9701 §4, §5
        """
        asked = await self._questions.read(request, INTROSPECT)
        client, now = asked.client.application, asked.now
        told: ActiveToken | None = None
        reason = asked.reason
        if asked.opened is not None:
            try:
                found = self._describe(asked.opened, now)
                await self._refuse_replaced(asked.opened)
            except StoreError as failure:
                await record_refusal(
                    self._audit, failure, request.origin, endpoint=INTROSPECT, client_id=client.client_id, now=now
                )
                raise
            except OAuthError as refusal:  # expired, revoked: whatever the reason, the answer is one word
                reason = refusal.reason
            else:
                told = decide_introspection(
                    found,
                    asking_client_id=client.client_id,
                    asks_for_any=INTROSPECT_SCOPE in client.scope,
                )
                reason = "" if told is not None else ANOTHERS
        answer = self._render(told, client, now, is_signed=is_signed, takes_json=takes_json)
        await self._audit.record(
            TokenIntrospected(
                at=now,
                request_id=request.origin.request_id,
                source=request.origin.source,
                client_id=client.client_id,
                application=client.name,
                key_id=asked.client.key_id,
                token_id=asked.opened.token_id.hex() if asked.opened else "",
                active=told is not None,
                reason=reason,
            )
        )
        return answer

    async def revoke(self, request: ClientRequest) -> None:
        """Kill a token of the client that asks, on record; when this returns it is dead here, and durably.

        A token of somebody else, or none at all, is left alone and the client is told nothing of it. The record
        is made first, as for every change: in the worst case a revocation is on record that then failed, and the
        failure after it.

        Raises:
            OAuthError: The request or its client is refused, or it revokes too often; that is on record too.
            AuditUnavailable: Nothing can be put on record; nothing was revoked.
            StoreError: The revocation could not be kept, or not be read back; the client must ask again.

        Source: RFC 7009 §2; PROTOCOL 82, 85 to 91
        """
        asked = await self._questions.read(request, REVOKE)
        client, now, opened = asked.client.application, asked.now, asked.opened
        revocation: Revocation | None = None
        reason = asked.reason
        if opened is None:
            try:
                refuse_other_type(asked.question)
            except UnsupportedTokenType as refusal:
                await record_refusal(
                    self._audit, refusal, request.origin, endpoint=REVOKE, client_id=client.client_id, now=now
                )
                raise
        elif opened.record.application_number != client.number and opened.record.actors[:1] != (client.client_id,):
            reason = ANOTHERS
        else:
            revocation, reason = self._find_revocation(opened, client, now)
            if revocation is not None:
                await self._take_quota(request, client, now)
        await self._audit.record(
            TokenRevoked(
                at=now,
                request_id=request.origin.request_id,
                source=request.origin.source,
                client_id=client.client_id,
                application=client.name,
                key_id=asked.client.key_id,
                token_type=opened.token_type if opened else "",
                token_id=opened.token_id.hex() if opened else "",
                family=opened.record.family.hex() if opened else "",
                revoked=revocation is not None,
                reason=reason,
            )
        )
        if revocation is not None:
            try:
                await self._writes.write(lambda change: change.add_revocation(revocation))
            except StoreError as failure:
                await record_refusal(
                    self._audit, failure, request.origin, endpoint=REVOKE, client_id=client.client_id, now=now
                )
                raise

    async def _take_quota(self, request: ClientRequest, client: Application, now: float) -> None:
        try:
            self._quota.take(client.number, now)
        except OAuthError as refusal:
            await record_refusal(
                self._audit, refusal, request.origin, endpoint=REVOKE, client_id=client.client_id, now=now
            )
            raise

    async def _refuse_replaced(self, opened: OpenedToken) -> None:
        """Refuse a refresh token that was rotated away: a refresh would not be answered, so it is not active.

        Raises:
            InvalidGrant: It was replaced, or its family has ended.
            StoreError: The state cannot be read.
        """
        application = self._state.find_application_by_number(opened.record.application_number)
        if opened.is_refresh_token and application is not None and application.policy.rotate_refresh_tokens:
            await self._rotation.refuse_replaced(opened.token_id, opened.record)

    def _describe(self, opened: OpenedToken, now: float) -> ActiveToken:
        """Give what is told of a good token. Good is what `decide_bearer` lets pass, and the refresh grant.

        Raises:
            OAuthError: It would be refused where it is for.
        """
        token_id, record = opened.token_id, opened.record
        application = self._state.find_application_by_number(record.application_number)
        revoked = self._state.is_revoked(token_id, record.family, record.made_of)
        maxima, is_refresh = self._maxima, opened.is_refresh_token
        most = maxima.refresh_token_seconds if is_refresh else maxima.access_token_seconds
        access = decide_bearer(
            token_id, record, application, resource=self._issuer, revoked=revoked, now=now, most_seconds=most
        )
        assert application is not None, "internal error: a token without its application was let pass"
        if is_refresh:
            if not application.refresh_tokens:
                raise InvalidGrant("The refresh token is not valid.", reason="refresh_not_allowed")
            decide_refresh(record, application, None, revoked=revoked, now=now, most_seconds=most)
        return describe_token(
            token_id,
            record,
            client_id=access.client_id,
            expires_at=access.expires_at,
            scope=tuple(access.scope),
            issuer=self._issuer,
            audience=record.audience,
            is_refresh_token=is_refresh,
            confirmation=find_confirmation(record),
            actor=find_actor(record),
            authorization_details=self._find_details(record),
        )

    def _find_details(self, record: TokenRecord) -> bytes:
        """Give the details as they are worth today; an empty list where nothing of them is granted any more."""
        if not record.details:
            return b""
        return render_details(self._narrowing.keep_today(record.application_number, record.details))

    def _render(
        self, told: ActiveToken | None, client: Application, now: float, *, is_signed: bool, takes_json: bool
    ) -> Introspection:
        algorithm = client.policy.access_token_algorithm
        signer = self._signers.find_signer(algorithm, INTROSPECTION_TYPE, now) if is_signed else None
        if signer is None:
            if not takes_json:
                raise NoSigningKey(algorithm)
            return Introspection(render_introspection(told), is_signed=False)
        asking = client.client_id
        signed = sign_introspection(told, signer, issuer=self._issuer, asking_client_id=asking, now=int(now))
        return Introspection(signed.encode("ascii"), is_signed=True)

    def _find_revocation(self, opened: OpenedToken, client: Application, now: float) -> tuple[Revocation | None, str]:
        """Give what is to be kept, or None and why nothing needs to be."""
        forget_at = find_forget_at(
            opened.record,
            longest_access_seconds=client.longest_access_seconds,
            takes_family=opened.is_refresh_token,
        )
        if now >= forget_at:
            return None, "expired_token"
        if self._state.is_revoked(opened.handle, opened.record.family):
            return None, "revoked_token"
        return Revocation(opened.handle, forget_at), ""
