"""Runs the application on uvicorn.

Nothing but this file, `worker_server.py`, `supervisor.py`, `protocol.py`, `finishing.py` and `whole_cycle.py` knows
which server it is.
"""

import contextlib
import errno
import logging
import multiprocessing
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from rowgate.config import ConfigError, Settings
from rowgate.ports import StoreError
from rowgate.rows.errors import RowsError
from rowgate.web.app import App
from rowgate.web.client_certificates import ClientCertificates, make_client_certificates
from rowgate.web.connection_limits import ConnectionLimits
from rowgate.web.file_limit import raise_file_limit
from rowgate.web.forwarded import ForwardedHeaders
from rowgate.web.protocol import StrictHttpProtocol
from rowgate.web.supervisor import Supervisor
from rowgate.web.worker_server import WorkerServer

_log = logging.getLogger("rowgate")

BACKLOG = 2048


class PortTaken(ConfigError):
    """Another program holds the port; the text says which, where that can be seen."""


def bind_socket(host: str, port: int) -> socket.socket:
    """Give a listening address.

    Raises:
        PortTaken: Another program holds it.
        ConfigError: The address does not exist on this machine, or the port needs more rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so named, asyncio sends without delay
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            holder = find_port_holder(port)
            raise PortTaken(f"port {port} is held by {holder or 'another program'}") from None
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror or error}") from None
    bound.set_inheritable(True)
    return bound


def find_port_holder(port: int) -> str:
    """Say which process listens on a port, or nothing where the system does not tell."""
    import psutil  # noqa: PLC0415 - only when something is wrong, or for doctor

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                return f"process {connection.pid} ({' '.join(process.cmdline())[:120] or process.name()})"
    return ""


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration and what `StrictHttpProtocol` wants to know; workers get it pickled."""

    max_header_bytes: int
    request_seconds: int
    send_stall_seconds: int
    connection_limits: ConnectionLimits
    look_at_forwarded: ForwardedHeaders | None
    client_certificates: ClientCertificates | None

    def load(self) -> None:
        """Load, as uvicorn does; then let the application say whose certificates may come.

        What keeps a worker from that is one line of the log; in a process of its own it is raised as it is.
        """
        try:
            super().load()
        except (ConfigError, StoreError, RowsError, OSError) as error:
            if multiprocessing.parent_process() is None:
                raise
            _log.error("the worker cannot start: %s", error)
            sys.exit(STARTUP_FAILURE)
        _end_with_supervisor()
        if self.client_certificates is not None:
            app: Any = self.loaded_app
            while not isinstance(app, App):
                app = app.app  # uvicorn has wrapped it
            app.take_client_certificates(self.client_certificates)


def _make_tls_context(
    certificates: ClientCertificates, _config: Any, make: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    context = make()
    certificates.prepare(context)
    return context


def make_server_config(settings: Settings, app: Callable[..., Any]) -> ServerConfig:
    """Give uvicorn's configuration; `app` is called in each worker and gives the application."""
    certificates = make_client_certificates(settings)
    asking = certificates if certificates is not None and certificates.from_handshake else None
    config = ServerConfig(
        app,
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="uvloop" if _has_uvloop() else "asyncio",
        http=StrictHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        workers=settings.workers,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        ssl_context_factory=None if asking is None else partial(_make_tls_context, asking),
    )
    config.client_certificates = certificates
    config.max_header_bytes = settings.max_header_bytes
    config.request_seconds = settings.request_seconds
    config.send_stall_seconds = settings.send_stall_seconds
    trusted = list(settings.trusted_proxies)
    config.look_at_forwarded = ForwardedHeaders(trusted) if trusted else None
    config.connection_limits = ConnectionLimits(
        most=settings.max_connections,
        most_of_one=settings.max_connections_per_address,
        proxies=config.look_at_forwarded,
    )
    return config


def _end_with_supervisor() -> None:
    """Have this worker end when its supervisor is gone: nobody else would stop it, and it keeps the port."""
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return

    def wait() -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor", daemon=True).start()


def run_server(settings: Settings, app: Callable[..., Any], bound: socket.socket) -> None:
    """Serve until a signal ends it: one process, or a supervisor with its workers."""
    raise_file_limit(connections=settings.max_connections, reads=settings.max_reads)
    config = make_server_config(settings, app)
    if settings.workers > 1:
        Supervisor(config, sockets=[bound]).run()
    else:
        WorkerServer(config).run(sockets=[bound])


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401, PLC0415 - not on every platform
    except ImportError:
        return False
    return True
