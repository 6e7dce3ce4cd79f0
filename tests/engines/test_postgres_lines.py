"""What PostgreSQL writes itself is what Python writes of the same rows, byte for byte, whatever they hold."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rowgate.engines.postgres import PostgresSource
from rowgate.engines.postgres_lines import BLOCK_LINES, LINE_BLOCK_BYTES
from rowgate.engines.postgres_session import Session
from rowgate.ports.rows import LineBlocks
from rowgate.rows.encode import open_encoder
from rowgate.rows.encode_lines import ARRAY_FORMATS, open_line_encoder
from rowgate.rows.errors import (
    EngineFailure,
    EngineUnavailable,
    InvalidParameter,
    StatementCancelled,
    StatementTimeout,
)
from rowgate.rows.masks import Mask
from rowgate.rows.model import Format, ObjectDescription, Plan
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from rows.tables_postgres import STORED, make_types
from rows.test_injection import ATTACKS
from support.laws import choose_examples
from support.postgres import READER, PostgresServer

_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
_TEXTS = st.text(_CHARACTERS, max_size=20) | st.sampled_from(
    [
        "",
        "NaN",
        "Infinity",
        "-Infinity",
        '"',
        '""',
        '"NaN"',
        ",NaN,",
        '",NaN,"',
        "\n",
        "\r\n",
        "\r",
        "\\.",
        "\\N",
        "é😀",
        " ",
    ]
)
_SINGLES = st.floats(width=32)
_REALS = st.floats() | st.sampled_from(
    [
        sign * base * 10.0**power
        for sign in (1, -1)
        for base in (0, 1, 9.99, 1.2345678901234567)
        for power in (-6, -5, -4, 14, 15, 16, 17)
    ]
)
_DECIMALS = (
    st.decimals(allow_nan=False).filter(lambda number: abs(number.adjusted()) < 200)
    | st.just("NaN")
    | st.builds("{}0.{}{}".format, st.sampled_from(["", "-"]), st.integers(0, 12).map("0".__mul__), st.integers(0, 999))
).map(str)
_SHORT_DECIMALS = st.decimals(-(10**9), 10**9, places=2).map(str)
_DATES = st.dates().map(str) | st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "12345-01-01"])
_MOMENTS = st.datetimes().map(str) | st.sampled_from(
    ["infinity", "-infinity", "0044-03-15 01:02:03 BC", "12345-01-01 00:00:00.5"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
).map(json.dumps)

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "text": _TEXTS,
    "varchar(20)": _TEXTS,
    "char(25)": _TEXTS,
    "boolean": st.booleans(),
    "double precision": _REALS,
    "real": _SINGLES,
    "numeric": _DECIMALS,
    "numeric(12,2)": _SHORT_DECIMALS | st.just("NaN"),
    "numeric(20,9)": st.decimals(-(10**9), 10**9, places=9).map(str),
    "bytea": st.binary(max_size=100),
    "date": _DATES,
    "time": st.times().map(str),
    "timestamp": _MOMENTS,
    "timestamptz": _MOMENTS.map(lambda moment: moment if "infinity" in moment else moment.replace(" BC", "+01 BC")),
    "uuid": st.uuids().map(str),
    "json": _JSON.filter(lambda text: "\\u0000" not in text),
    "text[]": st.lists(st.none() | _TEXTS, max_size=3),
    "integer[]": st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=3),
}
NAMES = {f"c{place}": kind for place, kind in enumerate(KINDS)}
ROWS = st.lists(st.tuples(*(st.none() | values for values in KINDS.values())), max_size=4)
_REAL_TIME = settings(
    max_examples=choose_examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Kept:
    """A database with a table of every kind of column."""

    owner: psycopg.Connection
    source: PostgresSource

    def find(self, name: str = "kept") -> ObjectDescription:
        described = self.source.find_object(name)
        assert described is not None
        return described

    def plan(self, name: str = "kept", **asked: Any) -> Plan:
        return plan_rows(parse_rows_body(json.dumps(asked).encode()), self.find(name), run_key="")

    def fill(self, rows: list[tuple[Any, ...]]) -> None:
        insert = f"INSERT INTO kept VALUES (%s, {', '.join('%s::' + kind for kind in KINDS)})"
        self.owner.execute("TRUNCATE kept")
        for number, row in enumerate(rows):
            self.owner.execute(insert.encode(), (number, *row))

    def open_lines(self, plan: Plan, form: Format) -> LineBlocks:
        lines = self.source.open_lines(plan, form, statement_seconds=10)
        assert lines is not None
        return lines

    def write_lines(self, plan: Plan, form: Format) -> bytes:
        encoder = open_line_encoder(plan, form)
        with closing(self.open_lines(plan, form)) as blocks:
            parts = [encoder.encode_block(blocks.read_block())]
            while not blocks.is_exhausted:
                parts.append(encoder.encode_block(blocks.read_block()))
        return b"".join([*parts, encoder.encode_end()])

    def write_rows(self, plan: Plan, form: Format) -> bytes:
        encoder = open_encoder(plan, form)
        with closing(self.source.open_rows(render_select(plan, self.source.dialect), statement_seconds=10)) as blocks:
            parts = [encoder.encode_block(blocks.read_block())]
            while not blocks.is_exhausted:
                parts.append(encoder.encode_block(blocks.read_block()))
        return b"".join([*parts, encoder.encode_end()])


def read_to_the_end(blocks: LineBlocks) -> None:
    while not blocks.is_exhausted:
        blocks.read_block()


@pytest.fixture(scope="module")
def kept(postgres: PostgresServer) -> Iterator[Kept]:
    name = postgres.create_database()
    with postgres.owner(name) as owner, closing(PostgresSource(postgres.address(name))) as source:
        columns = ", ".join(f"{column} {kind}" for column, kind in NAMES.items())
        owner.execute(f"CREATE TABLE kept (n integer PRIMARY KEY, {columns})".encode())
        owner.execute(b"CREATE TABLE texts (t text)")
        owner.execute(b"CREATE TABLE many (n integer PRIMARY KEY, t text)")
        owner.execute(b"INSERT INTO many SELECT n, 'text ' || n FROM generate_series(1, 5000) n")
        make_types(owner)
        yield Kept(owner, source)
    postgres.drop_database(name)


@_REAL_TIME
@given(ROWS)
def test_csv_is_byte_for_byte_that_of_rows(kept: Kept, rows: list[tuple[Any, ...]]) -> None:
    kept.fill(rows)
    plan = kept.plan(orderby=["n"])
    assert kept.write_lines(plan, Format.CSV) == kept.write_rows(plan, Format.CSV)


@_REAL_TIME
@given(_REALS, _SINGLES, _DECIMALS)
@example(-0.0, -0.0, "-0.0000000")
@example(5e-324, 1e-45, "0.00000012")
@example(1e15, 1234567.0, "-0.000000100")
@example(9.007199254740993e15, 1e16, "0E-9")
@example(math.nan, math.inf, "Infinity")
def test_numbers_have_the_digits_that_python_gives_them(kept: Kept, real: float, single: float, decimal: str) -> None:
    kept.owner.execute("TRUNCATE kept")
    kept.owner.execute(
        "INSERT INTO kept (n, c6, c7, c8) VALUES (1, %s::float8, %s::real, %s::numeric)", (real, single, decimal)
    )
    plan = kept.plan(columns=["c6", "c7", "c8"])
    assert kept.write_lines(plan, Format.CSV) == kept.write_rows(plan, Format.CSV)


@pytest.mark.parametrize("place", range(len(STORED)), ids=[f"{s.declared} {s.sql}" for s in STORED])
def test_a_column_alone_is_written_alike_in_every_format(kept: Kept, place: int) -> None:
    plan = kept.plan(f"type_{place}")
    assert kept.write_lines(plan, Format.CSV) == kept.write_rows(plan, Format.CSV)
    for form in ARRAY_FORMATS:
        assert read_arrays(kept, plan, form) == read_arrays(kept, plan, form, from_lines=True)


def read_arrays(kept: Kept, plan: Plan, form: Format, *, from_lines: bool = False) -> tuple[pa.Schema, str] | str:
    """Give the schema and the values, or the refusal."""
    try:
        made = (kept.write_lines if from_lines else kept.write_rows)(plan, form)
    except InvalidParameter as refusal:
        return refusal.description
    is_arrow = form is Format.ARROW
    table = pa.ipc.open_stream(made).read_all() if is_arrow else parquet.read_table(pa.BufferReader(made))
    return table.schema, repr(table.to_pylist())  # NaN is not equal to itself, its name is


@_REAL_TIME
@given(st.sampled_from(sorted(ARRAY_FORMATS)), ROWS)
def test_arrays_have_the_same_schema_values_and_refusals(kept: Kept, form: Format, rows: list[tuple[Any, ...]]) -> None:
    kept.fill(rows)
    plan = kept.plan(orderby=["n"])
    assert read_arrays(kept, plan, form) == read_arrays(kept, plan, form, from_lines=True)


@_REAL_TIME
@given(st.lists(st.tuples(st.none() | _MOMENTS, st.none() | _MOMENTS), max_size=20))
def test_moments_of_every_kind_stand_side_by_side(kept: Kept, rows: list[tuple[str | None, str | None]]) -> None:
    kept.owner.execute("TRUNCATE kept")
    for number, (moment, instant) in enumerate(rows):
        kept.owner.execute(
            "INSERT INTO kept (n, c14, c15) VALUES (%s, %s::timestamp, %s::timestamp AT TIME ZONE 'Asia/Kolkata')",
            (number, moment, instant),
        )
    plan = kept.plan(orderby=["n"], columns=["c14", "c15"])
    assert read_arrays(kept, plan, Format.ARROW) == read_arrays(kept, plan, Format.ARROW, from_lines=True)


attacks = st.sampled_from([attack for attack in ATTACKS if "\0" not in attack]) | _TEXTS
COMPARING = ["equals", "not_equals", "less", "greater_equal", "contains", "starts_with", "ends_with"]
one_filter = st.fixed_dictionaries(
    {
        "column": st.just("t"),
        "function": st.sampled_from(COMPARING),
        "value": attacks | st.lists(attacks, min_size=1, max_size=3),
        "matchCase": st.booleans(),
    }
)


@_REAL_TIME
@given(st.lists(attacks, max_size=6), st.lists(one_filter, min_size=1, max_size=2), st.integers(0, 5))
def test_a_hostile_value_in_the_text_means_what_a_bound_one_does(
    kept: Kept, stored: list[str], filters: list[dict[str, Any]], offset: int
) -> None:
    kept.owner.execute("TRUNCATE texts")
    for text in stored:
        kept.owner.execute("INSERT INTO texts VALUES (%s)", (text,))
    plan = kept.plan("texts", filters=filters, orderby=["t"], offset=offset)
    assert kept.write_lines(plan, Format.CSV) == kept.write_rows(plan, Format.CSV)


@pytest.mark.parametrize(
    "asked",
    [
        {"aggregates": [{"function": "sum", "column": "c6"}]},
        {"limit": 100},
        {"limit": 5000, "cursor": ""},
        {"format": "json"},
        {"format": "xlsx"},
    ],
    ids=["aggregates", "short", "page", "json", "xlsx"],
)
def test_what_is_not_written_in_lines_is_read_as_rows(kept: Kept, asked: dict[str, Any]) -> None:
    form = Format(asked.pop("format", "csv"))
    assert kept.source.open_lines(kept.plan(**asked), form, statement_seconds=10) is None


def test_masked_columns_are_read_as_rows(kept: Kept) -> None:
    plan = kept.plan("texts")
    masked = replace(plan, columns=tuple(replace(column, mask=Mask.HASH) for column in plan.columns))
    assert kept.source.open_lines(masked, Format.CSV, statement_seconds=10) is None


def test_an_order_holds_and_blocks_are_bounded(kept: Kept) -> None:
    kept.owner.execute("CREATE OR REPLACE VIEW plenty AS SELECT n FROM generate_series(1, 10000) AS numbers(n)")
    plan = kept.plan("plenty", orderby=["n desc"], limit=9000, offset=10)
    with closing(kept.open_lines(plan, Format.CSV)) as blocks:
        sizes, numbers = [], []
        while not blocks.is_exhausted:
            lines = blocks.read_block()
            sizes.append(len(lines))
            numbers += [int(line.split(b",")[0]) for line in lines]
    assert numbers == list(range(9990, 990, -1))
    assert max(sizes) == BLOCK_LINES


@pytest.mark.parametrize("form", sorted(LINE_BLOCK_BYTES))
def test_a_block_of_long_lines_is_bounded_by_their_bytes(kept: Kept, form: Format) -> None:
    kept.owner.execute("CREATE OR REPLACE VIEW wide AS SELECT n, repeat('x', 1000) AS t FROM many")
    with closing(kept.open_lines(kept.plan("wide"), form)) as blocks:
        sizes = []
        while not blocks.is_exhausted:
            sizes.append(sum(map(len, blocks.read_block())))
    assert sum(sizes) > 5000 * 1000
    head = 21  # bytes of the binary form before the first row, which are taken off
    assert all(LINE_BLOCK_BYTES[form] - head <= size < LINE_BLOCK_BYTES[form] + 1100 for size in sizes[:-1])


def test_the_same_rows_are_cut_into_the_same_blocks(kept: Kept) -> None:
    kept.owner.execute("CREATE OR REPLACE VIEW uneven AS SELECT n, repeat('x', n % 700) AS t FROM many")
    plan = kept.plan("uneven", orderby=["n"])
    assert len({kept.write_lines(plan, Format.ARROW) for _ in range(3)}) == 1


def test_groups_and_distinct_rows_come_as_from_rows(kept: Kept) -> None:
    for asked in ({"groupby": ["t"], "columns": ["n"]}, {"distinct": True, "columns": ["t"], "orderby": ["t desc"]}):
        plan = kept.plan("many", **asked)
        assert kept.write_lines(plan, Format.CSV) == kept.write_rows(plan, Format.CSV)


def test_a_statement_in_lines_is_cancelled_and_timed_out_and_its_connection_let_go(kept: Kept) -> None:
    kept.owner.execute("CREATE OR REPLACE VIEW slow AS SELECT n, pg_sleep(60) IS NULL AS never FROM many")
    plan = kept.plan("slow")
    lines = kept.open_lines(plan, Format.CSV)
    lines.cancel()
    with closing(lines), pytest.raises(StatementCancelled):
        lines.read_block()
    timed = kept.source.open_lines(plan, Format.CSV, statement_seconds=0.2)
    assert timed is not None
    with closing(timed), pytest.raises(StatementTimeout):
        timed.read_block()
    with closing(kept.open_lines(kept.plan("many"), Format.CSV)) as unread:
        unread.read_block()
    assert len(kept.write_lines(kept.plan("many"), Format.CSV).splitlines()) == 5001


def test_an_error_in_the_middle_is_a_failure_and_never_an_end(kept: Kept) -> None:
    kept.owner.execute("CREATE OR REPLACE VIEW fails AS SELECT n, 1 / (4000 - n) AS one FROM many")
    blocks = kept.open_lines(kept.plan("fails", orderby=["n"]), Format.CSV)
    with closing(blocks), pytest.raises(EngineFailure):
        read_to_the_end(blocks)
    assert not blocks.is_exhausted


@pytest.mark.parametrize("road", [Kept.write_lines, Kept.write_rows], ids=["lines", "rows"])
def test_a_connection_that_ends_as_it_is_taken_is_made_anew_and_all_rows_come(
    kept: Kept, road: Callable[[Kept, Plan, Format], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = kept.plan("many")
    road(kept, plan, Format.CSV)
    kept.owner.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", (READER,))
    with monkeypatch.context() as patch:
        patch.setattr(Session, "is_good", True)  # it ends a moment later than looked at
        assert len(road(kept, plan, Format.CSV).splitlines()) == 5001


def test_a_connection_lost_in_the_middle_is_told(kept: Kept) -> None:
    kept.owner.execute(
        "CREATE OR REPLACE VIEW long AS SELECT repeat('x', 1000) AS t FROM many, generate_series(1, 100)"
    )
    with closing(kept.open_lines(kept.plan("long"), Format.CSV)) as blocks:
        blocks.read_block()
        kept.owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (READER,))
        with pytest.raises(EngineUnavailable):
            read_to_the_end(blocks)
