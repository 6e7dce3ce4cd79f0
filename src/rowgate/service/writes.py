"""Changes that a serving worker itself makes to the state: a revocation, a use of what may be used only once.

The store that writes is opened with the first change, for it is slow to load and most workers never need it, and in
another thread than the one it works in, so that the worker goes on following. Changes that come while others are
being committed share the next transaction. Rule: nobody is told of a change before it is committed and this worker's
own state holds it; other workers follow by themselves. What is to be on record of a change is there before the commit.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from rowgate.audit.events import Event
from rowgate.ports import AuditUnavailable, Clock, Store, StoreError, StoreWriter
from rowgate.records import CLOCK_ERROR_SECONDS
from rowgate.service.follow import Follower

CLEAR_SECONDS = 60.0  # between clearings of what is too old to matter
CLOCKS_APART_SECONDS = 60  # the most that a replica's may be ahead of another's: what is too old here may be good there
MAX_WAITING = 1000  # changes; a disk that stands still must not gather more
MAX_TOGETHER = 100  # changes in one transaction: it keeps other writers out

_T = TypeVar("_T")
Work: TypeAlias = Callable[[StoreWriter], _T]
Tell: TypeAlias = Callable[[_T], Sequence[Event]]
WhenWritten: TypeAlias = Callable[[_T | StoreError], None]
Record: TypeAlias = Callable[[Sequence[Event]], None]

_log = logging.getLogger("rowgate.writes")


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Work[Any]
    when_written: WhenWritten[Any]
    tell: Tell[Any] | None = None


class _Unrecorded(StoreError):
    """The change could not be put on record, so it was not made."""


class Writes:
    """Makes changes in the store thread and answers on the event loop; every method is called there."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        follower: Follower,
        executor: Executor,
        *,
        record: Record,
        clock: Clock,
    ) -> None:
        """Take how the store is opened, what brings this worker's state up to date, and the one store thread.

        There `record` is called: it returns when the events are durable, or raises AuditUnavailable.
        """
        self._record = record
        self._clock = clock
        self._clear_at = 0.0
        self._open_store = open_store
        self._follower = follower
        self._executor = executor
        self._store: Store | None = None
        self._waiting: list[_Job] = []
        self._task: asyncio.Task[None] | None = None

    def write_then(self, work: Work[_T], when_written: WhenWritten[_T]) -> None:
        """Have a change made; call back, after this has returned, with what it gave or why it could not be made.

        Args:
            work: Runs inside a transaction, in the store thread. It may be run again after the transaction of
                another change was undone, so it does nothing but use the writer and return. What it raises undoes
                it: a StoreError reaches the caller as it is, anything else as a StoreError with the cause.
            when_written: Told after the commit, when this worker's state holds the change. A StoreError may also
                mean that the change was made and could not be read back: the caller must be free to ask again.

        Raises:
            StoreError: Too many changes are waiting; nobody is called back.
        """
        self._add(_Job(work, when_written))

    def _add(self, job: _Job) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise StoreError("too many changes are waiting to be written; try again")
        self._waiting.append(job)
        if self._task is None or self._task.done():
            # a task of its own: a request that is given up must not leave a change half taken over
            self._task = asyncio.get_running_loop().create_task(self._write_waiting())

    async def write(self, work: Work[_T], *, tell: Tell[_T] | None = None) -> _T:
        """Return what a change gave, as `write_then` does it.

        Args:
            work: See there.
            tell: Gives the events of what the work gave. They are durable before the change is: a crash in between
                leaves a change on record that was not made, and never one that is not on record.

        Raises:
            StoreError: It could not be made, or not be read back.
            AuditUnavailable: It could not be put on record; it was not made.
        """
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        def settle(outcome: _T | StoreError) -> None:
            if done.cancelled():
                return
            if isinstance(outcome, _Unrecorded):
                done.set_exception(AuditUnavailable())
            elif isinstance(outcome, StoreError):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

        self._add(_Job(work, settle, tell))
        return await done

    async def stop(self) -> None:
        """Make what waits, then let go of the store."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._store is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._store.close)
            self._store = None

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            jobs, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            try:
                if self._store is None:
                    self._store = await loop.run_in_executor(None, self._open_store)
                outcomes = await loop.run_in_executor(
                    self._executor, self._commit, self._store, jobs, self._find_clearing()
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits gets an answer
                outcomes = dict.fromkeys(jobs, _tell(error))
            unread: StoreError | None = None
            if any(not isinstance(outcome, StoreError) for outcome in outcomes.values()):
                unread = await self._catch_up()
            for job, outcome in outcomes.items():
                told = outcome if unread is None or isinstance(outcome, StoreError) else unread
                loop.call_soon(job.when_written, told)  # so that one that fails leaves the others theirs

    async def _catch_up(self) -> StoreError | None:
        try:
            await self._follower.catch_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits gets an answer
            return _tell(error)
        return None

    def _find_clearing(self) -> float | None:
        """Give the time that is to be cleared up to, when a minute is over or the clock was set back."""
        now = self._clock()
        if now < self._clear_at <= now + CLEAR_SECONDS:
            return None
        self._clear_at = now + CLEAR_SECONDS
        return now

    def _commit(self, store: Store, jobs: list[_Job], clears_until: float | None) -> dict[_Job, Any]:
        """Make the changes in one transaction, those that fail left out; give what each gave, or its StoreError.

        What is too old to matter goes in the same transaction, which is open anyway.
        """
        outcomes: dict[_Job, Any] = {}
        remaining = list(jobs)
        while remaining:
            current: _Job | None = None
            results: list[Any] = []
            try:
                with store.changing() as change:
                    if clears_until is not None:
                        change.forget_used(clears_until - CLOCKS_APART_SECONDS)
                        change.forget_refresh_families(clears_until - CLOCK_ERROR_SECONDS)
                        change.forget_revocations(clears_until - CLOCK_ERROR_SECONDS)
                    events: list[Event] = []
                    for current in remaining:
                        results.append(current.work(change))
                        events += current.tell(results[-1]) if current.tell else ()
                    current = None
                    if events:
                        self._record(events)
            except AuditUnavailable:
                told_of = [job for job in remaining if job.tell]
                outcomes |= dict.fromkeys(told_of, _Unrecorded("the change cannot be put on record"))
                remaining = [job for job in remaining if not job.tell]
            except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits gets an answer
                told = _tell(error)
                if current is None:  # the store itself: it is locked, or its disk is full
                    return outcomes | dict.fromkeys(remaining, told)
                outcomes[current] = told
                remaining.remove(current)
            else:
                return outcomes | dict(zip(remaining, results, strict=True))
        return outcomes


def _tell(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    _log.error("a change cannot be made", exc_info=error)
    told = StoreError("the change could not be made; the log has the reason")
    told.__cause__ = error
    return told
