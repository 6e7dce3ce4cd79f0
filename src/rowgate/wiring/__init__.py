"""Puts the rooms together. The only room that knows every one of them."""

import contextlib
import dataclasses
import functools
import logging
import shlex
import socket
import time
from collections.abc import Callable

from rowgate.config import ConfigError, Settings
from rowgate.file_modes import is_exposed
from rowgate.service.databases import Databases
from rowgate.web import client_certificates, server, server_certificate
from rowgate.web.logs import set_up_logs
from rowgate.wiring.administration import Administration, create_home, move_state, open_administration
from rowgate.wiring.opening import (
    check_record,
    counts_folder,
    find_call_problem,
    list_procedure_faults,
    list_table_faults,
    make_audit_writer,
    make_recorder,
    open_databases,
    open_servers,
    prove_databases,
)
from rowgate.wiring.outside import check_trusted_issuers
from rowgate.wiring.state import measure_clock_error, open_reader, open_store, tell_state
from rowgate.wiring.webhooks import check_webhook, create_webhook_key, try_webhook
from rowgate.wiring.worker import build_app, build_worker

__all__ = [
    "Administration",
    "build_app",
    "build_worker",
    "check_trusted_issuers",
    "check_webhook",
    "create_home",
    "create_webhook_key",
    "find_call_problem",
    "find_port_problem",
    "list_procedure_faults",
    "list_table_faults",
    "make_audit_writer",
    "make_recorder",
    "measure_clock_error",
    "move_state",
    "open_administration",
    "open_databases",
    "open_reader",
    "open_servers",
    "open_store",
    "prove_databases",
    "read_authority_ends",
    "read_server_certificate_end",
    "serve",
    "tell_state",
    "try_webhook",
]

_log = logging.getLogger("rowgate")


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve a home until a signal ends it.

    Args:
        settings: Checked settings.
        announce: Is told, once the address is taken, what is served where.

    Raises:
        ConfigError: Port, address, certificate, record or database cannot be used.
        StoreError: The home is not usable.
        RowsError: The database cannot be opened, or would let us write.
    """
    certificate_end = read_server_certificate_end(settings)
    if settings.tls_client_ca:
        client_certificates.read_authorities(settings.tls_client_ca)
    check_trusted_issuers(settings)
    check_record(settings)
    store = open_reader(settings)
    store.load_keys()
    store.close()
    set_up_logs(settings.log_format, settings.log_level)
    opened = open_databases(settings)
    # a worker of this very process goes on with them: to open thousands of objects once more may take a second
    is_alone = settings.workers == 1
    with contextlib.ExitStack() as until_then:
        until_then.callback(opened.close)
        unreachable = prove_databases(opened)
        engine = _tell_engines(opened)
        bound = _bind(settings)
        if is_alone:
            until_then.pop_all()
    settings = dataclasses.replace(settings, port=bound.getsockname()[1])
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    listening = dataclasses.replace(settings, public_url="").issuer
    told = f"Rowgate serves {engine} read-only at {listening} (home {settings.home}{workers})"
    if certificate_end is not None and certificate_end <= time.time():
        _log.warning("the certificate in tls_cert has ended, and clients refuse it: put a new one there, start again")
    if is_exposed(settings.master_key_path.stat()):
        _log.warning("others can read the master key: chmod go-rwx %s", shlex.quote(str(settings.master_key_path)))
    for missing in unreachable:
        _log.warning("database %s cannot be reached yet: %s", missing.namespace or "(plain)", missing.error)
    if settings.log_format == "json":
        _log.info(told)  # every line is one that a log collector can read
    else:
        announce(told)
    with counts_folder(settings) as counts:
        build = functools.partial(build_worker, settings, opened if is_alone else None, counts)
        server.run_server(settings, build, bound)


def _bind(settings: Settings) -> socket.socket:
    try:
        return server.bind_socket(settings.host, settings.port)
    except server.PortTaken as taken:
        raise ConfigError(f"{taken}: stop that program, or serve with --port") from None


def _tell_engines(databases: Databases) -> str:
    return ", ".join(f"{one.namespace}: {one.engine}" if one.namespace else one.engine for one in databases.all)


def read_authority_ends(settings: Settings) -> list[tuple[str, float]]:
    """Give the authorities of `tls_client_ca` by name, each with its end in seconds since 1970.

    Raises:
        ConfigError: The file cannot be read, or holds none.
    """
    return client_certificates.read_authority_ends(settings.tls_client_ca)


def read_server_certificate_end(settings: Settings) -> float | None:
    """Give when the server's own certificate ends, in seconds since 1970; None where it speaks plain HTTP.

    Raises:
        ConfigError: Certificate or key cannot be used.
    """
    if not settings.tls_cert:
        return None
    server_certificate.check_tls(settings)
    return server_certificate.read_certificate_end(settings)


def find_port_problem(settings: Settings) -> str:
    """Say why the server could not listen, or nothing when it could."""
    try:
        server.bind_socket(settings.host, settings.port).close()
    except ConfigError as error:
        return str(error)
    return ""
