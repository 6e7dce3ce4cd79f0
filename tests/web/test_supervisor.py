"""Workers as their supervisor sees them: one that serves nobody is not taken for one that is well."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from rowgate.web.supervisor import AGAIN_SECONDS, SILENT_SECONDS, Supervisor, Worker


@pytest.fixture
def worker() -> Worker:
    """A worker whose process lives and does nothing: the test answers for it."""
    made = Worker(uvicorn.Config("none"), [])
    made.process = cast("Any", SimpleNamespace(is_alive=lambda: True))
    return made


def test_a_worker_that_answers_is_well_for_ever(worker: Worker) -> None:
    for now in (0.0, 1000.0, 2000.0):
        assert worker.is_well(now)
        worker.pong()


def test_a_worker_that_is_silent_for_long_is_not(worker: Worker) -> None:
    """It is asked once, not again with each look: a frozen one would have its pipe filled."""
    assert worker.is_well(0.0)
    assert worker.is_well(SILENT_SECONDS)
    assert not worker.is_well(SILENT_SECONDS + 0.1)
    worker.pong()
    assert not worker.child_conn.poll()
    assert worker.is_well(SILENT_SECONDS + 0.2)


def test_a_worker_that_has_ended_is_not(worker: Worker) -> None:
    worker.child_conn.close()
    worker.process = cast("Any", SimpleNamespace(is_alive=lambda: False))
    assert not worker.is_well(0.0)


def test_a_worker_whose_event_loop_hangs_does_not_answer(worker: Worker) -> None:
    """The answer comes from a thread, which goes on when the loop waits for ever."""
    hangs, go_on = threading.Event(), threading.Event()

    async def hang() -> None:
        worker.server._running_loop = asyncio.get_running_loop()
        hangs.set()
        go_on.wait(20)
        await asyncio.to_thread(answering.join, 20)

    running = threading.Thread(target=asyncio.run, args=(hang(),))
    answering = threading.Thread(target=worker.pong)
    running.start()
    assert hangs.wait(20)
    assert worker.is_well(0.0)
    answering.start()
    assert not worker.parent_conn.poll(0.1)
    go_on.set()
    assert worker.parent_conn.poll(20)
    running.join(20)
    assert not answering.is_alive()


class _Ended(Worker):
    """A worker whose process could not start, or died at once."""

    def __init__(self, config: uvicorn.Config, exit_code: int) -> None:
        super().__init__(config, [])
        self.begun_at = time.monotonic()
        self.process = cast("Any", SimpleNamespace(is_alive=lambda: False, exitcode=exit_code, pid=1))

    def kill(self) -> None:
        """It is gone."""

    def join(self) -> None:
        """It is gone."""


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor with one worker that could not start; the next begins and does nothing."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "set_wakeup_fd", lambda *_, **__: None)
    made = Supervisor(uvicorn.Config("none"), [])
    made.processes = [_Ended(made.config, STARTUP_FAILURE)]
    monkeypatch.setattr(made, "_begin_worker", lambda: _Ended(made.config, 0))
    yield made
    made.close()


def test_a_server_whose_first_worker_cannot_start_ends(supervisor: Supervisor) -> None:
    supervisor.keep_subprocess_alive()
    assert supervisor.should_exit.is_set()


def test_a_worker_that_cannot_start_later_is_tried_again_after_a_while(supervisor: Supervisor, worker: Worker) -> None:
    """A full disk, or a state that is away: the others serve on, and nothing spins."""
    failed = supervisor.processes[0]
    supervisor.processes.insert(0, worker)
    worker.has_served = True
    supervisor.keep_subprocess_alive()
    assert supervisor.processes[1] is failed
    failed.begun_at -= AGAIN_SECONDS
    supervisor.keep_subprocess_alive()
    assert supervisor.processes[1] is not failed
    assert not supervisor.should_exit.is_set()
