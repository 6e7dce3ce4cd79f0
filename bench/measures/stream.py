"""Tokens while a full read streams from the same worker on the same core."""

import contextlib
import threading
from collections.abc import Iterator

import product
from data import data_file
from load import Subject, download, interleaved
from peers.install import WORK
from report import Goal, Section, Table
from serving import running

CONNECTIONS = 4
ROWS = 1_000_000
P99_LIMIT_MS = 5


def measure_stream(seconds: float) -> Section:
    """The rate of tokens alone, then with one reader that starts again as soon as it has everything."""
    database = data_file(WORK / "data", ROWS)
    home = product.make_home(WORK / "homes" / "stream", database)
    with running(product.server(home), logs=WORK / "logs") as server:
        tokens = {"tokens": product.token(server, home)}
        alone = interleaved(tokens, connections=CONNECTIONS, seconds=seconds)["tokens"]
        with _reading(product.full(server, home)):
            beside = interleaved(tokens, connections=CONNECTIONS, seconds=seconds)["tokens"]
    rows = [
        [name, f"{rate.per_second:,.0f}", f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}"]
        for name, rate in (("alone", alone), ("beside a full read", beside))
    ]
    measured, limit = f"{beside.p99_ms:.2f} ms", f"< {P99_LIMIT_MS} ms"
    goals = [Goal("tokens beside a full read, p99", limit, measured, held=beside.p99_ms < P99_LIMIT_MS)]
    notes = [f"{CONNECTIONS} connections ask for tokens; the reader, curl, shares their core."]
    return Section("Tokens beside a full read", [Table(["", "tokens/s", "p50 ms", "p99 ms"], rows)], goals, notes)


@contextlib.contextmanager
def _reading(subject: Subject) -> Iterator[None]:
    """Full reads one after another for as long as the block lasts; a read that failed raises at its end."""
    end, failures = threading.Event(), []

    def read() -> None:
        try:
            while not end.is_set():
                download(subject)
        except RuntimeError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        end.set()
        reader.join()
    if failures:
        raise failures[0]
