"""What the endpoints for tokens, secrets and one-time codes have in common: the request as it came, refusals."""

from collections.abc import Sequence

import msgspec

from rowgate.audit.events import TokenRefused, redact
from rowgate.oauth.errors import OAuthError, TooManyRequests
from rowgate.ports import AuditSink, StoreError
from rowgate.rows.errors import RowsError
from rowgate.service.certificates import FindCertificate
from rowgate.service.mint import NoSigningKey
from rowgate.service.origin import Origin
from rowgate.service.remote_keys import KeysUnavailable


class ClientRequest(msgspec.Struct, frozen=True):
    """A request of a client about a token or its own credentials, as it came."""

    query: bytes
    content_type: bytes | None
    body: bytes
    authorization: Sequence[bytes]  # the values of every Authorization header
    origin: Origin
    find_certificate: FindCertificate | None = None

    def __repr__(self) -> str:
        return f"<request of a client {self.origin.request_id}>"  # never the credentials


class RepeatableRequest(ClientRequest, frozen=True):
    """A request for credentials that are given once; see `oauth.idempotency`."""

    idempotency_keys: Sequence[bytes] = ()  # the values of every Idempotency-Key header


class TokenRequest(ClientRequest, frozen=True):
    """A token request, as it came."""

    dpop: Sequence[bytes] = ()  # the values of every DPoP header
    url: str = ""  # of the endpoint, as clients spell it; only for who sends a proof
    has_waited: bool = False  # the keys that the request needs have been asked for


def describe_refusal(
    refusal: OAuthError | StoreError | RowsError, origin: Origin, *, endpoint: str, client_id: str, now: float
) -> TokenRefused:
    """Give what there is to put on record of a refusal; see `is_told_before`.

    Args:
        refusal: Why.
        origin: Where the request came from.
        endpoint: Which one; see `TokenRefused`.
        client_id: As it is known without the refusal; what a stranger typed.
        now: Seconds since 1970.
    """
    error, reason, key_id = "temporarily_unavailable", "state_not_written", ""
    if isinstance(refusal, NoSigningKey):
        reason = "no_signing_key"
    elif isinstance(refusal, KeysUnavailable):
        reason = "keys_unreachable"
    elif isinstance(refusal, RowsError):
        error, reason = refusal.code, "catalog_not_read"
    elif isinstance(refusal, OAuthError):
        error, reason, key_id = refusal.code, refusal.reason, refusal.key_id
        client_id = refusal.client_id or client_id
    return TokenRefused(
        at=now,
        request_id=origin.request_id,
        source=origin.source,
        error=error,
        reason=reason,
        client_id=redact(client_id),
        key_id=key_id,
        endpoint=endpoint,
    )


def is_told_before(refusal: OAuthError | StoreError | RowsError) -> bool:
    """Tell whether it is on record already: of the refusals that only say "wait", the first is."""
    return isinstance(refusal, TooManyRequests) and not refusal.is_first


async def record_refusal(
    audit: AuditSink, refusal: OAuthError | StoreError, origin: Origin, *, endpoint: str, client_id: str, now: float
) -> None:
    """Put a refusal on record, as `describe_refusal` gives it, unless it was told before.

    Raises:
        AuditUnavailable: It cannot be.
    """
    event = describe_refusal(refusal, origin, endpoint=endpoint, client_id=client_id, now=now)
    if is_told_before(refusal):
        audit.leave_out(event)
    else:
        await audit.record(event)
