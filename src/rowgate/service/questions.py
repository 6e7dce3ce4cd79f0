"""What the introspection and the revocation endpoint have in common: who asks, about which token, and every refusal."""

import asyncio
from typing import Protocol

import msgspec

from rowgate.oauth.client_auth import refuse_credential_in_query
from rowgate.oauth.errors import InvalidToken, OAuthError
from rowgate.oauth.revocation import (
    ACCESS_TOKEN,
    REFRESH_TOKEN,
    TOKEN_PARAMETER,
    TokenQuestion,
    parse_token_question,
    require_token,
)
from rowgate.oauth.tokens import REFRESH, TokenRecord, UnreadableToken
from rowgate.ports import AuditSink, Clock, StoreError
from rowgate.service.authenticated import Authenticated
from rowgate.service.client_requests import ClientRequest, record_refusal
from rowgate.service.clients import ClientAuthenticator


class TokenOpener(Protocol):
    """Opens tokens of every make; `service.mint.TokenMint` is one."""

    def open_access(self, unverified_token: str, now: float) -> tuple[bytes, TokenRecord]:
        """Give the id and the record of an access token, or raise InvalidToken."""

    def open_refresh(self, unverified_token: str) -> tuple[bytes, TokenRecord]:
        """Give the id and the record of a refresh token, or raise UnreadableToken."""


class OpenedToken(msgspec.Struct, frozen=True):
    """A token that this server made; whether it is good is not said."""

    token_type: str  # access_token or refresh_token
    token_id: bytes
    record: TokenRecord

    @property
    def is_refresh_token(self) -> bool:
        """Tell the one kind from the other."""
        return self.token_type == REFRESH_TOKEN

    @property
    def handle(self) -> bytes:
        """What a revocation of it kills: the token alone, or all that hangs on the refresh token (RFC 7009 §2.1)."""
        return self.record.family if self.is_refresh_token else self.token_id


class Asked(msgspec.Struct, frozen=True):
    """Who asks, when, and about which token; None and a reason when it is none of ours."""

    now: float
    client: Authenticated
    question: TokenQuestion
    opened: OpenedToken | None
    reason: str

    def __repr__(self) -> str:
        return f"<question of {self.client.application.client_id}>"  # never the token


class Questions:
    """Reads requests; what it refuses is on record before it raises."""

    def __init__(self, clients: ClientAuthenticator, opener: TokenOpener, *, audit: AuditSink, clock: Clock) -> None:
        """Take what proves clients and opens tokens."""
        self._clients = clients
        self._opener = opener
        self._audit = audit
        self._clock = clock

    async def read(self, request: ClientRequest, endpoint: str) -> Asked:
        """Give the question of a client that has proved who it is. The order of the checks: PROTOCOL 5.0.

        Raises:
            OAuthError: The request or its client is refused.
            AuditUnavailable: A refusal cannot be put on record.
            StoreError: What the client proved itself with cannot be marked as used.

        Source: RFC 7009 §2.1, RFC 7662 §2.1
        """
        now = self._clock()
        client_id = ""
        try:
            parameters, question = parse_token_question(request.content_type, request.body)
            client_id = parameters.client_id or ""
            refuse_credential_in_query(request.query, further=TOKEN_PARAMETER)
            await self._clients.load_keys(parameters)
            client = self._clients.authenticate(
                parameters, request.authorization, request.origin.source, request.find_certificate
            )
            client_id = client.application.client_id
            if client.must_be_noted():
                await self._use_up(client)
            unverified_token = require_token(question)
        except (OAuthError, StoreError) as refusal:
            await record_refusal(self._audit, refusal, request.origin, endpoint=endpoint, client_id=client_id, now=now)
            raise
        try:
            return Asked(now, client, question, self._open(unverified_token, now), "")
        except InvalidToken as refusal:
            return Asked(now, client, question, None, refusal.reason)

    async def _use_up(self, client: Authenticated) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(refusal: OAuthError | StoreError | None) -> None:
            if done.cancelled():
                return
            if refusal is None:
                done.set_result(None)
            else:
                done.set_exception(refusal)

        self._clients.use_up(client, settle)
        await done

    def _open(self, unverified_token: str, now: float) -> OpenedToken:
        """Open a token by what it is; `token_type_hint` could only make that worse (RFC 7009 §2.1)."""
        if not unverified_token.startswith(REFRESH):
            return OpenedToken(ACCESS_TOKEN, *self._opener.open_access(unverified_token, now))
        try:
            return OpenedToken(REFRESH_TOKEN, *self._opener.open_refresh(unverified_token))
        except UnreadableToken:
            raise InvalidToken("The refresh token is not valid.", reason="unreadable_token") from None
