"""Real servers: the whole application on uvicorn, in a thread of the test process, with a movable clock.

For tests that kill, stop or multiply processes start `rowgate serve` instead (`serve_process`).
"""

import asyncio
import contextlib
import dataclasses
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn

from rowgate import wiring
from rowgate.audit.reader import Search, find_events
from rowgate.config import Settings
from rowgate.web.server import bind_socket, make_server_config
from support.clock import MovableClock
from support.stopwatch import Stopwatch

_SELDOM_SECONDS = 0.1  # ten wrong guesses are free
_TRUSTING = ssl._create_unverified_context()
ROWGATE = (sys.executable, "-m", "rowgate.cli.main")


def wait_until(condition: Callable[[], Any], *, seconds: float = 10.0, every_seconds: float = 0.01) -> Any:
    """Wait for a condition, never for a time; give what it gave. Look so often.

    A look that began in time may fail, however long it took: the next one tells.
    """
    with Stopwatch() as watch:
        looked_at = 0.0
        while not (found := condition()):
            assert looked_at < seconds, f"it did not come to pass within {seconds} s"
            time.sleep(every_seconds)
            looked_at = watch.seconds
    return found


def ask_until(condition: Callable[[], Any]) -> Any:
    """Wait for a server to hear of a change, asking seldom enough that no throttle takes the questions for guesses."""
    return wait_until(condition, every_seconds=_SELDOM_SECONDS)


def within_a_second(condition: Callable[[], bool]) -> None:
    """Wait as `ask_until` does, for as long as a change may take."""
    wait_until(condition, seconds=1.0, every_seconds=_SELDOM_SECONDS)


@dataclasses.dataclass
class RunningServer:
    """A server in this process."""

    url: str
    settings: Settings
    clock: MovableClock

    @property
    def port(self) -> int:
        return self.settings.port

    def events(self, **search: Any) -> list[dict[str, Any]]:
        """Give what is on record so far, oldest first."""
        found = find_events(self.settings.audit_path, Search(**search))
        return sorted(found, key=lambda event: float(event["at"]))


class _Hurried:
    """asyncio for uvicorn, which otherwise waits for a tenth of a second before it looks whether connections ended."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


uvicorn.server.asyncio = _Hurried()  # type: ignore[assignment, attr-defined]


class PromptServer(uvicorn.Server):
    """Stops when it is told to, not when it next looks: the tests stop hundreds, and each took a fifth of a second."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # which also writes the header with the date, once a second
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1.0)

    def stop(self) -> None:
        """Tell it to stop, from another thread."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._told.set)


@contextmanager
def run_server(settings: Settings, clock: MovableClock | None = None) -> Iterator[RunningServer]:
    """Serve a home until the block ends."""
    clock = clock or MovableClock()
    bound = bind_socket(settings.host, settings.port)
    settings = dataclasses.replace(settings, port=bound.getsockname()[1])
    server = PromptServer(make_server_config(settings, lambda: wiring.build_app(settings, clock=clock)))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    assert server.started, "the server did not start"
    try:
        yield RunningServer(settings.issuer, settings, clock)
    finally:
        server.stop()
        thread.join(settings.shutdown_seconds + 10)
        assert not thread.is_alive(), "the server did not stop"


def fetch_token(url: str, client_id: str, client_secret: str, **more: str) -> dict[str, Any]:
    """Get tokens; the answer must be a success."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, **more}
    answer = httpx.post(f"{url}/api/v1/token", data=form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@dataclasses.dataclass
class ServerProcess:
    """`rowgate serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def kill(self) -> None:
        """Kill it and its workers at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds: float = 40.0) -> int:
        """Ask it to stop; give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def serve_process(home: Path, *flags: str, port: int = 0, scheme: str = "http") -> Iterator[ServerProcess]:
    """Run `rowgate serve` until the block ends; port 0 takes a free one."""
    if not port:
        bound = bind_socket("127.0.0.1", 0)
        port = bound.getsockname()[1]
        bound.close()
    log = home.parent / f"{home.name}-serve-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*ROWGATE, "serve", "--home", str(home), "--port", str(port), *flags],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    running = ServerProcess(process, f"{scheme}://127.0.0.1:{port}", log)
    try:
        wait_until(lambda: process.poll() is not None or _is_ready(running), seconds=20)
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        if process.poll() is None:
            running.kill()


def _is_ready(server: ServerProcess) -> bool:
    # not httpx: a new client each time would take the processor from the server that is starting
    address = urlsplit(server.url)
    if address.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address.netloc, timeout=10, context=_TRUSTING
        )
    else:
        connection = http.client.HTTPConnection(address.netloc, timeout=10)
    with closing(connection):
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
