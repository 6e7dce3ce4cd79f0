"""Procedures of PostgreSQL (CALL): one row of what they hand out; none of them writes or ends its transaction."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from rowgate.engines.postgres import PostgresSource
from rowgate.ports.calls import HELD
from rowgate.rows.errors import EngineFailure, InvalidParameter, StatementTimeout
from rowgate.rows.model import Row
from rowgate.rows.parameters import plan_call
from rowgate.rows.plan import plan_rows
from rowgate.rows.procedures import Procedure
from rowgate.rows.request_call import parse_call_body
from rowgate.rows.sql import render_select
from support.postgres import READER, PostgresServer

MADE = """
CREATE TABLE orders (id int PRIMARY KEY, total numeric(40,4));
INSERT INTO orders VALUES (1, 12345678901234567890.1234), (2, 2.5);
CREATE PROCEDURE sums(low int, INOUT most bigint, OUT total numeric, OUT dear boolean,
  OUT "At" timestamp, OUT zoned timestamptz)
  LANGUAGE plpgsql AS $$ BEGIN
    SELECT sum(o.total), sum(o.total) > 5, '2020-01-01 10:00:00.5' INTO total, dear, "At" FROM orders o WHERE id >= low;
    most := most * 2; zoned := '2020-01-01 10:00:00.25+02';
  END $$;
CREATE PROCEDURE optional(INOUT n int DEFAULT 7, low int DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN n := n + low; END $$;
CREATE PROCEDURE listed(names text[], OUT n bigint) LANGUAGE plpgsql AS $$ BEGIN n := cardinality(names); END $$;
CREATE PROCEDURE writes(INOUT n int) LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM orders; END $$;
CREATE PROCEDURE commits(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN COMMIT; DELETE FROM orders; COMMIT; END $$;
CREATE PROCEDURE raises(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
CREATE PROCEDURE sleeps(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); END $$;
CREATE PROCEDURE silent(n int) LANGUAGE plpgsql AS $$ BEGIN PERFORM n; END $$;
CREATE PROCEDURE cursors(INOUT c refcursor) LANGUAGE plpgsql AS $$ BEGIN OPEN c FOR SELECT 1; END $$;
"""
ZONED = "2020-01-01T08:00:00.25+00:00"
GRANTED = "sums, optional, listed, writes, commits, raises, sleeps, silent, cursors"


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[PostgresSource]:
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        owner.execute(MADE.encode())
        owner.execute(f"GRANT EXECUTE ON PROCEDURE {GRANTED} TO {READER}".encode())
        owner.execute("CREATE PROCEDURE everybodys(INOUT n int) LANGUAGE sql AS 'SELECT 1'")
    with closing(PostgresSource(postgres.address(name))) as opened:
        yield opened
    postgres.drop_database(name)


def find(source: PostgresSource, name: str) -> Procedure:
    found = source.find_object(name)
    assert isinstance(found, Procedure), name
    return found


def call(source: PostgresSource, name: str, given: Any, *, seconds: float = 20, **result: Any) -> list[Row]:
    """Call as service/starting.py does."""
    request = parse_call_body(json.dumps({"parameters": given, **result}).encode())
    planned = plan_call(find(source, name), request.parameters)
    held = source.open_call(planned, statement_seconds=seconds)
    held.hold()
    described = replace(planned.procedure, columns=tuple(held.columns), path=(HELD,))
    statement = render_select(plan_rows(request.result, described, run_key=""), held.dialect)
    with closing(held.open_rows(statement, statement_seconds=5)) as blocks:
        return blocks.read_block()


def test_what_it_hands_out_is_one_row(source: PostgresSource) -> None:
    (row,) = call(source, "sums", {"low": 1, "most": 21})
    assert [str(value) for value in row] == ["42", "12345678901234567892.6234", "True", "2020-01-01T10:00:00.5", ZONED]
    assert row[2] is True
    assert call(source, "sums", {"low": 9, "most": None}) == [(None, None, None, "2020-01-01T10:00:00.5", ZONED)]
    assert call(source, "sums", {"low": 1, "most": 1}, columns=["AT", "most"]) == [("2020-01-01T10:00:00.5", 2)]
    dear: dict[str, Any] = {"filters": [{"column": "dear", "function": "equals", "value": True}], "columns": ["most"]}
    assert call(source, "sums", {"low": 1, "most": 1}, **dear) == [(2,)]
    assert call(source, "sums", {"low": 2, "most": 1}, **dear) == []


def test_defaults_are_its_own(source: PostgresSource) -> None:
    assert call(source, "optional", {}) == [(8,)]
    assert call(source, "optional", {"low": 5}) == [(12,)]


def test_it_is_described_by_the_catalog(source: PostgresSource) -> None:
    told = find(source, "sums")
    assert [(p.name, p.required) for p in told.parameters] == [("low", True), ("most", True)]
    assert [(c.name, c.declared_type) for c in told.columns] == [
        ("most", "bigint"),
        ("total", "numeric"),
        ("dear", "boolean"),
        ("At", "timestamp without time zone"),
        ("zoned", "timestamp with time zone"),
    ]
    names = {found.name for found in source.list_objects()}
    assert names == {"orders", *GRANTED.split(", ")}, "what everybody may call was not meant for here"


@pytest.mark.parametrize(
    ("name", "fault"), [("silent", "gives no rows"), ("cursors", "cursors"), ("listed", "an array")]
)
def test_what_cannot_give_rows_says_so(source: PostgresSource, name: str, fault: str) -> None:
    assert fault in find(source, name).fault


@pytest.mark.parametrize(("name", "told"), [("writes", "tried to write"), ("commits", "tried to end its transaction")])
def test_nothing_is_written(source: PostgresSource, name: str, told: str) -> None:
    with pytest.raises(EngineFailure, match=told):
        call(source, name, {"n": 1})
    assert call(source, "sums", {"low": 1, "most": 1}, columns=["most"]) == [(2,)]
    assert str(call(source, "sums", {"low": 1, "most": 1}, columns=["total"])[0][0]).endswith("2.6234")


def test_what_it_raises_and_how_long_it_may_take(source: PostgresSource) -> None:
    with pytest.raises(InvalidParameter) as raised:
        call(source, "raises", {"n": 1})
    assert raised.value.field == "parameters"
    with pytest.raises(StatementTimeout):
        call(source, "sleeps", {"n": 1}, seconds=0.2)
    assert call(source, "optional", {}) == [(8,)]
