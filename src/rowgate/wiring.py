"""Puts the rooms together. The only file that knows every one of them."""

import asyncio
import contextlib
import dataclasses
import functools
import gc
import hmac
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rowgate import __version__
from rowgate.audit.events import AdministrativeChange, Event, ServerEvent
from rowgate.audit.segments import SegmentSink, SegmentWriter
from rowgate.config import CONFIG_NAME, ConfigError, Settings, dump
from rowgate.engines.sqlite import SqliteSource
from rowgate.oauth.dpop import DpopPolicy
from rowgate.oauth.tokens import TokenSealer
from rowgate.ports import AuditUnavailable, Clock, Entropy, RowSource
from rowgate.rows.errors import RowsError
from rowgate.service.admin.applications import ApplicationDesk
from rowgate.service.admin.desk import Desk
from rowgate.service.admin.enrolments import SecretDesk
from rowgate.service.admin.keys import KeyDesk
from rowgate.service.admin.objects import ObjectDesk
from rowgate.service.admin.policies import PolicyDesk
from rowgate.service.admin.tokens import TokenDesk
from rowgate.service.clients import ClientAuthenticator
from rowgate.service.expiry_watch import ExpiryWatch
from rowgate.service.follow import Follower
from rowgate.service.inspection import InspectionService
from rowgate.service.key_keeper import KeyKeeper
from rowgate.service.key_plan import KeyPolicy
from rowgate.service.keys import SigningKeys
from rowgate.service.mint import TokenMint
from rowgate.service.proofs import ProofChecker
from rowgate.service.questions import Questions
from rowgate.service.rotation import RefreshRotation
from rowgate.service.rows import ReadLimits, RowsService
from rowgate.service.state import LiveState
from rowgate.service.throttle import FailureThrottle
from rowgate.service.tokens import TokenService
from rowgate.service.writes import Writes
from rowgate.store.master_key import create_master_key, load_master_key
from rowgate.store.reader import NEWEST_REVISION, SqliteReader
from rowgate.web import metadata, server
from rowgate.web.app import App
from rowgate.web.cors import Cors
from rowgate.web.health import HealthEndpoint
from rowgate.web.inspection_endpoints import list_inspection_endpoints
from rowgate.web.jwks_endpoint import JWKS_PATH, JwksEndpoint
from rowgate.web.logs import set_up_logs
from rowgate.web.problems import Edge
from rowgate.web.rows_endpoint import ALLOW as ROWS_ALLOW
from rowgate.web.rows_endpoint import RowsEndpoint
from rowgate.web.secret_endpoint import list_secret_endpoints
from rowgate.web.token_endpoint import ALLOW as TOKEN_ALLOW
from rowgate.web.token_endpoint import TokenEndpoint, refuse_method

if TYPE_CHECKING:
    from rowgate.store.sql_store import SqlStore

_log = logging.getLogger("rowgate")

TOKEN_PATHS = (metadata.TOKEN_PATH, "/token", "/oauth/token")  # O-2
GC_THRESHOLDS = (20_000, 50, 100)  # requests leave few cycles; the default looks every few requests
_READ_ALLOW = b"GET, HEAD, OPTIONS"


def open_store(settings: Settings) -> "SqlStore":
    """Open the home's state.

    Raises:
        StoreError: The home is not usable; the text says what to do.
    """
    from rowgate.store.sql_store import SqlStore  # noqa: PLC0415 - workers do without; see store/reader.py

    return SqlStore(settings.state_path, load_master_key(settings.master_key_path))


def open_reader(settings: Settings) -> SqliteReader:
    """Open the home's state to follow it; its tables are brought up to date first.

    Raises:
        StoreError: The home is not usable; the text says what to do.
    """
    reader = SqliteReader(settings.state_path, load_master_key(settings.master_key_path))
    if reader.find_revision() != NEWEST_REVISION:
        open_store(settings).close()
    return reader


def open_source(database: str) -> RowSource:
    """Give the served database of an address.

    Raises:
        ConfigError: The address is not one that this release can serve.
    """
    if not database:
        raise ConfigError("no database is set: `rowgate init --database sqlite:///PATH`, or database in rowgate.toml")
    scheme, separator, rest = database.partition("://")
    if not separator:
        return SqliteSource(Path(database).absolute())
    if scheme == "sqlite" and rest.startswith("/"):
        return SqliteSource(Path(rest[1:]).absolute())
    raise ConfigError(f"this release serves sqlite:///PATH, not {scheme}://")


def create_home(settings: Settings, actor: str) -> None:
    """Make the state, the keys and the settings' file in the home's directory.

    Raises:
        NotReadOnly: The database would let us write.
        EngineUnavailable: The database cannot be opened.
        StoreError: The home cannot be written.
    """
    from rowgate.store.sql_store import SqlStore  # noqa: PLC0415 - see open_store

    if settings.database:
        source = open_source(settings.database)
        source.prove_read_only()
        source.close()
    master = os.urandom(32)
    create_master_key(settings.master_key_path, master)
    SqlStore.create(
        settings.state_path,
        master,
        sealing=os.urandom(32),
        digest=os.urandom(32),
        nonces=os.urandom(24),
        now=time.time(),
    ).close()
    (settings.home / CONFIG_NAME).write_text(dump(settings), "utf-8")
    writer = make_audit_writer(settings)
    make_recorder(writer)(
        AdministrativeChange(at=time.time(), actor=actor, action="home.init", target=str(settings.home))
    )
    writer.close()


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
    store = open_reader(settings)
    store.load_keys()
    store.close()
    source = open_source(settings.database)
    source.prove_read_only()
    engine = source.name
    source.close()
    bound = server.bind_socket(settings.host, settings.port)
    settings = dataclasses.replace(settings, port=bound.getsockname()[1])
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    listening = dataclasses.replace(settings, public_url="").issuer
    told = f"Rowgate serves {engine} read-only at {listening} (home {settings.home}{workers})"
    set_up_logs(settings.log_format, settings.log_level)
    if settings.log_format == "json":
        _log.info(told)  # every line is one that a log collector can read
    else:
        announce(told)
    server.run_server(settings, functools.partial(build_worker, settings), bound)


def find_port_problem(settings: Settings) -> str:
    """Say why the server could not listen, or nothing when it could."""
    try:
        server.bind_socket(settings.host, settings.port).close()
    except ConfigError as error:
        return str(error)
    return ""


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


@dataclass(frozen=True, slots=True)
class Administration:
    """The administrator's use of a home, by what it is about."""

    applications: ApplicationDesk
    objects: ObjectDesk
    tokens: TokenDesk
    keys: KeyDesk
    policies: PolicyDesk
    secrets: SecretDesk


@contextlib.contextmanager
def open_administration(settings: Settings, *, actor: str, clock: Clock = time.time) -> Iterator[Administration]:
    """Give the desks of a home; changes reach running servers by the store.

    Raises:
        StoreError: The home is not usable.
        ConfigError: The database cannot be served.
    """
    store = open_store(settings)
    source = open_source(settings.database)
    writer = make_audit_writer(settings)
    desk = Desk(store, source, make_recorder(writer), actor, clock, os.urandom)
    try:
        keys = KeyDesk(desk, _read_key_policy(settings))
        policies = PolicyDesk(desk, keys)
        yield Administration(
            ApplicationDesk(desk, keys), ObjectDesk(desk), TokenDesk(desk), keys, policies, SecretDesk(desk)
        )
    finally:
        writer.close()
        source.close()
        store.close()


def _read_key_policy(settings: Settings) -> KeyPolicy:
    return KeyPolicy(settings.jwks_max_age_seconds, settings.signing_key_days, settings.sealing_key_days)


def _read_dpop_policy(settings: Settings, digest_key: bytes) -> DpopPolicy:
    nonce_key = hmac.digest(digest_key, b"rowgate dpop nonce", "sha256")
    return DpopPolicy(nonce_keys=(nonce_key,), nonce_required=settings.dpop_nonce_required)


def build_worker(settings: Settings) -> App:
    """Give the application of a worker process, with its log lines set up."""
    set_up_logs(settings.log_format, settings.log_level)
    return build_app(settings)


def build_app(  # noqa: PLR0915 - one line for each part
    settings: Settings, *, clock: Clock = time.time, entropy: Entropy = os.urandom
) -> App:
    """Give the application; nothing runs before its lifespan begins.

    Args:
        settings: Checked settings.
        clock: The time of day; tests move it.
        entropy: Randomness.

    Raises:
        StoreError: The home is not usable.
        ConfigError: The database cannot be served.
    """
    store = open_reader(settings)
    source = open_source(settings.database)
    state = LiveState(store.load_state())
    audit = SegmentSink(
        make_audit_writer(settings),
        on_failure=lambda error: _log.error("the audit record cannot be written: %s", error),
    )
    store_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
    follower = Follower(store, state, store_thread, clock)
    sealer = TokenSealer(state.keys.sealing)

    def rotate_keys(record: Callable[[Event], None]) -> None:
        with contextlib.closing(open_store(settings)) as writing:
            desk = Desk(writing, source, record, "server", clock, entropy)
            KeyDesk(desk, _read_key_policy(settings)).rotate_scheduled()

    keeper = KeyKeeper(
        state, sealer, policy=_read_key_policy(settings), rotate=rotate_keys, audit=audit, clock=clock, entropy=entropy
    )
    signing_keys = SigningKeys(state)
    issuer = settings.issuer
    writes = Writes(lambda: open_store(settings), follower, store_thread, clock=clock)
    clients = ClientAuthenticator(
        state, digest_key=state.keys.digest, issuer=issuer, clock=clock, throttle=FailureThrottle(), writes=writes
    )
    watch = ExpiryWatch(state, writes, audit=audit, clock=clock)
    mint = TokenMint(sealer, signing_keys, issuer=issuer, entropy=entropy)
    proofs = ProofChecker(_read_dpop_policy(settings, state.keys.digest), clock=clock, entropy=entropy)
    inspection = InspectionService(
        state,
        Questions(clients, mint, audit=audit, clock=clock),
        signing_keys,
        writes=writes,
        issuer=issuer,
        audit=audit,
    )
    rotation = RefreshRotation(writes, digest_key=state.keys.digest, clock=clock)
    tokens = TokenService(state, clients, mint, proofs, rotation, issuer=issuer, audit=audit, clock=clock)
    rows = RowsService(
        state,
        source,
        confirm=tokens.confirm,
        audit=audit,
        clock=clock,
        limits=ReadLimits(
            settings.max_reads,
            settings.max_reads_per_application,
            settings.read_queue_seconds,
            settings.statement_seconds,
        ),
        conceal_objects=settings.conceal_objects,
    )
    follower.on_change = rows.look_again

    @contextlib.asynccontextmanager
    async def live() -> AsyncIterator[None]:
        audit.start()
        follower.start()
        keeper.start()
        watch.start()
        await audit.record(ServerEvent(at=clock(), action="started", version=__version__, process=os.getpid()))
        # What was loaded stays for the life of the process: keep the collector from walking through it.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            yield
        finally:
            audit.record_soon(ServerEvent(at=clock(), action="stopped", version=__version__, process=os.getpid()))
            await keeper.stop()
            await watch.stop()
            await writes.stop()
            await follower.stop()
            await rows.close()
            await audit.stop()
            store_thread.shutdown()
            store.close()
            source.close()

    async def is_database_there() -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(None, source.list_objects)
        except RowsError:
            return False
        return True

    async def is_state_current() -> bool:
        return follower.is_current

    async def is_audit_writable() -> bool:
        return audit.is_writable

    ready = {"database": is_database_there, "state": is_state_current, "audit": is_audit_writable}
    token_endpoint = TokenEndpoint(tokens, issuer=issuer, max_body_bytes=settings.max_token_body_bytes)
    server_document = metadata.DocumentEndpoint(metadata.describe_authorization_server(issuer))
    resource_document = metadata.DocumentEndpoint(metadata.describe_protected_resource(issuer))
    jwks_endpoint = JwksEndpoint(signing_keys, clock, max_age_seconds=settings.jwks_max_age_seconds)
    rows_endpoint = RowsEndpoint(
        tokens,
        rows,
        audit,
        clock,
        issuer=issuer,
        max_body_bytes=settings.max_rows_body_bytes,
    )
    return App(
        {
            **dict.fromkeys(TOKEN_PATHS, (refuse_method, TOKEN_ALLOW)),
            **list_inspection_endpoints(inspection, max_body_bytes=settings.max_token_body_bytes),
            **list_secret_endpoints(
                clients, writes, audit, clock=clock, entropy=entropy, digest_key=state.keys.digest, settings=settings
            ),
            "/healthz": (HealthEndpoint({}), _READ_ALLOW),
            "/readyz": (HealthEndpoint(ready), _READ_ALLOW),
            metadata.AUTHORIZATION_SERVER: (server_document, _READ_ALLOW),
            metadata.PROTECTED_RESOURCE: (resource_document, _READ_ALLOW),
            JWKS_PATH: (jwks_endpoint, _READ_ALLOW),
        },
        (rows_endpoint, ROWS_ALLOW),
        dict.fromkeys(TOKEN_PATHS, token_endpoint),
        edge=Edge(issuer, settings.forbidden_as_403),
        cors=Cors(settings.cors_origins),
        lifespan=live,
    )
