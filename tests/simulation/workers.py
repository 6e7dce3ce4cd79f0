"""Whole workers without a network, threads or time: what happens follows from a seed alone.

`build_app` puts each together as ever; only what is outside of it is ours: the clock, randomness, the record, and the
threads of the store, whose calls are made at once. Every call to store and record can be made to fail.
"""

import asyncio
import dataclasses
import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from rowgate.audit.events import Event
from rowgate.config import Settings
from rowgate.ports import AuditUnavailable, Meanwhile, Store, StoreError, StoreReader, StoreWriter, WhenDurable
from rowgate.service.follow import Follower
from rowgate.web.app import App
from rowgate.wiring import worker as wiring
from rowgate.wiring.state import open_store

JSON = dict[str, Any]


class Faults:
    """Says of every call to the store and the record, in order, whether it fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._decide: Callable[[int], bool] = _never

    def fails(self, kind: str) -> bool:
        """Count a call and tell whether it fails; numbers begin at 1."""
        self.calls.append(kind)
        return self._decide(len(self.calls))

    def fail_at(self, number: int) -> None:
        """Let the call of that number fail, from 1, and no other."""
        self.calls.clear()
        self._decide = lambda call: call == number

    def fail_often(self, chance: random.Random, rate: float) -> None:
        """Let each call fail with that likelihood."""
        self._decide = lambda _call: chance.random() < rate

    def stop(self) -> None:
        """Let nothing fail."""
        self._decide = _never

    @contextmanager
    def none(self) -> Iterator[None]:
        """Let nothing fail within the block."""
        decide, self._decide = self._decide, _never
        yield
        self._decide = decide


def _never(_call: int) -> bool:
    return False


class HereExecutor(ThreadPoolExecutor):
    """Makes every call at once, in the thread that asks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits
            done.set_exception(error)
        return done


@dataclass
class Record:
    """The record: what is in `events` is durable."""

    faults: Faults
    events: list[Event] = field(default_factory=list)
    is_writable = True

    def record_from_thread(self, events: Sequence[Event]) -> None:
        if self.faults.fails("record"):
            raise AuditUnavailable
        self.events += events

    def record_then(self, event: Event, when_durable: WhenDurable, meanwhile: Meanwhile | None = None) -> None:
        failure = AuditUnavailable() if self.faults.fails("record") else None
        if meanwhile is not None and len(self.events) % 2:  # the record may leave it out
            meanwhile()
        if failure is None:
            self.events.append(event)
        asyncio.get_running_loop().call_soon(when_durable, failure)

    async def record(self, event: Event) -> None:
        if self.faults.fails("record"):
            raise AuditUnavailable
        self.events.append(event)

    def record_soon(self, event: Event) -> None:
        self.events.append(event)

    def leave_out(self, event: Event) -> None:
        """What only says once more that one has to wait."""


class Reader:
    """A store's reading side that may fail."""

    def __init__(self, inner: StoreReader, faults: Faults) -> None:
        self.inner = inner
        self.faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def has_changed(self) -> bool:
        if self.faults.fails("look"):
            raise StoreError("the simulation says so")
        return self.inner.has_changed()


class Writer:
    """A store's writing side that may fail: before the work, at the commit, or after it."""

    def __init__(self, inner: Store, faults: Faults) -> None:
        self.inner = inner
        self.faults = faults

    def close(self) -> None:
        self.inner.close()

    @contextmanager
    def changing(self) -> Iterator[StoreWriter]:
        if self.faults.fails("begin"):
            raise StoreError("the simulation says so: begin")
        with self.inner.changing() as change:
            yield change
            if self.faults.fails("commit"):
                raise StoreError("the simulation says so: commit")
        if self.faults.fails("committed"):
            raise StoreError("the simulation says so: committed, and nobody knows")


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def members(self) -> JSON:
        return dict(json.loads(self.body))


@dataclass
class Worker:
    """A worker process; to kill it is to let go of it."""

    app: App
    follower: Follower

    async def post_json(self, path: str, **members: str) -> Answer:
        """Send an object and give the answer."""
        return await self._send(path, json.dumps(members).encode(), [(b"content-type", b"application/json")])

    async def post(self, path: str, basic: tuple[str, str], **form: str) -> Answer:
        """Send a form of a client that shows its secret, and give the answer."""
        credentials = b"Basic " + b64encode(":".join(basic).encode())
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"authorization", credentials)]
        return await self._send(path, urlencode(form).encode(), headers)

    async def _send(self, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> Answer:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 8082),
        }
        sent: list[Any] = []

        async def receive() -> JSON:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], told, b"".join(message["body"] for message in sent[1:]))


@dataclass
class House:
    """A home, and how workers are made in it."""

    settings: Settings
    clock: Callable[[], float]
    entropy: Callable[[int], bytes]
    patch: pytest.MonkeyPatch
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.record = Record(self.faults)
        self.followers: list[Follower] = []

        def follow(store: StoreReader, state: Any, executor: Executor, clock: Any) -> Follower:
            self.followers.append(Follower(Reader(store, self.faults), state, executor, clock))
            return self.followers[-1]

        self.patch.setattr(wiring, "open_store", lambda settings: Writer(open_store(settings), self.faults))
        self.patch.setattr(wiring, "Follower", follow)
        self.patch.setattr(wiring, "SegmentSink", lambda *_args, **_more: self.record)
        self.patch.setattr(wiring, "ThreadPoolExecutor", HereExecutor)

    def start_worker(self) -> Worker:
        """Put a worker together as of what is committed now."""
        app = wiring.build_app(dataclasses.replace(self.settings), clock=self.clock, entropy=self.entropy)
        return Worker(app, self.followers[-1])


def run(story: Callable[[], Any]) -> None:
    """Run a story to its end in a loop whose own threads are none either."""

    async def begin() -> None:
        asyncio.get_running_loop().set_default_executor(HereExecutor(max_workers=1))
        await story()

    asyncio.run(begin())
