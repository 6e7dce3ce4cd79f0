"""uvicorn's server in one worker: its end is in order however soon it must come, and SIGHUP reads its certificate anew.

Rule: whatever ends a worker but a kill, its reads end on record.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading

import uvicorn

from rowgate.config import ConfigError
from rowgate.web.server_certificate import load_certificate

_log = logging.getLogger("rowgate")

_STANDARD_ERROR = 2


class Terminal:
    """The terminal that a server was started on, if it was: when its window is closed, the signal is SIGHUP too."""

    def __init__(self) -> None:
        """Look whether there is one."""
        self._began_with = os.isatty(_STANDARD_ERROR)

    def is_gone(self) -> bool:
        """Tell whether it was closed since."""
        return self._began_with and not os.isatty(_STANDARD_ERROR)


class WorkerServer(uvicorn.Server):
    """See above."""

    _running_loop: asyncio.AbstractEventLoop | None = None

    def wait_for_turn(self) -> None:
        """Return when the event loop has done something; for another thread. At once while it does not run yet."""
        if self._running_loop is None:
            return
        turned = threading.Event()
        with contextlib.suppress(RuntimeError):  # it has ended
            self._running_loop.call_soon_threadsafe(turned.set)
            turned.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and listen to SIGHUP, which would end the process as a kill does."""
        self._running_loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            self._running_loop.add_signal_handler(signal.SIGHUP, self._heed_hangup, Terminal())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; of a second Ctrl-C uvicorn leaves everything as it is, and nothing would tell how the reads ended."""
        await super().shutdown(sockets)
        if self.force_exit:
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()

    def _heed_hangup(self, terminal: Terminal) -> None:
        if terminal.is_gone():
            self.should_exit = True
        else:
            self._read_certificate_anew()

    def _read_certificate_anew(self) -> None:
        """Take the renewed certificate for the connections that come; those that are open keep theirs."""
        context, cert, key = self.config.ssl, self.config.ssl_certfile, self.config.ssl_keyfile
        if context is None or cert is None or key is None:
            _log.info("there is no certificate to be read anew")
            return
        try:
            load_certificate(context, str(cert), str(key))
        except ConfigError as error:
            _log.error("the certificate was not read anew, the one before stays in use: %s", error)
            return
        _log.warning("the certificate was read anew")
