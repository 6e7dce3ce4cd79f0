"""The endpoints of a worker that are put together from several rooms, by their paths."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from rowgate import __version__
from rowgate.audit.segment_sink import SegmentSink
from rowgate.config import Settings
from rowgate.ports import AuditSink, Clock, Entropy
from rowgate.ports.counts import Counts
from rowgate.rows.errors import RowsError
from rowgate.service.all_counts import AllCounts
from rowgate.service.databases import Database, Databases
from rowgate.service.descriptions import DescriptionService
from rowgate.service.follow import Follower
from rowgate.service.measures import Measures
from rowgate.service.rows import RowsService
from rowgate.service.state import LiveState
from rowgate.service.tally import CONNECTIONS, READS_IN_PROGRESS, READS_WAITING
from rowgate.service.token_exchange import GrantTypes
from rowgate.service.writes import Writes
from rowgate.web import metadata
from rowgate.web.app import Endpoint
from rowgate.web.data_requests import DATA_PATH, DataGate
from rowgate.web.description_endpoints import (
    OPENAPI_PATH,
    make_list_endpoint,
    make_object_endpoint,
    make_openapi_endpoint,
)
from rowgate.web.exchange import Exchange
from rowgate.web.health import Check, HealthEndpoint
from rowgate.web.problems import READ_ALLOW
from rowgate.web.rows_endpoint import PROC, ROWS, RUNS, RowsEndpoint
from rowgate.web.well_known import AUTHORIZATION_SERVER, PROTECTED_RESOURCE, list_paths


class DataEndpoints:
    """Everything about objects: one list, and by what follows an object's name in the address."""

    def __init__(
        self, gate: DataGate, rows: RowsService, descriptions: DescriptionService, *, max_body_bytes: int
    ) -> None:
        """Take who lets requests in, and the services."""
        self.of_all: Mapping[str, tuple[Endpoint, bytes]] = {
            DATA_PATH: (make_list_endpoint(gate, descriptions), READ_ALLOW),
            OPENAPI_PATH: (make_openapi_endpoint(gate, descriptions, version=__version__), READ_ALLOW),
        }
        self.of_one: Mapping[bytes, tuple[Endpoint, bytes]] = {
            **{
                asked.suffix: (RowsEndpoint(gate, rows, asked, max_body_bytes=max_body_bytes), asked.allow)
                for asked in (ROWS, RUNS, PROC)
            },
            b"": (make_object_endpoint(gate, descriptions), READ_ALLOW),
        }


def list_documents(
    issuer: str,
    grant_types: GrantTypes,
    tls_methods: Sequence[str],
    *,
    list_algorithms: Callable[[], Sequence[str]],
    registers_clients: bool,
) -> dict[str, tuple[Endpoint, bytes]]:
    """Give the documents about this server by the paths at which they are found."""
    described: tuple[tuple[str, Callable[[], dict[str, object]]], ...] = (
        (
            AUTHORIZATION_SERVER,
            lambda: metadata.describe_authorization_server(
                issuer,
                grant_types(),
                tls_methods,
                signing_algorithms=list_algorithms(),
                registers_clients=registers_clients,
            ),
        ),
        (
            PROTECTED_RESOURCE,
            lambda: metadata.describe_protected_resource(issuer, knows_certificates=bool(tls_methods)),
        ),
    )
    return {
        path: (metadata.DocumentEndpoint(describe), READ_ALLOW)
        for document, describe in described
        for path in list_paths(document, issuer)
    }


def list_registration_endpoints(
    settings: Settings,
    state: LiveState,
    writes: Writes,
    audit: AuditSink,
    *,
    clock: Clock,
    entropy: Entropy,
) -> dict[str, tuple[Endpoint, bytes]]:
    """Give the endpoint at which clients register themselves, where that is on."""
    if not settings.client_registration:
        return {}
    # loaded where it is on
    from rowgate.web import registration_endpoint  # noqa: PLC0415

    return registration_endpoint.list_registration_endpoints(
        state,
        writes,
        audit,
        clock=clock,
        entropy=entropy,
        issuer=settings.issuer,
        max_body_bytes=settings.max_token_body_bytes,
        max_secret_seconds=settings.max_secret_seconds,
        workers=settings.workers,
    )


def check_readiness(databases: Databases, follower: Follower, audit: SegmentSink) -> Endpoint:
    """Give /readyz. One database that answers is enough: the others refuse their own objects only."""

    async def is_state_current() -> bool:
        return follower.is_fresh()

    async def is_audit_writable() -> bool:
        return audit.is_writable

    def make_check(database: Database) -> Check:
        async def is_database_there() -> bool:
            try:
                await asyncio.get_running_loop().run_in_executor(None, database.check_reachable)
            except RowsError:
                return False
            return True

        return is_database_there

    named = {f"database {one.namespace}".strip(): make_check(one) for one in databases.all}
    return HealthEndpoint({"state": is_state_current, "audit": is_audit_writable}, one_of=named)


def make_look(rows: RowsService, databases: Databases) -> Callable[[], Counts]:
    """Give what counts what is so at this moment."""

    def look() -> Counts:
        connections = {
            (CONNECTIONS.name, database.namespace): database.count_connections() for database in databases.all
        }
        return {
            (READS_IN_PROGRESS.name,): rows.under_way,
            (READS_WAITING.name,): rows.waiting,
            **{words: number for words, number in connections.items() if number is not None},
        }

    return look


def open_metrics(gate: DataGate, measures: Measures, counts: AllCounts, audit: SegmentSink, clock: Clock) -> Endpoint:
    """Give /metrics."""
    endpoint: Endpoint | None = None

    async def answer(exchange: Exchange) -> None:
        nonlocal endpoint
        if endpoint is None:
            # loaded when somebody asks for measures first
            from rowgate.web.metrics_endpoint import MetricsEndpoint  # noqa: PLC0415

            endpoint = MetricsEndpoint(gate, measures, counts, audit, clock, version=__version__)
        await endpoint(exchange)

    return answer
