"""Tokens while full reads stream from the same worker on the same core: one of them, and ten."""

import contextlib
import threading
from collections.abc import Iterator, Sequence

import product
from data import data_file
from load import Rate, Subject, download, interleaved
from peers.install import WORK
from report import Goal, Section, Table, times
from serving import running

CONNECTIONS = 4
ROWS = 1_000_000
P99_LIMIT_MS = 5
CROWD = 10
CROWD_LIMIT = 3  # times the p99 of tokens alone


def measure_stream(seconds: float) -> Section:
    """The rate of tokens alone, then with readers that each start again as soon as they have everything."""
    database = data_file(WORK / "data", ROWS)
    home = product.make_home(WORK / "homes" / "stream", database)
    other = product.add_application(home, "other")  # one may have eight reads at once
    with running(product.server(home), logs=WORK / "logs") as server:
        tokens = {"tokens": product.token(server, home)}

        def ask() -> Rate:
            return interleaved(tokens, connections=CONNECTIONS, seconds=seconds)["tokens"]

        alone = ask()
        readers = [product.full(server, whose) for whose in (home, other)]
        with _reading(readers[:1]):
            beside = ask()
        with _reading(readers * (CROWD // 2)):
            crowded = ask()
    told = {"alone": alone, "beside a full read": beside, f"beside {CROWD} full reads": crowded}
    rows = [
        [name, f"{rate.per_second:,.0f}", f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}"] for name, rate in told.items()
    ]
    measured, limit = f"{beside.p99_ms:.2f} ms", f"< {P99_LIMIT_MS} ms"
    ratio = crowded.p99_ms / alone.p99_ms
    goals = [
        Goal("tokens beside a full read, p99", limit, measured, held=beside.p99_ms < P99_LIMIT_MS),
        Goal(
            f"tokens beside {CROWD} full reads, p99 beside the same alone",
            "≤ " + times(CROWD_LIMIT, 0),
            times(ratio),
            held=ratio <= CROWD_LIMIT,
        ),
    ]
    notes = [f"{CONNECTIONS} connections ask for tokens; the readers, each a curl, share their core."]
    return Section("Tokens beside full reads", [Table(["", "tokens/s", "p50 ms", "p99 ms"], rows)], goals, notes)


@contextlib.contextmanager
def _reading(subjects: Sequence[Subject]) -> Iterator[None]:
    """Full reads one after another by each reader for as long as the block lasts; one that failed raises at its end."""
    end, failures = threading.Event(), []

    def read(subject: Subject) -> None:
        try:
            while not end.is_set():
                download(subject)
        except RuntimeError as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(subject,)) for subject in subjects]
    for reader in threads:
        reader.start()
    try:
        yield
    finally:
        end.set()
        for reader in threads:
            reader.join()
    if failures:
        raise failures[0]
