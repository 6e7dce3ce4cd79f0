"""Rotates refresh tokens for the applications that want it: one successor, whatever races or gets lost."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from rowgate.oauth.errors import InvalidGrant, OAuthError
from rowgate.oauth.model import RefreshFamily
from rowgate.oauth.refresh_rotation import (
    Reuse,
    Rotate,
    decide_rotation,
    derive_token_id,
    find_presented_number,
)
from rowgate.oauth.revocation import find_forget_at
from rowgate.oauth.tokens import TokenRecord
from rowgate.ports import Clock, StoreError, StoreWriter
from rowgate.records import Revocation
from rowgate.service.throttle import RevocationQuota
from rowgate.service.writes import Writes

_FIRST = RefreshFamily(current=0, rotated_at=0)


@dataclass(frozen=True, slots=True)
class Successor:
    """The refresh token that takes the place of the presented one, not yet sealed."""

    token_id: bytes
    record: TokenRecord


@dataclass(frozen=True, slots=True)
class _Ended:
    """The family was ended, for a token of it that was replaced came back."""

    reason: str


WhenRotated: TypeAlias = Callable[[Successor | OAuthError | StoreError], None]


class RefreshRotation:
    """Decides inside one transaction of the state, so that every worker and replica decides alike."""

    def __init__(
        self, writes: Writes, *, digest_key: bytes, clock: Clock, quota: RevocationQuota | None = None
    ) -> None:
        """Take the way to the state, and what counts revocations; token ids are derived from the home's digest key."""
        self._writes = writes
        self._quota = quota or RevocationQuota()
        self._key = hmac.digest(digest_key, b"rowgate refresh rotation", "sha256")
        self._clock = clock

    def rotate_then(
        self, token_id: bytes, record: TokenRecord, then: WhenRotated, *, longest_access_seconds: int, ends_at: int
    ) -> None:
        """Replace a refresh token that opened, is its client's and may be used; call back with what is to be given.

        Args:
            token_id: Of the presented token.
            record: Of the presented token.
            then: Given the successor, the same again within the grace; InvalidGrant when a token that was replaced
                has come back, which has revoked its family; TooManyRequests when that came too often; or why the state
                cannot say.
            longest_access_seconds: How long an access token of the application may live.
            ends_at: When the presented token ends today, and so its successor: never later than it was made to.

        Source: RFC 9700 §4.14.2; PROTOCOL 79 to 83
        """
        now = self._clock()

        def work(change: StoreWriter) -> Successor | InvalidGrant | _Ended:
            family = change.find_refresh_family(record.family) or _FIRST
            number = find_presented_number(self._key, record.family, token_id, family.current)
            try:
                decision = decide_rotation(number, family, now=now)
            except InvalidGrant as refusal:
                return refusal
            if isinstance(decision, Reuse):
                ended = RefreshFamily(family.current, family.rotated_at, revoked=True)
                change.keep_refresh_family(record.family, ended, forget_at=record.expires_at)
                forget_at = find_forget_at(record, longest_access_seconds=longest_access_seconds, takes_family=True)
                change.add_revocation(Revocation(record.family, forget_at))
                return _Ended(decision.reason)
            if isinstance(decision, Rotate):
                family = RefreshFamily(decision.successor, int(now))
                change.keep_refresh_family(record.family, family, forget_at=record.expires_at)
            return Successor(
                derive_token_id(self._key, record.family, decision.successor),
                # equal for everybody who is given this successor, so that it is one token
                msgspec.structs.replace(record, issued_at=int(family.rotated_at), expires_at=ends_at),
            )

        def settle(outcome: Successor | InvalidGrant | _Ended | StoreError) -> None:
            if isinstance(outcome, _Ended):
                self._quota.note_reuse(record.application_number, now)
                outcome = InvalidGrant("The refresh token was replaced.", reason=outcome.reason)
            then(outcome)

        try:
            self._quota.check_rotation(record.application_number, now)
            self._writes.write_then(work, settle)
        except (OAuthError, StoreError) as refusal:
            then(refusal)

    async def refuse_replaced(self, token_id: bytes, record: TokenRecord) -> None:
        """Refuse a refresh token that a refresh would refuse; nothing is rotated and nothing ends by it.

        Raises:
            InvalidGrant: It was replaced, and its grace is over, or its family has ended.
            StoreError: The state cannot say.
        """
        now = self._clock()
        family = await self._writes.write(lambda change: change.find_refresh_family(record.family)) or _FIRST
        number = find_presented_number(self._key, record.family, token_id, family.current)
        decision = decide_rotation(number, family, now=now)
        if isinstance(decision, Reuse):
            raise InvalidGrant("The refresh token was replaced.", reason=decision.reason)
