"""What DuckDB gives as arrays is what Python writes of the same rows, whatever they hold."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rowgate.engines.block_weight import BLOCK_BYTES
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_arrays import BATCH_ROWS
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.ports.rows import ArrayBlocks
from rowgate.rows.encode import open_encoder
from rowgate.rows.encode_lines import ARRAY_FORMATS, open_line_encoder
from rowgate.rows.errors import EngineFailure, InvalidParameter, RowsError, StatementCancelled, StatementTimeout
from rowgate.rows.model import Format, Plan
from rowgate.rows.plan import plan_rows
from rowgate.rows.policy import read_policy
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.laws import choose_examples

_MOMENTS = st.datetimes().map(str) | st.sampled_from(
    ["infinity", "-infinity", "0044-03-15 (BC) 01:02:03", "12345-01-01 00:00:00.5", "2020-01-01 00:00:00.120000"]
)


def _write_microseconds(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="microseconds")


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TINYINT": st.integers(-(2**7), 2**7 - 1),
    "UINTEGER": st.integers(0, 2**32 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "HUGEINT": st.integers(-(2**126), 2**126).map(str),
    "DECIMAL(4,1)": st.decimals(-999, 999, places=1).map(str),
    "DECIMAL(38,10)": st.decimals(-(10**20), 10**20, places=10).map(str),
    "DOUBLE": st.floats(),
    "FLOAT": st.floats(width=32),
    "BOOLEAN": st.booleans(),
    "VARCHAR": st.text(st.characters(codec="utf-8"), max_size=20),
    "UUID": st.uuids().map(str),
    "BLOB": st.binary(max_size=20),
    "DATE": st.dates().map(str) | st.sampled_from(["infinity", "-infinity", "0044-03-15 (BC)", "12345-01-01"]),
    "TIME": st.times().map(dt.time.isoformat),
    "TIMESTAMP": _MOMENTS,
    "TIMESTAMP_MS": st.datetimes().map(str),
    "TIMESTAMP_NS": st.builds(
        "{}{:03}".format,
        st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2262, 1, 1)).map(_write_microseconds),  # noqa: DTZ001
        st.integers(0, 999),
    )
    | st.sampled_from(["infinity", "-infinity"]),
    "INTEGER[]": st.lists(st.integers(0, 9), max_size=3).map(str),
}
TEXT_FORMATS = (Format.JSON, Format.NDJSON, Format.CSV)
ROWS = st.lists(st.tuples(*[st.none() | values for values in VALUES.values()]), max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arrays")


def make_table(path: Path, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    path.unlink(missing_ok=True)
    with closing(duckdb.connect(str(path))) as owner:
        owner.execute(f"CREATE TABLE t ({', '.join(f'c{n} {kind}' for n, kind in enumerate(columns))})")
        if rows:
            owner.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", rows)


@pytest.fixture
def long(folder: Path) -> Iterator[DuckdbSource]:
    path = folder / "long.duckdb"
    if not path.exists():
        with closing(duckdb.connect(str(path))) as owner:
            owner.execute(f"CREATE TABLE t AS SELECT range AS n, 'x' || range AS s FROM range({5 * BATCH_ROWS + 7})")
    with closing(DuckdbSource(DuckdbManner(path))) as source:
        yield source


def plan_for(source: DuckdbSource, body: bytes = b"{}") -> Plan:
    described = source.find_object("t")
    assert described is not None
    return plan_rows(parse_rows_body(body), described, run_key="")


def open_arrays(source: DuckdbSource, plan: Plan, form: Format = Format.ARROW) -> ArrayBlocks:
    arrays = source.open_lines(plan, form, statement_seconds=30)
    assert arrays is not None
    return arrays


def write_arrays(source: DuckdbSource, plan: Plan, form: Format) -> bytes:
    encoder = open_line_encoder(plan, form)
    parts = []
    with closing(open_arrays(source, plan, form)) as blocks:
        while not blocks.is_exhausted:
            parts.append(encoder.encode_block(blocks.read_block()))
    return b"".join([*parts, encoder.encode_end()])


def read_arrays(source: DuckdbSource, plan: Plan, form: Format = Format.ARROW) -> pa.Table:
    return read_table(write_arrays(source, plan, form), form)


def read_table(document: bytes, form: Format) -> pa.Table:
    if form is Format.PARQUET:
        return parquet.read_table(pa.BufferReader(document))
    return pa.ipc.open_stream(document).read_all()


def write_values(source: DuckdbSource, plan: Plan, form: Format) -> bytes:
    encoder = open_encoder(plan, form)
    statement = render_select(plan, source.dialect)
    parts = []
    with closing(source.open_rows(statement, statement_seconds=30)) as blocks:
        while not blocks.is_exhausted:
            parts.append(encoder.encode_block(blocks.read_block()))
    return b"".join([*parts, encoder.encode_end()])


def read_values(source: DuckdbSource, plan: Plan, form: Format = Format.ARROW) -> pa.Table:
    return read_table(write_values(source, plan, form), form)


def tell(table: pa.Table) -> list[str]:
    """Give the rows so that NaN is equal to itself, and -0.0 is not 0.0."""
    return [repr(row) for row in table.to_pylist()]


@settings(max_examples=choose_examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_both_ways_give_the_same(folder: Path, rows: list[tuple[Any, ...]]) -> None:
    path = folder / "types.duckdb"
    make_table(path, list(VALUES), rows)
    with closing(DuckdbSource(DuckdbManner(path))) as source:
        plan = plan_for(source)
        for form in sorted(ARRAY_FORMATS):
            arrays, values = read_arrays(source, plan, form), read_values(source, plan, form)
            assert arrays.schema == values.schema
            assert tell(arrays) == tell(values)
            assert len(arrays) == len(rows)
        for form in TEXT_FORMATS:
            assert write_arrays(source, plan, form) == write_values(source, plan, form)


_SINGLE = {kind: VALUES[kind] for kind in ("BIGINT", "DECIMAL(38,10)", "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB")}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(sorted(_SINGLE)))
def test_a_column_alone_is_written_the_same(folder: Path, data: st.DataObject, kind: str) -> None:
    path = folder / "single.duckdb"
    make_table(path, [kind], [(data.draw(st.none() | _SINGLE[kind]),) for _ in range(3)])
    with closing(DuckdbSource(DuckdbManner(path))) as source:
        for form in TEXT_FORMATS:
            assert write_arrays(source, plan_for(source), form) == write_values(source, plan_for(source), form)


def test_texts_of_many_blocks_are_the_same_document(long: DuckdbSource) -> None:
    plan = plan_for(long, b'{"orderby": ["n"]}')
    for form in TEXT_FORMATS:
        assert write_arrays(long, plan, form) == write_values(long, plan, form)


def test_names_are_written_the_same(folder: Path) -> None:
    path = folder / "names.duckdb"
    with closing(duckdb.connect(str(path))) as owner:
        owner.execute('CREATE TABLE t ("say ""a\\b""" INTEGER, "Zoë, \n山田" DOUBLE, "\'" VARCHAR)')
        owner.execute("INSERT INTO t VALUES (1, 2, 3), (NULL, NULL, NULL)")
    with closing(DuckdbSource(DuckdbManner(path))) as source:
        for form in TEXT_FORMATS:
            assert write_arrays(source, plan_for(source), form) == write_values(source, plan_for(source), form)


def test_groups_and_few_rows_are_written_of_values(long: DuckdbSource) -> None:
    grouped, few = plan_for(long, b'{"groupby": ["s"]}'), plan_for(long, b'{"limit": 1000}')
    assert long.open_lines(grouped, Format.JSON, statement_seconds=30) is None
    assert len(write_arrays(long, grouped, Format.CSV).splitlines()) == 5 * BATCH_ROWS + 8
    for form in TEXT_FORMATS:
        assert long.open_lines(few, form, statement_seconds=30) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"filters": [{"column": "s", "function": "starts_with", "value": "X1"}], "orderby": ["n desc"]}',
        b'{"columns": ["s"], "groupby": ["n"], "offset": 3, "limit": 5}',
        b'{"columns": ["s"], "distinct": true, "orderby": ["s"]}',
        b'{"filters": [{"column": "n", "function": "less", "value": 0}]}',
    ],
)
def test_they_are_of_the_same_request(long: DuckdbSource, body: bytes) -> None:
    plan = plan_for(long, body)
    arrays = read_arrays(long, plan)
    assert arrays.equals(read_values(long, plan).combine_chunks().select(arrays.column_names))


def test_a_mask_a_page_and_what_is_computed_go_the_other_way(long: DuckdbSource) -> None:
    described = long.find_object("t")
    assert described is not None
    policy = read_policy(None, (("s", "last4"),), (), ())
    masked = plan_rows(parse_rows_body(b"{}"), described, run_key="", policy=policy)
    computed = plan_for(long, b'{"aggregates": ["count"]}')
    for plan in (masked, computed):
        for form in (*ARRAY_FORMATS, *TEXT_FORMATS):
            assert long.open_lines(plan, form, statement_seconds=30) is None


def test_it_comes_in_batches(long: DuckdbSource) -> None:
    with closing(open_arrays(long, plan_for(long))) as blocks:
        sizes = []
        while not blocks.is_exhausted:
            sizes.append(len(blocks.read_block()))
    assert sum(sizes) == 5 * BATCH_ROWS + 7
    assert max(sizes) <= BATCH_ROWS


def test_heavy_rows_are_given_on_in_parts(folder: Path) -> None:
    path = folder / "heavy.duckdb"
    with closing(duckdb.connect(str(path))) as owner:
        owner.execute("CREATE TABLE t AS SELECT range AS n, repeat('x', 10000) AS s FROM range(1000)")
    with closing(DuckdbSource(DuckdbManner(path))) as source:
        plan = plan_for(source)
        with closing(open_arrays(source, plan)) as blocks:
            sizes = []
            while not blocks.is_exhausted:
                sizes.append(len(blocks.read_block()))
        assert max(sizes) * 10_000 <= BLOCK_BYTES
        table = read_arrays(source, plan)
    assert sorted(table.column("n").to_pylist()) == list(range(1000))
    assert set(table.column("s").to_pylist()) == {"x" * 10_000}


def test_it_ends_when_it_is_cancelled_or_late(long: DuckdbSource) -> None:
    plan = plan_for(long)
    with closing(open_arrays(long, plan)) as blocks:
        blocks.read_block()
        blocks.cancel()
        with pytest.raises(StatementCancelled):
            blocks.read_block()
    late = long.open_lines(plan, Format.ARROW, statement_seconds=0)
    assert late is not None
    with closing(late), pytest.raises(StatementTimeout):
        late.read_block()
    assert len(read_arrays(long, plan)) == 5 * BATCH_ROWS + 7  # connections are as good as before


FAILING = {
    "error('late')": EngineFailure,
    "CAST('x' || n AS INTEGER)": EngineFailure,
    "9223372036854775807 + n": InvalidParameter,
}


@pytest.mark.parametrize("fails", FAILING)
def test_what_fails_in_a_row_is_the_same_failure_both_ways(tmp_path: Path, fails: str) -> None:
    """An Arrow stream leaves nothing of an error but its text; a view that is wrong is no database that is away."""
    path = tmp_path / "failing.duckdb"
    with closing(duckdb.connect(str(path))) as owner:
        case = f"CASE WHEN n = {5 * BATCH_ROWS} THEN {fails} ELSE 0 END"
        owner.execute(f"CREATE VIEW t AS SELECT n, {case} AS v FROM range({6 * BATCH_ROWS}) AS r(n)")
    with closing(DuckdbSource(DuckdbManner(path))) as source:
        plan = plan_for(source)
        for write in (write_arrays, write_values):
            with pytest.raises(RowsError) as failed:
                write(source, plan, Format.ARROW)
            assert type(failed.value) is FAILING[fails], write
