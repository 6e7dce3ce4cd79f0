"""Rows of a megabyte each, from PostgreSQL: whatever road they take, few of them are in memory at once."""

import resource
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engines.test_contract import read_all
from rowgate.engines.light_statements import FEW_ROWS, MANY_ROWS, LightStatements
from rowgate.engines.postgres import PostgresSource
from rowgate.rows.encode import open_encoder
from rowgate.rows.encode_lines import open_line_encoder
from rowgate.rows.model import Format, Plan, Statement
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.postgres import PostgresServer

ROWS = 1001  # more are not read in one block, whatever they weigh
HEAVY = 120  # of them
MOST_BYTES = 64 * 2**20  # where the heavy ones weigh twice as much in all


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[PostgresSource]:
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        of_one_length = f"repeat('x', CASE WHEN n <= {HEAVY} THEN 1000000 ELSE 1 END)"
        rows = f"SELECT n, {of_one_length} AS t FROM generate_series(1, {ROWS}) AS numbers(n)"
        owner.execute(f"CREATE VIEW heavy AS {rows}".encode())
    with closing(PostgresSource(postgres.address(name))) as source:
        yield source
    postgres.drop_database(name)


def plan_heavy(source: PostgresSource) -> Plan:
    described = source.find_object("heavy")
    assert described is not None
    return plan_rows(parse_rows_body(b"{}"), described, run_key="")


def measure_bytes() -> int:
    """Give what of this process is in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.parametrize("form", [Format.JSON, Format.CSV, Format.ARROW, Format.PARQUET])
def test_heavy_rows_do_not_fill_the_memory(source: PostgresSource, form: Format) -> None:
    plan = plan_heavy(source)
    lines = source.open_lines(plan, form, statement_seconds=60)
    encoder: Any = open_encoder(plan, form) if lines is None else open_line_encoder(plan, form)
    blocks = lines or source.open_rows(render_select(plan, source.dialect), statement_seconds=60)
    first, most, rows, written = measure_bytes(), 0, 0, 0
    with closing(blocks):
        while not blocks.is_exhausted:
            block = blocks.read_block()
            rows += len(block)
            written += len(encoder.encode_block(block))
            most = max(most, measure_bytes())
    written += len(encoder.encode_end())
    assert rows == ROWS
    assert written > HEAVY * 1_000_000 or form is Format.PARQUET  # which says the same once
    assert most - first < MOST_BYTES


def test_a_block_is_weighed_from_its_first_row_on(source: PostgresSource) -> None:
    statement = render_select(plan_heavy(source), source.dialect)
    with closing(source.open_rows(statement, statement_seconds=60)) as blocks:
        sizes = []
        while not blocks.is_exhausted:
            sizes.append(len(blocks.read_block()))
    assert max(sizes[: HEAVY // 2]) <= 2
    assert sum(sizes) == ROWS


def test_the_same_rows_are_cut_into_the_same_blocks_however_many_are_gathered(source: PostgresSource) -> None:
    text = "SELECT n, repeat('x', n * 7 % 4000) FROM generate_series(1, 4000) AS numbers(n)"
    cuts = []
    for heaviest in (2**20, 1):
        source._light.note(text, heaviest)
        with closing(source.open_rows(Statement(text, ()), statement_seconds=60)) as blocks:
            cut = []
            while not blocks.is_exhausted:
                cut.append(len(blocks.read_block()))
        cuts.append(cut)
    assert all(one == other for one, other in pairwise(cuts))
    assert len(cuts[0]) > 4


@pytest.mark.parametrize("rows", [0, 1, FEW_ROWS - 1, FEW_ROWS, MANY_ROWS, MANY_ROWS + 1])
def test_rows_are_whole_however_many_are_gathered(source: PostgresSource, rows: int) -> None:
    """Read twice: of a statement that gave light rows more are gathered."""
    statement = Statement(f"SELECT n FROM generate_series(1, {rows}) AS numbers(n)", ())
    for _ in range(2):
        assert read_all(source.open_rows(statement, statement_seconds=60)) == [(n,) for n in range(1, rows + 1)]


def test_what_is_not_known_is_taken_for_heavy() -> None:
    light = LightStatements()
    assert light.choose_rows("SELECT 1") == FEW_ROWS
    light.note("SELECT 1", 100)
    assert light.choose_rows("SELECT 1") == MANY_ROWS
    assert light.choose_rows("SELECT 2") == FEW_ROWS
    light.note("SELECT 1", 1_000_000)
    assert light.choose_rows("SELECT 1") == FEW_ROWS


def test_what_is_known_is_bounded() -> None:
    light = LightStatements()
    for number in range(25_000):
        light.note(f"SELECT {number}", 100)
    assert len(light._known) <= 10_000
    assert light.choose_rows("SELECT 24999") == MANY_ROWS
