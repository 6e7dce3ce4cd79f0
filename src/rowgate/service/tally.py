"""What a worker counts of its requests and reads, from the events of its record.

Rule: counted is what stands in events, a group at once, and by words of which there are few: never by an application,
an object or anything else that a client can make up. Answers with an error are counted beside that, as they are made:
many of them, of which the record has nothing.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rowgate.audit.events import Event, RowsEnded, RowsOpened, RowsRefused, TokenIssued, TokenRefused
from rowgate.ports import Clock
from rowgate.ports.counts import Counts

SUM = "sum"  # of a histogram, beside the upper ends of its buckets
_BEYOND = "+Inf"
_DATA = "data"  # the endpoint of rows, runs, procedures and descriptions
_TOKENS = "token"
_NOT_ON_RECORD = "temporarily_unavailable"

SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is counted; the name is Prometheus's, without what it adds for counters and histograms."""

    name: str
    told: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  # of a histogram: the upper ends of its buckets, in seconds
    is_momentary: bool = False


TOKENS_ISSUED = Measure("rowgate_tokens_issued", "Token requests that were given tokens.", ("grant_type",))
REFUSED = Measure("rowgate_requests_refused", "Requests that were refused.", ("endpoint", "error"))
ERRORS = Measure(
    "rowgate_errors_answered",
    "Answers with an error: refusals, failures, and what was no request at all.",
    ("status", "error"),
)
TOKEN_SECONDS = Measure(
    "rowgate_token_request_seconds",
    "From the arrival of a token request until its answer was on record.",
    bounds=SHORT,
)
READS = Measure("rowgate_reads", "Reads that are over.", ("outcome", "reason", "format"))
ROWS = Measure("rowgate_rows_served", "Rows of the reads that are over.", ("format",))
BYTES = Measure("rowgate_bytes_served", "Bytes of the reads that are over, as they were sent.", ("format",))
READ_SECONDS = Measure(
    "rowgate_read_seconds", "From the arrival of a read until its end, its reader's time included.", ("outcome",), LONG
)
FLUSH_SECONDS = Measure(
    "rowgate_audit_flush_seconds", "What it took to make a group of events durable, or to fail.", bounds=SHORT
)
FAILED_FLUSHES = Measure("rowgate_audit_flushes_failed", "Groups of events that could not be made durable.")
READS_IN_PROGRESS = Measure("rowgate_reads_in_progress", "Reads that are under way.", is_momentary=True)
READS_WAITING = Measure("rowgate_reads_waiting", "Reads that wait for their turn.", is_momentary=True)
CONNECTIONS = Measure(
    "rowgate_database_connections_in_use",
    "Connections to a served database that work; the label of the one without a name is empty.",
    ("database",),
    is_momentary=True,
)
MEASURES = (
    TOKENS_ISSUED,
    REFUSED,
    ERRORS,
    TOKEN_SECONDS,
    READS,
    ROWS,
    BYTES,
    READ_SECONDS,
    FLUSH_SECONDS,
    FAILED_FLUSHES,
    READS_IN_PROGRESS,
    READS_WAITING,
    CONNECTIONS,
)


class _Histogram:
    """How many took how long."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Tally:
    """See `ports.counts.RecordWatcher`. Used on the event loop only."""

    def __init__(self, clock: Clock) -> None:
        """Take the time of day, by which events say when a request came."""
        self._clock = clock
        self._before: Counts = {}
        self._issued: defaultdict[str, int] = defaultdict(int)
        self._refused: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._errors: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._reads: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._rows: defaultdict[str, int] = defaultdict(int)
        self._bytes: defaultdict[str, int] = defaultdict(int)
        self._token_seconds = _Histogram(SHORT)
        self._read_seconds: dict[str, _Histogram] = {}
        self._flush_seconds = _Histogram(SHORT)
        self._failed_flushes = 0

    def go_on_from(self, counts: Counts) -> None:
        """Add what a worker that is gone has counted."""
        self._before = counts

    def count(self, events: Sequence[Event], *, is_durable: bool) -> None:
        """See `ports.counts.RecordWatcher`. This is on the road of every token: a look at the clock for the group."""
        now = self._clock()
        issued, bounds, times = self._issued, SHORT, self._token_seconds
        counts = times.counts
        for event in events:
            if is_durable and type(event) is TokenIssued:
                issued[event.grant_type] += 1
                seconds = now - event.at
                counts[bisect_left(bounds, seconds)] += 1
                times.sum += seconds
            else:
                self._count_other(event, now, is_durable=is_durable)

    def count_flush(self, seconds: float, *, is_durable: bool) -> None:
        """See `ports.counts.RecordWatcher`."""
        self._flush_seconds.add(seconds)
        if not is_durable:
            self._failed_flushes += 1

    def count_error(self, status: int, code: str) -> None:
        """Count an answer with an error, by the status of HTTP and the code in it."""
        self._errors[str(status), code] += 1

    def read(self) -> dict[tuple[str, ...], float]:
        """Give all that was counted, by the name of what it is and its labels; see `SUM`."""
        told: defaultdict[tuple[str, ...], float] = defaultdict(float, self._before)
        for measure, counted in ((TOKENS_ISSUED, self._issued), (ROWS, self._rows), (BYTES, self._bytes)):
            for word, number in counted.items():
                told[measure.name, word] += number
        for measure, refused in ((REFUSED, self._refused), (ERRORS, self._errors)):
            for words, number in refused.items():
                told[measure.name, *words] += number
        for how, number in self._reads.items():
            told[READS.name, *how] += number
        told[(FAILED_FLUSHES.name,)] += self._failed_flushes
        _add_times(told, TOKEN_SECONDS, (), self._token_seconds)
        _add_times(told, FLUSH_SECONDS, (), self._flush_seconds)
        for outcome, times in self._read_seconds.items():
            _add_times(told, READ_SECONDS, (outcome,), times)
        return told

    def _count_other(self, event: Event, now: float, *, is_durable: bool) -> None:
        match event:
            case RowsEnded():
                self._count_read(event)
            case TokenRefused():
                self._refuse(event.endpoint, event.error if is_durable else _NOT_ON_RECORD)
                if event.endpoint == _TOKENS:
                    self._token_seconds.add(now - event.at)
            case RowsRefused():
                self._refuse(_DATA, event.error if is_durable else _NOT_ON_RECORD)
            case TokenIssued():
                self._refuse(_TOKENS, _NOT_ON_RECORD)
                self._token_seconds.add(now - event.at)
            case RowsOpened() if not is_durable:
                self._refuse(_DATA, _NOT_ON_RECORD)

    def _refuse(self, endpoint: str, error: str) -> None:
        self._refused[endpoint, error or "missing_token"] += 1

    def _count_read(self, ended: RowsEnded) -> None:
        self._reads[ended.outcome, ended.reason, ended.format] += 1
        self._rows[ended.format] += ended.rows
        self._bytes[ended.format] += ended.sent_bytes or ended.bytes
        times = self._read_seconds.get(ended.outcome)
        if times is None:
            times = self._read_seconds[ended.outcome] = _Histogram(LONG)
        times.add(ended.seconds)


def _add_times(
    told: defaultdict[tuple[str, ...], float], measure: Measure, words: tuple[str, ...], times: _Histogram
) -> None:
    for bound, number in zip((*map(str, measure.bounds), _BEYOND), times.counts, strict=True):
        told[measure.name, *words, bound] += number
    told[measure.name, *words, SUM] += times.sum
