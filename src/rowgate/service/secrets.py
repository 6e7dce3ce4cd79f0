"""Gives a client the next secret of its line: the text of `renew` is the order of the steps.

Nothing is lost when a step after the commit fails: the client asks again with the secret it has, and is given the
same successor (see `oauth.lineage`).
"""

import logging

import msgspec

from rowgate.audit.events import Event, LineageFrozen, SecretRenewed
from rowgate.oauth.client_auth import digest_client_secret, parse_client_authentication, refuse_credential_in_query
from rowgate.oauth.errors import InvalidClient, OAuthError
from rowgate.oauth.form import TokenParameters, parse_token_parameters
from rowgate.oauth.lineage import (
    KEY_ID_RANDOM_BYTES,
    Renew,
    Repeat,
    Stolen,
    decide_renewal,
    derive_client_secret,
    find_previous_end,
    make_successor,
    render_handle,
)
from rowgate.oauth.model import Secret
from rowgate.ports import AuditSink, Clock, Entropy, StoreError, StoreWriter
from rowgate.service.authenticated import Authenticated
from rowgate.service.client_requests import ClientRequest, record_refusal
from rowgate.service.clients import ClientAuthenticator
from rowgate.service.origin import Origin
from rowgate.service.secret_use import note_use
from rowgate.service.writes import Writes

ENDPOINT = "secret"

_log = logging.getLogger("rowgate.secrets")


class RenewedSecret(msgspec.Struct, frozen=True):
    """The successor, with its value: given to the client and kept nowhere."""

    client_id: str
    client_secret: str
    client_secret_expires_at: int  # seconds since 1970; 0: never (RFC 7591 §3.2.1)
    previous_client_secret_expires_at: int
    key_id: str

    def __repr__(self) -> str:
        return f"<renewed secret {self.key_id}>"  # never its value


class _Outcome(msgspec.Struct, frozen=True):
    """What the transaction decided and wrote."""

    decided: Renew | Repeat | Stolen
    successor: Secret | None
    previous_expires_at: int


class SecretService:
    """Renews secrets."""

    def __init__(
        self,
        clients: ClientAuthenticator,
        *,
        digest_key: bytes,
        max_secret_seconds: int = 0,
        writes: Writes,
        audit: AuditSink,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Take what the steps need; the longest life of a secret may be 0: any."""
        self._clients = clients
        self._digest_key = digest_key
        self._max_secret_seconds = max_secret_seconds
        self._writes = writes
        self._audit = audit
        self._clock = clock
        self._entropy = entropy

    async def renew(self, request: ClientRequest) -> RenewedSecret:
        """Give the client its next secret when that is durable, on record, and known to this worker.

        1. Read the body and the client's proof, which is a secret: no token and no assertion serves.
        2. Decide and write, in one transaction; it is on record before it is committed.

        Raises:
            OAuthError: The request or its client is refused; that is on record too. After a theft the line has ended.
            AuditUnavailable: Nothing can be put on record; nothing was changed.
            StoreError: The state cannot be written; the client must ask again.

        Source: ours; RFC 6749 §2.3, §5.2 for the client's proof and the refusals
        """
        now = self._clock()
        parameters = TokenParameters()
        try:
            parameters = parse_token_parameters(request.content_type, request.body)
            refuse_credential_in_query(request.query)
            await self._clients.load_keys(parameters)
            client = self._clients.authenticate(
                parameters, request.authorization, request.origin.source, request.find_certificate
            )
            if client.secret is None:
                # nothing is used up: the assertion stays good for the token endpoint
                raise InvalidClient(
                    "Client authentication failed.", reason="renewal_needs_secret", key_id=client.key_id
                )
            presented_value = parse_client_authentication(request.authorization, parameters).client_secret.value
            outcome = await self._decide_and_write(client, client.secret, presented_value, request.origin, now)
        except (OAuthError, StoreError) as refusal:
            await record_refusal(
                self._audit,
                refusal,
                request.origin,
                endpoint=ENDPOINT,
                client_id=parameters.client_id or "",
                now=now,
            )
            raise
        if isinstance(outcome.decided, Stolen):
            _log.error("%s: a client secret is in two hands, its line has ended", client.application.client_id)
            raise InvalidClient("The client secret is revoked.", reason="lineage_frozen", key_id=client.key_id)
        successor = outcome.successor
        assert successor is not None, "internal error: a renewal without a successor"
        application = client.application
        value = derive_client_secret(self._digest_key, application.client_id, presented_value, successor.key_id)
        assert digest_client_secret(self._digest_key, application.client_id, value) == successor.digest, (
            "internal error: a successor that was not derived from its parent"
        )
        return RenewedSecret(
            application.client_id, value, successor.expires_at, outcome.previous_expires_at, successor.key_id
        )

    async def _decide_and_write(
        self, client: Authenticated, proved: Secret, presented_value: str, origin: Origin, now: float
    ) -> _Outcome:
        client_id = client.application.client_id
        key_id = render_handle(self._entropy(KEY_ID_RANDOM_BYTES))
        value = derive_client_secret(self._digest_key, client_id, presented_value, key_id)
        digest = digest_client_secret(self._digest_key, client_id, value)

        def work(change: StoreWriter) -> _Outcome | OAuthError:
            found = change.find_application(client_id)
            presented = None if found is None else found[0].find_secret(proved.number)
            if found is None or presented is None:
                return InvalidClient("Client authentication failed.", reason="unknown_client", key_id=proved.key_id)
            try:
                decided = decide_renewal(found[0], presented, now, most_seconds=self._max_secret_seconds)
            except OAuthError as refusal:
                return refusal  # as a value: others share the transaction
            if isinstance(decided, Stolen):
                for secret in decided.lineage:
                    change.revoke_secret(secret.number, kills_tokens=True)
                return _Outcome(decided, None, presented.expires_at)
            note_use(change, found[0], presented, now)
            if isinstance(decided, Repeat):
                made_at = decided.successor.created_at
                return _Outcome(decided, decided.successor, find_previous_end(found[0], presented, made_at, now))
            made = make_successor(decided, presented, key_id=key_id, digest=digest, now=now)
            for number in decided.forget:
                change.remove_secret(number)
            kept = change.add_secret(found[0].number, made)
            return _Outcome(decided, kept, decided.previous_expires_at)

        outcome = await self._writes.write(work, tell=lambda outcome: _tell(outcome, client, origin, now))
        if isinstance(outcome, OAuthError):
            outcome.client_id = client_id
            raise outcome
        return outcome


def _tell(outcome: _Outcome | OAuthError, client: Authenticated, origin: Origin, now: float) -> list[Event]:
    """Give what goes on record before it is so; a refusal changes nothing, and is told of afterwards."""
    if isinstance(outcome, OAuthError):
        return []
    application, successor = client.application, outcome.successor
    if isinstance(outcome.decided, Stolen):
        return [
            LineageFrozen(
                at=now,
                request_id=origin.request_id,
                source=origin.source,
                client_id=application.client_id,
                application=application.name,
                key_id=client.key_id,
                used_key_id=outcome.decided.used.key_id,
                frozen=tuple(secret.key_id for secret in outcome.decided.lineage),
            )
        ]
    assert successor is not None, "internal error: a renewal without a successor"
    return [
        SecretRenewed(
            at=now,
            request_id=origin.request_id,
            source=origin.source,
            client_id=application.client_id,
            application=application.name,
            key_id=client.key_id,
            new_key_id=successor.key_id,
            expires_at=successor.expires_at,
            previous_expires_at=outcome.previous_expires_at,
            repeated=isinstance(outcome.decided, Repeat),
        )
    ]
