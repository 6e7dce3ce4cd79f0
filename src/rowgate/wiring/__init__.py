"""Puts the rooms together. The only room that knows every one of them."""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable

from rowgate.config import ConfigError, Settings
from rowgate.service.databases import Databases
from rowgate.web import client_certificates, server
from rowgate.web.logs import set_up_logs
from rowgate.wiring.administration import Administration, create_home, move_state, open_administration
from rowgate.wiring.opening import (
    find_call_problem,
    list_procedure_faults,
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
        ConfigError: Port, address, certificate or database cannot be used.
        StoreError: The home is not usable.
        RowsError: The database cannot be opened, or would let us write.
    """
    server.check_tls(settings)
    check_trusted_issuers(settings)
    store = open_reader(settings)
    store.load_keys()
    store.close()
    opened = open_databases(settings)
    # a worker of this very process goes on with them: to open thousands of objects once more may take a second
    is_alone = settings.workers == 1
    with contextlib.ExitStack() as until_then:
        until_then.callback(opened.close)
        unreachable = prove_databases(opened)
        engine = _tell_engines(opened)
        bound = server.bind_socket(settings.host, settings.port)
        if is_alone:
            until_then.pop_all()
    settings = dataclasses.replace(settings, port=bound.getsockname()[1])
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    listening = dataclasses.replace(settings, public_url="").issuer
    told = f"Rowgate serves {engine} read-only at {listening} (home {settings.home}{workers})"
    set_up_logs(settings.log_format, settings.log_level)
    for missing in unreachable:
        _log.warning("database %s cannot be reached yet: %s", missing.namespace or "(plain)", missing.error)
    if settings.log_format == "json":
        _log.info(told)  # every line is one that a log collector can read
    else:
        announce(told)
    server.run_server(settings, functools.partial(build_worker, settings, opened if is_alone else None), bound)


def _tell_engines(databases: Databases) -> str:
    return ", ".join(f"{one.namespace}: {one.engine}" if one.namespace else one.engine for one in databases.all)


def read_authority_ends(settings: Settings) -> list[tuple[str, float]]:
    """Give the authorities of `tls_client_ca` by name, each with its end in seconds since 1970.

    Raises:
        ConfigError: The file cannot be read, or holds none.
    """
    return client_certificates.read_authority_ends(settings.tls_client_ca)


def find_port_problem(settings: Settings) -> str:
    """Say why the server could not listen, or nothing when it could."""
    try:
        server.bind_socket(settings.host, settings.port).close()
    except ConfigError as error:
        return str(error)
    return ""
