"""Procedures declared in files, on PostgreSQL: what a query may be, and what values of it become."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engines.test_declared import ORDERS, Shelf
from rowgate.engines.declared import DeclaredProcedures
from rowgate.engines.postgres import PostgresSource
from rowgate.rows.errors import EngineFailure, InvalidParameter
from rows.test_injection import ATTACKS
from support.postgres import READER, PostgresServer

MADE = """
CREATE TABLE orders (id int PRIMARY KEY, "Name" varchar(20), total numeric(10,2), made date, key uuid, at timestamp);
INSERT INTO orders VALUES (1, 'a', 1.5, '2020-01-01', gen_random_uuid(), '2020-01-01 10:00'),
  (2, 'b', 2.5, '2021-01-01', '123e4567-e89b-12d3-a456-426655440000', '2020-01-01 12:00'), (3, 'B', 3.5, NULL);
CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM orders; RETURN 1; END';
"""


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        owner.execute(MADE.encode().replace(b"(3, 'B', 3.5, NULL)", b"(3, 'B', 3.5, NULL, NULL, NULL)"))
        owner.execute(f"GRANT EXECUTE ON FUNCTION own() TO {READER}".encode())
    yield name
    postgres.drop_database(name)


@pytest.fixture
def shelf(postgres: PostgresServer, database: str, tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path, tmp_path / "procedures", None)  # type: ignore[arg-type]
    source = PostgresSource(postgres.address(database))
    shelf.source = DeclaredProcedures(source, shelf.folder, clock=lambda: shelf.now)
    with closing(shelf.source):
        yield shelf


def test_procedures_are_declared_on_postgresql(shelf: Shelf) -> None:
    shelf.put("big", "-- parameter: least number required\n" + ORDERS.replace("Name", '"Name"'))
    assert shelf.call("big", b"{parameters: {least: 2}, columns: ['id', 'NAME']}") == [(3, "B"), (2, "b")]
    assert shelf.call("big", b"{parameters: {least: 0}, orderby: ['id'], limit: 1, columns: ['id']}") == [(1,)]
    one = b"{parameters: {least: 0}, columns: ['id'], filters: [{column: 'name', function: 'equals', value: 'b'}]}"
    assert sorted(shelf.call("big", one)) == [(2,), (3,)]
    assert [(c.name, c.declared_type) for c in shelf.find("big").columns] == [
        ("id", "integer"),
        ("Name", "character varying(20)"),
        ("dear", "numeric"),
    ]


def test_values_are_of_the_declared_types(shelf: Shelf) -> None:
    shelf.put(
        "typed",
        "-- parameter: t text\n-- parameter: i integer\n-- parameter: n number\n-- parameter: b boolean\n"
        "-- parameter: d date\n-- parameter: m moment\n-- parameter: x binary\n-- parameter: j json\n"
        "SELECT :t AS t, :i AS i, :n AS n, :b AS b, :d AS d, :m AS m, :x AS x, :j AS j, :t IS NULL AS missing",
    )
    body = b"{parameters: {t: 'a', i: 5, n: 0.1, b: true, d: '2020-02-29', m: '2020-02-29T10:00:00+02:00', x: 'AP8=',"
    (row,) = shelf.call("typed", body + b" j: {a: [1]}}}")
    assert [str(value) for value in row[:4]] == ["a", "5", "0.1", "True"]
    assert row[4:7] == ("2020-02-29", "2020-02-29T08:00:00+00:00", b"\x00\xff")
    assert json.loads(str(row[7])) == {"a": [1]}
    assert shelf.call("typed") == [(None,) * 8 + (True,)]
    shelf.put("since", "-- parameter: since moment\nSELECT id FROM orders WHERE :since IS NULL OR at > :since")
    shelf.later()
    assert shelf.call("since", b"{parameters: {since: '2020-01-01T13:00:00+02:00'}}") == [(2,)]
    assert len(shelf.call("since")) == 3


def test_a_table_is_a_parameter_on_postgresql(shelf: Shelf) -> None:
    shelf.put(
        "named", '-- parameter: n table(name text)\nSELECT id FROM orders WHERE "Name" IN (SELECT name FROM :n AS n)'
    )
    shelf.put(
        "joined",
        "-- parameter: w table(id integer, weight number, ok boolean)\n"
        "SELECT o.id, w.weight, w.ok FROM :w AS w JOIN orders o ON o.id = w.id ORDER BY 1",
    )
    assert sorted(shelf.call("named", b"{parameters: {n: ['a', 'B', null]}}")) == [(1,), (3,)]
    assert shelf.call("named") == []
    rows = b"{parameters: {w: [{id: 3, weight: 1.5, ok: true}, {ok: null, id: 1, weight: 2}]}}"
    found = shelf.call("joined", rows)
    assert [(row[0], str(row[1]), row[2]) for row in found] == [(1, "2", None), (3, "1.5", True)]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders VALUES (9) RETURNING id",
        "WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x",
        "CREATE TABLE made AS SELECT 1 AS a",
        "SET timezone = 'CET'",
        "SHOW timezone",
        "COPY orders TO STDOUT",
        "SELECT * FROM absent",
        "SELEC",
        'SELECT 1 AS a, 2 AS "A"',
        r"SELECT E'\' AS a",
        "SELECT $$a$$ AS a",
        "CALL own()",
    ],
)
def test_what_only_reads_is_declared_on_postgresql(shelf: Shelf, text: str) -> None:
    shelf.put("wrong", text)
    assert shelf.find("wrong").fault
    assert [name for name, _ in shelf.source.list_faults()] == ["wrong"]


def test_a_declared_query_writes_nothing_by_a_function(shelf: Shelf) -> None:
    shelf.put("sly", "SELECT writes() AS n")
    assert shelf.find("sly").fault == ""
    with pytest.raises(EngineFailure) as raised:
        shelf.call("sly")
    assert raised.value.description == "The procedure tried to write, and nothing was changed."
    shelf.put("all", "SELECT count(*) AS n FROM orders")
    shelf.later()
    assert shelf.call("all") == [(3,)]


def test_a_function_comes_before_a_declared_procedure(shelf: Shelf) -> None:
    shelf.put("own", "SELECT 2 AS b")
    assert shelf.call("own") == [(1,)]
    assert "has an object of this name" in dict(shelf.source.list_faults())["own"]
    assert [found.name for found in shelf.source.list_objects()] == ["orders", "own"]


@pytest.mark.parametrize("value", [attack for attack in ATTACKS if "\0" not in attack])
def test_hostile_values_are_values_on_postgresql(shelf: Shelf, value: str) -> None:
    shelf.put("echo", "-- parameter: t text\n-- parameter: l table(v text)\nSELECT :t AS t, v FROM :l AS l")
    body = json.dumps({"parameters": {"t": value, "l": [value]}}).encode()
    assert shelf.call("echo", body) == [(value, value)]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("-- parameter: t text\nSELECT id FROM orders WHERE key = CAST(:t AS uuid)", b"{parameters: {t: 'x'}}"),
        ("-- parameter: n integer\nSELECT 1 / :n AS n", b"{parameters: {n: 0}}"),
        ("-- parameter: n integer\nSELECT id FROM orders LIMIT :n", b"{parameters: {n: -1}}"),
    ],
)
def test_values_that_a_query_cannot_work_with_are_refused_on_postgresql(shelf: Shelf, text: str, body: bytes) -> None:
    shelf.put("p", text)
    assert shelf.find("p").fault == ""
    with pytest.raises(InvalidParameter) as raised:
        shelf.call("p", body)
    assert raised.value.field == "parameters"
