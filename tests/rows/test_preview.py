"""A preview tells what a request would run, and nothing that the reader may not know; nothing is read."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.sql import render_count, render_select
from rows.generated import Bench
from rows.harness import Reader, narrow, open_reader, refusal, register, to_query
from rows.test_oracle import requests
from support.homes import administer
from support.laws import choose_examples
from support.servers import wait_until

SECRET = "a value of the request"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("preview")
    path = folder / "shop.sqlite"
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("CREATE TABLE sales (Id INTEGER PRIMARY KEY, Who TEXT, Price REAL, Margin REAL)")
        writer.execute("CREATE INDEX sales_price ON sales (Price)")
        writer.executemany("INSERT INTO sales VALUES (?, 'w', 1, 2)", [(n,) for n in range(50)])
        writer.execute("ANALYZE")
        writer.execute(
            "CREATE TABLE runs (JobRuntimeKey TEXT, Host TEXT, n INTEGER, PRIMARY KEY (JobRuntimeKey, Host)) "
            "WITHOUT ROWID"
        )
        writer.execute("CREATE TABLE hidden (a INTEGER)")
        writer.execute("CREATE VIEW glimpse AS SELECT a FROM hidden WHERE a > 4711")
    with open_reader(path, folder / "home") as reader:
        with administer(reader.server.settings) as desks:
            desks.objects.block("hidden", reason="")
        wait_until(lambda: reader.get("hidden").status_code == 401)
        yield reader


def preview(reader: Reader, name: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = reader.post(name, {**body, "dry_run": True}, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    return told


def test_the_statement_its_columns_and_the_engines_plan_are_told(shop: Reader) -> None:
    body = {
        "filters": [{"column": "Price", "function": "greater", "value": 5}],
        "columns": ["who", "Price"],
        "limit": 3,
    }
    told = preview(shop, "sales", body)
    assert told == {
        "object": "sales",
        "engine": "SQLite",
        "format": "json",
        "columns": [{"name": "Who", "type": "TEXT"}, {"name": "Price", "type": "REAL"}],
        "statements": [
            {
                "purpose": "rows",
                "sql": 'SELECT "Who", "Price" FROM "sales" WHERE "Price" > ? LIMIT ?',
                "values": 2,
                "plan": ["SEARCH sales USING INDEX sales_price (Price>?)"],
            }
        ],
        "estimated_rows": None,
    }
    assert shop.get("sales", to_query({**body, "dry_run": "true"})).json() == told
    whole = preview(shop, "sales", {"format": "csv", "count": "exact"})
    assert (whole["estimated_rows"], whole["format"]) == (50, "csv")
    assert [statement["purpose"] for statement in whole["statements"]] == ["count", "rows"]
    assert len(shop.rows("sales", {"dry_run": False})) == 50


def test_no_value_of_the_request_is_told(shop: Reader) -> None:
    filters = [
        {"column": "Who", "function": function, "value": SECRET} for function in ("equals", "contains", "less")
    ] + [{"or": [{"column": "Who", "function": "equals", "value": [SECRET, SECRET + "!"]}]}]
    assert SECRET not in json.dumps(preview(shop, "sales", {"filters": filters, "count": "exact"}))


_NEXT_LETTER = {ord("a") + n: ord("a") + (n + 1) % 26 for n in range(26)}


def _alter(item: Any) -> Any:
    """Give other values of the same kind and length, in which no function or column changes."""
    if isinstance(item, list):
        return [_alter(part) for part in item]
    if isinstance(item, dict):
        return {name: _alter(part) if name not in ("column", "function") else part for name, part in item.items()}
    if isinstance(item, str):
        return item.translate(_NEXT_LETTER)
    return int(str(item)[:-1] + str((int(str(item)[-1]) + 1) % 8)) if type(item) is int else item


@settings(max_examples=choose_examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests)
def test_a_statement_is_the_same_whatever_its_values(sqlite_bench: Bench, body: dict[str, Any]) -> None:
    """So none of them stands in it, but for the length of what a text begins or ends with."""
    altered = {**body, "filters": _alter(body["filters"])}
    for render in (render_select, render_count):
        statements = [render(sqlite_bench.plan(asked), SQLITE).text for asked in (body, altered)]
        assert statements[0] == statements[1]


def test_a_comparison_and_a_list_of_runs_are_previewed_too(shop: Reader) -> None:
    told = preview(shop, "runs", {"compare": "2026-01-01T00:00:00"})
    assert [(s["purpose"], s["values"]) for s in told["statements"]] == [("run", 0), ("run", 2), ("rows", 2)]
    assert [column["name"] for column in told["columns"]] == ["change", "Host", "n", "old"]
    listed = shop.client.get("/api/v1/data/runs/runs?dry_run=true").json()
    assert [column["name"] for column in listed["columns"]] == ["JobRuntimeKey", "rows"]


def test_nothing_is_read_and_it_is_on_record_as_a_preview(shop: Reader) -> None:
    answer = shop.post("sales", {"dry_run": True, "columns": ["Who"]})
    wait_until(lambda: shop.rows("sales", {"limit": 1}) and shop.server.events(kind="rows_ended"))
    about = [e for e in shop.server.events() if e.get("request_id") == answer.headers["x-request-id"]]
    assert [(e["kind"], e["object"], e["columns"]) for e in about] == [("rows_previewed", "sales", ["Who"])]


def test_refusals_are_those_of_the_read(shop: Reader) -> None:
    for body in (
        {"columns": ["nothing"]},
        {"filters": [{"column": "Price", "function": "equals", "value": "x"}]},
        {"cursor": "forged"},
        {"compare": "x"},
        {"groupby": ["Who"], "cursor": ""},
    ):
        asked, previewed = shop.post("sales", body), shop.post("sales", {**body, "dry_run": True})
        assert refusal(previewed) == refusal(asked)
    for name, status in (("hidden", 401), ("nothing", 404)):
        answer = shop.post(name, {"dry_run": True})
        assert (answer.status_code, answer.json()["error"]) == (status, shop.get(name).json()["error"])
    assert refusal(shop.post("sales", {"dry_run": "yes"}))[0] == "dry_run"
    assert refusal(shop.get("sales", "dry_run=yes"))[0] == "dry_run"
    anonymous = httpx.post(f"{shop.server.url}/api/v1/data/sales/rows", json={"dry_run": True})
    assert anonymous.status_code == 401


def test_the_names_of_hidden_columns_stay_hidden(shop: Reader) -> None:
    """The newest run is found by a run key that the reader may not know."""
    token = narrow(shop.server, register(shop.server, "narrow", ("runs",)), "runs", "n")
    told = preview(shop, "runs", {}, authorization=token)
    (statement,) = told["statements"]
    newest = 'SELECT "n" FROM "runs" WHERE "hidden" = (SELECT max("hidden") FROM "runs")'
    assert statement["sql"] == f'{newest} ORDER BY "hidden", "hidden"'
    assert statement["plan"] is None
    assert "JobRuntimeKey" not in json.dumps(told)


def test_an_index_named_after_a_hidden_column_is_not_told(shop: Reader) -> None:
    """The statement says nothing of the column, but the engine may choose its index all the same."""
    token = narrow(shop.server, register(shop.server, "unpriced", ("sales",)), "sales", "Id")
    told = preview(shop, "sales", {}, authorization=token)
    assert [statement["plan"] for statement in told["statements"]] == [None]
    assert "price" not in json.dumps(told).lower()
    (whole,) = preview(shop, "sales", {"columns": ["Id"]})["statements"]
    assert whole["plan"] == ["SCAN sales USING COVERING INDEX sales_price"]


def test_what_a_view_is_made_of_stays_hidden(shop: Reader) -> None:
    told = preview(shop, "glimpse", {"filters": [{"column": "a", "function": "less", "value": 5}], "count": "exact"})
    assert [statement["plan"] for statement in told["statements"]] == [None, None]
    assert "hidden" not in json.dumps(told)
