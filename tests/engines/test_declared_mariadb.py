"""Procedures declared in files, on MariaDB and MySQL: what a query may be, and what values of it become."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engines.test_declared import Shelf
from rowgate.engines.declared import DeclaredProcedures
from rowgate.engines.mariadb import MariadbManner
from rowgate.engines.mariadb_source import MariadbSource
from rowgate.rows.errors import InvalidParameter
from rows.test_injection import ATTACKS
from support.mariadb import PASSWORD, MariadbServer

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def database(either: MariadbServer) -> str:
    name = either.create_database()
    either.execute(
        "CREATE TABLE orders (id INT PRIMARY KEY, Name VARCHAR(20), total DECIMAL(10,2), made DATE)",
        "INSERT INTO orders VALUES (1,'a',1.5,'2020-01-01'), (2,'b',2.5,'2021-01-01'), (3,'B',3.5,NULL)",
        "CREATE FUNCTION sets () RETURNS INT BEGIN SET SESSION TRANSACTION READ WRITE; RETURN 1; END",
        "CREATE FUNCTION writes () RETURNS INT BEGIN DELETE FROM orders; RETURN 1; END",
        "CREATE PROCEDURE `stored` () BEGIN SELECT 1 AS a; END",
        f"GRANT EXECUTE ON {name}.* TO reader@localhost",
        database=name,
    )
    return name


@pytest.fixture
def shelf(either: MariadbServer, database: str, tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path, tmp_path / "procedures", None)  # type: ignore[arg-type]
    source = MariadbSource(MariadbManner(either.address(database), password=PASSWORD))
    shelf.source = DeclaredProcedures(source, shelf.folder, clock=lambda: shelf.now)
    with closing(shelf.source):
        yield shelf


BIG = "SELECT id, Name, total * 2 AS dear FROM orders WHERE total >= :least -- 100%\n;\n"


def test_procedures_are_declared_on_mariadb(shelf: Shelf) -> None:
    shelf.put("big", "-- parameter: least number required\n" + BIG)
    assert sorted(shelf.call("big", b"{parameters: {least: 2}, columns: ['id', 'NAME']}")) == [(2, "b"), (3, "B")]
    assert shelf.call("big", b"{parameters: {least: 0}, orderby: ['id desc'], limit: 1, columns: ['id']}") == [(3,)]
    assert shelf.call("big", b"{parameters: {least: 0}, aggregates: ['count']}") == [(3,)]
    one = b"{parameters: {least: 0}, columns: ['id'], filters: [{column: 'name', function: 'equals', value: 'b'}]}"
    assert sorted(shelf.call("big", one)) == [(2,), (3,)]
    assert [(c.name, c.declared_type) for c in shelf.find("big").columns] == [
        ("id", "int"),
        ("Name", "text"),
        ("dear", "decimal(11,2)"),
    ]
    shelf.put("since", "-- parameter: since date\nSELECT id FROM orders WHERE made >= :since AND Name LIKE '%b'")
    shelf.later()
    assert shelf.call("since", b"{parameters: {since: '2020-06-01'}}") == [(2,)]
    assert shelf.call("since") == []


def test_a_table_is_a_parameter_on_mariadb(shelf: Shelf) -> None:
    shelf.put(
        "named",
        "-- parameter: n table(name text)\n"
        "SELECT id FROM orders WHERE Name IN (SELECT n.name FROM :n AS n) OR NOT EXISTS (SELECT 1 FROM :n AS n)",
    )
    shelf.put(
        "joined",
        "-- parameter: w table(id integer, weight number, ok boolean, day date)\n"
        "SELECT o.id, w.weight, w.ok, w.day FROM :w AS w JOIN orders o ON o.id = w.id",
    )
    assert sorted(shelf.call("named", b"{parameters: {n: ['a', 'b', null]}}")) == [(1,), (2,), (3,)]
    assert len(shelf.call("named")) == 3
    rows = b"{parameters: {w: [{id: 3, weight: 1.5, ok: true, day: '2020-02-29'}, "
    rows += b"{ok: null, id: 1, weight: 2, day: null}]}, orderby: ['id']}"
    assert shelf.call("joined", rows) == [(1, 2.0, None, None), (3, 1.5, 1, "2020-02-29")]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders VALUES (9, 'x', 1, NULL) RETURNING id",
        "CREATE TABLE made AS SELECT 1 AS a",
        "SET @a = 1",
        "CALL `stored`()",
        "SHOW TABLES",
        "SELECT id FROM orders INTO OUTFILE '/tmp/rowgate.csv'",
        "SELECT * FROM absent",
        "SELEC",
        "SELECT 1 AS a, 2 AS A",
        r"SELECT '\' AS a",
        "SELECT 1 AS a # it's",
    ],
)
def test_what_only_reads_is_declared_on_mariadb(shelf: Shelf, text: str) -> None:
    shelf.put("wrong", text)
    assert shelf.find("wrong").fault
    assert [name for name, _ in shelf.source.list_faults()] == ["wrong"]


def test_a_stored_procedure_comes_before_a_declared_one(shelf: Shelf) -> None:
    shelf.put("stored", "SELECT 2 AS b")
    assert shelf.find("stored").is_held
    assert [(found.name, found.kind) for found in shelf.source.list_objects()] == [
        ("orders", "table"),
        ("stored", "procedure"),
    ]
    assert "has an object of this name" in dict(shelf.source.list_faults())["stored"]


@pytest.mark.parametrize("value", ATTACKS)
def test_hostile_values_are_values_on_mariadb(shelf: Shelf, value: str) -> None:
    shelf.put("echo", "-- parameter: t text\n-- parameter: l table(v text)\nSELECT :t AS t, l.v FROM :l AS l")
    body = json.dumps({"parameters": {"t": value, "l": [value]}}).encode()
    assert shelf.call("echo", body) == [(value, value)]


def test_values_that_a_query_cannot_work_with_are_refused_on_mariadb(shelf: Shelf) -> None:
    shelf.put("far", "-- parameter: n integer\nSELECT 9223372036854775807 + :n AS n")
    with pytest.raises(InvalidParameter) as raised:
        shelf.call("far", b"{parameters: {n: 1}}")
    assert raised.value.field == "parameters"


def test_a_function_writes_neither_at_once_nor_by_what_it_leaves(
    either: MariadbServer, database: str, shelf: Shelf
) -> None:
    """It has its owner's rights, and may set the session to write; the next statement would."""
    shelf.put("sets", "SELECT sets() AS a")
    shelf.put("writes", "SELECT writes() + id AS a FROM orders")
    shelf.put("both", "SELECT sets() AS a, writes() AS b")
    source = MariadbSource(MariadbManner(either.address(database), password=PASSWORD), max_connections=1)
    with closing(DeclaredProcedures(source, shelf.folder, clock=lambda: shelf.now)) as shelf.source:
        for _ in range(3):
            assert shelf.call("sets") == [(1,)]
            assert source.ask("SELECT @@" + either.reading) == [(1,)]
            for name in ("writes", "both"):
                assert "READ ONLY" in shelf.find(name).fault, "what functions write is known before they run"
            shelf.later()
    assert either.execute("SELECT count(*) FROM orders", database=database) == [(3,)]
