"""Puts a worker together: everything that serves requests."""

import contextlib
import gc
import hmac
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rowgate import __version__
from rowgate.audit.events import Event, ServerEvent
from rowgate.audit.segment_sink import SegmentSink
from rowgate.config import Settings
from rowgate.oauth.dpop import DpopPolicy
from rowgate.oauth.mutual_tls import SELF_SIGNED_TLS_CLIENT_AUTH, TLS_CLIENT_AUTH
from rowgate.oauth.tokens import TokenSealer
from rowgate.oauth.workload import JWT_BEARER_GRANT
from rowgate.ports import Clock, Entropy
from rowgate.service.admin.desk import Desk
from rowgate.service.admin.keys import KeyDesk
from rowgate.service.all_counts import AllCounts
from rowgate.service.budgets import Budgets
from rowgate.service.certificates import list_own_certificates
from rowgate.service.clients import ClientAuthenticator
from rowgate.service.cursors import Cursors
from rowgate.service.databases import Databases
from rowgate.service.descriptions import DescriptionService
from rowgate.service.expiry_watch import ExpiryWatch
from rowgate.service.follow import Follower
from rowgate.service.inspection import InspectionService
from rowgate.service.key_keeper import KeyKeeper
from rowgate.service.keys import SigningKeys
from rowgate.service.measures import Measures
from rowgate.service.mint import TokenMint
from rowgate.service.narrowing import Narrowing
from rowgate.service.object_access import ObjectAccess
from rowgate.service.proofs import ProofChecker
from rowgate.service.questions import Questions
from rowgate.service.quiet_record import QuietRecord
from rowgate.service.rotation import RefreshRotation
from rowgate.service.row_tags import RowTags
from rowgate.service.rows import ReadLimits, RowsService
from rowgate.service.state import LiveState
from rowgate.service.tally import Tally
from rowgate.service.throttle import FailureThrottle, RevocationQuota, TokenQuota
from rowgate.service.token_exchange import GrantTypes, TokenExchange
from rowgate.service.tokens import TokenService
from rowgate.service.webhook import WebhookSender
from rowgate.service.writes import Writes
from rowgate.web import metadata
from rowgate.web.app import App
from rowgate.web.client_certificates import ClientCertificates
from rowgate.web.cors import Cors
from rowgate.web.data_requests import DATA_PATH, DataGate
from rowgate.web.health import HealthEndpoint
from rowgate.web.inspection_endpoints import list_inspection_endpoints
from rowgate.web.jwks_endpoint import JWKS_PATH, JwksEndpoint
from rowgate.web.logs import set_up_logs
from rowgate.web.problems import READ_ALLOW, Edge
from rowgate.web.secret_endpoint import list_secret_endpoints
from rowgate.web.token_endpoint import ALLOW as TOKEN_ALLOW
from rowgate.web.token_endpoint import TokenEndpoint, refuse_method
from rowgate.wiring.endpoints import (
    DataEndpoints,
    check_readiness,
    list_documents,
    list_registration_endpoints,
    make_look,
    open_metrics,
)
from rowgate.wiring.opening import (
    make_audit_writer,
    open_buckets,
    open_counts,
    open_databases,
    read_key_policy,
    read_maxima,
)
from rowgate.wiring.outside import Outside, open_outside
from rowgate.wiring.randomness import BulkEntropy
from rowgate.wiring.state import open_reader, open_store

_log = logging.getLogger("rowgate")

TOKEN_PATHS = (metadata.TOKEN_PATH, "/token", "/oauth/token")  # O-2
GC_THRESHOLDS = (20_000, 50, 100)  # requests leave few cycles; the default looks every few requests


def _read_dpop_policy(settings: Settings, digest_key: bytes) -> DpopPolicy:
    nonce_key = hmac.digest(digest_key, b"rowgate dpop nonce", "sha256")
    return DpopPolicy(nonce_keys=(nonce_key,), nonce_required=settings.dpop_nonce_required)


def _open_record(settings: Settings, tally: Tally) -> tuple[SegmentSink, QuietRecord]:
    """Give the record, and the same for whoever answers strangers."""
    sink = SegmentSink(
        make_audit_writer(settings),
        on_failure=lambda error: _log.error("the audit record cannot be written: %s", error),
        on_recovery=lambda: _log.warning("the audit record can be written again"),
        watcher=tally,
    )
    return sink, QuietRecord(sink)


def _count_revocations(settings: Settings) -> RevocationQuota:
    return RevocationQuota(open_buckets(settings, "revocations"))


def _keep_keys(
    settings: Settings,
    state: LiveState,
    sealer: TokenSealer,
    databases: Databases,
    audit: SegmentSink,
    *,
    clock: Clock,
    entropy: Entropy,
) -> KeyKeeper:
    policy = read_key_policy(settings)

    def rotate(record: Callable[[Event], None]) -> None:
        with contextlib.closing(open_store(settings)) as writing:
            KeyDesk(Desk(writing, databases, record, "server", clock, entropy), policy).rotate_scheduled()

    return KeyKeeper(state, sealer, policy=policy, rotate=rotate, audit=audit, clock=clock, entropy=entropy)


def _trust_registered(state: LiveState, follower: Follower, certificates: ClientCertificates) -> None:
    """Let the certificates that applications have registered through the handshake, now and whenever some are new."""

    def trust() -> None:
        policies = (application.policy for application in state.list_applications())
        certificates.trust(der for policy in policies for der in list_own_certificates(policy))

    if certificates.from_handshake:
        trust()
        follower.tell_of_changes(trust)


def _list_watches(
    state: LiveState, writes: Writes, outside: Outside, audit: SegmentSink, clock: Clock
) -> Sequence[ExpiryWatch | WebhookSender]:
    watch = ExpiryWatch(state, writes, clock=clock)
    if outside.webhook is None:
        return (watch,)
    return watch, WebhookSender(outside.webhook, state, writes, outside.http, audit=audit, clock=clock)


def _list_tls_methods(settings: Settings) -> tuple[str, ...]:
    if not settings.knows_client_certificates:
        return ()
    return (
        (TLS_CLIENT_AUTH, SELF_SIGNED_TLS_CLIENT_AUTH)
        if settings.knows_certificate_names
        else (SELF_SIGNED_TLS_CLIENT_AUTH,)
    )


def build_worker(settings: Settings, databases: Databases | None = None, counts: Path | None = None) -> App:
    """Give the application of a worker process, with its log lines set up; see `build_app`."""
    set_up_logs(settings.log_format, settings.log_level)
    return build_app(settings, databases, counts=counts)


def build_app(
    settings: Settings,
    databases: Databases | None = None,
    *,
    counts: Path | None = None,
    clock: Clock = time.time,
    entropy: Entropy = os.urandom,
) -> App:
    """Give the application; nothing runs before its lifespan begins.

    Args:
        settings: Checked settings.
        databases: Those that this process has opened already; the application closes them.
        counts: The folder in which the workers of the server show each other what they have counted; None: it is alone.
        clock: The time of day; tests move it.
        entropy: Randomness.

    Raises:
        StoreError: The home is not usable.
        ConfigError: The database cannot be served.
    """
    store = open_reader(settings)
    databases = databases or open_databases(settings)
    state = LiveState(store.load_state())
    tally = Tally(clock)
    audit, told = _open_record(settings, tally)
    store_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
    follower = Follower(store, state, store_thread, clock)
    sealer = TokenSealer(state.keys.sealing)

    keeper = _keep_keys(settings, state, sealer, databases, audit, clock=clock, entropy=entropy)
    signing_keys = SigningKeys(state)
    issuer, maxima, revocations = settings.issuer, read_maxima(settings), _count_revocations(settings)
    writes = Writes(lambda: open_store(settings), follower, store_thread, record=audit.record_from_thread, clock=clock)
    outside = open_outside(settings, state, clock=clock)
    clients = ClientAuthenticator(
        state,
        digest_key=state.keys.digest,
        issuer=issuer,
        clock=clock,
        throttle=FailureThrottle(workers=settings.workers),
        writes=writes,
        compatible_audiences=[issuer + path for path in TOKEN_PATHS] if settings.token_endpoint_as_audience else (),
        remote_keys=outside.keys,
        workloads=outside.workloads,
    )
    watches = _list_watches(state, writes, outside, audit, clock)
    mint = TokenMint(sealer, signing_keys, issuer=issuer, entropy=BulkEntropy(entropy).draw, maxima=maxima)
    narrowing = Narrowing(state, databases, issuer=issuer)
    inspection = InspectionService(
        state,
        Questions(clients, mint, audit=told, clock=clock),
        signing_keys,
        narrowing,
        RefreshRotation(writes, digest_key=state.keys.digest, clock=clock, quota=revocations),
        maxima=maxima,
        quota=revocations,
        writes=writes,
        issuer=issuer,
        audit=told,
    )
    tokens = TokenService(
        state,
        clients,
        mint,
        ProofChecker(_read_dpop_policy(settings, state.keys.digest), clock=clock, entropy=entropy),
        RefreshRotation(writes, digest_key=state.keys.digest, clock=clock, quota=revocations),
        narrowing=narrowing,
        exchange=TokenExchange(state, mint, issuer=issuer, maxima=maxima),
        maxima=maxima,
        quota=TokenQuota(open_buckets(settings, "tokens")),
        issuer=issuer,
        audit=told,
        clock=clock,
    )
    budgets = Budgets(state, writes, clock=clock)
    objects = ObjectAccess(state, conceal_objects=settings.conceal_objects)
    rows = RowsService(
        state,
        databases,
        confirm=tokens.confirm,
        audit=told,
        clock=clock,
        limits=ReadLimits(
            settings.max_reads,
            settings.max_reads_per_application,
            settings.read_queue_seconds,
            settings.statement_seconds,
            settings.max_reader_seconds,
        ),
        objects=objects,
        cursors=Cursors(state.keys.digest),
        budgets=budgets,
        mask_key=hmac.digest(state.keys.digest, b"rowgate column mask", "sha256"),
        tags=RowTags(state.keys.digest),
    )
    follower.tell_of_changes(rows.look_again)
    all_counts = AllCounts(tally, make_look(rows, databases), open_counts(counts))

    def tell_server(action: str) -> ServerEvent:
        return ServerEvent(at=clock(), action=action, version=__version__, process=os.getpid())

    @contextlib.asynccontextmanager
    async def live() -> AsyncIterator[None]:
        audit.start()
        follower.start()
        keeper.start()
        all_counts.start()
        for watch in watches:
            watch.start()
        await audit.record(tell_server("started"))
        _settle_memory()
        # the last is first, and each has its turn whatever becomes of the others: the record above all
        async with contextlib.AsyncExitStack() as ending:
            for close in (databases.close, store.close, store_thread.shutdown):
                ending.callback(close)
            for stop in (
                audit.stop,
                all_counts.stop,
                rows.close,
                follower.stop,
                writes.stop,
                budgets.stop,
                outside.stop,
            ):
                ending.push_async_callback(stop)
            for watch in reversed(watches):
                ending.push_async_callback(watch.stop)
            ending.push_async_callback(keeper.stop)
            ending.callback(lambda: audit.record_soon(tell_server("stopped")))
            yield

    gate = DataGate(tokens, told, clock, issuer=issuer)
    data = DataEndpoints(
        gate,
        rows,
        DescriptionService(state, databases, objects, budgets=budgets, data_url=issuer + DATA_PATH),
        max_body_bytes=settings.max_rows_body_bytes,
    )
    return App(
        {
            **dict.fromkeys(TOKEN_PATHS, (refuse_method, TOKEN_ALLOW)),
            **list_inspection_endpoints(inspection, max_body_bytes=settings.max_token_body_bytes),
            **list_secret_endpoints(
                clients, writes, told, clock=clock, entropy=entropy, digest_key=state.keys.digest, settings=settings
            ),
            "/healthz": (HealthEndpoint({}), READ_ALLOW),
            "/readyz": (check_readiness(databases, follower, audit), READ_ALLOW),
            **list_documents(
                issuer,
                GrantTypes(state, (JWT_BEARER_GRANT,) if settings.trusted_issuers else ()),
                _list_tls_methods(settings),
                list_algorithms=lambda: signing_keys.list_algorithms(clock()),
                registers_clients=settings.client_registration,
            ),
            **list_registration_endpoints(settings, state, writes, told, clock=clock, entropy=entropy),
            **data.of_all,
            "/metrics": (open_metrics(gate, Measures(state), all_counts, audit, clock), READ_ALLOW),
            JWKS_PATH: (JwksEndpoint(signing_keys, clock, max_age_seconds=settings.jwks_max_age_seconds), READ_ALLOW),
        },
        data.of_one,
        dict.fromkeys(TOKEN_PATHS, TokenEndpoint(tokens, issuer=issuer, max_body_bytes=settings.max_token_body_bytes)),
        edge=Edge(issuer, settings.forbidden_as_403),
        cors=Cors(settings.cors_origins),
        lifespan=live,
        take_client_certificates=lambda certificates: _trust_registered(state, follower, certificates),
        count_error=tally.count_error,
    )


def _settle_memory() -> None:
    # Looked at when PyArrow is first needed: a third less at the peak of a Parquet file than by its own pool, as fast.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # What was loaded stays for the life of the process: keep the collector from walking through it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
