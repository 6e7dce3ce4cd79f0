"""Group commit: durable before it is told, few flushes for many, and what happens when the disk does not play along."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from audit.conftest import FailingDisk, make_event
from rowgate.audit import segment_sink
from rowgate.audit.events import Event
from rowgate.audit.reader import Search, find_break, find_events, list_segments
from rowgate.audit.segment_sink import FEW_EVENTS, SegmentSink
from rowgate.audit.segments import SegmentWriter
from rowgate.ports import AuditUnavailable


def run_sink(
    directory: Path, use: Callable[[SegmentSink], Awaitable[None]], *, gather_seconds: float = 0.0005
) -> list[Exception]:
    """Use a sink from its start to its stop; give what it complained of."""
    failures: list[Exception] = []

    async def main() -> None:
        sink = SegmentSink(SegmentWriter(directory), gather_seconds=gather_seconds, on_failure=failures.append)
        sink.start()
        await use(sink)
        await sink.stop()

    asyncio.run(main())
    return failures


def list_ids(directory: Path) -> list[int]:
    assert all(find_break(path) is None for path in list_segments(directory))
    found = find_events(directory, Search(kind="token_issued"))
    return [int(event["token_id"], 16) for event in found]


async def refuses(act: Awaitable[None]) -> bool:
    try:
        await act
    except AuditUnavailable:
        return True
    return False


class Gate:
    """A disk that stands still until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        real = SegmentWriter.append_bodies

        def append_bodies(writer: SegmentWriter, bodies: list[bytes], tell_of_flush: Callable[[], None]) -> None:
            self.entered.set()
            assert self.open.wait(20)
            real(writer, bodies, tell_of_flush)

        monkeypatch.setattr(SegmentWriter, "append_bodies", append_bodies)

    async def is_entered(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.entered.wait, 10)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def test_many_at_once_share_few_flushes(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        await asyncio.gather(*(sink.record(make_event(number)) for number in range(500)))

    assert run_sink(tmp_path, use) == []
    assert list_ids(tmp_path) == list(range(500))
    assert disk.count("fdatasync") <= 3


def test_record_returns_when_the_event_is_durable_and_not_before(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        for number in range(20):
            await sink.record(make_event(number))
            assert disk.calls[-1] == "fdatasync"
            assert disk.count("fdatasync") == number + 1
            assert list_ids(tmp_path) == list(range(number + 1))

    run_sink(tmp_path, use, gather_seconds=0)


def test_events_that_come_during_a_flush_wait_for_the_next(tmp_path: Path, gate: Gate) -> None:
    async def use(sink: SegmentSink) -> None:
        first = asyncio.create_task(sink.record(make_event(0)))
        await gate.is_entered()
        others = [asyncio.create_task(sink.record(make_event(number))) for number in range(1, 9)]
        await asyncio.sleep(0)
        assert not first.done()
        gate.open.set()
        await asyncio.gather(first, *others)

    run_sink(tmp_path, use)
    assert list_ids(tmp_path) == list(range(9))


def test_nobody_waits_for_company_where_there_was_none(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        for number in range(3):
            await asyncio.wait_for(sink.record(make_event(number)), 20)

    run_sink(tmp_path, use, gather_seconds=100)
    assert disk.count("fdatasync") == 3


def test_there_is_gathered_where_there_was_something_to_gather(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        await asyncio.gather(*(sink.record(make_event(number)) for number in range(FEW_EVENTS)))
        sink.record_soon(make_event(FEW_EVENTS))
        for _ in range(20):
            await asyncio.sleep(0)
        sink.record_soon(make_event(FEW_EVENTS + 1))
        assert disk.count("fdatasync") == 1

    run_sink(tmp_path, use, gather_seconds=100)
    assert list_ids(tmp_path) == list(range(FEW_EVENTS + 2))  # stop() writes what still waits
    assert disk.count("fdatasync") == 2


def test_as_many_as_the_last_time_wait_for_nobody_else(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        for begin in (0, 10, 20):
            numbers = range(begin, begin + 10)
            await asyncio.wait_for(asyncio.gather(*(sink.record(make_event(number)) for number in numbers)), 20)

    run_sink(tmp_path, use, gather_seconds=100)
    assert list_ids(tmp_path) == list(range(30))
    assert disk.count("fdatasync") == 3


def test_a_group_gathers_for_its_own_time(tmp_path: Path, disk: FailingDisk) -> None:
    """The timer of a group that went before its time does not end the next one's."""

    async def use(sink: SegmentSink) -> None:
        for begin in (0, 10):
            await asyncio.gather(*(sink.record(make_event(number)) for number in range(begin, begin + 10)))
        sink.record_soon(make_event(20))
        first = sink._timer
        await asyncio.gather(*(sink.record(make_event(number)) for number in range(21, 30)))
        assert first is not None
        assert first.cancelled()

    run_sink(tmp_path, use, gather_seconds=100)
    assert disk.count("fdatasync") == 3


def test_what_the_answers_need_is_prepared_while_the_disk_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []
    told: list[int] = []
    is_prepared = threading.Event()
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        assert is_prepared.wait(20)  # the disk is as slow as that
        assert told == []
        real(descriptor)

    def prepare(number: int) -> None:
        prepared.append(number)
        if number == 1:
            raise ValueError
        if len(prepared) == FEW_EVENTS:
            is_prepared.set()

    def tell(number: int, failure: AuditUnavailable | None) -> None:
        assert failure is None
        told.append(number)

    async def use(sink: SegmentSink) -> None:
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        for number in range(FEW_EVENTS):
            sink.record_then(make_event(number), partial(tell, number), partial(prepare, number))
        await sink.record(make_event(FEW_EVENTS))

    assert run_sink(tmp_path, use) == []
    assert prepared == told == list(range(FEW_EVENTS))


def test_for_few_events_nothing_is_prepared(tmp_path: Path) -> None:
    prepared: list[int] = []

    async def use(sink: SegmentSink) -> None:
        for number in range(FEW_EVENTS - 1):
            sink.record_then(make_event(number), lambda _: None, partial(prepared.append, number))
        await sink.record(make_event(FEW_EVENTS))

    assert run_sink(tmp_path, use) == []
    assert prepared == []


def test_a_failed_group_refuses_all_of_it_and_the_next_works(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        disk.fails_always = True
        sink.record_soon(make_event(99))
        refused = await asyncio.gather(*(refuses(sink.record(make_event(number))) for number in range(10)))
        assert all(refused)
        assert not sink.is_writable
        disk.fails_always = False
        await sink.record(make_event(100))
        assert sink.is_writable

    failures = run_sink(tmp_path, use)
    assert [type(failure) for failure in failures] == [OSError]
    assert list_ids(tmp_path) == [99, 100], "whom nobody waited for nobody was told to have failed"


def test_ends_that_could_not_be_written_are_written_when_the_disk_takes_them(
    tmp_path: Path, disk: FailingDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, in their order, without a request; what is beyond the bound, and what is left at the end, is told."""
    monkeypatch.setattr(segment_sink, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(segment_sink, "MAX_OWED_EVENTS", 3)

    async def use(sink: SegmentSink) -> None:
        disk.fails_always = True
        for number in range(5):
            sink.record_soon(make_event(number))
            assert await refuses(sink.record(make_event(50 + number)))
        disk.fails_always = False
        while not sink.is_writable:  # noqa: ASYNC110 - the sink's own timer is what is awaited
            await asyncio.sleep(0.001)
        await sink.record(make_event(100))
        assert list_ids(tmp_path) == [0, 1, 2, 100]
        disk.fails_always = True
        sink.record_soon(make_event(101))

    failures = run_sink(tmp_path, use)
    assert [type(failure) for failure in failures].count(OSError) == 2
    lost = [str(failure) for failure in failures if isinstance(failure, RuntimeError)]
    assert lost == ["1 events that tell how something ended are lost"] * 3


@pytest.mark.parametrize("failing", range(9))
def test_the_nth_call_fails_for_every_n(tmp_path: Path, disk: FailingDisk, failing: int) -> None:
    disk.fails_at = frozenset({failing})
    kept = []

    async def use(sink: SegmentSink) -> None:
        for number in range(6):
            if not await refuses(sink.record(make_event(number))):
                kept.append(number)
            assert list_ids(tmp_path) == kept

    run_sink(tmp_path, use, gather_seconds=0)
    assert len(kept) == 5


def test_a_disk_that_fails_for_long_is_told_once(tmp_path: Path, disk: FailingDisk) -> None:
    async def use(sink: SegmentSink) -> None:
        disk.fails_always = True
        for number in range(20):
            assert await refuses(sink.record(make_event(number)))
        disk.fails_always = False
        await sink.record(make_event(20))
        disk.fails_always = True
        assert await refuses(sink.record(make_event(21)))

    assert len(run_sink(tmp_path, use, gather_seconds=0)) == 2


def test_it_is_writable_again_without_a_request(
    tmp_path: Path, disk: FailingDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not ready is sent no requests, so the sink tries by itself."""
    monkeypatch.setattr(segment_sink, "RETRY_SECONDS", 0.005)

    async def use(sink: SegmentSink) -> None:
        disk.fails_always = True
        assert await refuses(sink.record(make_event(0)))
        tried = disk.count("fsync")
        while disk.count("fsync") < tried + 3:  # noqa: ASYNC110 - the sink's own timer is what is awaited
            await asyncio.sleep(0.001)
        assert not sink.is_writable
        disk.fails_always = False
        while not sink.is_writable:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    run_sink(tmp_path, use)
    assert [event["action"] for event in find_events(tmp_path, Search())] == ["resumed"]


def test_an_event_that_cannot_be_written_harms_only_itself(tmp_path: Path) -> None:
    """A lone surrogate (a client may send one in JSON) must not stop the record for everybody."""

    async def use(sink: SegmentSink) -> None:
        good = asyncio.create_task(sink.record(make_event(0)))
        with pytest.raises(ValueError, match="surrogates"):
            await sink.record(make_event(1, application="\udcff"))
        await good
        await sink.record(make_event(2))

    assert run_sink(tmp_path, use) == []
    assert list_ids(tmp_path) == [0, 2]


def test_an_unforeseen_error_in_the_thread_refuses_and_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise MemoryError

    async def use(sink: SegmentSink) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(SegmentWriter, "append_bodies", fail)
            assert await refuses(sink.record(make_event(0)))
        await sink.record(make_event(1))

    run_sink(tmp_path, use)
    assert list_ids(tmp_path) == [1]


@pytest.mark.parametrize("is_flushing", [False, True], ids=["while it waits", "during its flush"])
@pytest.mark.parametrize("is_failing", [False, True], ids=["disk works", "disk fails"])
def test_a_cancelled_request_harms_no_other_of_its_group(
    tmp_path: Path, gate: Gate, disk: FailingDisk, *, is_flushing: bool, is_failing: bool
) -> None:
    async def use(sink: SegmentSink) -> None:
        tasks = [asyncio.create_task(sink.record(make_event(number))) for number in range(6)]
        await asyncio.sleep(0)
        if is_flushing:
            await gate.is_entered()
        disk.fails_always = is_failing
        for cancelled in (0, 3):
            tasks[cancelled].cancel()
        results = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait(tasks[:1])
        gate.open.set()
        kinds = [type(result) for result in await results]
        good = AuditUnavailable if is_failing else type(None)
        assert kinds == [asyncio.CancelledError, good, good, asyncio.CancelledError, good, good]
        disk.fails_always = False

    run_sink(tmp_path, use)
    assert list_ids(tmp_path) == ([] if is_failing else list(range(6)))


def test_a_request_cancelled_as_its_group_ends_harms_no_other(tmp_path: Path) -> None:
    """Cancel in every step between record and durable."""

    async def use(sink: SegmentSink) -> None:
        for steps in range(1, 41):
            tasks = [asyncio.create_task(sink.record(make_event(number))) for number in range(3)]
            for _ in range(steps):
                await asyncio.sleep(0)
            tasks[1].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert results[0] is results[2] is None

    run_sink(tmp_path, use, gather_seconds=0)
    assert len(list_ids(tmp_path)) == 120


def test_stop_writes_what_is_being_flushed_and_what_came_meanwhile(tmp_path: Path, gate: Gate) -> None:
    async def use(sink: SegmentSink) -> None:
        first = asyncio.create_task(sink.record(make_event(0)))
        await gate.is_entered()
        sink.record_soon(make_event(1))
        stopped = asyncio.create_task(sink.stop())
        await asyncio.sleep(0)
        late = asyncio.create_task(sink.record(make_event(2)))
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(first, stopped, late)
        assert await refuses(sink.record(make_event(3)))
        sink.record_soon(make_event(4))

    failures = run_sink_stopped(tmp_path, use)
    assert list_ids(tmp_path) == [0, 1, 2]
    assert len(failures) == 1  # the last one, which could only be told


def run_sink_stopped(directory: Path, use: Callable[[SegmentSink], Awaitable[None]]) -> list[Exception]:
    """Use a sink that `use` stops itself."""
    failures: list[Exception] = []

    async def main() -> None:
        sink = SegmentSink(SegmentWriter(directory), on_failure=failures.append)
        sink.start()
        await use(sink)

    asyncio.run(main())
    return failures


def test_a_disk_that_stands_still_does_not_keep_the_process(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_sink, "STOP_SECONDS", 0.05)

    async def use(sink: SegmentSink) -> None:
        waiting = [asyncio.create_task(refuses(sink.record(make_event(0))))]
        await gate.is_entered()
        waiting.append(asyncio.create_task(refuses(sink.record(make_event(1)))))
        await asyncio.sleep(0)
        await sink.stop()
        assert await asyncio.gather(*waiting) == [True, True]
        gate.open.set()

    assert [type(failure) for failure in run_sink_stopped(tmp_path, use)] == [TimeoutError]


def test_what_waits_for_a_disk_that_stands_still_is_bounded(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what ends is still told, since its beginning was."""
    monkeypatch.setattr(segment_sink, "MAX_WAITING_EVENTS", 5)

    async def use(sink: SegmentSink) -> None:
        first = asyncio.create_task(sink.record(make_event(0)))
        await gate.is_entered()
        waiting = [asyncio.create_task(sink.record(make_event(number))) for number in range(1, 6)]
        await asyncio.sleep(0)
        assert await refuses(sink.record(make_event(6)))
        sink.record_soon(make_event(7))
        gate.open.set()
        await asyncio.gather(first, *waiting)
        await sink.record(make_event(8))

    run_sink(tmp_path, use)
    assert list_ids(tmp_path) == [0, 1, 2, 3, 4, 5, 7, 8]


def test_events_are_written_in_the_order_they_came(tmp_path: Path) -> None:
    async def use(sink: SegmentSink) -> None:
        async def client(start: int) -> None:
            for number in range(start, start + 50):
                event: Event = make_event(number)
                if number % 7 == 0:
                    sink.record_soon(event)
                else:
                    await sink.record(event)

        await asyncio.gather(*(client(start) for start in range(0, 1000, 50)))

    run_sink(tmp_path, use)
    found = list_ids(tmp_path)
    assert sorted(found) == list(range(1000))
    for start in range(0, 1000, 50):
        mine = [number for number in found if start <= number < start + 50]
        assert mine == sorted(mine)
