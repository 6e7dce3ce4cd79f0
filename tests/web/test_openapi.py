"""The OpenAPI document: valid, made for one token, and enough to drive a client by."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from rowgate.rows.request import PARAMETERS
from rows.harness import Reader, narrow, read_from, refusal, register
from support.homes import administer, make_home
from support.servers import wait_until

OPENAPI = "/api/v1/openapi.json"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("openapi")
    database = folder / "shop.sqlite"
    with closing(sqlite3.connect(database)) as writer, writer:
        writer.execute(
            "CREATE TABLE sales (JobRuntimeKey TEXT, Id INTEGER NOT NULL, Price REAL, Paid BOOLEAN, Bill BLOB, "
            "Sold DATETIME NOT NULL, whatever, PRIMARY KEY (JobRuntimeKey, Id))"
        )
        writer.execute("INSERT INTO sales VALUES ('2026-01-01', 1, 1.5, 1, x'00', '2026-01-01', NULL)")
        for name in ("odd/name ü {x}", "odd name", "Odd-name", "error"):
            writer.execute(f'CREATE TABLE "{name}" ("a,b" INTEGER, "q""q" BLOB)')
        writer.execute('CREATE TABLE "blobs" (x BLOB)')
        writer.execute("CREATE VIEW sold AS SELECT Id, Price FROM sales")
        writer.execute("CREATE TABLE hidden (a INTEGER)")
    made = make_home(folder / "home", database)
    made.procedures_path.mkdir()
    (made.procedures_path / "of.sql").write_text(
        "-- title: Cheaper ones\n-- parameter: most number required -- the price\n-- parameter: after moment\n"
        "-- parameter: ids table(id integer)\nSELECT Id, Price FROM sales WHERE Price < :most "
        "AND (:after IS NULL OR Sold > :after) AND Id NOT IN (SELECT id FROM :ids WHERE id IS NOT NULL)\n"
    )
    (made.procedures_path / "bad.sql").write_text("SELEC")
    with administer(made) as desks:
        desks.objects.set_title("sales", "What was sold", "Since the beginning.")
        desks.objects.block("hidden", reason="")
    with read_from(made, database) as reader:
        yield reader


@pytest.fixture(scope="module")
def document(shop: Reader) -> Document:
    answer = shop.client.get(OPENAPI)
    assert answer.status_code == 200, answer.text
    told: Document = answer.json()
    return told


def test_it_is_valid_and_of_this_server(shop: Reader, document: Document) -> None:
    validate(document)
    issuer = shop.server.settings.issuer
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": issuer}]
    flows = document["components"]["securitySchemes"]["clientCredentials"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == f"{issuer}/api/v1/token"
    metadata = httpx.get(f"{shop.server.url}/.well-known/oauth-authorization-server").json()
    assert metadata["token_endpoint"] == flows["clientCredentials"]["tokenUrl"]


def list_operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_has_every_object_that_the_token_may_read_and_no_other(shop: Reader, document: Document) -> None:
    for listed in shop.client.get("/api/v1/data").json():
        answer = shop.client.get(listed["href"].removeprefix(shop.server.settings.issuer))
        assert answer.is_success is (listed["name"] != "bad"), answer.text
        described = answer.json()
        told = [address for name in ("href", "rows", "runs", "proc") if (address := described.get(name))]
        for address in told:
            assert address.removeprefix(shop.server.settings.issuer) in document["paths"], address
    assert "/api/v1/data/bad/proc" not in document["paths"]
    assert "/api/v1/data/of/proc" in document["paths"]
    assert "hidden" not in json.dumps(document["paths"])
    ids = [operation["operationId"] for _, _, operation in list_operations(document)]
    assert len(ids) == len(set(ids))
    assert all(name.isalnum() for name in ids)


def test_every_parameter_is_in_it(document: Document) -> None:
    rows = document["paths"]["/api/v1/data/sales/rows"]
    assert {parameter["name"] for parameter in rows["get"]["parameters"]} == {*PARAMETERS, "filter"}
    body = rows["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == set(PARAMETERS)
    plain = document["paths"]["/api/v1/data/sold/rows"]["get"]["parameters"]
    assert {"jobRuntimeKey", "compare", "cursor"}.isdisjoint(parameter["name"] for parameter in plain)


def resolve(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def list_examples(document: Document, schema: Document) -> list[Any]:
    """Give values that the schema allows, each one kind of them."""
    schema = resolve(document, schema)
    if "enum" in schema:
        return list(schema["enum"])
    if "examples" in schema:
        return list(schema["examples"])
    kind: Any = schema.get("type")
    if kind == "array":
        return [[value] for value in list_examples(document, schema["items"])] if "minItems" not in schema else []
    if kind == "object" and "function" in schema["properties"]:
        return list_comparisons(schema)
    examples: dict[str, list[Any]] = {"integer": [1], "boolean": [True, False], "string": [""]}
    return examples.get(kind, []) if isinstance(kind, str) else []


def list_comparisons(schema: Document) -> list[Document]:
    """Give a comparison of each column with each function that it takes, by the schema and what it says in words."""
    few = dict(re.findall(r"(\S+) takes only ([a-z_, ]+)", schema["description"]))
    values: dict[str, Any] = {"is_null": {}, "is_not_null": {}, "between": {"value": [1, 2]}}
    return [
        {"column": column, "function": function, **values.get(function, {"value": "AAAA" if column in few else "1"})}
        for column in schema["properties"]["column"]["enum"]
        for function in schema["properties"]["function"]["enum"]
        if column not in few or function in few[column].split(", ")
    ]


def check(document: Document, operation: Document, answer: httpx.Response) -> None:
    """Hold an answer against what the document says of it."""
    assert answer.status_code == 200, (answer.request.url, answer.request.content, answer.text)
    content = operation["responses"]["200"]["content"]
    media_type = answer.headers["content-type"].partition(";")[0]
    assert media_type in content
    if media_type == "application/json":
        schema = {**content[media_type]["schema"], "components": document["components"]}
        OAS31Validator(schema).validate(answer.json())


def test_requests_that_it_allows_are_answered_as_it_says(shop: Reader, document: Document) -> None:
    """A client that knows nothing but the document: each parameter with each kind of value, by GET and by POST."""
    asked = 0
    for path, method, operation in list_operations(document):
        if method == "get":
            check(document, operation, shop.client.get(path))
            for parameter in operation.get("parameters", ()):
                in_json = parameter.get("content", {}).get("application/json")
                schema = in_json["schema"] if in_json else parameter["schema"]
                for value in list_examples(document, schema) if parameter["name"] != "filter" else ():
                    text = json.dumps(value) if in_json or isinstance(value, (list, bool)) else str(value)
                    query = urlencode({parameter["name"]: text})
                    check(document, operation, shop.client.get(f"{path}?{query}"))
                    asked += 1
            continue
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        given = {"parameters": {"most": 9}} if "required" in body else {}
        for name, schema in body["properties"].items():
            for value in list_examples(document, schema) if name != "parameters" else ():
                OAS31Validator({**body, "components": document["components"]}).validate({**given, name: value})
                check(document, operation, shop.client.post(path, json={**given, name: value}))
                asked += 1
    assert asked > 300


def test_what_it_does_not_allow_is_refused(shop: Reader, document: Document) -> None:
    schema = document["paths"]["/api/v1/data/sales/rows"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    validator = OAS31Validator({**schema, "components": document["components"]})
    bodies: tuple[Document, ...] = (
        {"columns": ["nothing"]},
        {"unknown": 1},
        {"limit": -1},
        {"format": "nothing"},
        {"filters": [{}]},
        {"filters": [{"column": "Id", "function": "equals", "value": 1, "more": 2}]},
    )
    for body in bodies:
        assert not validator.is_valid(body), body
        answer = shop.post("sales", body)
        refusal(answer)
        error = {"$ref": "#/components/schemas/Error", "components": document["components"]}
        OAS31Validator(error).validate(answer.json())


def test_a_table_that_is_a_parameter_is_described_by_its_columns(shop: Reader, document: Document) -> None:
    operation = document["paths"]["/api/v1/data/of/proc"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator = OAS31Validator({**schema, "components": document["components"]})
    for ids, is_good in (([{"id": 1}], True), ([1, None], True), (None, True), ([{"x": 1}], False), (["a"], False)):
        body = {"parameters": {"most": 9, "ids": ids}}
        assert validator.is_valid(body) is is_good, ids
        answer = shop.client.post("/api/v1/data/of/proc", json=body)
        assert answer.status_code == (200 if is_good else 400), ids
        if is_good:
            check(document, operation, answer)


def test_what_else_is_answered_is_in_it(shop: Reader, document: Document) -> None:
    """Refusals, and that a copy is still good."""
    rows = document["paths"]["/api/v1/data/sales/rows"]
    copy = shop.get("sales")
    assert copy.headers.keys() & {"etag", "rowgate-rows", "repr-digest"} <= {
        name.lower() for name in rows["get"]["responses"]["200"]["headers"]
    }
    asked = [
        ("get", shop.get("sales", **{"If-None-Match": copy.headers["etag"]}), 304),
        ("get", shop.get("sales", accept="image/png"), 406),
        ("get", shop.get("sales", "limit=x"), 400),
        ("get", httpx.get(f"{shop.server.url}/api/v1/data/sales/rows"), 401),
        ("post", shop.post("sales", b"{}", **{"Content-Encoding": "gzip"}), 415),
        ("post", shop.post("sales", b" " * (shop.server.settings.max_rows_body_bytes + 1)), 413),
    ]
    error = {"$ref": "#/components/schemas/Error", "components": document["components"]}
    for method, answer, status in asked:
        assert answer.status_code == status
        assert str(status) in rows[method]["responses"]
        if status != 304:
            OAS31Validator(error).validate(answer.json())
    assert {"429", "500", "503"} <= rows["get"]["responses"].keys()


def test_a_narrower_token_gets_a_narrower_document(shop: Reader) -> None:
    token = narrow(shop.server, register(shop.server, "narrow", ("sales", "sold")), "sales", "price")
    told = shop.client.get(OPENAPI, headers={"Authorization": token})
    validate(told.json())
    assert set(told.json()["paths"]) == {"/api/v1/data", "/api/v1/data/sales", "/api/v1/data/sales/rows"}
    for hidden in ("Sold", "JobRuntimeKey", "sold", "odd"):
        assert f'"{hidden}"' not in told.text
    assert told.json()["info"]["title"] == "What narrow may read"


def test_nobody_is_told_without_a_token(shop: Reader) -> None:
    assert httpx.get(shop.server.url + OPENAPI).status_code == 401
    assert shop.client.post(OPENAPI).status_code == 405


def test_a_copy_is_good_until_something_changes(shop: Reader) -> None:
    etag = shop.client.get(OPENAPI).headers["etag"]
    again = shop.client.get(OPENAPI, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    with administer(shop.server.settings) as desks:
        desks.objects.set_title("sold", "Another title", "")
    wait_until(lambda: shop.client.get(OPENAPI, headers={"If-None-Match": etag}).status_code == 200)
