"""What the check of a bearer token costs: header to Access, in processor time of one process."""

import os
import statistics
import time

from report import Goal, Section, Table

from rowgate.access import Access
from rowgate.audit.events import Event
from rowgate.oauth.dpop import DpopPolicy
from rowgate.oauth.model import Application
from rowgate.oauth.tokens import ACCESS, TOKEN_ID_BYTES, TokenRecord, TokenSealer
from rowgate.records import Grants, KeyMaterial, StateSnapshot
from rowgate.service.keys import SigningKeys
from rowgate.service.mint import TokenMint
from rowgate.service.proofs import ProofChecker
from rowgate.service.state import LiveState
from rowgate.service.tokens import TokenService

TOKENS = 1000
ROUNDS = 15
LIMIT_US = 10
LIFETIME_SECONDS = 3600


class _NoClients:
    """A check authenticates no client; whoever asks for it finds nothing."""


class _NoRecord:
    """A check puts nothing on record; whoever asks for it is wrong."""

    async def record(self, event: Event) -> None:
        raise AssertionError(event)

    def record_soon(self, event: Event) -> None:
        raise AssertionError(event)

    def leave_out(self, event: Event) -> None:
        raise AssertionError(event)

    def record_then(self, event: Event, when_durable: object) -> None:
        raise AssertionError(event, when_durable)


def measure_bearer(_seconds: float) -> Section:
    """Different tokens one after another, every one of them good."""
    service, headers = _prepare()
    costs = [_round(service, headers) for _ in range(ROUNDS)]
    middle = statistics.median(costs)
    rows = [["parse, open, decide", f"{middle:.2f}", f"{min(costs):.2f}", f"{max(costs):.2f}"]]
    goals = [Goal("check of a bearer token", f"\u2264 {LIMIT_US} µs", f"{middle:.2f} µs", held=middle <= LIMIT_US)]
    note = f"{TOKENS:,} different tokens, {ROUNDS} times, in one process without a server."
    return Section("The check of a bearer token", [Table(["", "CPU µs", "least", "most"], rows)], goals, [note])


def _prepare() -> tuple[TokenService, list[list[bytes]]]:
    now = int(time.time())
    application = Application(
        number=1,
        client_id="bench",
        name="bench",
        enabled=True,
        epoch=0,
        scope=("read",),
        refresh_tokens=True,
        access_lifetime_seconds=LIFETIME_SECONDS,
        refresh_lifetime_seconds=LIFETIME_SECONDS,
        created_at=now,
        secrets=(),
    )
    sealer = TokenSealer({1: os.urandom(32)})
    state = LiveState(
        StateSnapshot(1, (Grants(application, frozenset()),), (), (), KeyMaterial({1: os.urandom(32)}, os.urandom(32)))
    )
    clock, entropy, issuer = time.time, os.urandom, "http://localhost"
    mint = TokenMint(sealer, SigningKeys(state), issuer=issuer, entropy=entropy)
    proofs = ProofChecker(DpopPolicy(), clock=clock, entropy=entropy)
    service = TokenService(
        state,
        _NoClients(),
        mint,
        proofs,
        _NoClients(),
        narrowing=_NoClients(),
        exchange=_NoClients(),
        issuer=issuer,
        audit=_NoRecord(),
        clock=clock,
    )
    record = TokenRecord(1, 0, 1, now, now + LIFETIME_SECONDS, os.urandom(TOKEN_ID_BYTES), "read")
    tokens = [sealer.seal(ACCESS, os.urandom(TOKEN_ID_BYTES), record) for _ in range(TOKENS)]
    return service, [[f"Bearer {token}".encode()] for token in tokens]


def _round(service: TokenService, headers: list[list[bytes]]) -> float:
    """Processor microseconds for one check."""
    begun = time.process_time_ns()
    for header in headers:
        access = service.authorize(header)
    used = time.process_time_ns() - begun
    assert isinstance(access, Access), "internal error: nothing was checked"
    return used / len(headers) / 1000
