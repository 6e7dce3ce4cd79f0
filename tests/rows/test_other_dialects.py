"""What is asked of engines that are not at hand: the statements, held against what their documentation has."""

import json

import pytest

from rowgate.rows.dialects.clickhouse import CLICKHOUSE
from rowgate.rows.dialects.model import Dialect
from rowgate.rows.dialects.mssql import MSSQL
from rowgate.rows.dialects.oracle import ORACLE
from rowgate.rows.dialects.standard import STANDARD
from rowgate.rows.dialects.trino import TRINO
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, ObjectDescription, Statement
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select

DIALECTS: dict[str, Dialect] = {
    "clickhouse": CLICKHOUSE,
    "mssql": MSSQL,
    "oracle": ORACLE,
    "standard": STANDARD,
    "trino": TRINO,
}
COLUMNS = (
    Column("n", "int", Family.NUMBER, may_be_real=False, never_null=True, holds=Holds.INTEGER),
    Column("t", "varchar(9)", Family.TEXT, may_be_real=False, holds=Holds.TEXT),
    Column("m", "timestamp", Family.MOMENT, may_be_real=False, holds=Holds.MOMENT),
    Column("b", "boolean", Family.BOOLEAN, may_be_real=False, holds=Holds.BOOLEAN),
)
FACTS = ObjectDescription("facts", "table", COLUMNS)


def ask(name: str, described: ObjectDescription = FACTS, **body: object) -> Statement:
    plan = plan_rows(parse_rows_body(json.dumps(body).encode()), described, run_key="")
    return render_select(plan, DIALECTS[name])


PAGED = {
    "clickhouse": 'SELECT "n" FROM "facts" ORDER BY "t" DESC NULLS LAST, "n" LIMIT (?) OFFSET ?',
    "mssql": (
        "SELECT [n] FROM [facts] ORDER BY [t] COLLATE Latin1_General_100_BIN2 DESC, [n] "
        "OFFSET %s ROWS FETCH NEXT %s ROWS ONLY"
    ),
    "oracle": ('SELECT "n" FROM "facts" ORDER BY "t" DESC NULLS LAST, "n" OFFSET :1 ROWS FETCH NEXT :2 ROWS ONLY'),
    "standard": (
        'SELECT "n" FROM "facts" ORDER BY CASE WHEN "t" IS NULL THEN 1 ELSE 0 END, "t" DESC, "n" '
        "OFFSET ? ROWS FETCH NEXT ? ROWS ONLY"
    ),
    "trino": 'SELECT "n" FROM "facts" ORDER BY "t" DESC NULLS LAST, "n" OFFSET ? LIMIT ?',
}


@pytest.mark.parametrize("name", DIALECTS)
def test_pages_and_the_place_of_null(name: str) -> None:
    statement = ask(name, columns=["n"], orderby=["t desc nulls last", "n"], limit=5, offset=10)
    assert statement.text == PAGED[name]
    assert sorted(map(str, statement.parameters)) == ["10", "5"]


def test_sql_server_pages_nothing_that_is_not_ordered() -> None:
    text = ask("mssql", columns=["n"], limit=5).text
    assert text == "SELECT [n] FROM [facts] ORDER BY (SELECT NULL) OFFSET %s ROWS FETCH NEXT %s ROWS ONLY"


HELD = {
    "clickhouse": "position(translate(\"t\", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ?) > 0",
    "mssql": "CHARINDEX(%s, REPLACE([t] COLLATE Latin1_General_100_BIN2, 'X', 'x')) > 0",
    "oracle": "INSTR(REPLACE(\"t\", 'X', 'x'), :1) > 0",
    "standard": "POSITION(? IN REPLACE(\"t\", 'X', 'x')) > 0",
    "trino": (
        "strpos(translate(\"t\", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), CAST(? AS VARCHAR)) > 0"
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_part_of_a_text_whatever_its_case(name: str) -> None:
    statement = ask(name, columns=["n"], filters=[{"column": "t", "function": "contains", "value": "X"}])
    assert statement.text.partition(" WHERE ")[2] == HELD[name]
    assert statement.parameters == ("x",)


@pytest.mark.parametrize("name", ["mssql", "standard"])
def test_values_are_given_in_the_order_of_their_places(name: str) -> None:
    """Their places have no numbers, and they name the part before the text."""
    statement = ask(name, columns=["n"], filters=[{"column": "t", "function": "contains", "value": "Ä"}])
    assert statement.parameters == ("ä", "Ä", "ä")
    assert statement.text.count(DIALECTS[name].place(1)) == 3


MEANS = {
    "clickhouse": (
        'SELECT avg(CAST("n" AS Nullable(Float64))), sum(CASE WHEN "b" = TRUE THEN 1 WHEN "b" IS NOT NULL THEN 0 END)'
    ),
    "mssql": "SELECT avg(CAST([n] AS float)), sum(CASE WHEN [b] = 1 THEN 1 WHEN [b] IS NOT NULL THEN 0 END)",
    "oracle": 'SELECT avg(CAST("n" AS BINARY_DOUBLE)), sum(CASE WHEN "b" = 1 THEN 1 WHEN "b" IS NOT NULL THEN 0 END)',
    "standard": (
        'SELECT avg(CAST("n" AS DOUBLE PRECISION)), sum(CASE WHEN "b" = TRUE THEN 1 WHEN "b" IS NOT NULL THEN 0 END)'
    ),
    "trino": 'SELECT avg(CAST("n" AS DOUBLE)), sum(CASE WHEN "b" = TRUE THEN 1 WHEN "b" IS NOT NULL THEN 0 END)',
}


@pytest.mark.parametrize("name", DIALECTS)
def test_means_are_not_whole_and_booleans_are_counted(name: str) -> None:
    aggregates = [{"function": "avg", "column": "n"}, {"function": "sum", "column": "b"}]
    assert ask(name, aggregates=aggregates).text.partition(" FROM ")[0] == MEANS[name]


@pytest.mark.parametrize("name", DIALECTS)
def test_count_of_what_differs_is_of_a_query_with_a_name(name: str) -> None:
    body = json.dumps({"columns": ["n", "t"], "distinct": True}).encode()
    text = render_count(plan_rows(parse_rows_body(body), FACTS, run_key=""), DIALECTS[name]).text
    named = {"clickhouse": "AS counted", "oracle": "counted"}.get(name, "counted (c1, c2)")
    assert text.startswith("SELECT count(*) FROM (SELECT ")
    assert text.endswith(f") {named}")


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("hostile", ['a"b', "a]b", "a`b", "a'b", "a;--", "a%sb", "a?b", "\\"])
def test_hostile_name_stays_one_name(name: str, hostile: str) -> None:
    column = Column(hostile, "int", Family.NUMBER, may_be_real=False, never_null=True, holds=Holds.INTEGER)
    text = ask(name, ObjectDescription("facts", "table", (column,)), columns=[hostile]).text
    opening, closing = ("[", "]") if name == "mssql" else ('"', '"')
    written = hostile.replace(closing, closing * 2)
    written = written.replace("\\", "\\\\") if name == "clickhouse" else written
    assert text == f"SELECT {opening}{written}{closing} FROM {opening}facts{closing}"
