"""What every request about objects has in common: who asks, which object, and what is put on record of a refusal."""

from collections.abc import Sequence
from urllib.parse import unquote

from rowgate.access import Access
from rowgate.audit.events import RowsRefused, redact
from rowgate.oauth.errors import InvalidRequest, OAuthError
from rowgate.oauth.form import find_credential_in_query
from rowgate.ports import AuditSink, Clock
from rowgate.rows.errors import RowsError
from rowgate.rows.procedures import Call
from rowgate.service.rows_record import render_parameters
from rowgate.service.tokens import TokenService
from rowgate.web.exchange import Exchange
from rowgate.web.problems import NONCE_HEADER

DATA_PATH = "/api/v1/data"


class DataGate:
    """Lets requests in by their access token."""

    def __init__(self, tokens: TokenService, audit: AuditSink, clock: Clock, *, issuer: str) -> None:
        """Take who decides, and the address that clients use."""
        self.issuer = issuer
        self._tokens = tokens
        self._audit = audit
        self._clock = clock

    def authorize(self, exchange: Exchange) -> Access:
        """Give the access that the request's token stands for.

        Raises:
            OAuthError: There is none, or it is not good; a credential in the URL is refused too.

        Source: RFC 6750 §2.1, §2.3 (discourages what RFC 9700 §4.3.2 forbids: the URL is written to logs)
        """
        if exchange.query and find_credential_in_query(exchange.query):
            raise InvalidRequest("A credential stands in the URL.", reason="token_in_url")
        access = self._tokens.authorize(
            exchange.authorization,
            dpop=exchange.dpop,
            method=exchange.method,
            url=self.issuer + exchange.scope["raw_path"].decode("ascii"),
            find_certificate=exchange.find_certificate,
        )
        if access.dpop_nonce:
            exchange.extra_headers = [*exchange.extra_headers, (NONCE_HEADER, access.dpop_nonce.encode())]
        return access

    async def record(
        self,
        refusal: OAuthError | RowsError,
        exchange: Exchange,
        access: Access | None,
        name: str,
        *,
        failed_calls: Sequence[Call] = (),
    ) -> None:
        """Put a refusal on record, with what a procedure was called with, where one was.

        Raises:
            AuditUnavailable: It cannot be.
        """
        await self._audit.record(
            RowsRefused(
                at=self._clock(),
                request_id=exchange.request_id,
                source=exchange.origin.source,
                error=refusal.code or "missing_token",
                reason=refusal.reason if isinstance(refusal, OAuthError) else redact(refusal.field or refusal.code),
                client_id=access.client_id if access else "",
                application=access.application_name if access else "",
                token_id=access.token_id if access else "",
                object=redact(name),
                parameters=tuple(given for call in failed_calls for given in render_parameters(call)),
            )
        )


def read_object_name(exchange: Exchange, suffix: bytes) -> str:
    """Give the name in the address of an object: what stands before `suffix`."""
    path: bytes = exchange.scope["raw_path"]
    encoded = path[len(DATA_PATH) + 1 : len(path) - len(suffix)]
    return unquote(encoded.decode("ascii"), errors="replace")
