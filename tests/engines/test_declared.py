"""Procedures declared in files: found by their names, followed as they change, harmless where they are wrong."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw
import duckdb
import pytest

from rowgate.engines.declared import LOOK_SECONDS, DeclaredProcedures
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.errors import EngineUnavailable, InvalidParameter
from rowgate.rows.model import Value
from rowgate.rows.parameters import plan_call
from rowgate.rows.plan import plan_rows
from rowgate.rows.procedure_text import MAX_TEXT_BYTES
from rowgate.rows.procedures import Procedure
from rowgate.rows.request_call import parse_call_body
from rowgate.rows.sql import render_select
from rowgate.rows.sql_call import render_read
from rows.test_injection import ATTACKS


@dataclass
class Shelf:
    """A database and a folder of procedures, in the tests' hands, with a clock that stands still."""

    database: Path
    folder: Path
    source: DeclaredProcedures
    now: float = 0.0

    def put(self, name: str, text: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{name}.sql").write_text(text)

    def later(self) -> None:
        self.now += LOOK_SECONDS

    def execute(self, statement: str) -> None:
        with closing(apsw.Connection(str(self.database))) as owner:
            owner.execute(statement)

    def find(self, name: str) -> Procedure:
        found = self.source.find_object(name)
        assert isinstance(found, Procedure)
        return found

    def call(self, name: str, body: bytes = b"") -> list[tuple[Value, ...]]:
        request = parse_call_body(body)
        call = plan_call(self.find(name), request.parameters)
        plan = plan_rows(request.result, call.procedure, run_key="")
        statement = render_read(render_select, plan, call, self.source.dialect)
        with closing(self.source.open_rows(statement, statement_seconds=10)) as blocks:
            return blocks.read_block()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    database = tmp_path / "served.sqlite"
    with closing(apsw.Connection(str(database))) as owner:
        owner.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, Name VARCHAR(20), total DECIMAL(10,2))")
        owner.execute("INSERT INTO orders VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, 'B', 3.5)")
    shelf = Shelf(database, tmp_path / "procedures", None)  # type: ignore[arg-type]
    shelf.source = DeclaredProcedures(SqliteSource(database), shelf.folder, clock=lambda: shelf.now)
    with closing(shelf.source):
        yield shelf


def list_names(shelf: Shelf) -> list[str]:
    return [found.name for found in shelf.source.list_objects() if found.kind == "procedure"]


def test_without_a_folder_there_are_none(shelf: Shelf) -> None:
    assert list_names(shelf) == []
    assert shelf.source.list_faults() == []
    assert shelf.source.find_object("orders") is not None
    assert shelf.source.find_object("nothing") is None


def test_a_procedure_is_an_object_with_the_columns_of_its_query(shelf: Shelf) -> None:
    shelf.put("Big Orders", "-- title: Big\n-- parameter: least number required\n" + ORDERS)
    assert [(o.name, o.kind) for o in shelf.source.list_objects()] == [("Big Orders", "procedure"), ("orders", "table")]
    found = shelf.find("Big Orders")
    assert (found.kind, found.title, found.fault) == ("procedure", "Big", "")
    assert [(c.name, c.declared_type) for c in found.columns] == [
        ("id", "INTEGER"),
        ("Name", "VARCHAR(20)"),
        ("dear", ""),
    ]
    assert shelf.source.find_object("big orders") is None, "names are exact"


ORDERS = "SELECT id, Name, total * 2 AS dear FROM orders WHERE total >= :least ORDER BY id DESC -- biggest\n;\n"


def test_what_it_gives_is_shaped_as_rows_are(shelf: Shelf) -> None:
    shelf.put("big", "-- parameter: least number required\n" + ORDERS)
    assert shelf.call("big", b"{parameters: {least: 2}}") == [(3, "B", 7.0), (2, "b", 5.0)], "in its own order"
    assert shelf.call("big", b"{parameters: {least: 2}, orderby: ['id'], columns: ['DEAR']}") == [(5.0,), (7.0,)]
    assert shelf.call("big", b"{parameters: {least: 0}, limit: 1, offset: 1, columns: ['id']}") == [(2,)]
    assert shelf.call("big", b"{parameters: {least: 0}, filters: [{column: 'name', function: 'equals', value: 'b'}]}")
    assert shelf.call("big", b"{parameters: {least: 0}, aggregates: ['sum:id']}") == [(6,)]
    assert shelf.call("big", b"{parameters: {least: 0}, groupby: ['id'], columns: ['name']}") == [
        (1, "a"),
        (2, "b"),
        (3, "B"),
    ]


def test_a_table_is_a_parameter(shelf: Shelf) -> None:
    """O-41."""
    shelf.put("named", "-- parameter: n table(name text)\nSELECT id FROM orders WHERE Name IN (SELECT name FROM :n)")
    shelf.put(
        "joined",
        "-- parameter: w table(id integer, weight number, ok boolean)\n"
        "SELECT o.id, w.weight, w.ok FROM :w AS w JOIN orders o ON o.id = w.id ORDER BY 1",
    )
    for body in (b"{parameters: {n: ['a', 'B']}}", b"{parameters: {N: [{name: 'a'}, {NAME: 'B'}]}}"):
        assert shelf.call("named", body) == [(1,), (3,)]
    assert shelf.call("named") == []
    rows = b"{parameters: {w: [{id: 3, weight: 1.5, ok: true}, {ok: null, id: 1, weight: 9007199254740993}]}}"
    assert shelf.call("joined", rows) == [(1, 9007199254740993, None), (3, 1.5, 1)]


def test_a_changed_file_is_noticed(shelf: Shelf) -> None:
    shelf.put("p", "SELECT 1 AS a")
    assert shelf.call("p") == [(1,)]
    shelf.put("p", "SELECT 2 AS a")
    assert shelf.call("p") == [(1,)], "a look counts for a while"
    shelf.later()
    assert shelf.call("p") == [(2,)]
    shelf.put("p", "SELECT 3 AS b")
    shelf.later()
    assert [c.name for c in shelf.find("p").columns] == ["b"]
    (shelf.folder / "p.sql").unlink()
    shelf.later()
    assert shelf.source.find_object("p") is None
    assert list_names(shelf) == []
    shelf.put("p", "SELECT 4 AS a")
    shelf.later()
    assert shelf.call("p") == [(4,)]


def test_changed_tables_are_noticed(shelf: Shelf) -> None:
    shelf.put("p", "SELECT * FROM orders")
    assert len(shelf.find("p").columns) == 3
    shelf.execute("ALTER TABLE orders ADD COLUMN more TEXT")
    shelf.later()
    assert len(shelf.find("p").columns) == 4
    shelf.execute("DROP TABLE orders")
    shelf.later()
    assert "no such table" in shelf.find("p").fault
    shelf.execute("CREATE TABLE orders (a)")
    shelf.later()
    assert shelf.find("p").fault == ""


FAULTS = {
    "no SQL": ("SELEC 1", "syntax error"),
    "no such table": ("SELECT * FROM absent", "no such table"),
    "no such function": ("SELECT readfile('x') AS a", "no such function"),
    "two": ("SELECT 1 AS a; SELECT 2 AS a", "more than one statement"),
    "undeclared": ("SELECT :a AS a", "not declared"),
    "writes": ("INSERT INTO orders VALUES (9, 'x', 1) RETURNING id", "not authorized"),
    "updates": ("UPDATE orders SET total = 0 RETURNING id", "not authorized"),
    "deletes": ("WITH x AS (SELECT 1) DELETE FROM orders RETURNING id", "not authorized"),
    "creates": ("CREATE TABLE made (a)", "not authorized"),
    "attaches": ("ATTACH 'other.sqlite' AS other", "not authorized"),
    "pragma": ("PRAGMA user_version = 5", "not authorized"),
    "telling pragma": ("PRAGMA database_list", "not authorized"),
    "transaction": ("BEGIN IMMEDIATE", "not authorized"),
    "vacuum": ("VACUUM INTO 'copy.sqlite'", "it gives no rows"),
    "explain": ("EXPLAIN SELECT 1", "syntax error"),
    "alike columns": ("SELECT id, Name AS ID FROM orders", "its columns need names"),
    "not UTF-8": ("SELECT '\udcff' AS a", "decode"),
    "too long": ("SELECT 1 AS a --" + "x" * MAX_TEXT_BYTES, "more than"),
}


def test_what_is_wrong_is_told_and_harms_nothing_else(shelf: Shelf) -> None:
    shelf.folder.mkdir()
    for name, (text, _) in FAULTS.items():
        (shelf.folder / f"{name}.sql").write_bytes(text.encode("utf-8", "surrogateescape"))
    (shelf.folder / "folder.sql").mkdir()
    shelf.put("good", "SELECT 1 AS a")
    faults = dict(shelf.source.list_faults())
    assert faults.keys() == {*FAULTS, "folder"}
    for name, (_, expected) in FAULTS.items():
        assert expected in faults[name], name
        assert shelf.find(name).fault == faults[name]
    assert shelf.call("good") == [(1,)]
    assert shelf.source.find_object("orders") is not None
    assert {*list_names(shelf)} == {*FAULTS, "folder", "good"}
    assert shelf.database.read_bytes()[:6] == b"SQLite"
    with closing(apsw.Connection(str(shelf.database))) as owner:
        assert owner.execute("SELECT count(*), sum(total) FROM orders").fetchall() == [(3, 7.5)]


def test_a_table_comes_before_a_procedure_of_its_name(shelf: Shelf) -> None:
    shelf.put("orders", "SELECT 1 AS a")
    shelf.put("Orders", "SELECT 1 AS a")
    shelf.put("later", "SELECT 1 AS a")
    found = shelf.source.find_object("orders")
    assert found is not None
    assert found.kind == "table"
    assert [o.name for o in shelf.source.list_objects()] == ["Orders", "later", "orders"]
    faults = dict(shelf.source.list_faults())
    assert "has an object of this name" in faults["orders"]
    assert "only case tells it from orders of the database" in faults["Orders"]
    assert shelf.call("Orders") == [(1,)]
    assert shelf.call("later") == [(1,)]
    shelf.execute("CREATE VIEW later AS SELECT 2 AS b")
    shelf.later()
    found = shelf.source.find_object("later")
    assert found is not None
    assert found.kind == "view"


@pytest.mark.parametrize("name", ["../secret", "..", ".", "", ".hidden", "sub/p", "p\0", "p.sql", "/p", "P"])
def test_a_name_is_no_path(shelf: Shelf, name: str) -> None:
    shelf.put("p", "SELECT 1 AS a")
    shelf.put(".hidden", "SELECT 1 AS a")
    (shelf.folder / "sub").mkdir()
    (shelf.folder / "sub" / "p.sql").write_text("SELECT 1 AS a")
    (shelf.folder.parent / "secret.sql").write_text("SELECT 1 AS a")
    assert shelf.source.find_object(name) is None
    assert list_names(shelf) == ["p"]


def test_a_name_that_no_request_can_have_is_told(shelf: Shelf) -> None:
    shelf.put("good", "SELECT 1 AS a")
    os.close(os.open(os.fsencode(shelf.folder) + b"/\xff.sql", os.O_CREAT | os.O_WRONLY))
    assert list_names(shelf) == ["good"]
    assert [name for name, _ in shelf.source.list_faults()] == ["procedures"]


def test_an_unreachable_database_is_no_fault_of_the_file(shelf: Shelf) -> None:
    shelf.put("p", "SELECT 1 AS a")
    away = shelf.database.with_name("away")
    shelf.database.rename(away)
    with pytest.raises(EngineUnavailable):
        shelf.source.find_object("p")
    away.rename(shelf.database)
    assert shelf.call("p") == [(1,)]


def test_no_name_of_its_own_comes_in_the_way_of_the_query(shelf: Shelf) -> None:
    shelf.put(
        "p",
        "WITH rowgate_result AS (SELECT 5 AS a), ROWGATE_RESULT_ AS (SELECT 6 AS b) "
        "SELECT * FROM rowgate_result, rowgate_result_",
    )
    assert shelf.call("p", b"{orderby: ['a']}") == [(5, 6)]


def test_values_that_a_query_cannot_work_with_are_refused(shelf: Shelf) -> None:
    shelf.put("few", "-- parameter: n integer\nSELECT id FROM orders ORDER BY 1 LIMIT :n")
    shelf.put("tagged", "-- parameter: j text\nSELECT value FROM json_each(:j)")
    shelf.put("far", "-- parameter: n integer\nSELECT abs(:n) AS n")
    assert shelf.call("few", b"{parameters: {n: 2}}") == [(1,), (2,)]
    for name, body in (
        ("few", b"{}"),
        ("tagged", b"{parameters: {j: '['}}"),
        ("far", b"{parameters: {n: -9223372036854775808}}"),
    ):
        with pytest.raises(InvalidParameter) as raised:
            shelf.call(name, body)
        assert raised.value.field == "parameters", name


def test_json_is_a_parameter(shelf: Shelf) -> None:
    shelf.put("keys", "-- parameter: j json default '{\"x\": 1}'\nSELECT key FROM json_each(:j) ORDER BY 1")
    assert shelf.call("keys") == [("x",)]
    assert shelf.call("keys", b"{parameters: {j: {b: [1], a: null}}}") == [("a",), ("b",)]
    assert shelf.call("keys", b"{parameters: {j: null}}") == []


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Shelf]:
    """The same on a DuckDB file."""
    database = tmp_path / "served.duckdb"
    with closing(duckdb.connect(str(database))) as owner:
        owner.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, Name VARCHAR, total DECIMAL(10,2), made DATE)")
        owner.execute("INSERT INTO orders VALUES (1,'a',1.5,'2020-01-01'), (2,'b',2.5,'2021-01-01'), (3,'B',3.5,NULL)")
    shelf = Shelf(database, tmp_path / "procedures", None)  # type: ignore[arg-type]
    shelf.source = DeclaredProcedures(DuckdbSource(DuckdbManner(database)), shelf.folder, clock=lambda: shelf.now)
    with closing(shelf.source):
        yield shelf


def test_procedures_are_declared_on_duckdb(lake: Shelf) -> None:
    lake.put("big", "-- parameter: least number required\n" + ORDERS)
    assert lake.call("big", b"{parameters: {least: 2}, columns: ['id', 'NAME']}") == [(3, "B"), (2, "b")]
    assert lake.call("big", b"{parameters: {least: 0}, orderby: ['id'], limit: 1, columns: ['id']}") == [(1,)]
    assert lake.call("big", b"{parameters: {least: 0}, aggregates: ['count']}") == [(3,)]
    one = b"{parameters: {least: 0}, columns: ['id'], filters: [{column: 'name', function: 'equals', value: 'b'}]}"
    assert sorted(lake.call("big", one)) == [(2,), (3,)]
    assert [(c.name, c.declared_type) for c in lake.find("big").columns][:2] == [("id", "INTEGER"), ("Name", "VARCHAR")]
    lake.put("since", "-- parameter: since date\nSELECT id FROM orders WHERE made >= :since")
    lake.later()
    assert lake.call("since", b"{parameters: {since: '2020-06-01'}}") == [(2,)]
    assert lake.call("since") == []


def test_a_table_is_a_parameter_on_duckdb(lake: Shelf) -> None:
    lake.put("named", "-- parameter: n table(name text)\nSELECT id FROM orders WHERE Name IN (SELECT name FROM :n)")
    lake.put(
        "joined",
        "-- parameter: w table(id integer, weight number, ok boolean)\n"
        "SELECT o.id, w.weight, w.ok FROM :w AS w JOIN orders o ON o.id = w.id ORDER BY 1",
    )
    assert sorted(lake.call("named", b"{parameters: {n: ['a', 'B', null]}}")) == [(1,), (3,)]
    assert lake.call("named") == []
    rows = b"{parameters: {w: [{id: 3, weight: 1.5, ok: true}, {ok: null, id: 1, weight: 2}]}}"
    assert lake.call("joined", rows) == [(1, 2.0, None), (3, 1.5, True)]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders VALUES (9, 'x', 1, NULL) RETURNING id",
        "CREATE TABLE made AS SELECT 1 AS a",
        "SET threads = 1",
        "ATTACH ':memory:' AS b",
        "COPY orders TO 'out.csv'",
        "SELECT * FROM read_csv('other.csv')",
        "SELECT * FROM absent",
        "SELEC",
        "SELECT 1 AS a, 2 AS A",
    ],
)
def test_what_only_reads_is_declared_on_duckdb(lake: Shelf, text: str) -> None:
    lake.put("wrong", text)
    assert lake.find("wrong").fault
    assert [name for name, _ in lake.source.list_faults()] == ["wrong"]
    assert not (lake.folder.parent / "out.csv").exists()


@pytest.mark.parametrize("value", ATTACKS)
def test_hostile_values_are_values_on_duckdb(lake: Shelf, value: str) -> None:
    lake.put("echo", "-- parameter: t text\n-- parameter: l table(v text)\nSELECT :t AS t, v FROM :l")
    body = json.dumps({"parameters": {"t": value, "l": [value]}}).encode()
    assert lake.call("echo", body) == [(value, value)]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("-- parameter: t text\nSELECT CAST(:t AS DATE) AS d", b"{parameters: {t: 'no date'}}"),
        ("-- parameter: t text\nSELECT CAST(:t AS INTEGER) AS d", b"{parameters: {t: 'x'}}"),
        ("-- parameter: i integer\nSELECT CAST(:i AS TINYINT) AS d", b"{parameters: {i: 1000}}"),
        ("-- parameter: t text\nSELECT CAST(:t AS JSON) AS d", b"{parameters: {t: '['}}"),
        ("-- parameter: i integer\nSELECT id FROM orders LIMIT :i", b"{parameters: {i: -1}}"),
        ("-- parameter: t text\nSELECT error(:t) AS e", b"{parameters: {t: 'no'}}"),
    ],
)
def test_values_that_a_query_cannot_work_with_are_refused_on_duckdb(lake: Shelf, text: str, body: bytes) -> None:
    lake.put("p", text)
    with pytest.raises(InvalidParameter) as raised:
        lake.call("p", body)
    assert (raised.value.field, raised.value.expected) == ("parameters", "values that it takes")
    assert "SELECT" not in raised.value.description
