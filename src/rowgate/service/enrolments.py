"""Exchanges a one-time code for a secret, or for the registration of the client's own keys.

The code is the only proof, so it is worth as much as a secret while it lives: kept as a digest, good for a short time
and once, and who guesses is slowed down by address. A code that comes back after it was redeemed is in two hands;
unless the client whose answer was lost shows that it is the same one, by its Idempotency-Key or by the very keys that
it registered, with which nobody else can do anything.
"""

import hmac
import logging

import msgspec

from rowgate.audit.events import EnrolmentRedeemed, EnrolmentReplayed, Event
from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_auth import CLIENT_SECRET_BASIC, CLIENT_SECRET_POST, digest_client_secret
from rowgate.oauth.enrolment import MAX_CODE_LENGTH, Redemption, are_registered, parse_redemption, register_keys
from rowgate.oauth.errors import InvalidGrant, OAuthError, UnauthorizedClient
from rowgate.oauth.idempotency import derive_entropy, is_repeat_in_time, parse_idempotency_key
from rowgate.oauth.lineage import (
    KEY_ID_RANDOM_BYTES,
    SECRET_RANDOM_BYTES,
    digest_enrolment_code,
    find_secret_end,
    render_client_secret,
    render_handle,
)
from rowgate.oauth.model import Application, Secret
from rowgate.ports import AuditSink, Clock, Entropy, StoreError, StoreWriter
from rowgate.records import Enrolment
from rowgate.service.client_requests import RepeatableRequest, record_refusal
from rowgate.service.origin import Origin
from rowgate.service.throttle import FailureThrottle
from rowgate.service.writes import Writes

ENDPOINT = "enrol"
SECRET_NAME = "enrolled"  # noqa: S105 - what such a secret is called
_REFUSED = "The code is not valid."  # whatever is wrong with it: only the record knows
_GUESSER = "enrolment"  # all guesses of one address count together: a code names no client

_log = logging.getLogger("rowgate.secrets")


class Enrolled(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the client is told. With a secret: the last three but one; with keys: how it proves them."""

    client_id: str
    client_secret: str | None = None
    client_secret_expires_at: int | None = None  # seconds since 1970; 0: never (RFC 7591 §3.2.1)
    key_id: str | None = None
    token_endpoint_auth_method: str | None = None  # RFC 7591 §2

    def __repr__(self) -> str:
        return f"<enrolled {self.client_id}>"  # never the secret


class _Fresh(msgspec.Struct, frozen=True):
    """The randomness of a secret that may be made, or what stands in for it: see `oauth.idempotency`.

    Drawn before the transaction, which may run twice.
    """

    key_id: str
    value: bytes

    def __repr__(self) -> str:
        return f"<fresh secret {self.key_id}>"


class _Replayed(msgspec.Struct, frozen=True):
    application: Application
    redeemed_at: int


class _Redeemed(msgspec.Struct, frozen=True):
    application: Application
    secret: Secret | None  # None: keys were registered
    is_repeated: bool = False


class EnrolmentService:
    """Redeems codes."""

    def __init__(
        self,
        *,
        digest_key: bytes,
        max_secret_seconds: int = 0,
        throttle: FailureThrottle,
        writes: Writes,
        audit: AuditSink,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Take what the steps need; the throttle is this endpoint's own, the longest life of a secret may be 0: any."""
        self._digest_key = digest_key
        self._max_secret_seconds = max_secret_seconds
        self._throttle = throttle
        self._writes = writes
        self._audit = audit
        self._clock = clock
        self._entropy = entropy

    async def redeem(self, request: RepeatableRequest) -> Enrolled:
        """Give what a code is good for, once, when that is durable and on record.

        1. An address that has guessed too often waits.
        2. Read the body.
        3. Decide and write, in one transaction; it is on record before it is committed.

        Raises:
            OAuthError: InvalidGrant for every code that does not count; InvalidRequest, InvalidClientMetadata or
                UnauthorizedClient, which leave the code good; TooManyRequests. Each is on record.
            AuditUnavailable: Nothing can be put on record; a code that was good stays good.
            StoreError: The state cannot be written.
        """
        now, origin = self._clock(), request.origin
        try:
            self._throttle.check(_GUESSER, origin.source, now)
            redemption = parse_redemption(request.content_type, request.body, request.query)
            fresh = self._draw(redemption, parse_idempotency_key(request.idempotency_keys))
            outcome = await self._decide_and_write(redemption, fresh, origin, now)
            if isinstance(outcome, _Replayed):
                await self._tell_of_replay(outcome, origin, now)
                raise InvalidGrant(_REFUSED, reason="used_code")
            if isinstance(outcome, OAuthError):
                raise outcome
        except (OAuthError, StoreError) as refusal:
            if isinstance(refusal, InvalidGrant):
                self._throttle.note_failure(_GUESSER, origin.source, now)
            await record_refusal(self._audit, refusal, origin, endpoint=ENDPOINT, client_id="", now=now)
            raise
        application, secret = outcome.application, outcome.secret
        if secret is None:
            return Enrolled(application.client_id, token_endpoint_auth_method=PRIVATE_KEY_JWT)
        value = render_client_secret(fresh.key_id, fresh.value)
        return Enrolled(application.client_id, value, secret.expires_at, secret.key_id)

    def _draw(self, redemption: Redemption, idempotency_key: bytes) -> _Fresh:
        entropy = self._entropy
        if idempotency_key:
            code = redemption.presented_code.encode("utf-8", "surrogatepass")  # whatever it is: it is judged later
            entropy = derive_entropy(self._digest_key, b"enrol", code, idempotency_key)
        return _Fresh(render_handle(entropy(KEY_ID_RANDOM_BYTES)), entropy(SECRET_RANDOM_BYTES))

    async def _decide_and_write(
        self, redemption: Redemption, fresh: _Fresh, origin: Origin, now: float
    ) -> _Redeemed | _Replayed | OAuthError:
        code = redemption.presented_code
        if len(code) > MAX_CODE_LENGTH or not code.isascii():
            return InvalidGrant(_REFUSED, reason="unknown_code")
        digest = digest_enrolment_code(self._digest_key, code)

        def work(change: StoreWriter) -> _Redeemed | _Replayed | OAuthError:
            enrolment, application = change.find_enrolment(digest), change.find_enrolled_application(digest)
            if enrolment is None or application is None:
                return InvalidGrant(_REFUSED, reason="unknown_code")
            if enrolment.redeemed_at:
                return self._decide_repeat(enrolment, application, redemption, fresh, now=now)
            if now >= enrolment.expires_at:
                return InvalidGrant(_REFUSED, reason="expired_code")
            if not application.enabled:
                return InvalidGrant(_REFUSED, reason="disabled_application")
            try:
                return self._write(
                    change, digest, application, unverified_jwks=redemption.unverified_jwks, fresh=fresh, now=int(now)
                )
            except OAuthError as refusal:
                return refusal  # as a value: others share the transaction, and nothing of this one was written

        return await self._writes.write(work, tell=lambda outcome: _tell(outcome, origin, now))

    def _decide_repeat(
        self, enrolment: Enrolment, application: Application, redemption: Redemption, fresh: _Fresh, *, now: float
    ) -> _Redeemed | _Replayed | OAuthError:
        """Give what a code gets that was redeemed: the same answer for the same client, if it asks in time."""
        used = InvalidGrant(_REFUSED, reason="used_code")
        jwks = redemption.unverified_jwks
        if jwks is not None and are_registered(application.policy, jwks):
            # nothing secret is in the answer, and the private keys are where they were
            is_good = application.enabled and now < enrolment.expires_at
            return _Redeemed(application, None, is_repeated=True) if is_good else used
        secret = next((one for one in application.secrets if one.key_id == fresh.key_id), None)
        if jwks is not None or secret is None or not self._is_of(secret, application, fresh):
            return _Replayed(application, enrolment.redeemed_at)
        is_good = application.enabled and not secret.revoked and not secret.is_expired(now)
        if is_good and is_repeat_in_time(enrolment.redeemed_at, now):
            return _Redeemed(application, secret, is_repeated=True)
        return used

    def _is_of(self, secret: Secret, application: Application, fresh: _Fresh) -> bool:
        value = render_client_secret(fresh.key_id, fresh.value)
        digest = digest_client_secret(self._digest_key, application.client_id, value)
        return hmac.compare_digest(digest, secret.digest)

    def _write(
        self,
        change: StoreWriter,
        digest: bytes,
        application: Application,
        *,
        unverified_jwks: bytes | None,
        fresh: _Fresh,
        now: int,
    ) -> _Redeemed:
        if unverified_jwks is not None:
            policy = register_keys(application.policy, unverified_jwks)  # may raise: before anything is written
            change.redeem_enrolment(digest, redeemed_at=now)
            change.set_policy(application.number, policy)
            return _Redeemed(application, None)
        if not {CLIENT_SECRET_BASIC, CLIENT_SECRET_POST} & set(application.policy.authentication_methods):
            raise UnauthorizedClient("The application has no secrets. Send its jwks.", reason="method_not_registered")
        client_secret = render_client_secret(fresh.key_id, fresh.value)
        secret = Secret(
            number=0,
            key_id=fresh.key_id,
            name=SECRET_NAME,
            digest=digest_client_secret(self._digest_key, application.client_id, client_secret),
            created_at=now,
            expires_at=find_secret_end(application.policy, now, now, most_seconds=self._max_secret_seconds),
            revoked=False,
            kills_tokens=False,
        )
        change.redeem_enrolment(digest, redeemed_at=now)
        return _Redeemed(application, change.add_secret(application.number, secret))

    async def _tell_of_replay(self, replayed: _Replayed, origin: Origin, now: float) -> None:
        application = replayed.application
        _log.error("%s: a one-time code that was redeemed came once more", application.client_id)
        await self._audit.record(
            EnrolmentReplayed(
                at=now,
                request_id=origin.request_id,
                source=origin.source,
                client_id=application.client_id,
                application=application.name,
                redeemed_at=replayed.redeemed_at,
            )
        )


def _tell(outcome: _Redeemed | _Replayed | OAuthError, origin: Origin, now: float) -> list[Event]:
    """Give what goes on record before it is so; what changes nothing is told of afterwards."""
    if not isinstance(outcome, _Redeemed):
        return []
    application, secret = outcome.application, outcome.secret
    return [
        EnrolmentRedeemed(
            at=now,
            request_id=origin.request_id,
            source=origin.source,
            client_id=application.client_id,
            application=application.name,
            method=PRIVATE_KEY_JWT if secret is None else "client_secret",
            key_id="" if secret is None else secret.key_id,
            expires_at=0 if secret is None else secret.expires_at,
            repeated=outcome.is_repeated,
        )
    ]
