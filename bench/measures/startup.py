"""How soon a server is ready, and what it holds while nobody asks."""

import statistics
import time

import product
from data import data_file
from load import check_token
from peers.install import WORK
from report import Goal, Section, Table
from serving import running

from processes import idle

ROUNDS = 5
ROWS = 10_000
SETTLE_SECONDS = 2
READY_LIMIT_SECONDS = 1
IDLE_LIMIT_MIB = 80


def measure_startup(_seconds: float) -> Section:
    """From exec to the first 200 of /readyz on one core; memory after a first token and a pause."""
    home = product.make_home(WORK / "homes" / "startup", data_file(WORK / "data", ROWS))
    ready, resident, proportional = [], [], []
    for _ in range(ROUNDS):
        with running(product.server(home), logs=WORK / "logs") as server:
            ready.append(server.ready_seconds)
            check_token(product.token(server, home).request)
            time.sleep(SETTLE_SECONDS)
            held = idle(server.pid)
            resident.append(held.resident_mib)
            proportional.append(held.proportional_mib)
    seconds, mebibytes = statistics.median(ready), statistics.median(resident)
    row = [f"{seconds:.2f}", f"{max(ready):.2f}", f"{mebibytes:.0f}", f"{statistics.median(proportional):.0f}"]
    head = ["", "ready after s", "slowest s", "idle resident MiB", "idle proportional MiB"]
    goals = [
        Goal("ready to serve", f"< {READY_LIMIT_SECONDS} s", f"{seconds:.2f} s", held=seconds < READY_LIMIT_SECONDS),
        Goal("idle worker", f"< {IDLE_LIMIT_MIB} MiB", f"{mebibytes:.0f} MiB", held=mebibytes < IDLE_LIMIT_MIB),
    ]
    return Section("Start", [Table(head, [[product.NAME, *row]])], goals, [f"Medians of {ROUNDS} starts."])
