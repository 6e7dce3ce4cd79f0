"""What is told of PostgreSQL's plans, and what statements it gets for long lists."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from rowgate.engines.postgres import PostgresSource
from rowgate.rows.model import Statement
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.postgres import PostgresServer

MADE = (
    "CREATE TABLE watched (n integer, owner text)",
    "ALTER TABLE watched ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY own ON watched USING (owner = 'a private word')",
    "CREATE TABLE plain (n integer, t text)",
    "INSERT INTO plain VALUES (1, 'é'), (2, 'ü'), (3, 'z'), (4, 'Ω'), (5, NULL)",
)


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[PostgresSource]:
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        for statement in MADE:
            owner.execute(statement.encode())
    with closing(PostgresSource(postgres.address(name))) as made:
        yield made
    postgres.drop_database(name)


def render(source: PostgresSource, name: str, **asked: Any) -> Statement:
    described = source.find_object(name)
    assert described is not None
    return render_select(plan_rows(parse_rows_body(json.dumps(asked).encode()), described, run_key=""), source.dialect)


def test_a_plan_shows_no_condition_of_row_security(source: PostgresSource) -> None:
    assert source.explain(render(source, "watched")) == []
    assert "plain" in " ".join(source.explain(render(source, "plain")))


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        ("greater", ["Z", "Ü", "ω"], [1, 2, 4]),
        ("greater_equal", ["ω", "Ü"], [2, 4]),
        ("less", ["a", "É", "b"], [3]),
        ("less_equal", ["Z", "É"], [1, 3]),
    ],
)
def test_of_many_texts_only_the_one_that_decides_is_compared(
    source: PostgresSource, function: str, values: list[str], expected: list[int]
) -> None:
    asked = {"column": "t", "function": function, "value": values}
    statement = render(source, "plain", filters=[asked], columns=["n"], orderby=["n"])
    alone = [render(source, "plain", filters=[{**asked, "value": value}], columns=["n"]) for value in values]
    assert len(statement.parameters) in {len(one.parameters) for one in alone}
    with closing(source.open_rows(statement, statement_seconds=10)) as blocks:
        assert [row[0] for row in blocks.read_block()] == expected
