"""Stored and declared procedures of MariaDB and MySQL over HTTP: called, shaped, granted in part, recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from rowgate import wiring
from rowgate.config import load_settings
from rowgate.rows.masks import Mask
from rowgate.served_databases import DatabaseSettings
from rowgate.service.admin.desk import AdminError
from rowgate.service.admin.grants import GrantChange
from rows.harness import Reader, read_from, refusal, success
from support.homes import add_application, administer
from support.mariadb import PASSWORD, MariadbServer, make_numbers
from support.servers import ask_until, fetch_token, wait_until

pytestmark = pytest.mark.engines

MADE = (
    *make_numbers(60_000),
    "CREATE TABLE staff (id INT PRIMARY KEY, name VARCHAR(20), salary DECIMAL(10,2), since DATETIME)",
    "INSERT INTO staff VALUES (1,'Ada',9000.5,'2015-03-01'), (2,'Bob',5000,'2019-07-15'), (3,'Cyd',7000,NULL)",
    """CREATE PROCEDURE staff_up_to (IN n INT)
    COMMENT 'columns: id integer, name text, salary number, since moment; Staff.'
    BEGIN SELECT * FROM staff WHERE id <= n ORDER BY id; SELECT count(*) AS other FROM staff; END""",
    """CREATE PROCEDURE untold (IN n INT)
    BEGIN SELECT CAST(seq AS SIGNED) AS n, 'x' AS t FROM numbers WHERE seq <= n; END""",
    "CREATE PROCEDURE writes () BEGIN SELECT 1 AS a; COMMIT; DELETE FROM staff; END",
    "CREATE PROCEDURE takes (IN t VARCHAR(3)) BEGIN SELECT t; END",
    """CREATE PROCEDURE slow () {stoppable}
    BEGIN SELECT sum(a.seq * b.seq * c.seq) AS n FROM numbers a, numbers b, numbers c; END""",
)
DECLARED = "-- parameter: ids table(id integer)\nSELECT s.id, s.name FROM staff s JOIN :ids AS i ON i.id = s.id"


@pytest.fixture(scope="module")
def shop(either: MariadbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    name = either.create_database()
    made = [statement.format(stoppable=either.stoppable) for statement in MADE]
    either.execute(*made, f"GRANT EXECUTE ON {name}.* TO reader@localhost", database=name)
    folder = tmp_path_factory.mktemp("shop")
    (folder / "password").write_text(PASSWORD)
    home = folder / "home"
    home.mkdir(mode=0o700)
    served = DatabaseSettings(address=either.address(name), password_file=str(folder / "password"))
    settings = load_settings(home, {}, {"databases": (served,), "port": 0, "statement_seconds": 2})
    wiring.create_home(settings, "tests")
    settings.procedures_path.mkdir()
    (settings.procedures_path / "Chosen.sql").write_text(DECLARED)
    with read_from(settings, Path()) as reader:
        yield reader


def call(shop: Reader, name: str, body: Any, **headers: str) -> httpx.Response:
    return shop.client.post(f"/api/v1/data/{name}/proc", json=body, headers=headers)


def test_o38_to_o44_a_stored_procedure_is_called(shop: Reader) -> None:
    assert success(call(shop, "staff_up_to", {"parameters": {"N": 2}, "columns": ["id", "salary", "since"]})) == [
        {"id": 1, "salary": 9000.5, "since": "2015-03-01T00:00:00"},
        {"id": 2, "salary": 5000, "since": "2019-07-15T00:00:00"},
    ]
    body = {"parameters": {"n": 9}, "filters": [{"column": "name", "function": "equals", "value": "BOB"}]}
    counted = call(shop, "staff_up_to", {**body, "columns": ["id"], "count": "exact"})
    assert (counted.json(), counted.headers["rowgate-count"]) == ([{"id": 2}], "1")
    grouped = call(shop, "staff_up_to", {"parameters": {"n": 2}, "groupby": ["name"], "columns": ["id"]})
    assert success(grouped) == [
        {"name": "Ada", "groupItems": [{"id": 1}]},
        {"name": "Bob", "groupItems": [{"id": 2}]},
    ]
    assert refusal(call(shop, "staff_up_to", {})) == ("parameters.n", "n (integer)")
    assert refusal(call(shop, "staff_up_to", {"parameters": {"n": "x"}})) == ("parameters.n", "a whole number")
    assert refusal(call(shop, "staff_up_to", {"parameters": {"n": 1}, "columns": ["nope"]}))[0] == "columns[0]"
    assert refusal(call(shop, "takes", {"parameters": {"t": "long"}})) == ("parameters", "values that it takes")
    told = call(shop, "takes", {"parameters": {"t": "long"}}).text
    assert "SELECT" not in told
    assert "1406" not in told


def test_a_declared_procedure_stands_beside_it(shop: Reader) -> None:
    body = {"parameters": {"ids": [1, {"id": 3}]}, "orderby": ["id"]}
    assert success(call(shop, "Chosen", body)) == [{"id": 1, "name": "Ada"}, {"id": 3, "name": "Cyd"}]
    listed = {item["name"]: item["kind"] for item in shop.client.get("/api/v1/data").json()}
    assert listed["Chosen"] == listed["staff_up_to"] == "procedure"


def test_a_preview_tells_the_call_and_makes_none(shop: Reader) -> None:
    told = call(shop, "staff_up_to", {"parameters": {"n": 2}, "columns": ["ID"], "dry_run": True}).json()
    assert [column["name"] for column in told["columns"]] == ["id"]
    assert told["statements"] == [{"purpose": "call", "sql": "CALL `staff_up_to`(%s)", "values": 1, "plan": None}]
    assert told["parameters"] == [{"name": "n", "type": "integer", "value_from": "request"}]
    untold = call(shop, "untold", {"parameters": {"n": 2}, "dry_run": True}).json()
    assert (untold["columns"], len(untold["statements"])) == ([], 1)
    assert call(shop, "slow", {"dry_run": True}).status_code == 200
    assert refusal(call(shop, "staff_up_to", {"parameters": {"n": 2}, "columns": ["a"], "dry_run": True}))[0]
    assert refusal(call(shop, "untold", {"dry_run": True})) == ("parameters.n", "n (integer)")


def test_procedures_are_described(shop: Reader) -> None:
    told = shop.client.get("/api/v1/data/staff_up_to").json()
    assert told["description"] == "Staff."
    assert [column["name"] for column in told["columns"]] == ["id", "name", "salary", "since"]
    assert [(p["name"], p["type"], p["required"]) for p in told["parameters"]] == [("n", "integer", True)]
    untold = shop.client.get("/api/v1/data/untold").json()
    assert untold["columns"] == []
    document = shop.client.get("/api/v1/openapi.json").json()
    validate(document)
    body = document["paths"]["/api/v1/data/untold/proc"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    asked = {"parameters": {"n": 3}, "columns": ["n"], "filters": [{"column": "n", "function": "equals", "value": 2}]}
    OAS31Validator({**body, "components": document["components"]}).validate(asked)
    assert success(call(shop, "untold", asked)) == [{"n": 2}]


def test_every_format_streams_what_it_gives(shop: Reader) -> None:
    body = {"parameters": {"n": 60_000}}
    whole = call(shop, "untold", body)
    assert whole.headers["transfer-encoding"] == "chunked"
    assert [row["n"] for row in success(whole)] == list(range(1, 60_001))
    csv = call(shop, "untold", {**body, "format": "csv"}).text.splitlines()
    assert (csv[0], csv[-1], len(csv)) == ('"n","t"', '60000,"x"', 60_001)
    table = pa.ipc.open_stream(call(shop, "untold", {**body, "format": "arrow"}).content).read_all()
    assert (table.num_rows, table.schema.field("n").type) == (60_000, pa.int64())
    exact = call(shop, "staff_up_to", {"parameters": {"n": 1}, "format": "arrow"})
    assert pa.ipc.open_stream(exact.content).read_all().schema.field("salary").type == pa.decimal128(10, 2)


def test_nothing_is_written_and_the_answer_says_so(shop: Reader) -> None:
    answer = call(shop, "writes", {})
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "tried to write" in answer.json()["error_description"]
    assert len(shop.rows("staff", {"columns": ["id"]})) == 3


def test_a_call_has_its_seconds(shop: Reader) -> None:
    answer = call(shop, "slow", {})
    assert (answer.status_code, answer.json()["error"]) == (503, "statement_timeout")


def test_what_a_call_that_failed_was_called_with_is_on_record(shop: Reader) -> None:
    request_id = call(shop, "staff_up_to", {"parameters": {"n": 2}, "columns": ["nope"]}).headers["x-request-id"]
    (event,) = [e for e in shop.server.events(kind="rows_refused") if e["request_id"] == request_id]
    assert (event["error"], event["parameters"]) == ("invalid_parameter", [["n", 2]])


def test_who_called_what_is_on_record(shop: Reader) -> None:
    request_id = call(shop, "staff_up_to", {"parameters": {"n": 2}}).headers["x-request-id"]
    opened, ended = wait_until(
        lambda: (e := [e for e in shop.server.events() if e.get("request_id") == request_id]) and len(e) == 2 and e
    )
    assert (opened["kind"], opened["procedure"], opened["parameters"]) == ("rows_opened", True, [["n", 2]])
    assert (ended["rows"], ended["outcome"]) == (2, "complete")


def test_what_a_grant_holds_of_a_stored_procedure_is_held(shop: Reader) -> None:
    made = add_application(shop.server.settings, "held", ())
    change = GrantChange(
        columns=("id", "Salary"),
        masks=(("salary", Mask.NULL),),
        rows='{"column": "name", "function": "not_equals", "value": "bob"}',
    )
    with administer(shop.server.settings) as desks:
        desks.grants.grant("held", ["staff_up_to"], change)
        with pytest.raises(AdminError, match="comment"):
            desks.grants.grant("held", ["untold"], GrantChange(columns=("n",)))
    credentials = (made.application.client_id, made.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{shop.server.url}/token", data=form, auth=credentials).is_success)
    headers = {"Authorization": f"Bearer {fetch_token(shop.server.url, *credentials)['access_token']}"}
    body = {"parameters": {"n": 3}, "count": "exact"}
    wait_until(lambda: call(shop, "staff_up_to", body, **headers).is_success)
    answer = call(shop, "staff_up_to", body, **headers)
    assert success(answer) == [{"id": 1, "salary": None}, {"id": 3, "salary": None}]
    assert answer.headers["rowgate-count"] == "2"
    for hidden in ({"columns": ["name"]}, {"orderby": ["since"]}, {"aggregates": ["max:salary"]}):
        assert refusal(call(shop, "staff_up_to", {**body, **hidden}, **headers))[1]
