"""GET /metrics: measures for Prometheus, for an access token with the scope `metrics`."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from rowgate.oauth.errors import InsufficientScope, OAuthError
from rowgate.ports import AuditSink, Clock
from rowgate.ports.counts import Counts
from rowgate.service.all_counts import AllCounts
from rowgate.service.client_requests import record_refusal
from rowgate.service.measures import Measured, Measures
from rowgate.service.tally import MEASURES, SUM, Measure
from rowgate.web.data_requests import DataGate
from rowgate.web.exchange import Exchange, Headers
from rowgate.web.metadata import METRICS_SCOPE
from rowgate.web.problems import NO_STORE, require_get

_HEADERS: Headers = [pair for pair in NO_STORE if pair[0] != b"content-type"]
_HEADERS.append((b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()))


class MetricsEndpoint:
    """Answers; every error goes up to the dispatcher, on record."""

    def __init__(
        self, gate: DataGate, measures: Measures, counts: AllCounts, audit: AuditSink, clock: Clock, *, version: str
    ) -> None:
        """Take who may ask, what is measured and what is counted."""
        self._gate = gate
        self._measures = measures
        self._counts = counts
        self._audit = audit
        self._clock = clock
        self._version = version

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
        counts = await self._counts.gather()
        told = _Told([*_tell_state(self._measures.measure(self._clock()), self._version), *_tell_counts(counts)])
        await exchange.respond(200, _HEADERS, generate_latest(told))


class _Told(Collector):
    """One answer."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def _tell_state(measured: Measured, version: str) -> Iterator[Metric]:
    yield InfoMetricFamily("rowgate_build", "The release that answers.", value={"version": version})
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


def _tell_counts(counts: Counts) -> Iterator[Metric]:
    by_name: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for words, number in sorted(counts.items()):
        by_name[words[0]][words[1:]] = number
    for measure in MEASURES:
        counted = by_name[measure.name]
        if measure.bounds:
            yield _tell_times(measure, counted)
            continue
        family = GaugeMetricFamily if measure.is_momentary else CounterMetricFamily
        told = family(measure.name, measure.told, labels=measure.labels)
        for words, number in counted.items():
            told.add_metric(words, number)
        yield told


def _tell_times(measure: Measure, counted: dict[tuple[str, ...], float]) -> Metric:
    told = HistogramMetricFamily(measure.name, measure.told, labels=measure.labels)
    ends = (*map(str, measure.bounds), "+Inf")
    for words in sorted({words[:-1] for words in counted}):
        # as Prometheus has them, each bucket holds those before it
        numbers = accumulate(counted.get((*words, end), 0) for end in ends)
        told.add_metric(words, list(zip(ends, numbers, strict=True)), counted.get((*words, SUM), 0.0))
    return told
