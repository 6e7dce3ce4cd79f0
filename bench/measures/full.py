"""A full read of 1,000,000 rows of 10 columns as JSON, beside `sqlite3 -json` and Datasette: its speed and memory."""

import contextlib
import os
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

import msgspec
import product
from data import TABLE, data_file
from load import Download, Subject, download
from peers import servers as peers
from peers.install import WORK
from report import Goal, Section, Table, times
from serving import LOAD_CORE, SERVER_CORE, Running, Server, running

from processes import Peak, watched

ROWS = 1_000_000
ROUNDS = 3
SQLITE, DATASETTE = "`sqlite3 -json` to a pipe", "Datasette, limits lifted"

NOTE = (
    f"{ROWS:,} rows of 10 columns, read by curl and thrown away; every row was compared once with the table. "
    "`sqlite3` writes its reals with 20 digits, hence more bytes; it checks nobody, and writes to `wc`. Datasette "
    "gathers the whole answer before it sends the first byte."
)


def measure_full(_seconds: float) -> Section:
    """The three of them in turn, each answer checked once against the table itself; then each one's memory."""
    database, logs = data_file(WORK / "data", ROWS), WORK / "logs"
    home = product.make_home(WORK / "homes" / "full", database)
    with ExitStack() as stack:
        rowgate = product.full(stack.enter_context(running(product.server(home), logs=logs)), home)
        datasette = stack.enter_context(running(peers.datasette(database), logs=logs))
        subjects = {product.NAME: rowgate, DATASETTE: peers.datasette_full(datasette, database)}
        sizes = {name: check_whole(subject, database) for name, subject in subjects.items()}
        readers: dict[str, Callable[[], Download]] = {
            product.NAME: lambda: download(rowgate),
            SQLITE: lambda: read_with_sqlite(database)[0],
            DATASETTE: lambda: download(subjects[DATASETTE]),
        }
        reads = in_turn(readers)
    for name, size in sizes.items():
        if reads[name].size_bytes != size:
            raise RuntimeError(f"{name} sent {reads[name].size_bytes} bytes where the checked answer had {size}")
    memory = {
        product.NAME: _peak(product.server(home), lambda server: product.full(server, home)),
        SQLITE: read_with_sqlite(database)[1],
        DATASETTE: _peak(peers.datasette(database), lambda server: peers.datasette_full(server, database)),
    }
    return _section(reads, memory)


def _section(reads: dict[str, Download], memory: dict[str, Peak]) -> Section:
    ours, shell, datasette = reads[product.NAME], reads[SQLITE], reads[DATASETTE]
    rows = []
    for name, read in reads.items():
        peak = memory[name]
        speed = [f"{ROWS / read.seconds / 1000:,.0f}", times(read.seconds / ours.seconds), f"{read.seconds:.2f}"]
        sizes = [f"{read.size_bytes / 1e6:.0f}", f"{peak.resident_mib:,.0f}", f"{peak.anonymous_mib:,.0f}"]
        rows.append([name, *speed, f"{read.first_byte_seconds * 1000:,.0f}", f"{read.cpu_seconds:.2f}", *sizes])
    head = ["full read", "krows/s", "Rowgate is", "s", "first byte ms", "CPU s", "MB", "peak MiB", "anonymous MiB"]
    first, second = shell.seconds / ours.seconds, datasette.seconds / ours.seconds
    goals = [
        Goal("full read beside `sqlite3 -json`", "> " + times(1, 0), times(first), held=first > 1),
        Goal("full read beside Datasette", "≥ " + times(6, 0), times(second), held=second >= 6),
    ]
    return Section("A full read", [Table(head, rows)], goals, [NOTE])


def check_whole(subject: Subject, database: Path) -> int:
    """The size in bytes of a whole answer, once every row of it was found equal to the table's.

    Raises:
        RuntimeError: It is not.
    """
    target = WORK / "full-read.json"
    try:
        size = download(subject, target=target).size_bytes
        answered = msgspec.json.decode(target.read_bytes())
    finally:
        target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        count = 0
        for row in connection.execute(f"SELECT * FROM {TABLE} ORDER BY id"):
            if count >= len(answered) or tuple(answered[count].values()) != row:
                raise RuntimeError(f"{subject.server.server.name}: row {count} is not that of the table")
            count += 1
    if count != len(answered):
        raise RuntimeError(f"{subject.server.server.name}: {len(answered)} rows instead of {count}")
    return size


def in_turn(readers: dict[str, Callable[[], Download]], rounds: int = ROUNDS) -> dict[str, Download]:
    """The median of each reader's turns."""
    taken: dict[str, list[Download]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            taken[name].append(read())
    return {name: _median(downloads) for name, downloads in taken.items()}


def _median(downloads: list[Download]) -> Download:
    if len({taken.size_bytes for taken in downloads}) != 1:
        raise RuntimeError("the same read gave answers of different sizes")
    middle = {item.name: statistics.median(getattr(d, item.name) for d in downloads) for item in fields(Download)}
    return Download(**{**middle, "size_bytes": downloads[0].size_bytes})


def read_with_sqlite(database: Path) -> tuple[Download, Peak]:
    """One full read by the sqlite3 command into a pipe, and its memory."""
    select = ["taskset", "-c", str(SERVER_CORE), "sqlite3", "-json", str(database), f"SELECT * FROM {TABLE}"]
    count = ["taskset", "-c", str(LOAD_CORE), "wc", "-c"]
    begin = time.perf_counter()
    with (
        subprocess.Popen(select, stdout=subprocess.PIPE) as writer,
        subprocess.Popen(count, stdin=writer.stdout, stdout=subprocess.PIPE, text=True) as reader,
        watched(writer.pid) as peak,
    ):
        assert writer.stdout is not None, "internal error: the pipe was asked for"
        writer.stdout.close()
        size = int(reader.communicate()[0])
        _, status, usage = os.wait4(writer.pid, 0)
        writer.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if writer.returncode:
        raise RuntimeError(f"sqlite3 ended with {writer.returncode}")
    return Download(size, seconds, 0.0, usage.ru_utime + usage.ru_stime), peak


def _peak(server: Server, ask: Callable[[Running], Subject]) -> Peak:
    with running(server, logs=WORK / "logs") as fresh:
        subject = ask(fresh)
        with watched(fresh.pid) as peak:
            download(subject)
    return peak
