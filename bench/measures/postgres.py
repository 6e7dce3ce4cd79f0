"""PostgreSQL: a full read beside `psql` that copies the same rows to a pipe, and a page beside a bare handler."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import product
from data import ROWS_PER_VALUE, TABLE, TOGETHER, generate
from load import Download, Request, Subject, download, interleaved
from measures.full import ROWS, in_turn
from measures.page import BARE, CONNECTIONS, check_alike, page_table
from peers import servers as peers
from peers.install import WORK
from report import Goal, Section, Table, times
from serving import LOAD_CORE, SERVER_CORE, running

sys.path.append(str(Path(__file__).parents[2] / "tests"))  # the server of the tests is run here too

from support.postgres import PostgresServer, run_postgres

SCHEMA = f"""
CREATE TABLE {TABLE} (
  id bigint PRIMARY KEY, bucket integer NOT NULL, batch integer NOT NULL, host text NOT NULL, name text NOT NULL,
  amount double precision NOT NULL, ratio double precision, day date NOT NULL, seen timestamptz NOT NULL, note text
)
"""
JSON, CSV, ARROW = "Rowgate, JSON", "Rowgate, CSV", "Rowgate, Arrow"
COPY_JSON, COPY_CSV = "`psql`, COPY of `row_to_json`", "`psql`, COPY CSV"
COPIES = {
    COPY_JSON: f"COPY (SELECT row_to_json(t) FROM {TABLE} t) TO STDOUT",
    COPY_CSV: f"COPY {TABLE} TO STDOUT (FORMAT csv, HEADER)",
}
NOTE = (
    f"{ROWS:,} rows of 10 columns: whole numbers, reals, text, a date, a timestamp with a zone. PostgreSQL runs on "
    "both cores; Rowgate and `psql` are pinned to one, curl and `wc` to the other. CPU s is Rowgate's or psql's own. "
    "`psql` checks nobody and keeps no record; Rowgate's CSV has quotation marks around every text and a digest at its "
    "end."
)
PAGE_NOTE = (
    f"{ROWS_PER_VALUE} rows of 10 columns out of {ROWS:,} by an indexed column, another value each time, {CONNECTIONS} "
    "connections. The bare handler runs the same statement by the same driver on the same server, for everybody who "
    "asks. PostgreSQL runs on both cores, beside the server and beside wrk."
)


def measure_postgres(_seconds: float) -> Section:
    """Every format of both, in turn."""
    with ExitStack() as stack:
        server = stack.enter_context(run_postgres())
        database = _fill(server)
        home = product.make_home(WORK / "homes" / "postgres", server.address(database))
        rowgate = product.full(stack.enter_context(running(product.server(home), logs=WORK / "logs")), home)

        def ask(form: str) -> Subject:
            return Subject(
                rowgate.server, Request(f"{rowgate.request.url}?format={form}", headers=rowgate.request.headers)
            )

        csv, arrow = ask("csv"), ask("arrow")
        readers: dict[str, Callable[[], Download]] = {
            JSON: lambda: download(rowgate),
            COPY_JSON: lambda: _copy(server, database, COPIES[COPY_JSON]),
            CSV: lambda: download(csv),
            COPY_CSV: lambda: _copy(server, database, COPIES[COPY_CSV]),
            ARROW: lambda: download(arrow),
        }
        reads = in_turn(readers)
    rows = []
    for name, read in reads.items():
        speed = [f"{ROWS / read.seconds / 1000:,.0f}", f"{read.seconds:.2f}", f"{read.cpu_seconds:.2f}"]
        rows.append([name, *speed, f"{read.size_bytes / 1e6:.0f}"])
    third = reads[JSON].seconds / reads[ARROW].seconds
    first, second = reads[COPY_JSON].seconds / reads[JSON].seconds, reads[COPY_CSV].seconds / reads[CSV].seconds
    goals = [
        Goal(f"JSON beside {COPY_JSON}", "≥ " + times(1.1, 1), times(first), held=first >= 1.1),
        Goal(f"CSV beside {COPY_CSV}", "≥ " + times(0.8, 1), times(second), held=second >= 0.8),
        Goal("Arrow beside JSON, PostgreSQL", "≥ " + times(1.5, 1), times(third), held=third >= 1.5),
    ]
    return Section(
        "A full read of PostgreSQL", [Table(["full read", "krows/s", "s", "CPU s", "MB"], rows)], goals, [NOTE]
    )


def measure_postgres_page(seconds: float) -> Section:
    """Rowgate and the bare handler in turn, another value each time."""
    with ExitStack() as stack:
        server = stack.enter_context(run_postgres())
        database = _fill(server)
        with server.owner(database) as owner:
            owner.execute(f"CREATE INDEX ON {TABLE} ({TOGETHER})".encode())
        address = server.address(database)
        home = product.make_home(WORK / "homes" / "postgres-page", address)
        rowgate = stack.enter_context(running(product.server(home), logs=WORK / "logs"))
        bare = stack.enter_context(running(peers.bare_postgres_rows(address), logs=WORK / "logs"))
        subjects = {
            product.NAME: product.page(rowgate, home, TOGETHER, ROWS),
            BARE: peers.bare_page(bare, TOGETHER, ROWS),
        }
        check_alike(subjects)
        rates = interleaved(subjects, connections=CONNECTIONS, seconds=seconds)
    ratio = rates[product.NAME].per_second / rates[BARE].per_second
    goal = Goal("page of PostgreSQL beside the bare handler", "≥ " + times(0.7, 1), times(ratio), held=ratio >= 0.7)
    return Section("A page of PostgreSQL", [page_table("rows that lie together", rates)], [goal], [PAGE_NOTE])


def _fill(server: PostgresServer) -> str:
    name = server.create_database()
    with server.owner(name) as owner:
        owner.execute(SCHEMA.encode())
        with owner.cursor() as cursor, cursor.copy(f"COPY {TABLE} FROM STDIN".encode()) as copy:
            for row in generate(ROWS):
                copy.write_row(row)
        owner.execute(f"VACUUM ANALYZE {TABLE}".encode())
    return name


def _copy(server: PostgresServer, database: str, statement: str) -> Download:
    """One copy by psql into a pipe."""
    psql = [str(server.binaries / "psql"), "-X", "-c", statement, server.address(database)]
    begin = time.perf_counter()
    with (
        subprocess.Popen(["taskset", "-c", str(SERVER_CORE), *psql], stdout=subprocess.PIPE) as writer,
        subprocess.Popen(
            ["taskset", "-c", str(LOAD_CORE), "wc", "-c"], stdin=writer.stdout, stdout=subprocess.PIPE, text=True
        ) as reader,
    ):
        assert writer.stdout is not None, "internal error: the pipe was asked for"
        writer.stdout.close()
        size = int(reader.communicate()[0])
        _, status, usage = os.wait4(writer.pid, 0)
        writer.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if writer.returncode:
        raise RuntimeError(f"psql ended with {writer.returncode}")
    return Download(size, seconds, 0.0, usage.ru_utime + usage.ru_stime)
