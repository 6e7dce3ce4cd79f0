"""The service of rows where HTTP cannot reach: an audit that fails, a server that stops, an engine that breaks."""

import asyncio

import pytest

from rowgate.audit.events import RowsOpened
from rowgate.oauth.errors import InsufficientScope
from rowgate.ports import AuditUnavailable
from rowgate.records import GrantPolicy
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError, StatementCancelled, UnknownObject
from rowgate.service.hands import Hands
from rowgate.service.rows import SMALL_BYTES
from rows.service_bench import ROW, Bench, run, take_part
from support.servers import wait_until


def test_read_is_on_record_before_its_first_byte_and_after_its_last() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ROW]
        sent: list[tuple[bytes, bool]] = []

        async def send(part: bytes, is_last: bool) -> None:  # noqa: FBT001
            assert isinstance(bench.audit.events[0], RowsOpened)
            assert not bench.ended()
            sent.append((part, is_last))

        assert await bench.service.deliver(await bench.open(), send, lambda: None)
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
        assert not await bench.service.deliver(await bench.open(), take_part, lambda: None)
        assert bench.ended() == [(outcome, reason, 2)]
        await bench.check_nothing_is_held()

    run(test)


def test_mistake_of_our_own_in_the_middle_is_raised_and_on_record() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ZeroDivisionError()]
        with pytest.raises(ZeroDivisionError):
            await bench.service.deliver(await bench.open(), take_part, lambda: None)
        assert bench.ended() == [("failed", "internal_error", 1)]
        await bench.check_nothing_is_held()

    run(test)


def test_server_that_stops_ends_the_statement() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, "wait"]
        delivering = asyncio.create_task(bench.service.deliver(await bench.open(), take_part, lambda: None))
        await asyncio.to_thread(wait_until, lambda: not bench.source.opened[0].script)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert bench.ended() == [("cut", "server_stopped", 1)]
        await bench.check_nothing_is_held()

    run(test)


def test_server_that_stops_cuts_the_client_before_the_database_lets_go() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, "wait"]
        seen_at_cut: list[bool] = []

        def cut() -> None:
            seen_at_cut.append(bench.source.opened[0].cancelled.is_set())

        delivering = asyncio.create_task(bench.service.deliver(await bench.open(), take_part, cut))
        await asyncio.to_thread(wait_until, lambda: not bench.source.opened[0].script)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert seen_at_cut == [False]

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
        bench._on_disconnect = lambda callback: callback("client_went_away")  # type: ignore[method-assign]
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
        assert not await bench.service.deliver(reading, take_part, lambda: None)
        ((outcome, reason, _),) = bench.ended()
        assert (outcome, reason) == ("cut", "revoked")
        await bench.check_nothing_is_held()

    run(test)


@pytest.mark.parametrize(
    "policy",
    [
        GrantPolicy(masks=(("gone", "hash"),)),
        GrantPolicy(masks=(("n", "of_a_newer_release"),)),
        GrantPolicy(rows='{"column": "gone", "function": "equals", "value": 1}'),
        GrantPolicy(rows='{"column": "n", "function": "of_a_newer_release", "value": 1}'),
        GrantPolicy(rows='{"column": "n"'),
        GrantPolicy(rows="[]"),
    ],
)
def test_policy_that_cannot_be_applied_refuses_and_never_widens(policy: GrantPolicy) -> None:
    """Its object has changed since, or a newer release has written it, or it is damaged."""

    async def test(bench: Bench) -> None:
        with pytest.raises(InsufficientScope) as refused:
            await bench.open()
        assert refused.value.reason == "policy_unusable"
        assert not bench.source.opened

    run(test, policy=policy)


def test_application_that_may_read_no_more_reads_no_more() -> None:
    """Its scope is looked at as its token is: before a read begins, and while it is under way."""

    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ROW, ROW, ROW]
        reading = await bench.open()
        bench.scope = frozenset({"introspect"})
        assert not await bench.service.deliver(reading, take_part, lambda: None)
        ((outcome, reason, _),) = bench.ended()
        assert (outcome, reason) == ("cut", "scope_lacks_read")
        with pytest.raises(InsufficientScope):
            await bench.open()
        await bench.check_nothing_is_held()

    run(test)


def test_why_a_read_is_cut_outlives_the_end_of_its_connection() -> None:
    """The cut ends the connection, which then tells that its client is gone; on record is what came first."""

    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, "wait"]
        reading = await bench.open()

        async def send(_block: bytes, _is_last: bool) -> None:  # noqa: FBT001 - the port's shape
            pass

        delivering = asyncio.create_task(
            bench.service.deliver(reading, send, lambda: bench.when_gone("client_went_away"))
        )
        await asyncio.sleep(0)  # it has sent the first block and waits for the second
        bench.is_revoked = True
        bench.service.look_again()
        assert not await delivering
        ((outcome, reason, _),) = bench.ended()
        assert (outcome, reason) == ("cut", "revoked")
        await bench.check_nothing_is_held()

    run(test)


def test_read_that_is_in_hand_keeps_nobody_waiting() -> None:
    """What the engine is done with holds no turn: not while it goes on record, nor while a slow client takes it."""

    async def test(bench: Bench) -> None:
        bench.source.script = [ROW]
        readings = [await bench.open() for _ in range(5)]
        assert not bench.ended()
        for reading in readings:
            assert await bench.service.deliver(reading, take_part, lambda: None)

    run(test, max_reads=1)


def test_large_read_that_is_in_hand_keeps_its_turn() -> None:
    """Memory is bounded by the turns."""

    async def test(bench: Bench) -> None:
        bench.source.script = [ROW * (SMALL_BYTES // 8)]
        reading = await bench.open()
        with pytest.raises(EngineUnavailable):
            await bench.open()
        assert await bench.service.deliver(reading, take_part, lambda: None)

    run(test, max_reads=1)


def test_more_reads_than_turns_are_refused_after_the_wait() -> None:
    async def test(bench: Bench) -> None:
        bench.source.script = [ROW, ROW]
        readings = [await bench.open() for _ in range(2)]
        with pytest.raises(EngineUnavailable):
            await bench.open()
        assert len(bench.source.opened) == 2
        waiting = asyncio.create_task(bench.open())
        await bench.service.end_with_head(readings[0])
        await bench.service.end_with_head(await waiting)
        await bench.service.end_with_head(readings[1])
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


def test_read_for_which_no_thread_can_begin_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(bench: Bench) -> None:
        def fail(*_arguments: object) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(Hands, "run", fail)
            for _ in range(3):
                with pytest.raises(RuntimeError):
                    await bench.open()
        assert not bench.audit.events
        await bench.check_nothing_is_held()

    run(test)
