"""The service of rows where HTTP cannot reach: an audit that fails, a server that stops, an engine that breaks."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rowgate.access import Access
from rowgate.audit.events import Event, RowsEnded, RowsOpened
from rowgate.oauth.errors import InsufficientScope, InvalidToken
from rowgate.oauth.model import Application
from rowgate.ports import AuditUnavailable
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError, StatementCancelled, UnknownObject
from rowgate.rows.model import Column, Family, Format, ObjectDescription, RowsRequest, Statement, Value
from rowgate.rows.sql import SQLITE
from rowgate.records import Grants, ObjectSettings, StateSnapshot
from rowgate.service.origin import Origin
from rowgate.service.rows import Reading, ReadLimits, RowsService
from rowgate.service.state import LiveState
from support.servers import wait_until

NUMBER = 7
ORIGIN = Origin("request", "source")
ROW = [(1,)]


class FakeBlocks:
    """Blocks as scripted: rows, or what to raise; a last block ends the result."""

    def __init__(self, script: list[Any]) -> None:
        self.script = list(script)
        self.is_exhausted = False
        self.cancelled = threading.Event()
        self.closed = 0

    def read_block(self) -> list[tuple[Value, ...]]:
        if self.cancelled.is_set():
            raise StatementCancelled("cancelled")
        step = self.script.pop(0)
        if step == "wait":
            assert self.cancelled.wait(5), "nobody cancelled"
            raise StatementCancelled("cancelled")
        if isinstance(step, Exception):
            raise step
        self.is_exhausted = not self.script
        rows: list[tuple[Value, ...]] = step
        return rows

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed += 1


class FakeSource:
    """One table, `t`; `blocked` stands in the settings, `other` is not granted."""

    name = "fake"
    dialect = SQLITE

    def __init__(self) -> None:
        self.script: list[Any] = [ROW]
        self.opened: list[FakeBlocks] = []

    def find_object(self, name: str) -> ObjectDescription | None:
        column = Column("n", "INTEGER", Family.NUMBER, may_be_real=False)
        return ObjectDescription(name, "table", (column,)) if name in ("t", "blocked", "other") else None

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> FakeBlocks:
        assert statement.text
        assert statement_seconds == 5
        self.opened.append(FakeBlocks(self.script))
        return self.opened[-1]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for while rows are read")


class FakeAudit:
    """Keeps events; `fails` refuses them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fails = False

    async def record(self, event: Event) -> None:
        if self.fails:
            raise AuditUnavailable
        self.events.append(event)

    def record_soon(self, event: Event) -> None:
        self.events.append(event)


class Bench:
    """A service with everything around it made up."""

    def __init__(self, *, conceal_objects: bool = False, max_reads: int = 2) -> None:
        application = Application(
            number=NUMBER,
            client_id="client",
            name="application",
            enabled=True,
            epoch=0,
            scope=("read",),
            refresh_tokens=True,
            access_lifetime_seconds=3600,
            refresh_lifetime_seconds=3600,
            created_at=0,
            secrets=(),
        )
        granted = Grants(application, frozenset({"t", "blocked"}))
        settings = (ObjectSettings("blocked", blocked=True),)
        self.source, self.audit = FakeSource(), FakeAudit()
        self.is_revoked = False
        self.service = RowsService(
            LiveState(StateSnapshot(1, (granted,), settings, ())),
            self.source,
            confirm=self._confirm,
            audit=self.audit,
            clock=lambda: 1000.0,
            limits=ReadLimits(
                max_reads=max_reads, max_reads_per_application=max_reads, queue_seconds=0.05, statement_seconds=5
            ),
            conceal_objects=conceal_objects,
        )
        self.when_gone: Callable[[], None] = lambda: None

    def _confirm(self, access: Access, *, now: float) -> Access:
        assert now == 1000.0
        if self.is_revoked:
            raise InvalidToken("The token was revoked.", reason="revoked")
        return access

    async def open(self, name: str = "t", *, scope: str = "read") -> Reading:
        access = Access(
            application_number=NUMBER,
            client_id="client",
            application_name="application",
            scope=frozenset({scope}),
            token_id="00",
            expires_at=2000,
            **_rest_of_access(),
        )
        return await self.service.open_rows(
            access, name, RowsRequest(), ORIGIN, form=Format.JSON, on_disconnect=self._on_disconnect
        )

    def _on_disconnect(self, callback: Callable[[], None]) -> None:
        self.when_gone = callback

    def ended(self) -> list[tuple[str, str, int]]:
        events = [event for event in self.audit.events if isinstance(event, RowsEnded)]
        return [(event.outcome, event.reason, event.rows) for event in events]

    async def check_nothing_is_held(self) -> None:
        """Every connection was given back once, and there are as many turns as before."""
        assert [blocks.closed for blocks in self.source.opened] == [1] * len(self.source.opened)
        self.source.script, self.audit.fails, self.is_revoked = [ROW], False, False
        readings = [await self.open() for _ in range(2)]
        for reading in readings:
            assert await self.service.deliver(reading, _take)


def _rest_of_access() -> dict[str, Any]:
    """Give members of Access that are of no matter here."""
    known = {"application_number", "client_id", "application_name", "scope", "token_id", "expires_at"}
    return {name: b"" for name in Access.__struct_fields__ if name not in known}


async def _take(_part: bytes, _is_last: bool) -> None:  # noqa: FBT001 - the port's shape
    await asyncio.sleep(0)


@contextmanager
def _bench(**options: Any) -> Iterator[Bench]:
    bench = Bench(**options)
    try:
        yield bench
    finally:
        bench.service.close()


def run(test: Callable[[Bench], Coroutine[Any, Any, None]], **options: Any) -> None:
    with _bench(**options) as bench:
        asyncio.run(test(bench))


def test_read_is_on_record_before_its_first_byte_and_after_its_last() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ROW]
        sent: list[tuple[bytes, bool]] = []

        async def send(part: bytes, is_last: bool) -> None:  # noqa: FBT001
            assert isinstance(bench.audit.events[0], RowsOpened)
            assert not bench.ended()
            sent.append((part, is_last))

        assert await bench.service.deliver(await bench.open(), send)
        assert sent == [(b'[{"n":1}', False), (b',{"n":1}]', True)]
        assert bench.ended() == [("complete", "", 2)]
        await bench.check_nothing_is_held()

    run(test)


def test_no_record_no_rows() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, "wait"]
        bench.audit.fails = True
        with pytest.raises(AuditUnavailable):
            await bench.open()
        await bench.check_nothing_is_held()

    run(test)


@pytest.mark.parametrize(
    "failure", [EngineFailure("failed"), EngineUnavailable("gone"), StatementCancelled("gone"), MemoryError()]
)
def test_failure_before_the_first_row_gives_everything_back(failure: Exception) -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [failure]
        for _ in range(5):
            with pytest.raises(type(failure)):
                await bench.open()
        assert not bench.audit.events
        await bench.check_nothing_is_held()

    run(test)


@pytest.mark.parametrize(
    ("failure", "outcome", "reason"),
    [
        (EngineFailure("failed"), "failed", "server_error"),
        (EngineUnavailable("gone"), "failed", "temporarily_unavailable"),
        (StatementCancelled("gone"), "cut", "client_went_away"),
    ],
)
def test_failure_in_the_middle_is_told_by_the_return_and_on_record(
    failure: RowsError, outcome: str, reason: str
) -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ROW, failure]
        assert not await bench.service.deliver(await bench.open(), _take)
        assert bench.ended() == [(outcome, reason, 2)]
        await bench.check_nothing_is_held()

    run(test)


def test_mistake_of_our_own_in_the_middle_is_raised_and_on_record() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ZeroDivisionError()]
        with pytest.raises(ZeroDivisionError):
            await bench.service.deliver(await bench.open(), _take)
        assert bench.ended() == [("failed", "internal_error", 1)]
        await bench.check_nothing_is_held()

    run(test)


def test_server_that_stops_ends_the_statement() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, "wait"]
        delivering = asyncio.create_task(bench.service.deliver(await bench.open(), _take))
        await asyncio.to_thread(wait_until, lambda: not bench.source.opened[0].script)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert bench.ended() == [("cut", "server_stopped", 1)]
        await bench.check_nothing_is_held()

    run(test)


def test_server_that_stops_while_a_statement_begins_ends_it() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = ["wait"]
        opening = asyncio.create_task(bench.open())
        await asyncio.to_thread(wait_until, lambda: bench.source.opened and not bench.source.opened[0].script)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not bench.audit.events
        await bench.check_nothing_is_held()

    run(test)


def test_client_that_goes_before_its_statement_begins_is_not_read_for() -> None:
    async def test(bench: Bench) -> None:
        bench._on_disconnect = lambda callback: callback()  # type: ignore[method-assign]
        with pytest.raises(StatementCancelled):
            await bench.open()
        del bench._on_disconnect
        await bench.check_nothing_is_held()

    run(test)


def test_token_revoked_in_the_middle_cuts_the_read() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ROW, ROW, ROW]
        reading = await bench.open()
        bench.is_revoked = True
        assert not await bench.service.deliver(reading, _take)
        ((outcome, reason, _),) = bench.ended()
        assert (outcome, reason) == ("cut", "revoked")
        await bench.check_nothing_is_held()

    run(test)


def test_more_reads_than_turns_are_refused_after_the_wait() -> None:
    async def test(bench: Bench) -> None:
        readings = [await bench.open() for _ in range(2)]
        with pytest.raises(EngineUnavailable):
            await bench.open()
        assert len(bench.source.opened) == 2
        waiting = asyncio.create_task(bench.open())
        await bench.service.discard(readings[0])
        await bench.service.discard(await waiting)
        await bench.service.discard(readings[1])
        await bench.check_nothing_is_held()

    run(test)


REFUSALS = {
    "unknown": ("nope", "read", UnknownObject, UnknownObject),
    "other-case": ("T", "read", UnknownObject, UnknownObject),
    "not-granted": ("other", "read", InsufficientScope, UnknownObject),
    "blocked": ("blocked", "read", InsufficientScope, UnknownObject),
    "scope": ("t", "write", InsufficientScope, InsufficientScope),
}


@pytest.mark.parametrize(("name", "scope", "plain", "concealed"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals_read_nothing(name: str, scope: str, plain: type[Exception], concealed: type[Exception]) -> None:
    """O-17, O-36; with conceal_objects unknown, blocked and not granted are alike (PROTOCOL 104)."""
    for conceal_objects, expected in ((False, plain), (True, concealed)):

        async def test(bench: Bench, expected: type[Exception] = expected) -> None:
            with pytest.raises(expected) as refused:
                await bench.open(name, scope=scope)
            assert not bench.source.opened
            if expected is UnknownObject:
                assert str(refused.value) == "There is no such object."
            await bench.check_nothing_is_held()

        run(test, conceal_objects=conceal_objects)
