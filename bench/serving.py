"""Starts the servers to be measured, each pinned to one core, and stops every one by its own process group.

No server outlives the block that started it.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS = 30
STOP_SECONDS = 10
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[-1]


@dataclass(frozen=True, slots=True)
class Server:
    """How one server is started; `command` makes its argument list from the port it shall listen on."""

    name: str
    command: Callable[[int], list[str]]
    ready_path: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; `pid` leads its process group."""

    server: Server
    port: int
    pid: int
    ready_seconds: float

    def url(self, path: str) -> str:
        """The address of a path on this server."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def running(server: Server, *, logs: Path) -> Iterator[Running]:
    """A started server, ready to answer; stopped with all its children at the end of the block.

    Raises:
        RuntimeError: It ended or gave no answer within READY_SECONDS; the message names its log.
    """
    port = free_port()
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{server.name}.log"
    with log.open("wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *server.command(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **server.environment},
            cwd=server.directory,
            start_new_session=True,
        )
        try:
            _wait_ready(process, port=port, path=server.ready_path, log=log)
            yield Running(server, port, process.pid, time.perf_counter() - begin)
        finally:
            _stop(process)


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(process: subprocess.Popen[bytes], *, port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it was ready: see {log}")
        if _status(port, path) == http.client.OK:
            return
        time.sleep(0.005)
    raise RuntimeError(f"no 200 from {path} within {READY_SECONDS} s: see {log}")


def _status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the whole group to end, then ends it; the group is ours, since the process opened its own session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # a child that outlived its parent
