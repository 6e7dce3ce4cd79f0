"""What was decided on a token request is put on record, and then told: no answer leaves before its event is durable."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec

from rowgate.audit.events import TokenIssued
from rowgate.oauth.errors import OAuthError
from rowgate.oauth.model import IssuedTokens
from rowgate.ports import AuditSink, AuditUnavailable, StoreError
from rowgate.rows.errors import RowsError
from rowgate.service.client_requests import describe_refusal, is_told_before
from rowgate.service.mint import Granted, TokenMint, UnsealedTokens
from rowgate.service.origin import Origin

ENDPOINT = "token"

Reply: TypeAlias = Callable[[IssuedTokens | Exception], None]


class Asked(msgspec.Struct, eq=False):
    """A token request that is not yet answered."""

    origin: Origin
    at: float  # when it came, seconds since 1970
    reply: Reply  # who is told
    client_id: str = ""  # as presented


class _Sealing(msgspec.Struct, eq=False):
    """Tokens on their way to the record. Their texts are made while the disk is at it: until then nobody needs them."""

    mint: TokenMint
    unsealed: UnsealedTokens
    reply: Reply
    issued: IssuedTokens | None = None

    def seal(self) -> None:
        """Make the texts."""
        self.issued = self.mint.seal(self.unsealed)

    def settle(self, failure: AuditUnavailable | None) -> None:
        """Tell the client."""
        outcome: IssuedTokens | Exception | None = failure or self.issued
        if outcome is None:
            try:
                outcome = self.mint.seal(self.unsealed)
            except Exception as error:  # noqa: BLE001 - nobody above would answer the request
                outcome = error
        self.reply(outcome)


class TokenAnswers:
    """Records and replies. When nothing can be put on record the reply is AuditUnavailable."""

    def __init__(self, mint: TokenMint, audit: AuditSink) -> None:
        """Take what seals, and the record."""
        self._mint = mint
        self._audit = audit

    def finish(self, tokens: UnsealedTokens | Exception, asked: Asked) -> None:
        """Answer from a callback, where nobody above would: whatever happens, the client is told."""
        try:
            if isinstance(tokens, (OAuthError, StoreError, RowsError)):
                self.refuse(tokens, asked)
            elif isinstance(tokens, Exception):
                asked.reply(tokens)
            else:
                self.tell(tokens, asked)
        except Exception as error:  # noqa: BLE001 - nobody above would answer the request
            asked.reply(error)

    def tell(self, tokens: UnsealedTokens, asked: Asked) -> None:
        """Hand over the tokens.

        Raises:
            AuditUnavailable: There is no record to write to; nobody was told.
        """
        granted = tokens.granted
        asking = granted.asking or granted.application
        event = TokenIssued(
            at=asked.at,
            request_id=asked.origin.request_id,
            source=asked.origin.source,
            client_id=asking.client_id,
            application=asking.name,
            key_id=granted.key_id,
            grant_type=granted.grant_type,
            scope=granted.scope,
            token_id=tokens.access_id.hex(),
            family=tokens.family.hex(),
            expires_at=granted.now + tokens.expires_in,
        )
        if granted.has_extras():
            event = msgspec.structs.replace(event, **_describe_extras(granted))
        sealing = _Sealing(self._mint, tokens, asked.reply)
        self._audit.record_then(event, sealing.settle, sealing.seal)

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
            self._audit.record_then(event, partial(_refuse_with, asked.reply, refusal))


def _refuse_with(reply: Reply, refusal: Exception, failure: AuditUnavailable | None) -> None:
    reply(failure or refusal)


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
