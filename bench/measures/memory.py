"""The memory of a worker while it reads more and more rows: it must not grow."""

import product
from data import data_file
from load import download
from peers.install import WORK
from report import Goal, Section, Table
from serving import running

from processes import watched

USUAL_ROWS = (10_000, 1_000_000)
MOST_ROWS = 10_000_000  # minutes to make and 2 GB on disk: only when asked for
READS = 2
LIMIT_MIB = 120

NOTE = (
    "Peak resident memory as the kernel keeps it, with shared libraries and mapped files; anonymous memory, sampled "
    f"every 20 ms, is the worker's own. {READS} full reads by a fresh server each."
)


def measure_memory(_seconds: float) -> Section:
    """Ten thousand and a million rows."""
    return _measure(USUAL_ROWS)


def measure_more_memory(_seconds: float) -> Section:
    """The same, and ten million."""
    return _measure((*USUAL_ROWS, MOST_ROWS))


def _measure(counts: tuple[int, ...]) -> Section:
    table, highest = [], 0.0
    for rows in counts:
        database = data_file(WORK / "data", rows)
        home = product.make_home(WORK / "homes" / "memory", database)
        with running(product.server(home), logs=WORK / "logs") as server, watched(server.pid) as peak:
            for _ in range(READS):
                size_bytes = download(product.full(server, home)).size_bytes
        table.append([f"{rows:,}", f"{size_bytes / 1e6:,.0f}", f"{peak.resident_mib:.0f}", f"{peak.anonymous_mib:.0f}"])
        highest = max(highest, peak.resident_mib)
    goals = [Goal("peak memory of a worker", f"< {LIMIT_MIB} MiB", f"{highest:.0f} MiB", held=highest < LIMIT_MIB)]
    head = ["rows", "MB of JSON", "peak MiB", "anonymous MiB"]
    return Section("Memory of a worker", [Table(head, table)], goals, [NOTE])
