"""ClickHouse's own: what its types become, what an account may do, and that nobody works for a reader who is gone."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from engines.servings_clickhouse import ClickhouseServing, serve_clickhouse
from engines.test_contract import read_all
from rowgate.engines.generic import GenericSource
from rowgate.engines.known import open_manner
from rowgate.rows.errors import NotReadOnly
from rowgate.rows.model import Statement
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.servers import wait_until

pytestmark = [pytest.mark.engines, pytest.mark.clickhouse]


@pytest.fixture
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClickhouseServing]:
    with serve_clickhouse(request, tmp_path) as opened:
        yield opened


def open_as(serving: ClickhouseServing, user: str, *, accept_unproven: bool) -> GenericSource:
    url = sqlalchemy.make_url(serving.server.address(serving.name, user=user))
    return GenericSource(open_manner(url, accept_unproven=accept_unproven))


def test_account_is_not_taken_for_read_only_unless_somebody_vouches_for_it(serving: ClickhouseServing) -> None:
    with closing(open_as(serving, "reader", accept_unproven=False)) as source:
        assert source.name == "ClickHouse (not proven to be read-only)"
        with pytest.raises(NotReadOnly, match="accept_unproven"):
            source.prove_read_only()


def test_account_that_may_make_tables_is_refused_whoever_vouches_and_leaves_none(serving: ClickhouseServing) -> None:
    with closing(open_as(serving, "owner", accept_unproven=True)) as source:
        with pytest.raises(NotReadOnly, match="make tables"):
            source.prove_read_only()
        assert [listed.name for listed in source.list_objects()] == ["made"]


def test_types_are_known_and_their_values_plain(serving: ClickhouseServing) -> None:
    columns = (
        ("low", "LowCardinality(Nullable(String))", "'ä'", "text", "ä"),
        ("big", "UInt64", "18446744073709551615", "integer", 2**64 - 1),
        ("single", "Float32", "0.5", "single", 0.5),
        ("exact", "Nullable(Decimal(9, 2))", "1.10", "decimal", "1.10"),
        ("flag", "Bool", "true", "boolean", True),
        ("day", "Date", "'2020-02-29'", "date", "2020-02-29"),
        ("zoned", "DateTime('Europe/Berlin')", "'2020-07-01 12:00:00'", "moment", "2020-07-01T10:00:00"),
        ("fixed", "FixedString(2)", "'ab'", "other", "ab"),
        ("kind", "Enum8('a' = 1, 'b' = 2)", "'b'", "other", "b"),
        ("many", "Array(Int32)", "[1, 2]", "other", "[1,2]"),
        ("id", "UUID", "'123e4567-e89b-12d3-a456-000000000000'", "uuid", "123e4567-e89b-12d3-a456-000000000000"),
    )
    declared = ", ".join(f"{name} {kind}" for name, kind, *_ in columns)
    serving.server.execute(
        f"CREATE TABLE typed ({declared}) ENGINE = MergeTree ORDER BY tuple()",
        f"INSERT INTO typed VALUES ({', '.join(written for _, _, written, _, _ in columns)})",
        database=serving.name,
    )
    described = serving.source.find_object("typed")
    assert described is not None
    assert [str(column.holds) for column in described.columns] == [holds for _, _, _, holds, _ in columns]
    assert [column.name for column in described.columns if not column.never_null] == ["low", "exact"]
    plan = plan_rows(parse_rows_body(b"{}"), described, run_key="")
    statement = render_select(plan, serving.source.dialect)
    (row,) = read_all(serving.source.open_rows(statement, statement_seconds=10))
    given = [str(value) if name == "exact" else value for value, (name, *_) in zip(row, columns, strict=True)]
    assert given == [value for *_, value in columns]


def test_plan_names_its_steps_and_the_table(serving: ClickhouseServing) -> None:
    serving.execute("INSERT INTO made VALUES (1)")
    lines = serving.source.explain(Statement("SELECT n FROM made WHERE n < %s ORDER BY n LIMIT %s", (987_654, 5)))
    assert [line.split()[0] for line in lines][-1] == "ReadFromMergeTree"
    assert lines[-1].split()[1] == f"{serving.name}.made"
    assert any(line.strip() == "Sorting" for line in lines)


def test_server_stops_what_nobody_reads_any_more(serving: ClickhouseServing) -> None:
    blocks = serving.source.open_rows(serving.endless, statement_seconds=30)
    blocks.read_block()
    running = (
        "SELECT count() FROM system.processes WHERE query LIKE '%FROM numbers(100000000000)%' "
        "AND query NOT LIKE '%processes%'"
    )
    assert serving.server.execute(running).strip() == "1"
    blocks.close()
    wait_until(lambda: serving.server.execute(running).strip() == "0", seconds=10)
