"""The memory of a worker while it reads more and more rows, and how soon the first byte comes: neither must grow."""

import product
from data import data_file
from load import download
from peers.install import WORK
from report import Goal, Section, Table
from serving import running

from processes import watched

ROWS = (10_000, 1_000_000, 10_000_000)
READS = 2
LIMIT_MIB = 120
LIMIT_MS = 50  # of the first byte

NOTE = (
    "Peak resident memory as the kernel keeps it, with shared libraries and mapped files; anonymous memory, sampled "
    f"every 20 ms, is the worker's own. {READS} full reads by a fresh server each; the first byte is the later one's."
)


def measure_memory(_seconds: float) -> Section:
    """Ten thousand rows, a million, and ten million: that file takes minutes to make, once, and 2 GB."""
    table, highest, latest_ms = [], 0.0, 0.0
    for rows in ROWS:
        database = data_file(WORK / "data", rows)
        home = product.make_home(WORK / "homes" / "memory", database)
        with running(product.server(home), logs=WORK / "logs") as server, watched(server.pid) as peak:
            reads = [download(product.full(server, home)) for _ in range(READS)]
        latest_ms = max(read.first_byte_seconds for read in reads) * 1000
        sizes = [f"{reads[0].size_bytes / 1e6:,.0f}", f"{peak.resident_mib:.0f}", f"{peak.anonymous_mib:.0f}"]
        table.append([f"{rows:,}", *sizes, f"{latest_ms:.0f}"])
        highest = max(highest, peak.resident_mib)
    goals = [
        Goal("peak memory of a worker", f"< {LIMIT_MIB} MiB", f"{highest:.0f} MiB", held=highest < LIMIT_MIB),
        Goal(f"first byte of {ROWS[-1]:,} rows", f"< {LIMIT_MS} ms", f"{latest_ms:.0f} ms", held=latest_ms < LIMIT_MS),
    ]
    head = ["rows", "MB of JSON", "peak MiB", "anonymous MiB", "first byte ms"]
    return Section("Memory of a worker", [Table(head, table)], goals, [NOTE])
