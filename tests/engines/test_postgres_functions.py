"""Functions of PostgreSQL as procedures: found in the catalog, called with bound values, never able to write."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from rowgate.engines.postgres import PostgresSource
from rowgate.rows.errors import EngineFailure, InvalidParameter
from rowgate.rows.model import Value
from rowgate.rows.parameters import plan_call
from rowgate.rows.plan import plan_rows
from rowgate.rows.procedures import Parameter, ParameterType, Procedure, TableColumn
from rowgate.rows.request_call import parse_call_body
from rowgate.rows.sql import render_select
from rowgate.rows.sql_call import render_read
from rows.test_injection import ATTACKS
from support.postgres import READER, PostgresServer

_MADE = """
CREATE TABLE orders (id int PRIMARY KEY, name text NOT NULL, total numeric(10,2), at timestamptz);
INSERT INTO orders VALUES (1, 'a', 1.50, '2020-01-01Z'), (2, 'b', 2.50, '2021-01-01Z'), (3, 'É', 3.50, '2022-01-01Z');
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (name text, "Low" numeric);
CREATE DOMAIN short AS varchar(3);
CREATE FUNCTION dear(low numeric, since timestamptz DEFAULT '2000-01-01', most int DEFAULT 1 + 9)
  RETURNS SETOF orders LANGUAGE sql STABLE AS
  'SELECT * FROM orders WHERE total >= low AND at >= since ORDER BY id DESC LIMIT most';
COMMENT ON FUNCTION dear IS 'What costs much.';
CREATE FUNCTION named(names text[]) RETURNS TABLE (id int, "Name" text) LANGUAGE sql STABLE AS
  'SELECT o.id, o.name FROM unnest(names) WITH ORDINALITY AS n(name, place) JOIN orders o USING (name) ORDER BY place';
CREATE FUNCTION above(pairs pair[]) RETURNS TABLE (id int) LANGUAGE sql STABLE AS
  'SELECT o.id FROM orders o JOIN unnest(pairs) p ON p.name = o.name AND o.total > p."Low" ORDER BY 1';
CREATE FUNCTION echo(t text, i int, n double precision, b bool, d date, x bytea, m mood, j jsonb, u uuid, s short,
  OUT rt text, OUT ri int, OUT rn double precision, OUT rb bool, OUT rd date, OUT rx bytea, OUT rm mood, OUT rj jsonb,
  OUT ru uuid, OUT rs short) LANGUAGE sql AS 'SELECT t, i, n, b, d, x, m, j, u, s';
CREATE FUNCTION in_out(INOUT n int, IN step int DEFAULT 1) LANGUAGE sql AS 'SELECT n + step';
CREATE FUNCTION one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION numbers(most int) RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, most)';
CREATE FUNCTION raises(text_ text) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no %', text_; END$$;
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
  $$BEGIN INSERT INTO orders VALUES (99, 'x', 1, now()); RETURN 1; END$$;
CREATE FUNCTION unlocks() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
  $$BEGIN SET transaction_read_only = off; INSERT INTO orders VALUES (99, 'x', 1, now()); RETURN 1; END$$;
CREATE FUNCTION changes_session() RETURNS int LANGUAGE plpgsql AS
  $$BEGIN SET default_transaction_read_only = off; SET timezone = 'Asia/Tokyo'; SET datestyle = 'German';
  RETURN 1; END$$;
CREATE FUNCTION backend() RETURNS int LANGUAGE sql AS 'SELECT pg_backend_pid()';
CREATE FUNCTION locks() RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_lock(7); RETURN NULL; END$$;
CREATE FUNCTION prepares() RETURNS int LANGUAGE plpgsql AS $$BEGIN EXECUTE 'PREPARE kept AS SELECT 1'; RETURN 1; END$$;
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO reader;
CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION "odd ""name"" é"("a ""b"" c" text) RETURNS text LANGUAGE sql AS $$SELECT "a ""b"" c"$$;
"""
_FAULTY = """
CREATE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION twice(b text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION unnamed(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION many(VARIADIC a int[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION records() RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION nothing_at_all() RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION row_in(a orders) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION bytes_in(a bytea[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION alike("a" int, "A" int) RETURNS int LANGUAGE sql AS 'SELECT 1';
"""
_UNSERVED = """
CREATE FUNCTION everybodys() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION orders() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION triggered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE PROCEDURE called() LANGUAGE sql AS 'SELECT 1';
"""


class Served:
    """A database with functions, and the source under test on it."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = server.create_database()
        self.execute(_MADE, _FAULTY, f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public, shop TO {READER}", _UNSERVED)
        self.execute(f"GRANT EXECUTE ON ROUTINE triggered, orders, called TO {READER}")
        self.source = PostgresSource(server.address(self.name))

    def execute(self, *statements: str) -> None:
        with self.server.owner(self.name) as owner:
            for statement in statements:
                owner.execute(statement.encode())

    def find(self, name: str) -> Procedure:
        found = self.source.find_object(name)
        assert isinstance(found, Procedure), name
        return found

    def call(self, name: str, parameters: dict[str, Any] | None = None, **result: Any) -> list[tuple[Value, ...]]:
        request = parse_call_body(json.dumps({"parameters": parameters or {}, **result}).encode())
        call = plan_call(self.find(name), request.parameters, holds_nul=self.source.dialect.holds_nul)
        plan = plan_rows(request.result, call.procedure, run_key="")
        statement = render_read(render_select, plan, call, self.source.dialect)
        with closing(self.source.open_rows(statement, statement_seconds=20)) as blocks:
            rows = blocks.read_block()
            while not blocks.is_exhausted:
                rows += blocks.read_block()
            return rows


@pytest.fixture(scope="module")
def served(postgres: PostgresServer) -> Iterator[Served]:
    made = Served(postgres)
    made.source.prove_read_only()
    with closing(made.source):
        yield made
    postgres.drop_database(made.name)


def test_functions_that_the_account_was_given_are_listed(served: Served) -> None:
    listed = {found.name: found.kind for found in served.source.list_objects()}
    assert listed["orders"] == "table"
    assert {name for name, kind in listed.items() if kind == "procedure"} == {
        *("dear", "named", "above", "echo", "in_out", "one", "numbers", "raises", "writes", "unlocks"),
        *(
            "changes_session",
            "backend",
            "locks",
            "prepares",
            "shop.one",
            'odd "name" é',
            "twice",
            "unnamed",
            "many",
            "records",
            "nothing_at_all",
        ),
        *("row_in", "bytes_in", "alike", "called"),
    }
    for name in ("everybodys", "triggered", "pg_sleep", "now", "public.one", "ONE", "one\0"):
        assert served.source.find_object(name) is None, name


def test_a_function_is_described_from_the_catalog(served: Served) -> None:
    found = served.find("dear")
    assert (found.kind, found.description, found.fault) == ("procedure", "What costs much.", "")
    assert [(c.name, c.declared_type) for c in found.columns] == [
        ("id", "integer"),
        ("name", "text"),
        ("total", "numeric"),
        ("at", "timestamp with time zone"),
    ]
    assert found.parameters == (
        Parameter("low", ParameterType.NUMBER, required=True, takes_null=True),
        Parameter("since", ParameterType.MOMENT, has_own_default=True, takes_null=True),
        Parameter("most", ParameterType.INTEGER, has_own_default=True, takes_null=True),
    )
    assert served.find("named").parameters[0].type == (TableColumn("value", ParameterType.TEXT),)
    pairs = (TableColumn("name", ParameterType.TEXT), TableColumn("Low", ParameterType.NUMBER))
    assert served.find("above").parameters[0].type == pairs
    kinds = ["text", "integer", "number", "boolean", "date", "binary", "text", "json", "text", "text"]
    assert [p.type for p in served.find("echo").parameters] == kinds
    assert [c.name for c in served.find("one").columns] == ["one"]


def test_a_call_gives_rows_shaped_as_asked(served: Served) -> None:
    assert [row[0] for row in served.call("dear", {"low": 2})] == [3, 2]
    assert [row[0] for row in served.call("dear", {"LOW": 1, "most": 1})] == [3]
    assert [row[0] for row in served.call("dear", {"most": 9, "since": "2021-06-01T00:00:00Z", "low": 0})] == [3]
    assert served.call("dear", {"low": None}) == []
    assert served.call("dear", {"low": 0}, columns=["NAME"], orderby=["id"], limit=2) == [("a",), ("b",)]
    one = {"column": "name", "function": "equals", "value": "é"}
    assert served.call("dear", {"low": 0}, filters=[one], columns=["id"]) == [(3,)]
    assert served.call("dear", {"low": 0}, aggregates=["count"]) == [(3,)]
    assert served.call("dear", {"low": 0}, groupby=["name"], columns=["id"]) == [("a", 1), ("b", 2), ("É", 3)]
    assert served.call("numbers", {"most": 2500})[-1] == (2500,)
    assert served.call("one") == [(1,)]
    assert served.call("shop.one") == [(2,)]
    assert served.call("in_out", {"n": 4}) == [(5,)]
    assert served.call("in_out", {"step": 10, "n": 4}) == [(14,)]


def test_arrays_and_arrays_of_rows_are_tables(served: Served) -> None:
    """O-41."""
    assert served.call("named", {"names": ["b", "a", None, "none"]}) == [(2, "b"), (1, "a")]
    assert served.call("named", {"names": [{"value": "É"}]}) == [(3, "É")]
    assert served.call("named", {"names": []}) == []
    pairs = [{"name": "a", "low": 1.5}, {"Low": 1, "name": "b"}, {"name": "É", "low": None}]
    assert served.call("above", {"pairs": pairs}) == [(2,)]


def test_every_type_is_bound_as_itself(served: Served) -> None:
    given: dict[str, Any] = {"t": "É'", "i": -5, "n": 0.1, "b": True, "d": "2018-11-05", "x": "AAE=", "m": "ok"}
    given |= {"j": {"a": [1, None, "x"]}, "u": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "s": "abc"}
    (row,) = served.call("echo", given)
    assert row[:7] == ("É'", -5, 0.1, True, "2018-11-05", b"\0\1", "ok")
    assert json.loads(str(row[7])) == given["j"]
    assert row[8:] == (given["u"], "abc")
    assert served.call("echo", dict.fromkeys(given)) == [(None,) * 10]


@pytest.mark.parametrize("value", ATTACKS)
def test_hostile_values_are_values(served: Served, value: str) -> None:
    if "\0" in value:
        with pytest.raises(InvalidParameter):
            served.call('odd "name" é', {'a "b" c': value})
        with pytest.raises(InvalidParameter):
            served.call("named", {"names": [value]})
        return
    assert served.call('odd "name" é', {'A "b" c': value}) == [(value,)]
    assert served.call("named", {"names": [value]}) == []


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("in_out", {"n": 2**40}),
        ("in_out", {"n": 2**31 - 1}),
        ("echo", {**dict.fromkeys("tinbdxjus"), "m": "glad"}),
        ("echo", {**dict.fromkeys("tinbdxjms"), "u": "no uuid"}),
        ("echo", {**dict.fromkeys("tinbdxjmu"), "s": "\u00e9too long"}),
        ("raises", {"text_": "secret"}),
    ],
)
def test_values_that_a_function_cannot_work_with_are_refused(served: Served, name: str, parameters: Any) -> None:
    with pytest.raises(InvalidParameter) as raised:
        served.call(name, parameters)
    assert raised.value.field == "parameters"
    assert "secret" not in raised.value.description


@pytest.mark.parametrize("name", ["writes", "unlocks"])
def test_a_function_that_writes_is_refused_and_changes_nothing(served: Served, name: str) -> None:
    """Even one that runs with its owner's rights, and tries to leave the read-only transaction."""
    with pytest.raises((EngineFailure, InvalidParameter)) as raised:
        served.call(name)
    assert isinstance(raised.value, EngineFailure)
    assert "tried to write" in raised.value.description
    with served.server.owner(served.name) as owner:
        assert owner.execute("SELECT count(*) FROM orders").fetchall() == [(3,)]


def test_what_a_function_sets_does_not_outlive_its_call(served: Served) -> None:
    moments = [row[3] for row in served.call("dear", {"low": 0})]
    for _ in range(3):
        assert served.call("changes_session") == [(1,)]
        assert [row[3] for row in served.call("dear", {"low": 0})] == moments
        with pytest.raises(EngineFailure):
            served.call("writes")


def test_a_session_is_used_again_after_a_call(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(PostgresSource(served.server.address(served.name), max_connections=1)) as alone:
        monkeypatch.setattr(served, "source", alone)
        ((first,),) = served.call("backend")
        assert served.call("locks") == [(None,)]
        for _ in range(2):  # the second would find what the first has left
            assert served.call("prepares") == [(1,)]
        with pytest.raises(InvalidParameter):
            served.call("raises", {"text_": "x"})
        assert served.call("backend") == [(first,)]
        with served.server.owner(served.name) as owner:
            assert owner.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchall() == [(0,)]


FAULTS = {
    "twice": "several functions",
    "unnamed": "need names",
    "many": "VARIADIC",
    "records": "RETURNS TABLE",
    "nothing_at_all": "no rows",
    "row_in": "is a row",
    "bytes_in": "binary",
    "alike": "need names",
}


@pytest.mark.parametrize(("name", "fault"), FAULTS.items())
def test_what_cannot_be_called_says_why(served: Served, name: str, fault: str) -> None:
    assert fault in served.find(name).fault


def test_a_changed_function_is_noticed(served: Served) -> None:
    served.execute("CREATE FUNCTION later(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    served.execute(f"GRANT EXECUTE ON FUNCTION later TO {READER}")
    assert served.call("later", {"a": 1}) == [(1,)]
    served.execute("DROP FUNCTION later")
    with pytest.raises(EngineFailure):
        served.call("later", {"a": 1})
    assert served.source.find_object("later") is None
