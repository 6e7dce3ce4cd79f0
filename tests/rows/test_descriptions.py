"""What a token may read is described to it, and nothing else; by the decision that rows are read by."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from rowgate.rows.model import Function
from rowgate.service import descriptions
from rowgate.service.admin.grants import GrantChange
from rows.harness import Reader, narrow, open_reader, refusal, register
from support.homes import add_application, administer
from support.servers import ask_until, fetch_token, wait_until

DATA = "/api/v1/data"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Reader]:
    database = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(database)) as writer, writer:
        writer.execute(
            "CREATE TABLE sales (Id INTEGER PRIMARY KEY, JobRunTimeKey TEXT, Price REAL, Paid BOOLEAN, Bill BLOB, "
            "Sold DATETIME NOT NULL, whatever)"
        )
        writer.execute('CREATE TABLE "odd/name ü" (a INTEGER)')
        writer.execute("CREATE VIEW sold AS SELECT Id, Price FROM sales")
        writer.execute("CREATE TABLE hidden (a INTEGER)")
    with open_reader(database, tmp_path / "home", aliases={"shop-sales": "sales"}) as reader:
        with administer(reader.server.settings) as desks:
            desks.objects.set_title("sales", "What was sold", "Since the beginning.")
            desks.objects.block("hidden", reason="")
        wait_until(lambda: "What was sold" in reader.client.get(DATA).text)
        wait_until(lambda: "hidden" not in reader.client.get(DATA).text)
        yield reader


def test_the_list_has_what_may_be_read(shop: Reader) -> None:
    answer = shop.client.get(DATA)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-cache"
    url = shop.server.settings.issuer + DATA
    assert [(item["name"], item["kind"], item["aliases"], item["title"]) for item in answer.json()] == [
        ("odd/name ü", "table", [], ""),
        ("sales", "table", ["shop-sales"], "What was sold"),
        ("sold", "view", [], ""),
    ]
    assert [item["rows"] for item in answer.json()][1:] == [f"{url}/sales/rows", f"{url}/sold/rows"]
    for item in answer.json():
        path = item["href"].removeprefix(shop.server.settings.issuer)
        assert shop.client.get(path).json()["name"] == item["name"]
        rows = item["rows"].removeprefix(shop.server.settings.issuer)
        assert shop.client.get(rows).json() == []


def test_an_object_is_described_with_what_filters_may_ask(shop: Reader) -> None:
    for name in ("sales", "shop-sales"):
        told = shop.client.get(f"{DATA}/{name}").json()
        assert (told["name"], told["title"], told["description"]) == ("sales", "What was sold", "Since the beginning.")
        assert (told["run_key"], told["key"], told["pages_by_cursor"]) == ("JobRunTimeKey", ["Id"], True)
        assert told["formats"][:2] == ["json", "ndjson"]
        columns = {column["name"]: column for column in told["columns"]}
        assert [(c["type"], c["compares_as"], c["json_type"], c["may_be_null"]) for c in columns.values()] == [
            ("INTEGER", "number", "integer", False),
            ("TEXT", "text", "string", True),
            ("REAL", "number", "number", True),
            ("BOOLEAN", "boolean", "integer", True),
            ("BLOB", "binary", "string", True),
            ("DATETIME", "moment", "string", False),
            ("", "any", "", True),
        ]
        assert columns["Bill"]["filters"] == ["equals", "not_equals", "is_null", "is_not_null"]
        assert columns["Id"]["filters"] == list(Function)
    view = shop.client.get(f"{DATA}/sold").json()
    assert (view["key"], view["pages_by_cursor"], view["run_key"]) == (None, False, None)


def test_what_is_described_can_be_asked(shop: Reader) -> None:
    """Each filter that is told of is taken by the rows of that object."""
    for column in shop.client.get(f"{DATA}/sales").json()["columns"]:
        for function in column["filters"]:
            value: Any = {"between": [1, 2], "is_null": None, "is_not_null": None}.get(function, "1")
            if column["name"] == "Bill" and value is not None:
                value = "AAAA"
            asked = {"column": column["name"], "function": function, "value": value}
            answer = shop.post("sales", {"filters": [asked], "jobRuntimeKey": "all"})
            assert answer.status_code == 200, (asked, answer.text)


def test_a_narrower_token_knows_only_its_columns(shop: Reader) -> None:
    token = narrow(shop.server, register(shop.server, "narrow", ("sales", "sold")), "sales", "price")
    headers = {"Authorization": token}
    assert [item["name"] for item in shop.client.get(DATA, headers=headers).json()] == ["sales"]
    told = shop.client.get(f"{DATA}/sales", headers=headers).json()
    assert [column["name"] for column in told["columns"]] == ["Price"]
    assert (told["run_key"], told["key"], told["pages_by_cursor"]) == (None, None, True)
    refused = shop.client.get(f"{DATA}/sold", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_scope")


def test_a_copy_is_good_until_something_changes(shop: Reader) -> None:
    first = shop.client.get(f"{DATA}/sales")
    etag = first.headers["etag"]
    again = shop.client.get(f"{DATA}/sales", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    with closing(sqlite3.connect(shop.database)) as writer, writer:
        writer.execute("ALTER TABLE sales ADD COLUMN Extra TEXT")
    changed = wait_until(
        lambda: (r := shop.client.get(f"{DATA}/sales", headers={"If-None-Match": etag})).status_code == 200 and r
    )
    assert changed.json()["columns"][-1]["name"] == "Extra"
    assert shop.client.head(f"{DATA}/sales").headers["etag"] == changed.headers["etag"]


@pytest.mark.parametrize("address", [DATA, f"{DATA}/sales", "/api/v1/openapi.json"])
def test_what_is_not_as_it_was_seen_is_not_sent_to_who_wants_no_other(shop: Reader, address: str) -> None:
    etag = shop.client.get(address).headers["etag"]
    for presented, status in ((etag, 200), ("*", 200), (f'"a", {etag}', 200), (f"W/{etag}", 412), ('"a"', 412)):
        answer = shop.client.get(address, headers={"If-Match": presented})
        assert answer.status_code == status, presented
    assert answer.json()["error"] == "precondition_failed"
    both = {"If-Match": '"a"', "If-None-Match": etag}
    assert shop.client.get(address, headers=both).status_code == 412  # RFC 9110 §13.2.2
    assert shop.client.get(address, headers={**both, "If-Match": etag}).status_code == 304
    assert shop.client.get(address, headers={**both, "Authorization": "Bearer x"}).status_code == 401


def test_refusals_are_those_of_rows_and_on_record(shop: Reader) -> None:
    for path, status, error in (
        (f"{DATA}/hidden", 401, "insufficient_scope"),
        (f"{DATA}/nothing", 404, "unknown_object"),
    ):
        answer = shop.client.get(path)
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        rows = shop.client.get(f"{path}/rows")
        assert (rows.status_code, rows.json()["error"]) == (status, error)
    for path in (DATA, f"{DATA}/sales"):
        anonymous = httpx.get(shop.server.url + path)
        assert anonymous.status_code == 401
        assert shop.client.get(path, params={"access_token": "x"}).status_code == 400
        assert shop.client.post(path).status_code == 405
        assert shop.client.options(path).headers["allow"] == "GET, HEAD, OPTIONS"
    for path in (f"{DATA}/", f"{DATA}//rows", f"{DATA}/a/b", f"{DATA}/a/rows/"):
        assert shop.client.get(path).status_code == 404
    refused = [event for event in shop.server.events(kind="rows_refused") if event.get("object") == "hidden"]
    assert [event["reason"] for event in refused] == ["blocked_object", "blocked_object"]


@pytest.mark.parametrize("path", [f"{DATA}/sales", "/api/v1/openapi.json"])
def test_what_is_asked_of_rows_is_not_ignored_at_another_address(shop: Reader, path: str) -> None:
    field, expected = refusal(shop.client.get(f"{path}?limit=1"))
    assert field == "limit"
    assert "/rows" in expected


def test_the_list_tells_about_how_many_rows_where_that_is_cheap(shop: Reader) -> None:
    with closing(sqlite3.connect(shop.database)) as writer, writer:
        writer.executemany('INSERT INTO "odd/name ü" VALUES (?)', [(n,) for n in range(40)])
        writer.execute("ANALYZE")
    told = {item["name"]: item["estimated_rows"] for item in shop.client.get(f"{DATA}?count=estimated").json()}
    assert told == {"odd/name ü": 40, "sales": None, "sold": None}  # of a run and of a view SQLite knows nothing
    assert "estimated_rows" not in shop.client.get(f"{DATA}?count=none").text
    for query, field in (("count=exact", "count"), ("count=some", "count"), ("limit=1", "limit")):
        assert refusal(shop.client.get(f"{DATA}?{query}"))[0] == field


def test_an_estimate_of_all_rows_is_not_told_where_a_rule_hides_some(shop: Reader) -> None:
    with closing(sqlite3.connect(shop.database)) as writer, writer:
        writer.execute("CREATE TABLE ruled (a INTEGER)")
        writer.executemany("INSERT INTO ruled VALUES (?)", [(n,) for n in range(40)])
        writer.execute("ANALYZE")
    made = add_application(shop.server.settings, "ruled", ("ruled",))
    with administer(shop.server.settings) as desks:
        rule = GrantChange(rows='{"column": "a", "function": "less", "value": 3}')
        desks.grants.grant(made.application.name, ("ruled",), rule)
    credentials = (made.application.client_id, made.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{shop.server.url}/token", data=form, auth=credentials).is_success)
    token = fetch_token(shop.server.url, *credentials)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    wait_until(lambda: shop.client.get(f"{DATA}/ruled", headers=headers).json()["some_rows_only"])
    (told,) = shop.client.get(f"{DATA}?count=estimated", headers=headers).json()
    assert told["estimated_rows"] is None


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("path", [f"{DATA}/sales", "/api/v1/openapi.json"])
def test_a_description_is_coded_for_who_asks_and_has_a_tag_of_its_own(shop: Reader, path: str, coding: str) -> None:
    plain = shop.client.get(path, headers={"accept-encoding": "identity"})
    coded = shop.client.get(path, headers={"accept-encoding": coding})
    assert "content-encoding" not in plain.headers
    assert (coded.headers["content-encoding"], coded.json()) == (coding, plain.json())
    assert int(coded.headers["content-length"]) < len(plain.content) / 2
    assert coded.headers["vary"] == plain.headers["vary"] == "Authorization, Accept-Encoding"
    assert coded.headers["etag"] != plain.headers["etag"]
    for answer, accepted in ((coded, coding), (plain, "identity")):
        headers = {"accept-encoding": accepted, "if-none-match": answer.headers["etag"]}
        again = shop.client.get(path, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
    head = shop.client.head(path, headers={"accept-encoding": coding})
    assert head.headers["etag"] == coded.headers["etag"]
    refused = shop.client.get(path, headers={"accept-encoding": "br, identity;q=0"})
    assert (refused.status_code, refused.json()["error"]) == (406, "not_acceptable")


def test_estimates_are_refused_for_more_objects_than_one_answer_looks_at(
    shop: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptions, "MAX_DESCRIBED", 2)
    assert refusal(shop.client.get(f"{DATA}?count=estimated"))[0] == "authorization_details"
    assert len(shop.client.get(DATA).json()) == 3
