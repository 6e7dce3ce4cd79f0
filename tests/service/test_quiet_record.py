"""What strangers are refused is on record within bounds; everything else always."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.audit.events import Event, RowsRefused, TokenIssued, TokenRefused
from rowgate.ports import AuditUnavailable, Meanwhile, WhenDurable
from rowgate.service.quiet_record import OF_ALL, PER_MINUTE, QuietRecord
from support.laws import choose_examples

NOW = 1_800_000_000.0
AT_ONCE = 20
_ERRORS = st.sampled_from(["invalid_client", "invalid_request"])
_STEPS = st.sampled_from([0.0, 0.0, 0.0, 0.5, 60.0, -5.0])


class Kept:
    """A sink that keeps events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.left_out: list[Event] = []

    async def record(self, event: Event) -> None:
        self.events.append(event)

    def record_then(self, event: Event, when_durable: WhenDurable, _meanwhile: Meanwhile | None = None) -> None:
        self.events.append(event)
        asyncio.get_running_loop().call_soon(when_durable, None)

    def record_soon(self, event: Event) -> None:
        self.events.append(event)

    def leave_out(self, event: Event) -> None:
        self.left_out.append(event)


def refuse_nobody(at: float = NOW, *, source: str = "198.51.100.1", error: str = "invalid_client") -> TokenRefused:
    return TokenRefused(at=at, source=source, error=error, reason="no_credentials")


def record(quiet: QuietRecord, events: Sequence[Event]) -> None:
    async def story() -> None:
        for event in events:
            await quiet.record(event)

    asyncio.run(story())


@settings(max_examples=choose_examples(60), deadline=None)
@given(st.lists(st.tuples(_STEPS, st.integers(1, 60), _ERRORS), max_size=20))
def test_refusals_of_an_address_are_bounded_and_all_are_counted(doings: list[tuple[float, int, str]]) -> None:
    kept, now, sent = Kept(), NOW, 0
    quiet = QuietRecord(kept, at_once=AT_ONCE)
    elapsed = 0.0
    for step, times, error in doings:
        now += step
        elapsed += max(step, 0.0)
        record(quiet, [refuse_nobody(now, error=error)] * times)
        sent += times
        assert len(kept.events) <= AT_ONCE + elapsed * PER_MINUTE / 60 + 1e-3
    record(quiet, [refuse_nobody(now + 3600)])
    told = sum(1 + event.left_out for event in kept.events if isinstance(event, TokenRefused))
    assert told == sent + 1


def test_many_addresses_are_bounded_together_and_in_memory() -> None:
    kept = Kept()
    quiet = QuietRecord(kept, at_once=AT_ONCE, max_kept=50)
    record(quiet, [refuse_nobody(source=f"198.51.{number}.1") for number in range(1000)])
    assert len(kept.events) == AT_ONCE * OF_ALL
    assert len(quiet) == 50
    record(quiet, [refuse_nobody(NOW + 60, source="203.0.113.1")])
    assert kept.events[-1].left_out == 1000 - AT_ONCE * OF_ALL  # type: ignore[attr-defined]


def test_a_secret_that_was_good_once_fills_no_disk() -> None:
    kept = Kept()
    event = TokenRefused(at=NOW, source="198.51.100.1", error="invalid_client", reason="revoked_secret", client_id="a")
    record(QuietRecord(kept, at_once=3), [event] * 30)
    assert kept.events == [event] * 3


@pytest.mark.parametrize(
    "event",
    [
        RowsRefused(at=NOW, source="198.51.100.1", error="insufficient_scope", reason="blocked", client_id="a"),
        RowsRefused(at=NOW, source="198.51.100.1", error="invalid_request", reason="no_such_column", client_id="a"),
        TokenRefused(at=NOW, source="198.51.100.1", error="invalid_grant", reason="replaced_long_ago", client_id="a"),
        TokenRefused(at=NOW, source="198.51.100.1", error="slow_down", reason="too_many_failures"),
        TokenIssued(
            at=NOW,
            client_id="a",
            application="a",
            key_id="k",
            grant_type="g",
            scope="s",
            token_id="",
            family="",
            expires_at=1,
        ),
    ],
)
def test_what_somebody_is_told_is_always_on_record(event: Event) -> None:
    kept = Kept()
    quiet = QuietRecord(kept, at_once=1)
    record(quiet, [refuse_nobody()] * 30)
    record(quiet, [event] * 30)
    assert kept.events[1:] == [event] * 30


def test_who_is_left_out_is_answered_later_all_the_same() -> None:
    """As the port has it: after the call has returned."""
    kept = Kept()
    quiet = QuietRecord(kept, at_once=1)
    answered: list[AuditUnavailable | None] = []

    async def story() -> None:
        for number in range(3):
            quiet.record_then(refuse_nobody(), answered.append)
            assert len(answered) == number
            await asyncio.sleep(0)

    asyncio.run(story())
    assert answered == [None] * 3
    assert len(kept.events) == 1
