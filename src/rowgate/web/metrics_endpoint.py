"""GET /metrics: measures for Prometheus, for an access token with the scope `metrics`."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from rowgate.oauth.errors import InsufficientScope, OAuthError
from rowgate.ports import AuditSink, Clock
from rowgate.service.client_requests import record_refusal
from rowgate.service.measures import Measures
from rowgate.web.data_requests import DataGate
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.metadata import METRICS_SCOPE
from rowgate.web.problems import NO_STORE, require_get

_HEADERS: Headers = [pair for pair in NO_STORE if pair[0] != b"content-type"]
_HEADERS.append((b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()))


class MetricsEndpoint:
    """Answers; every error goes up to the dispatcher, on record."""

    def __init__(self, gate: DataGate, measures: Measures, audit: AuditSink, clock: Clock, *, version: str) -> None:
        """Take who may ask, and what is measured."""
        self._gate = gate
        self._audit = audit
        self._clock = clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_StateCollector(measures, clock, version))

    async def __call__(self, exchange: Exchange) -> None:
        """Answer in the Prometheus text format 0.0.4."""
        require_get(exchange.method)
        client_id = ""
        try:
            access = self._gate.authorize(exchange)
            client_id = access.client_id
            if METRICS_SCOPE not in access.scope:
                raise InsufficientScope("The token's scope does not allow this.", reason="scope_lacks_metrics")
        except OAuthError as refusal:
            now = self._clock()
            await record_refusal(
                self._audit, refusal, exchange.origin, endpoint="metrics", client_id=client_id, now=now
            )
            raise
        body = generate_latest(self._registry)
        await exchange.respond(200, _HEADERS, body)


class _StateCollector(Collector):
    """Measures when it is asked; nothing is counted in between."""

    def __init__(self, measures: Measures, clock: Clock, version: str) -> None:
        self._version = version
        self._measures = measures
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        measured = self._measures.measure(self._clock())
        yield InfoMetricFamily("rowgate_build", "The release that answers.", value={"version": self._version})
        yield GaugeMetricFamily("rowgate_applications", "Applications that are known.", value=measured.applications)
        expiring = GaugeMetricFamily(
            "rowgate_secrets_expiring",
            "Applications whose last good secret ends within so many hours.",
            labels=["within_hours"],
        )
        for hours, count in sorted(measured.expiring.items()):
            expiring.add_metric([str(hours)], count)
        yield expiring
        yield GaugeMetricFamily(
            "rowgate_secrets_expired", "Applications whose every secret has ended.", value=measured.expired
        )
        ends = GaugeMetricFamily(
            "rowgate_secret_end_timestamp_seconds",
            "When the last good secret of an application ends.",
            labels=["client_id", "application"],
        )
        for (client_id, application), ends_at in measured.ends.items():
            ends.add_metric([client_id, application], ends_at)
        yield ends
