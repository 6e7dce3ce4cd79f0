"""A full read of 1,000,000 rows in every format, from SQLite and from a Parquet file by DuckDB."""

from collections.abc import Callable
from pathlib import Path

import product
from data import data_file, parquet_file
from load import Download, Request, Subject, download
from measures.full import ROWS, in_turn
from peers.install import WORK
from report import Goal, Section, Table, times
from serving import running

from processes import Peak, watched

FORMATS = ("json", "ndjson", "csv", "arrow", "parquet")
SLOWEST = "xlsx"  # has one turn
ARROW_GOAL = 1.5
NOTE = (
    f"{ROWS:,} rows of 10 columns, read by curl and thrown away, by a fresh server for each engine; the peak is of one "
    "more read by a server of its own. DuckDB reads a Parquet file of the same rows, and may use both cores for that."
)


def measure_formats(_seconds: float) -> Section:
    """Every format of each engine in turn."""
    engines: dict[str, Path | str] = {"SQLite": data_file(WORK / "data", ROWS), "DuckDB": _make_folder()}
    tables, goals = [], []
    for engine, database in engines.items():
        home = product.make_home(WORK / "homes" / f"formats-{engine.lower()}", database)
        with running(product.server(home), logs=WORK / "logs") as server:
            subject = product.full(server, home)
            reads = in_turn({form: _reader(subject, form) for form in FORMATS})
            reads |= in_turn({SLOWEST: _reader(subject, SLOWEST)}, rounds=1)
        rows = [_row(reads, form, _peak(home, form)) for form in reads]
        head = [engine, "krows/s", "beside JSON", "s", "first byte ms", "CPU s", "MB", "peak MiB"]
        tables.append(Table(head, rows))
        ratio = reads["json"].seconds / reads["arrow"].seconds
        goal = "≥ " + times(ARROW_GOAL, 1)
        goals.append(Goal(f"Arrow beside JSON, {engine}", goal, times(ratio), held=ratio >= ARROW_GOAL))
    return Section("Formats", tables, goals, [NOTE])


def _make_folder() -> str:
    folder = WORK / "data" / "parquet"
    parquet_file(folder, data_file(WORK / "data", ROWS))
    return f"duckdb:///{folder}"


def _ask(subject: Subject, form: str) -> Subject:
    request = Request(f"{subject.request.url}?format={form}", headers=subject.request.headers)
    return Subject(subject.server, request)


def _reader(subject: Subject, form: str) -> Callable[[], Download]:
    asked = _ask(subject, form)
    return lambda: download(asked)


def _row(reads: dict[str, Download], form: str, peak: Peak) -> list[str]:
    read = reads[form]
    speed = [f"{ROWS / read.seconds / 1000:,.0f}", times(reads["json"].seconds / read.seconds), f"{read.seconds:.2f}"]
    rest = [f"{read.first_byte_seconds * 1000:,.0f}", f"{read.cpu_seconds:.2f}", f"{read.size_bytes / 1e6:.0f}"]
    return [form, *speed, *rest, f"{peak.resident_mib:.0f}"]


def _peak(home: product.Home, form: str) -> Peak:
    with running(product.server(home), logs=WORK / "logs") as fresh, watched(fresh.pid) as peak:
        download(_ask(product.full(fresh, home), form))
    return peak
