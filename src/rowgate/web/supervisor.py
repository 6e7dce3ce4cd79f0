"""Keeps the workers: replaces one that died or fell silent, and stops them all within their time.

uvicorn's supervisor waits for the answer of one worker after the other, half a minute for one that is frozen, hears of
signals once in half a second, and waits without end for the last worker. Rule: nothing here waits for a worker alone.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import time

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from rowgate.web.worker_server import Terminal, WorkerServer

_log = logging.getLogger("rowgate")

SILENT_SECONDS = 30  # a worker that is silent for longer is replaced; on a busy machine one may start for several
END_SECONDS = 20  # for a worker whose time for running requests is over: reads are told to stop, the record is closed
AGAIN_SECONDS = 2.0  # from the beginning of a worker that could not start to that of the next
_LOOK_SECONDS = 0.5


class Worker(Process):
    """One worker process, as its supervisor sees it."""

    begun_at = 0.0
    has_served = False
    must_read_anew = False  # its certificate, as soon as it serves: before, SIGHUP would end it
    _asked_at: float | None = None  # and has not answered since

    @property
    def server(self) -> WorkerServer:
        """What runs in the process; made there."""
        if not isinstance(self._server, WorkerServer):
            self._server = WorkerServer(self.config)
        return self._server

    def pong(self) -> None:
        """Answer one question, in a thread of the worker: not for a loop that hangs, which serves nobody."""
        self.child_conn.recv()
        self.server.wait_for_turn()
        self.child_conn.send(self.server.started)

    def is_well(self, now: float) -> bool:
        """Ask whether it answers, without waiting; tell whether it lives and the last answer is not overdue."""
        if not self.process.is_alive():
            return False
        with contextlib.suppress(OSError, EOFError):  # it is ending just now: the next look sees it
            if self._asked_at is not None and self.parent_conn.poll():
                self.has_served = self.parent_conn.recv() or self.has_served
                self._asked_at = None
            if self._asked_at is None:
                self.parent_conn.send(b"ping")
                self._asked_at = now
        return self._asked_at is None or now - self._asked_at <= SILENT_SECONDS

    def signal(self, number: int) -> None:
        """Send it a signal, if it still lives."""
        if self.process.exitcode is None and self.process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


class Supervisor(Multiprocess):
    """See above."""

    processes: list[Worker]  # type: ignore[assignment]

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        """Take what uvicorn takes; signals are heard from now on."""
        self._woken, wakes = socket.socketpair()
        wakes.setblocking(False)  # noqa: FBT003 - its own shape
        self._woken.setblocking(False)  # noqa: FBT003
        self._terminal = Terminal()
        self._has_served = False  # any worker, at any time
        self._wakes = wakes  # kept open: the interpreter writes to it when a signal comes
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        super().__init__(config, sockets)

    def run(self) -> None:
        """Serve until a signal ends it, or a worker cannot start."""
        self.init_processes()
        while not self.should_exit.is_set():
            self._sleep(_LOOK_SECONDS)
            self.handle_signals()
            if not self.should_exit.is_set():
                self.keep_subprocess_alive()
        for bound in self.sockets:
            bound.close()  # or who connects now is neither refused nor answered until all have ended
        for worker in self.processes:
            worker.terminate()
            if hasattr(signal, "SIGCONT"):
                worker.signal(signal.SIGCONT)  # one that somebody has stopped would not hear of it
        self._wait_for_workers()
        self.close()

    def close(self) -> None:
        """Hear of no signal any more."""
        signal.set_wakeup_fd(-1)
        self._woken.close()
        self._wakes.close()

    def init_processes(self) -> None:
        """Begin all workers."""
        self.processes = [self._begin_worker() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace who is gone or silent, and tell.

        Where no worker has served yet and one cannot start, neither can another, and the server ends. Later it is a
        full disk, or a state that is away, and the others serve on.
        """
        now = time.monotonic()
        for place, worker in enumerate(self.processes):
            if worker.is_well(now):
                self._has_served = self._has_served or worker.has_served
                if worker.must_read_anew and worker.has_served:
                    worker.must_read_anew = False
                    worker.signal(signal.SIGHUP)
                continue
            if not worker.process.is_alive() and now - worker.begun_at < AGAIN_SECONDS and self._has_served:
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE and not self._has_served:
                self.should_exit.set()
                return
            self.processes[place] = self._begin_worker()
            _log.warning("worker %s has ended (exit code %s), another takes its place", worker.pid, worker.exitcode)

    def handle_hup(self) -> None:
        """Have the workers read the certificate anew. uvicorn's would replace them, and cut what they are sending."""
        if self._terminal.is_gone():
            self.should_exit.set()
        for worker in self.processes:
            worker.must_read_anew = True

    def handle_ttin(self) -> None:
        """The number of workers is a setting, by which failures and connections are divided."""

    handle_ttou = handle_ttin

    def _begin_worker(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        worker.begun_at = time.monotonic()
        return worker

    def _wait_for_workers(self) -> None:
        """Return when all have ended; one that does not is killed, or the port stays taken for ever."""
        limit = time.monotonic() + (self.config.timeout_graceful_shutdown or 0) + END_SECONDS
        while living := [worker for worker in self.processes if worker.process.is_alive()]:
            self._sleep(0.05)
            if signal.SIGINT in self.signal_queue:  # the second Ctrl-C: at once, and on record
                self.signal_queue.clear()
                for worker in living:
                    worker.signal(signal.SIGINT)
            if time.monotonic() > limit:
                for worker in living:
                    _log.error("worker %s did not end in time and is killed", worker.pid)
                    worker.kill()
                    worker.join()

    def _sleep(self, seconds: float) -> None:
        """Return after so long, or when a signal has come."""
        if select.select([self._woken], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(1024)
