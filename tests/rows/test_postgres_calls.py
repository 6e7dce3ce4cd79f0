"""A function of PostgreSQL over HTTP: described, called, refused and recorded as every procedure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rowgate import wiring
from rowgate.config import load_settings
from rows.harness import Reader, read_from, refusal, success
from support.postgres import READER, PostgresServer

_MADE = """
CREATE TABLE orders (id int PRIMARY KEY, name text);
INSERT INTO orders SELECT n, 'n' || n % 3 FROM generate_series(1, 3000) n;
CREATE FUNCTION picked(names text[], low int DEFAULT 1) RETURNS SETOF orders LANGUAGE sql STABLE AS
  'SELECT * FROM orders WHERE name = ANY (names) AND id >= low ORDER BY id';
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM orders; RETURN 1; END';
CREATE PROCEDURE counted(low int, OUT many boolean, INOUT n bigint DEFAULT 0) LANGUAGE plpgsql AS
  'BEGIN n := (SELECT count(*) FROM orders WHERE id >= low); many := n > 100; END';
CREATE PROCEDURE commits(INOUT n int) LANGUAGE plpgsql AS 'BEGIN COMMIT; DELETE FROM orders; COMMIT; END';
CREATE FUNCTION inverse(n int) RETURNS int LANGUAGE sql AS 'SELECT 1 / n';
"""


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        owner.execute(_MADE.encode())
        owner.execute(f"GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {READER}".encode())
    home = tmp_path_factory.mktemp("shop") / "home"
    home.mkdir(mode=0o700)
    made = load_settings(home, {}, {"database": postgres.address(name), "port": 0})
    wiring.create_home(made, "tests")
    with read_from(made, Path()) as reader:
        yield reader
    postgres.drop_database(name)


def call(shop: Reader, name: str, body: Any) -> httpx.Response:
    return shop.client.post(f"/api/v1/data/{name}/proc", json=body)


def test_o38_to_o43_a_function_is_called(shop: Reader) -> None:
    rows = success(call(shop, "picked", {"parameters": {"NAMES": ["n1", "n2"]}}))
    assert [row["id"] for row in rows] == [n for n in range(1, 3001) if n % 3]
    body = {"parameters": {"names": [{"value": "n1"}], "low": 2990}, "groupby": ["name"]}
    assert success(call(shop, "picked", body)) == [
        {"name": "n1", "groupItems": [{"id": 2991 + n} for n in (1, 4, 7)]},
    ]
    counted = call(shop, "picked", {"parameters": {"names": ["n0"]}, "count": "exact", "limit": 1, "format": "csv"})
    assert (counted.text, counted.headers["rowgate-count"]) == ('"id","name"\r\n3,"n0"\r\n', "1000")


def test_a_function_is_described(shop: Reader) -> None:
    told = shop.client.get("/api/v1/data/picked").json()
    assert (told["kind"], [column["name"] for column in told["columns"]]) == ("procedure", ["id", "name"])
    assert [(p["name"], p["type"], p["required"], p["has_default"]) for p in told["parameters"]] == [
        ("names", "table(value text)", True, False),
        ("low", "integer", False, True),
    ]
    assert refusal(shop.get("picked")) == ("object", "POST to …/proc")


def test_o44_what_it_cannot_work_with_is_refused(shop: Reader) -> None:
    assert refusal(call(shop, "picked", {})) == ("parameters.names", "names (table(value text))")
    assert refusal(call(shop, "picked", {"parameters": {"names": [1]}}))[0] == "parameters.names[0].value"
    assert refusal(call(shop, "picked", {"parameters": {"names": ["\0"]}}))[0] == "parameters.names"
    assert refusal(call(shop, "inverse", {"parameters": {"n": 0}}))[0] == "parameters"
    assert success(call(shop, "inverse", {"parameters": {"n": 1}})) == [{"inverse": 1}]


def test_nothing_is_written(shop: Reader) -> None:
    answer = call(shop, "writes", {})
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "tried to write" in answer.json()["error_description"]
    assert len(shop.rows("orders", {"columns": ["id"]})) == 3000


def test_a_procedure_answers_with_what_it_hands_out(shop: Reader) -> None:
    assert success(call(shop, "counted", {"parameters": {"low": 2900}})) == [{"many": True, "n": 101}]
    assert success(call(shop, "counted", {"parameters": {"LOW": 2999}, "columns": ["many"]})) == [{"many": False}]
    csv = call(shop, "counted", {"parameters": {"low": 1}, "format": "csv"})
    assert csv.text == '"many","n"\r\ntrue,3000\r\n'
    told = shop.client.get("/api/v1/data/counted").json()
    assert [(one["name"], one["json_type"]) for one in told["columns"]] == [
        ("many", "boolean"),
        ("n", "integer"),
    ]
    previewed = call(shop, "counted", {"parameters": {"low": 1}, "dry_run": True}).json()
    assert [statement["purpose"] for statement in previewed["statements"]] == ["call"]
    assert [one["value_from"] for one in previewed["parameters"]] == ["request", "database"]
    answer = call(shop, "commits", {"parameters": {"n": 1}})
    assert "tried to end its transaction" in answer.json()["error_description"]
    assert len(shop.rows("orders", {"columns": ["id"]})) == 3000
