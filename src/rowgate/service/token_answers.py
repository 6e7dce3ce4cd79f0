"""What was decided on a token request is put on record, and then told: no answer leaves before its event is durable."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec

from rowgate.audit.events import Event, TokenIssued
from rowgate.oauth.errors import OAuthError
from rowgate.oauth.model import IssuedTokens
from rowgate.ports import AuditSink, AuditUnavailable, StoreError
from rowgate.rows.errors import RowsError
from rowgate.service.client_requests import describe_refusal, is_told_before
from rowgate.service.mint import Granted
from rowgate.service.narrowing import Outcome
from rowgate.service.origin import Origin

ENDPOINT = "token"

Reply: TypeAlias = Callable[[IssuedTokens | Exception], None]


class Asked(msgspec.Struct, eq=False):
    """A token request that is not yet answered."""

    origin: Origin
    at: float  # when it came, seconds since 1970
    reply: Reply  # who is told
    client_id: str = ""  # as presented


class TokenAnswers:
    """Records and replies. When nothing can be put on record the reply is AuditUnavailable."""

    def __init__(self, audit: AuditSink) -> None:
        """Take the record."""
        self._audit = audit

    def finish(self, granted: Outcome, issued: IssuedTokens | Exception, asked: Asked) -> None:
        """Answer from a callback, where nobody above would: whatever happens, the client is told."""
        try:
            if isinstance(issued, (OAuthError, StoreError, RowsError)):
                self.refuse(issued, asked)
            elif isinstance(issued, Exception) or isinstance(granted, Exception):
                asked.reply(issued)
            else:
                self.tell(granted, issued, asked)
        except Exception as error:  # noqa: BLE001 - nobody above would answer the request
            asked.reply(error)

    def tell(self, granted: Granted, issued: IssuedTokens, asked: Asked) -> None:
        """Hand over the tokens.

        Raises:
            AuditUnavailable: There is no record to write to; nobody was told.
        """
        asking = granted.asking or granted.application
        event = TokenIssued(
            at=asked.at,
            request_id=asked.origin.request_id,
            source=asked.origin.source,
            client_id=asking.client_id,
            application=asking.name,
            key_id=granted.key_id,
            grant_type=granted.grant_type,
            scope=issued.scope,
            token_id=issued.access_token_id,
            family=issued.family,
            expires_at=granted.now + issued.expires_in,
        )
        if granted.has_extras():
            event = msgspec.structs.replace(event, **_describe_extras(granted))
        self._reply_on_record(event, issued, asked.reply)

    def refuse(self, refusal: OAuthError | StoreError | RowsError, asked: Asked) -> None:
        """Say why there is no token.

        Raises:
            AuditUnavailable: There is no record to write to; nobody was told.
        """
        event = describe_refusal(refusal, asked.origin, endpoint=ENDPOINT, client_id=asked.client_id, now=asked.at)
        if is_told_before(refusal):
            self._audit.leave_out(event)
            asked.reply(refusal)
        else:
            self._reply_on_record(event, refusal, asked.reply)

    def _reply_on_record(
        self, event: Event, outcome: IssuedTokens | OAuthError | StoreError | RowsError, reply: Reply
    ) -> None:
        self._audit.record_then(event, partial(_reply_with, reply, outcome))


def _reply_with(reply: Reply, outcome: IssuedTokens | Exception, failure: AuditUnavailable | None) -> None:
    reply(outcome if failure is None else failure)


def _describe_extras(granted: Granted) -> dict[str, Any]:
    """Give the members of the event that ordinary tokens leave out: to hold them against their defaults costs time."""
    return {
        "audience": granted.audience,
        "authorization_details": tuple(msgspec.json.decode(granted.details)) if granted.details else (),
        "subject_client_id": granted.application.client_id if granted.made_of else "",
        "subject_token_id": granted.made_of[0].hex() if granted.made_of else "",
        "actors": granted.actors,
        "workload": granted.workload,
    }
