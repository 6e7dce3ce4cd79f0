"""A PostgreSQL server that says nothing: one that works is waited for, one that is frozen is not."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from rowgate.engines import postgres_run
from rowgate.engines.postgres import PostgresSource
from rowgate.ports.rows import LineBlocks, RowBlocks
from rowgate.rows.errors import EngineUnavailable
from rowgate.rows.model import Format, Plan
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.postgres import PostgresServer, run_postgres

Open = Callable[[PostgresSource, Plan], RowBlocks | LineBlocks]


def open_rows(source: PostgresSource, plan: Plan) -> RowBlocks:
    return source.open_rows(render_select(plan, source.dialect), statement_seconds=60)


def open_lines(source: PostgresSource, plan: Plan) -> LineBlocks:
    lines = source.open_lines(plan, Format.CSV, statement_seconds=60)
    assert lines is not None
    return lines


ROADS = pytest.mark.parametrize("open_road", [open_rows, open_lines])


@contextmanager
def serve(server: PostgresServer, view: str) -> Iterator[tuple[PostgresSource, Plan]]:
    """Serve a view, asked whole."""
    name = server.create_database()
    with server.owner(name) as owner:
        owner.execute(f"CREATE VIEW asked AS {view}".encode())
    with closing(PostgresSource(server.address(name))) as source:
        described = source.find_object("asked")
        assert described is not None
        yield source, plan_rows(parse_rows_body(b"{}"), described, run_key="")
    server.drop_database(name)


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Stop every process of a server, as a virtual machine that is paused is."""
    assert server.process is not None
    first = psutil.Process(server.process.pid)
    processes = [first, *first.children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


@ROADS
def test_a_server_that_works_in_silence_is_waited_for(
    postgres: PostgresServer, open_road: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_run, "SILENT_SECONDS", 0.1)
    with (
        serve(postgres, "SELECT 1 AS n, CAST(pg_sleep(0.5) AS text) AS t") as (source, plan),
        closing(open_road(source, plan)) as blocks,
    ):
        assert len(blocks.read_block()) == 1


@pytest.mark.slow
@ROADS
def test_a_frozen_server_is_given_up_long_before_the_statement_s_time(
    open_road: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_run, "SILENT_SECONDS", 0.3)
    with run_postgres() as server, serve(server, "SELECT 1 AS n, CAST(pg_sleep(5) AS text) AS t") as (source, plan):
        assert source.dialect.place(1) == "$1"  # asked before
        begun = time.monotonic()
        with closing(open_road(source, plan)) as blocks, frozen(server), pytest.raises(EngineUnavailable):
            blocks.read_block()
        assert time.monotonic() - begun < 20
