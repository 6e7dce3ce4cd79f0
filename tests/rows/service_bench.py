"""The service of rows with everything around it made up: blocks as scripted, an audit that can fail."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, cast

import msgspec

from rowgate.access import Access
from rowgate.audit.events import Event, RowsEnded
from rowgate.oauth.errors import InvalidToken
from rowgate.oauth.model import Application
from rowgate.ports import AuditUnavailable, Meanwhile, WhenDurable
from rowgate.records import WHOLE_OBJECT, GrantPolicy, Grants, ObjectSettings, StateSnapshot
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.errors import StatementCancelled
from rowgate.rows.model import Column, Family, Format, ObjectDescription, Plan, RowsRequest, Statement, Value
from rowgate.service.budgets import Budgets
from rowgate.service.cursors import Cursors
from rowgate.service.databases import Database, Databases
from rowgate.service.object_access import ObjectAccess
from rowgate.service.origin import Origin
from rowgate.service.reading import Reading
from rowgate.service.row_tags import RowTags
from rowgate.service.rows import ReadLimits, RowsService
from rowgate.service.state import LiveState
from rowgate.service.writes import Writes

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
    computes_here = True
    dialect = SQLITE

    def __init__(self) -> None:
        self.script: list[Any] = [ROW]
        self.opened: list[FakeBlocks] = []

    def find_object(self, name: str) -> ObjectDescription | None:
        column = Column("n", "INTEGER", Family.NUMBER, may_be_real=False)
        return ObjectDescription(name, "table", (column,)) if name in ("t", "blocked", "other") else None

    def prove_read_only(self) -> None:
        """It cannot be written."""

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> FakeBlocks:
        assert statement.text
        assert statement_seconds == 5
        self.opened.append(FakeBlocks(self.script))
        return self.opened[-1]

    def open_lines(self, _plan: Plan, _form: Format, *, statement_seconds: float) -> None:
        """It writes nothing by itself: the rows are read."""
        assert statement_seconds == 5

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for while rows are read")


def _cut_nothing() -> None:
    """In the place of a connection's cut."""


class FakeAudit:
    """Keeps events; `fails` refuses them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fails = False

    async def record(self, event: Event) -> None:
        if self.fails:
            raise AuditUnavailable
        self.events.append(event)

    def record_then(self, event: Event, when_durable: WhenDurable, _meanwhile: Meanwhile | None = None) -> None:
        self.events.append(event)
        when_durable(AuditUnavailable() if self.fails else None)

    def record_soon(self, event: Event) -> None:
        self.events.append(event)

    def leave_out(self, event: Event) -> None:
        raise AssertionError(event)


class Bench:
    """A service with everything around it made up."""

    def __init__(
        self, *, conceal_objects: bool = False, max_reads: int = 2, policy: GrantPolicy = WHOLE_OBJECT
    ) -> None:
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
        granted = Grants(application, frozenset({"t", "blocked"}), {"t": policy})
        settings = (ObjectSettings("blocked", blocked=True),)
        self.source, self.audit = FakeSource(), FakeAudit()
        self.is_revoked = False
        self.scope: frozenset[str] | None = None  # what is left of every token's; None: all of it
        state = LiveState(StateSnapshot(1, (granted,), settings, ()))
        self.service = RowsService(
            state,
            Databases([Database("", self.source)]),
            confirm=self._confirm,
            audit=self.audit,
            clock=lambda: 1000.0,
            limits=ReadLimits(
                max_reads=max_reads,
                max_reads_per_application=max_reads,
                queue_seconds=0.05,
                statement_seconds=5,
                reader_seconds=5,
            ),
            objects=ObjectAccess(state, conceal_objects=conceal_objects),
            cursors=Cursors(bytes(32)),
            mask_key=bytes(32),
            tags=RowTags(bytes(32)),
            budgets=Budgets(state, cast("Writes", None), clock=lambda: 1000.0),
        )
        self.when_gone: Callable[[str], None] = lambda _reason: None

    def _confirm(self, access: Access, *, now: float) -> Access:
        assert now == 1000.0
        if self.is_revoked:
            raise InvalidToken("The token was revoked.", reason="revoked")
        return access if self.scope is None else msgspec.structs.replace(access, scope=access.scope & self.scope)

    async def open(self, name: str = "t", *, scope: str = "read") -> Reading:
        access = Access(
            application_number=NUMBER,
            client_id="client",
            application_name="application",
            scope=frozenset({scope}),
            token_id="00",
            expires_at=2000,
            allowed=None,
            **_rest_of_access(),
        )
        return await self.service.open_rows(
            access, name, RowsRequest(), ORIGIN, form=Format.JSON, on_disconnect=self._on_disconnect
        )

    def _on_disconnect(self, callback: Callable[[str], None]) -> None:
        self.when_gone = callback

    def ended(self) -> list[tuple[str, str, int]]:
        events = [event for event in self.audit.events if isinstance(event, RowsEnded)]
        return [(event.outcome, event.reason, event.rows) for event in events]

    async def check_nothing_is_held(self) -> None:
        """Every connection was given back once, and there are as many turns as before."""
        assert [blocks.closed for blocks in self.source.opened] == [1] * len(self.source.opened)
        self.source.script, self.audit.fails, self.is_revoked = [ROW, ROW], False, False
        self.scope = None
        readings = [await self.open() for _ in range(2)]
        for reading in readings:
            assert await self.service.deliver(reading, take_part, _cut_nothing)


def _rest_of_access() -> dict[str, Any]:
    """Give members of Access that are of no matter here."""
    known = {"application_number", "client_id", "application_name", "scope", "token_id", "expires_at", "allowed"}
    return {name: b"" for name in Access.__struct_fields__ if name not in known}


async def take_part(_part: bytes, _is_last: bool) -> None:  # noqa: FBT001 - the port's shape
    await asyncio.sleep(0)


def run(test: Callable[[Bench], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a test on a bench of its own, in an event loop."""

    async def main() -> None:
        bench = Bench(**options)
        try:
            await test(bench)
        finally:
            await bench.service.close()

    asyncio.run(main())
