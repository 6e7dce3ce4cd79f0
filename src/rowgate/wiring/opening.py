"""Opens what a home has: its record, the databases that it serves, its way to other hosts."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from rowgate.audit.events import Event
from rowgate.audit.segments import SegmentWriter
from rowgate.config import ConfigError, Settings
from rowgate.engines.addresses import UnservedAddress, open_generic
from rowgate.engines.declared import DeclaredProcedures
from rowgate.engines.read_replicas import ReadReplicas, ReplicatedSource, Server
from rowgate.engines.sqlite import SqliteSource
from rowgate.oauth.lifetimes import Maxima
from rowgate.outgoing.client import OutgoingClient, OutgoingLimits
from rowgate.outgoing.destinations import Destinations, parse_hosts
from rowgate.ports import AuditUnavailable, CallError
from rowgate.ports.buckets import Buckets
from rowgate.ports.counts import SharedCounts
from rowgate.ports.queries import QuerySource
from rowgate.ports.rows import RowSource
from rowgate.rows.errors import EngineUnavailable, RowsError
from rowgate.served_databases import DatabaseSettings
from rowgate.service.databases import PLAIN, Database, Databases, Unreachable
from rowgate.service.key_plan import KeyPolicy


def open_databases(settings: Settings) -> Databases:
    """Give the served databases; nothing of them is opened yet.

    Raises:
        ConfigError: There is none, or the address of one is not one that this release can serve.
    """
    if not settings.served_databases:
        raise ConfigError("no database is set: `rowgate init --database sqlite:///PATH`, or database in rowgate.toml")
    return Databases(
        [
            Database(served.name, _declare(settings, served.name, open_source(served, settings.max_reads)))
            for served in settings.served_databases
        ]
    )


def prove_databases(databases: Databases) -> Sequence[Unreachable]:
    """Have every database prove that it cannot be written, and give those that cannot be reached now.

    They are served later, once they have proven it: one that is down must not keep the others from being served.

    Raises:
        NotReadOnly: One would let us write.
        RowsError: None can be reached; most likely an address is wrong.
        ConfigError: Two objects would have one name.
    """
    unreachable: list[Unreachable] = []
    for database in databases.all:
        try:
            database.prove_read_only()
        except EngineUnavailable as error:
            unreachable.append(Unreachable(database.namespace, error))
    if len(unreachable) == len(databases.all):
        raise unreachable[0].error
    if all(missing.namespace != PLAIN for missing in unreachable) and (clashes := databases.find_clashes()):
        raise ConfigError(
            f"the database has an object {clashes[0]} of its own, which looks like one of the [[databases]] "
            "named so: name that table otherwise"
        )
    return unreachable


def open_source(served: DatabaseSettings, max_reads: int) -> RowSource:
    """Give the source of a served database; that many statements may run on it at once.

    Raises:
        ConfigError: The address is not one that this release can serve.
    """
    return ReadReplicas(open_servers(served, max_reads)) if served.read_replicas else _open_one(served, max_reads)


def open_servers(served: DatabaseSettings, max_reads: int) -> Sequence[Server]:
    """Give the servers of a database that has read replicas, in the order in which they are read; the primary is last.

    Raises:
        ConfigError: The address of one is not one that this release can serve, or not beside the others.
    """
    servers: list[Server] = []
    named = f" of database {served.name}" if served.name else ""
    replicas = [("read replica", address) for address in served.read_replicas]
    for kind, address in [*replicas, ("primary", served.address)]:
        label = f"the {kind} {address}{named}"
        source = _open_one(replace(served, address=address, read_replicas=()), max_reads)
        if not _has_servers(source):
            raise ConfigError(f"{label}: read replicas are for PostgreSQL, MariaDB and MySQL")
        if servers and type(servers[0].source) is not type(source):
            raise ConfigError(f"{label} is of another engine than the first")
        servers.append(Server(label, source))
    return servers


def _has_servers(source: RowSource) -> TypeGuard[ReplicatedSource]:
    return _describes_queries(source) and hasattr(type(source), "open_call")


def _open_one(served: DatabaseSettings, max_reads: int) -> RowSource:
    database = served.address
    scheme, separator, rest = database.partition("://")
    if not separator:
        return SqliteSource(Path(database).absolute())
    if scheme == "sqlite" and rest.startswith("/"):
        return SqliteSource(Path(rest[1:]).absolute())
    if scheme in ("postgresql", "postgres"):
        return _open_postgres(served, max_reads)
    return _open_generic(served, max_reads)


def _open_postgres(served: DatabaseSettings, max_reads: int) -> RowSource:
    try:
        from rowgate.engines.postgres import PostgresSource  # noqa: PLC0415 - most do without
        from rowgate.engines.postgres_address import read_address  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("to serve PostgreSQL: pip install 'rowgate[postgres]'") from error
    try:
        address = read_address(served.address, served.password_file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the database's address: {error}") from error
    # beside the reads, one connection looks at the catalog and one answers an administrator
    return PostgresSource(address, max_connections=max_reads + 2)


def _declare(settings: Settings, namespace: str, source: RowSource) -> RowSource:
    """Give a source with the procedures of its folder, where its engine has none of its own."""
    if not _describes_queries(source):
        return source
    folder = settings.procedures_path
    return DeclaredProcedures(source, folder / namespace if namespace else folder)


def _describes_queries(source: RowSource) -> TypeGuard[QuerySource]:
    return hasattr(type(source), "describe_query")  # of the class: to ask the object would open its database


def list_procedure_faults(databases: Databases) -> Sequence[tuple[str, str]]:
    """Give what of the declared procedures cannot be called, by name, and why; of databases that can be asked."""
    faults: list[tuple[str, str]] = []
    for database in databases.all:
        try:
            source = database.open_source()
            if isinstance(source, DeclaredProcedures):
                faults += [(database.name_for_clients(name), fault) for name, fault in source.list_faults()]
        except EngineUnavailable:
            continue  # that it cannot be asked is told elsewhere
    return faults


def list_table_faults(databases: Databases) -> Sequence[tuple[str, str]]:
    """Give the tables that are there and cannot be read, by name, and why; of databases that can be asked."""
    faults: list[tuple[str, str]] = []
    for database in databases.all:
        try:
            source = database.open_source()
            if isinstance(source, DeclaredProcedures):
                faults += [(database.name_for_clients(name), fault) for name, fault in source.list_table_faults()]
        except RowsError:
            continue  # as above
    return faults


def _open_generic(served: DatabaseSettings, max_reads: int) -> RowSource:
    try:
        password = Path(served.password_file).read_text("utf-8").partition("\n")[0] if served.password_file else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"the database's password_file: {error}") from error
    try:
        return open_generic(
            served.address,
            password=password,
            max_connections=max_reads + 2,
            accept_unproven=served.accept_unproven,
        )
    except UnservedAddress as error:
        raise ConfigError(str(error)) from error


def open_outgoing(settings: Settings) -> OutgoingClient:
    """Give the way to other hosts; nothing is called or loaded yet.

    Raises:
        ConfigError: A host of the settings is none.
    """
    try:
        hosts, private = parse_hosts(settings.outgoing_hosts), parse_hosts(settings.outgoing_private_hosts)
    except ValueError as error:
        raise ConfigError(f"outgoing_hosts or outgoing_private_hosts: {error}") from error
    return OutgoingClient(
        Destinations(hosts, private, settings.outgoing_http_on_loopback),
        OutgoingLimits(settings.outgoing_seconds, settings.outgoing_ca_file),
    )


def find_call_problem(settings: Settings, url: str) -> str:
    """Give why an address may not be called, as a stable word, or an empty text.

    Raises:
        ConfigError: A host of the settings is none.
    """
    try:
        open_outgoing(settings).check_url(url)
    except CallError as error:
        return error.reason
    return ""


def check_record(settings: Settings) -> None:
    """Write beside the record once, so that a server which could put nothing on record is never said to serve.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        settings.audit_path.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.audit_path) as file:
            file.write(b"\n")
    except OSError as error:
        raise ConfigError(
            f"the record cannot be written: {error}; {settings.audit_path} is a folder that this user may write, on a "
            "disk with room"
        ) from None


def make_audit_writer(settings: Settings) -> SegmentWriter:
    """Give this process's own way into the audit record."""
    return SegmentWriter(settings.audit_path)


def make_recorder(writer: SegmentWriter) -> Callable[[Event], None]:
    """Give what puts one event on record, durably, before it returns.

    Raises (when called):
        AuditUnavailable: It could not be made durable.
    """

    def record(event: Event) -> None:
        try:
            writer.append([event])
        except OSError as error:
            raise AuditUnavailable from error

    return record


def open_buckets(settings: Settings, counted: str) -> Buckets | None:
    """Give the counts that the workers share; None where there is one worker, which counts in memory."""
    if settings.workers == 1:
        return None
    from rowgate.store.shared_buckets import SharedBuckets  # noqa: PLC0415 - one worker does without

    return SharedBuckets(settings.home / f"{counted}.counts")


def open_counts(folder: Path | None) -> SharedCounts | None:
    """Give where the workers show each other what they have counted; None where there is one worker."""
    if folder is None:
        return None
    from rowgate.store import shared_counts  # noqa: PLC0415 - one worker does without

    return shared_counts.SharedCounts(folder)


@contextlib.contextmanager
def counts_folder(settings: Settings) -> Iterator[Path | None]:
    """Give the folder for `open_counts`, for as long as the server serves."""
    if settings.workers == 1:
        yield None
        return
    from rowgate.store.shared_counts import shared_folder  # noqa: PLC0415 - as above

    with shared_folder(settings.home) as folder:
        yield folder


def read_maxima(settings: Settings) -> Maxima:
    """Give what the settings say of the longest lives."""
    return Maxima(settings.max_access_token_seconds, settings.max_refresh_token_seconds, settings.max_secret_seconds)


def read_key_policy(settings: Settings) -> KeyPolicy:
    """Give what the settings say of the keys' lives."""
    return KeyPolicy(settings.jwks_max_age_seconds, settings.signing_key_days, settings.sealing_key_days)
