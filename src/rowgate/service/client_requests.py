"""What the endpoints for secrets and for one-time codes have in common: the request as it came, refusals on record."""

import msgspec

from rowgate.audit.events import TokenRefused, redact
from rowgate.oauth.errors import OAuthError, TooManyRequests
from rowgate.ports import AuditSink, StoreError
from rowgate.service.origin import Origin


class ClientRequest(msgspec.Struct, frozen=True):
    """A request of a client about its own credentials, as it came."""

    query: bytes
    content_type: bytes | None
    body: bytes
    authorization: tuple[bytes, ...]
    origin: Origin

    def __repr__(self) -> str:
        return f"<request of a client {self.origin.request_id}>"  # never the credentials


async def record_refusal(
    audit: AuditSink, refusal: OAuthError | StoreError, origin: Origin, *, endpoint: str, client_id: str, now: float
) -> None:
    """Put a refusal on record; of those that only say "wait", the first of each wait.

    Raises:
        AuditUnavailable: It cannot be.
    """
    error, reason, key_id = "temporarily_unavailable", "state_unavailable", ""
    if isinstance(refusal, OAuthError):
        if isinstance(refusal, TooManyRequests) and not refusal.is_first:
            return
        error, reason, key_id = refusal.code, refusal.reason, refusal.key_id
        client_id = refusal.client_id or client_id
    await audit.record(
        TokenRefused(
            at=now,
            request_id=origin.request_id,
            source=origin.source,
            error=error,
            reason=reason,
            client_id=redact(client_id),  # what a stranger typed
            key_id=key_id,
            endpoint=endpoint,
        )
    )
