"""Calls of procedures over HTTP, held against the origin's numbers (O-38 to O-45) and plain SQL on the same file."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.engines import declared
from rowgate.rows.masks import Mask
from rowgate.service.admin.grants import GrantChange
from rows.cases import USERS
from rows.harness import Members, Reader, read_from, refusal, success, unordered
from rows.test_injection import ATTACKS, attacks
from support.homes import add_application, administer, make_home
from support.laws import choose_examples
from support.servers import ask_until, fetch_token, wait_until

DEPARTMENT = """\
-- title: Users of one department
-- description: By name.
-- parameter: Department text required -- as the directory spells it
-- parameter: since moment default 2010-01-01
-- parameter: names table(name text)
SELECT UserId, SamAccountName, Department, Enabled, Created
FROM SA_ADInventory_Users
WHERE Department = :department AND Created >= :since
  AND (SamAccountName IN (SELECT name FROM :names) OR NOT EXISTS (SELECT 1 FROM :names))
ORDER BY SamAccountName DESC
"""
ECHO = """\
-- parameter: t text
-- parameter: i integer
-- parameter: n number
-- parameter: b boolean
-- parameter: x binary
-- parameter: l table(v text)
-- parameter: m table(k text, v integer)
-- parameter: j json
SELECT :t AS t, :i AS i, :n AS n, :b AS b, :x AS x, (SELECT json_group_array(v) FROM :l) AS l,
  (SELECT json_group_array(json_array(k, v)) FROM :m) AS m,
  :j AS j, typeof(:t) || typeof(:i) || typeof(:n) || typeof(:b) AS types
"""
COUNT = """\
-- parameter: most integer required
WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :most) SELECT n, 'é' AS t FROM c
"""
PARSE = """\
-- parameter: t text required
-- parameter: names table(name text)
SELECT json(:t) AS t, (SELECT count(*) FROM :names) AS n
"""
RUNS = "SELECT JobRunTimeKey, HostName FROM SA_Jobs_DiskUsage"


@pytest.fixture(scope="module")
def calls(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The sample with procedures; `department` is an alias of one."""
    made = make_home(tmp_path_factory.mktemp("procedures") / "home", sample_database)
    made.procedures_path.mkdir()
    procedures = {"UsersOf": DEPARTMENT, "Echo": ECHO, "Count to": COUNT, "Parse": PARSE, "Runs": RUNS, "bad": "SELEC"}
    for name, text in procedures.items():
        (made.procedures_path / f"{name}.sql").write_text(text)
    with administer(made) as desks:
        desks.objects.add_alias("UsersOf", "department")
    with pytest.MonkeyPatch.context() as patch, read_from(made, sample_database) as reader:
        patch.setattr(declared, "LOOK_SECONDS", 0.1)
        yield reader


def call(reader: Reader, name: str, body: Any = b"", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return reader.client.post(f"/api/v1/data/{name}/proc", content=content, headers=headers)


def test_o38_o43_a_procedure_is_called_by_name_or_alias_and_answers_with_an_array(calls: Reader) -> None:
    expected = calls.sql(
        "SELECT UserId, SamAccountName, Department, Enabled, Created FROM SA_ADInventory_Users "
        "WHERE Department = 'Legal' AND Created >= '2010-01-01' ORDER BY SamAccountName DESC"
    )
    assert len(expected) > 3
    for name in ("UsersOf", "department"):
        assert success(call(calls, name, {"parameters": {"Department": "Legal"}})) == expected


def test_o39_only_post_calls(calls: Reader) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        answer = calls.client.request(method, "/api/v1/data/UsersOf/proc")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST, OPTIONS"
    options = calls.client.options("/api/v1/data/UsersOf/proc")
    assert (options.status_code, options.headers["allow"]) == (204, "POST, OPTIONS")


def test_o40_parameters_are_passed_untouched(calls: Reader) -> None:
    parameters = {"t": "É 'x' \u2028 ' ; --\0y", "i": -(2**63), "n": 0.1, "b": True, "x": "AAE="}
    (row,) = success(call(calls, "Echo", {"parameters": parameters}))
    assert {name: row[name] for name in parameters} == {**parameters, "b": 1}
    assert row["types"] == "textintegerrealinteger"
    (row,) = success(call(calls, "Echo", {"parameters": {}}))
    assert {name: row[name] for name in parameters} == dict.fromkeys(parameters)


@pytest.mark.parametrize("names", [["a", "b"], [{"name": "a"}, {"name": "b"}]])
def test_o41_an_array_is_a_table(calls: Reader, names: list[Any]) -> None:
    accounts = [row["SamAccountName"] for row in calls.sql("SELECT * FROM SA_ADInventory_Users WHERE UserId < 9")]
    for name, account in zip(("a", "b"), accounts[:2], strict=True):
        names = json.loads(json.dumps(names).replace(f'"{name}"', json.dumps(account)))
    department = calls.sql(f"SELECT Department FROM SA_ADInventory_Users WHERE SamAccountName = '{accounts[0]}'")[0]
    body = {"parameters": {"department": department["Department"], "names": names}}
    found = {row["SamAccountName"] for row in success(call(calls, "UsersOf", body))}
    assert accounts[0] in found
    assert found <= set(accounts[:2])


def test_o41_a_table_may_have_several_columns(calls: Reader) -> None:
    body = {"parameters": {"m": [{"k": "a", "v": 2**63 - 1}, {"V": None, "K": "b"}], "l": [None, "\0", "é"]}}
    (row,) = success(call(calls, "Echo", body))
    assert json.loads(row["m"]) == [["a", 2**63 - 1], ["b", None]]
    assert json.loads(row["l"]) == [None, "\0", "é"]


def test_o42_groupby_is_as_for_rows(calls: Reader) -> None:
    body: Members = {"groupby": ["Enabled"], "columns": ["SamAccountName"]}
    where = {"filters": [{"column": "Department", "function": "equals", "value": "Legal"}]}
    groups = success(call(calls, "UsersOf", {"parameters": {"department": "Legal"}, **body}))
    expected = calls.rows("SA_ADInventory_Users", {**where, **body})
    assert [group["Enabled"] for group in groups] == [group["Enabled"] for group in expected]
    for group, other in zip(groups, expected, strict=True):
        assert unordered(group["groupItems"]) == unordered(other["groupItems"])


def test_o44_wrong_parameters_are_named_with_what_was_expected(calls: Reader) -> None:
    for parameters, field, expected in (
        ({}, "parameters.Department", "Department (text)"),
        ({"department": 5}, "parameters.Department", "text"),
        ({"department": "a", "since": "soon"}, "parameters.since", "a date or moment such as 2018-11-05T13:15:30"),
        ({"department": "a", "until": "x"}, "parameters.until", "one of Department, since, names"),
        ({"department": "a", "names": "x"}, "parameters.names", "a list for table(name text)"),
        ({"department": "a", "names": [{"nme": 1}]}, "parameters.names[0]", "an object with name (text)"),
    ):
        assert refusal(call(calls, "UsersOf", {"parameters": parameters})) == (field, expected)
    assert refusal(call(calls, "Runs", {"parameters": {"a": 1}})) == ("parameters.a", "no parameters")
    answer = call(calls, "nothing", {})
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_object")


def test_o44_a_table_is_not_called_and_a_procedure_not_read(calls: Reader) -> None:
    assert refusal(call(calls, USERS, {})) == ("object", "GET or POST to …/rows")
    assert refusal(calls.get("UsersOf")) == ("object", "POST to …/proc")
    assert refusal(calls.post("UsersOf", {})) == ("object", "POST to …/proc")


def test_o45_names_match_without_regard_to_case(calls: Reader) -> None:
    body = b"{Parameters: {DEPARTMENT: 'Legal', SINCE: '2015-01-01',}, Columns: ['userid'], orderBy: ['USERID desc'],}"
    ids = [row["UserId"] for row in success(call(calls, "UsersOf", body))]
    sql = "SELECT UserId FROM SA_ADInventory_Users WHERE Department='Legal' AND Created >= '2015-01-01' ORDER BY 1 DESC"
    assert ids == [row["UserId"] for row in calls.sql(sql)]


def test_the_result_is_given_whole_whatever_runs_it_holds(calls: Reader) -> None:
    assert unordered(success(call(calls, "Runs"))) == unordered(calls.sql(RUNS))
    for name in ("cursor", "jobRuntimeKey", "compare"):
        assert refusal(call(calls, "Runs", {name: ""}))[0] == name


def test_filters_aggregates_and_counts_are_as_for_rows(calls: Reader) -> None:
    parameters = {"most": 2500}
    odd = {"filters": [{"column": "n", "function": "greater", "value": 2000}]}
    answer = call(calls, "Count%20to", {"parameters": parameters, **odd, "limit": 3, "count": "exact"})
    assert [row["n"] for row in success(answer)] == [2001, 2002, 2003]
    assert answer.headers["rowgate-count"] == "500"
    estimated = call(calls, "Count%20to", {"parameters": parameters, "limit": 1, "count": "estimated"})
    assert estimated.headers["rowgate-count"] == "2500"
    body = {"parameters": parameters, "aggregates": ["sum:n:total", "max:n"]}
    assert success(call(calls, "Count%20to", body)) == [{"total": 2500 * 2501 // 2, "max_n": 2500}]


def test_a_preview_tells_what_would_be_read_and_not_what_the_procedure_is_made_of(calls: Reader) -> None:
    body = {"parameters": {"department": "Legal", "names": ["a"]}, "columns": ["userid"], "limit": 3, "dry_run": True}
    answer = call(calls, "department", {**body, "count": "exact"})
    told = answer.json()
    assert answer.status_code == 200
    assert (told["object"], told["engine"], told["format"]) == ("UsersOf", "SQLite", "json")
    assert [column["name"] for column in told["columns"]] == ["UserId"]
    assert told["parameters"] == [
        {"name": "Department", "type": "text", "value_from": "request"},
        {"name": "since", "type": "moment", "value_from": "default"},
        {"name": "names", "type": "table(name text)", "value_from": "request"},
    ]
    assert told["statements"] == [
        {"purpose": "count", "sql": 'SELECT count(*) FROM "UsersOf"', "values": 0, "plan": None},
        {"purpose": "rows", "sql": 'SELECT "UserId" FROM "UsersOf" LIMIT ?', "values": 1, "plan": None},
    ]
    assert told["estimated_rows"] is None
    assert USERS not in answer.text
    assert "Legal" not in answer.text
    assert refusal(call(calls, "department", {"dry_run": True}))[0] == "parameters.Department"
    assert refusal(call(calls, "department", {**body, "orderby": ["nope"]}))[0] == "orderby[0]"
    assert call(calls, "bad", {"dry_run": True}).status_code == 503
    (event,) = [
        e for e in calls.server.events(kind="rows_previewed") if e["request_id"] == answer.headers["x-request-id"]
    ]
    assert (event["object"], event["procedure"], event["parameters"][0]) == ("UsersOf", True, ["Department", "Legal"])
    assert "parameters" not in calls.post(USERS, {"dry_run": True}).json()


def test_every_format_streams_a_result_of_many_blocks(calls: Reader) -> None:
    body = {"parameters": {"most": 120_000}, "columns": ["n"]}
    whole = call(calls, "Count%20to", body)
    assert whole.headers["transfer-encoding"] == "chunked"
    assert [row["n"] for row in success(whole)] == list(range(1, 120_001))
    lines = call(calls, "Count%20to", {**body, "format": "ndjson"}).text.splitlines()
    assert (len(lines), lines[-1]) == (120_000, '{"n":120000}')
    csv = call(calls, "Count%20to", body, Accept="text/csv").text.splitlines()
    assert (csv[0], csv[-1], len(csv)) == ('"n"', "120000", 120_001)
    arrow = call(calls, "Count%20to", {**body, "format": "arrow"}).content
    assert pa.ipc.open_stream(arrow).read_all().num_rows == 120_000


def test_what_is_declared_wrongly_is_unavailable_and_says_no_more(calls: Reader) -> None:
    for answer in (call(calls, "bad"), calls.client.get("/api/v1/data/bad")):
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["retry-after"]
        assert "SELEC" not in answer.text
    assert calls.client.get("/readyz").status_code == 200


def test_procedures_are_described(calls: Reader) -> None:
    listed = {item["name"]: item for item in calls.client.get("/api/v1/data").json()}
    url = calls.server.settings.issuer + "/api/v1/data"
    assert {name: listed["UsersOf"][name] for name in ("kind", "title", "aliases", "href", "rows", "proc")} == {
        "kind": "procedure",
        "title": "Users of one department",
        "aliases": ["department"],
        "href": f"{url}/UsersOf",
        "rows": None,
        "proc": f"{url}/UsersOf/proc",
    }
    assert listed[USERS]["proc"] is None
    told = calls.client.get("/api/v1/data/department").json()
    assert (told["name"], told["description"]) == ("UsersOf", "By name.")
    assert (told["key"], told["run_key"], told["pages_by_cursor"]) == (None, None, False)
    assert [column["name"] for column in told["columns"]] == [
        "UserId",
        "SamAccountName",
        "Department",
        "Enabled",
        "Created",
    ]
    assert told["parameters"] == [
        {
            "name": "Department",
            "type": "text",
            "required": True,
            "default": None,
            "has_default": False,
            "columns": None,
            "description": "as the directory spells it",
        },
        {
            "name": "since",
            "type": "moment",
            "required": False,
            "default": "2010-01-01",
            "has_default": True,
            "columns": None,
            "description": "",
        },
        {
            "name": "names",
            "type": "table(name text)",
            "required": False,
            "default": None,
            "has_default": False,
            "columns": [{"name": "name", "type": "text"}],
            "description": "",
        },
    ]
    assert calls.client.get(f"/api/v1/data/{USERS}").json()["parameters"] is None
    runs = calls.client.get("/api/v1/data/Runs").json()
    assert (runs["parameters"], runs["run_key"]) == ([], None)


def test_who_called_what_with_which_parameters_is_on_record(calls: Reader) -> None:
    many = [f"n{place}" for place in range(25)]
    deep = {f"k{place}": [{"a": "z" * 1000}] for place in range(30)}
    body = {"parameters": {"t": "x" * 300, "i": 7, "l": many, "m": [{"k": "y" * 300, "v": 1}], "j": deep}, "limit": 9}
    request_id = call(calls, "Echo", body).headers["x-request-id"]
    opened, ended = wait_until(
        lambda: (e := [e for e in calls.server.events() if e.get("request_id") == request_id]) and len(e) == 2 and e
    )
    assert (opened["kind"], opened["object"], opened["procedure"], opened["limit"]) == ("rows_opened", "Echo", True, 9)
    assert opened["parameters"] == [
        ["t", "x" * 200],
        ["i", 7],
        ["l", *many[:20], "… and 5 more"],
        ["m", {"k": "y" * 200, "v": 1}],
        ["j", {f"k{place}": ('[{"a":"' + "z" * 1000)[:200] for place in range(20)}],
    ]
    assert len(json.dumps(opened)) < 20_000
    assert (ended["kind"], ended["rows"], ended["outcome"]) == ("rows_ended", 1, "complete")
    refused = call(calls, "Echo", {"parameters": {"nope": 1}}).headers["x-request-id"]
    (event,) = [e for e in calls.server.events(kind="rows_refused") if e["request_id"] == refused]
    assert (event["object"], event["reason"]) == ("Echo", "parameters.nope")
    assert "parameters" not in event


def test_what_a_call_that_failed_was_called_with_is_on_record(calls: Reader) -> None:
    failed = call(calls, "Parse", {"parameters": {"T": "{" * 300, "names": ["a"]}})
    assert (failed.status_code, failed.json()["error"]) == (400, "invalid_parameter")
    not_wanted = call(calls, "Parse", {"parameters": {"t": "1"}}, **{"If-Match": '"a"'})
    assert not_wanted.status_code == 412
    for answer, told in ((failed, [["t", "{" * 200], ["names", "a"]]), (not_wanted, [["t", "1"]])):
        (event,) = [
            e for e in calls.server.events(kind="rows_refused") if e["request_id"] == answer.headers["x-request-id"]
        ]
        assert (event["object"], event["error"], event["parameters"]) == ("Parse", answer.json()["error"], told)


def test_a_call_needs_a_token_and_a_grant_that_may_be_narrow(calls: Reader) -> None:
    assert httpx.post(f"{calls.server.url}/api/v1/data/UsersOf/proc").status_code == 401
    made = add_application(calls.server.settings, "caller", ("UsersOf", "Echo"))
    credentials = (made.application.client_id, made.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{calls.server.url}/token", data=form, auth=credentials).is_success)

    def statuses(**details: Any) -> list[int]:
        more = {"authorization_details": json.dumps([{"type": "rowgate_object", **details}])} if details else {}
        token = fetch_token(calls.server.url, *credentials, **more)["access_token"]
        body = {"parameters": {"department": "Legal"}, "limit": 1}
        headers = {"Authorization": f"Bearer {token}"}
        return [
            call(calls, name, body if name == "UsersOf" else {}, **headers).status_code
            for name in ("UsersOf", "Echo", "Runs")
        ]

    assert statuses() == [200, 200, 401]
    assert statuses(object="UsersOf") == [200, 401, 401]
    token = fetch_token(
        calls.server.url,
        *credentials,
        authorization_details='[{"type":"rowgate_object","object":"UsersOf","columns":["userid","Enabled"]}]',
    )["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    rows = success(call(calls, "UsersOf", {"parameters": {"department": "Legal"}, "limit": 1}, **headers))
    assert [*rows[0]] == ["UserId", "Enabled"]
    hidden = {"parameters": {"department": "Legal"}, "orderby": ["Created"]}
    assert refusal(call(calls, "UsersOf", hidden, **headers))[0] == "orderby[0]"


def test_a_block_holds_on_the_next_call(calls: Reader) -> None:
    with administer(calls.server.settings) as desks:
        desks.objects.block("Runs", reason="")
    wait_until(lambda: call(calls, "Runs").status_code == 401)
    with administer(calls.server.settings) as desks:
        desks.objects.unblock("Runs")
    wait_until(lambda: call(calls, "Runs").status_code == 200)


def test_a_new_and_a_changed_file_are_served_within_seconds(calls: Reader) -> None:
    file = calls.server.settings.procedures_path / "Echo2.sql"
    file.write_text("SELECT 1 AS a")
    add = add_application(calls.server.settings, "early", ("Echo2",))
    credentials = (add.application.client_id, add.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{calls.server.url}/token", data=form, auth=credentials).is_success)
    headers = {"Authorization": f"Bearer {fetch_token(calls.server.url, *credentials)['access_token']}"}
    wait_until(lambda: call(calls, "Echo2", **headers).is_success)
    file.write_text("SELECT 2 AS b")
    wait_until(lambda: call(calls, "Echo2", **headers).text == '[{"b":2}]')
    file.write_text("SELEC")
    wait_until(lambda: call(calls, "Echo2", **headers).status_code == 503)
    file.unlink()
    wait_until(lambda: call(calls, "Echo2", **headers).status_code == 404)


@pytest.mark.parametrize("depth", [34, 500, 990, 5000])
@pytest.mark.parametrize("name", ["j", "t", "l", "nope"])
def test_deep_values_are_refused(calls: Reader, name: str, depth: int) -> None:
    for deep in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        field, _ = refusal(call(calls, "Echo", b'{"parameters": {"%b": %b}}' % (name.encode(), deep)))
        assert field == "body" or field.startswith(f"parameters.{name}")


@pytest.mark.parametrize("value", ATTACKS)
def test_hostile_values_are_values(calls: Reader, value: str) -> None:
    (row,) = success(call(calls, "Echo", {"parameters": {"t": value, "l": [value], "m": [{"k": value, "v": 1}]}}))
    assert row["t"] == value
    assert json.loads(row["l"]) == [value]
    assert json.loads(row["m"]) == [[value, 1]]
    assert success(call(calls, "UsersOf", {"parameters": {"department": value}})) == []


@settings(max_examples=choose_examples(60), deadline=None)
@given(name=attacks, value=attacks | st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_name_and_no_value_reaches_the_statement(calls: Reader, name: str, value: str) -> None:
    (row,) = success(call(calls, "Echo", {"parameters": {"t": value, "l": [value]}}))
    assert (row["t"], json.loads(row["l"])) == (value, [value])
    if name:
        answer = call(calls, "Echo", {"parameters": {name: value}})
        assert refusal(answer)[0].startswith("parameters.") or name.lower() in ("t", "l")
        assert answer.status_code == 400
    with closing(sqlite3.connect(calls.database)) as owner:
        assert owner.execute("SELECT count(*) FROM SA_ADInventory_Users").fetchone() == (240,)


def test_what_a_grant_holds_of_a_procedure_is_held(calls: Reader) -> None:
    """Columns, masks and the row rule are of what the procedure gives, whatever it is called with."""
    made = add_application(calls.server.settings, "held", ())
    change = GrantChange(
        columns=("UserId", "SamAccountName"),
        masks=(("SamAccountName", Mask.NULL),),
        rows='{"column": "Enabled", "function": "equals", "value": 1}',
    )
    with administer(calls.server.settings) as desks:
        desks.grants.grant("held", ["UsersOf"], change)
    credentials = (made.application.client_id, made.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{calls.server.url}/token", data=form, auth=credentials).is_success)
    headers = {"Authorization": f"Bearer {fetch_token(calls.server.url, *credentials)['access_token']}"}
    body: Members = {"parameters": {"department": "Legal"}, "count": "exact"}
    wait_until(lambda: call(calls, "UsersOf", body, **headers).is_success)
    enabled = calls.sql(
        "SELECT UserId, NULL AS SamAccountName FROM SA_ADInventory_Users WHERE Department = 'Legal' "
        "AND Created >= '2010-01-01' AND Enabled ORDER BY SamAccountName DESC"
    )
    answer = call(calls, "UsersOf", body, **headers)
    assert unordered(success(answer)) == unordered(enabled)
    assert answer.headers["rowgate-count"] == str(len(enabled))
    for hidden in ({"columns": ["Enabled"]}, {"orderby": ["Department"]}, {"groupby": ["Created"]}):
        told = refusal(call(calls, "UsersOf", {**body, **hidden}, **headers))[1]
        assert told.partition(";")[0] == "one of UserId, SamAccountName"
    told = calls.client.get("/api/v1/data/UsersOf", headers=headers).json()
    assert [column["name"] for column in told["columns"]] == ["UserId", "SamAccountName"]
