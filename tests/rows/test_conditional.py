"""A client that holds an answer is told that it has not changed: never wrongly, and only after every check."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import apsw
import httpx
import pytest

from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.model import ObjectDescription
from rows.harness import Reader, open_reader
from support.homes import add_application, administer
from support.servers import ask_until, fetch_token, wait_until


@pytest.fixture(params=["delete", "wal"], scope="module")
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("conditional")
    path = folder / "shop.sqlite"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute(f"PRAGMA journal_mode = {request.param}")
        with writer:
            writer.execute("CREATE TABLE sales (Id INTEGER PRIMARY KEY, Who TEXT, JobRuntimeKey TEXT)")
            writer.executemany("INSERT INTO sales VALUES (?, ?, '1')", [(n, f"w{n}") for n in range(3000)])
            writer.execute("CREATE TABLE hidden (Id INTEGER)")
            writer.execute("CREATE VIEW now AS SELECT Id, datetime('now') AS at FROM sales LIMIT 3")
    with open_reader(path, folder / "home", aliases={"sold": "sales"}) as reader:
        yield reader


def ask(reader: Reader, name: str, query: str, tag: str, **headers: str) -> httpx.Response:
    return reader.client.get(f"/api/v1/data/{name}/rows{query}", headers={"If-None-Match": tag, **headers})


def write(reader: Reader, statement: str) -> None:
    """Write by the library that reads: of two in one process neither sees the locks of the other."""
    with closing(apsw.Connection(str(reader.database))) as writer:
        writer.execute(statement)


@pytest.mark.parametrize("query", ["", "?limit=2", "?cursor=&limit=5", "?groupby=Who&limit=9", "?aggregates=count"])
def test_the_same_again_is_not_sent(shop: Reader, query: str) -> None:
    """A stream and a whole answer, a page, groups and aggregates."""
    first = ask(shop, "sales", query, "")
    tag = first.headers["etag"]
    again = ask(shop, "sales", query, tag)
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "no-store"
    assert "Accept-Encoding" in again.headers["vary"]
    assert ask(shop, "sold", query, tag).status_code == 304  # an alias is the same object
    head = shop.client.head(f"/api/v1/data/sales/rows{query}", headers={"If-None-Match": tag})
    assert head.status_code == 304
    assert shop.client.head(f"/api/v1/data/sales/rows{query}").headers["etag"] == tag


def test_every_write_is_noticed_at_once(shop: Reader) -> None:
    for n in range(20):
        tag = ask(shop, "sales", "?limit=1&orderby=Id%20desc", "").headers["etag"]
        write(shop, f"INSERT INTO sales VALUES ({10_000 + n}, 'x', '1')")
        answer = ask(shop, "sales", "?limit=1&orderby=Id%20desc", tag)
        assert answer.status_code == 200
        assert answer.json()[0]["Id"] == 10_000 + n
    write(shop, "DELETE FROM sales WHERE Id >= 10000")


def test_lists_and_weak_tags_are_understood(shop: Reader) -> None:
    tag = ask(shop, "sales", "?limit=1", "").headers["etag"]
    for presented, status in (
        (f'"a", {tag}', 304),
        (f"W/{tag}", 304),
        (f'W/"a" , W/{tag},"b"', 304),
        ("*", 304),
        ('"a"', 200),
        (tag.strip('"'), 200),
    ):
        assert ask(shop, "sales", "?limit=1", presented).status_code == status, presented


def test_it_is_good_for_one_request_in_one_form(shop: Reader) -> None:
    tag = ask(shop, "sales", "?limit=2", "", **{"Accept-Encoding": "identity"}).headers["etag"]
    for query, headers in (
        ("?limit=3", {}),
        ("?limit=2&offset=1", {}),
        ("?limit=2&columns=Id,Who", {}),
        ("?limit=2&filter=Id:greater:0", {}),
        ("?limit=2&format=csv", {}),
        ("?limit=2", {"Accept": "application/x-ndjson"}),
        ("?limit=2", {"Accept-Encoding": "gzip"}),
        ("?columns=Id&groupby=Who&limit=2", {}),
    ):
        told = {"Accept-Encoding": "identity", **headers}
        assert ask(shop, "sales", query, tag, **told).status_code == 200, query
    nested = ask(shop, "sales", "?groupby=Who&columns=Id&limit=2", "").headers["etag"]
    assert ask(shop, "sales", "?columns=Who,Id&orderby=Who&limit=2", nested).status_code == 200


def test_another_application_and_a_narrower_token_have_their_own(shop: Reader) -> None:
    tag = ask(shop, "sales", "?columns=Id&limit=2", "").headers["etag"]
    made = add_application(shop.server.settings, "other", ("sales",))
    credentials = (made.application.client_id, made.client_secret)
    form = {"grant_type": "client_credentials"}
    ask_until(lambda: httpx.post(f"{shop.server.url}/token", data=form, auth=credentials).is_success)
    details = '[{"type":"rowgate_object","object":"sales","columns":["Id"]}]'
    for more in ({}, {"authorization_details": details}):
        token = fetch_token(shop.server.url, *credentials, **more)["access_token"]
        answer = ask(shop, "sales", "?columns=Id&limit=2", tag, Authorization=f"Bearer {token}")
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag


def test_where_it_is_not_sure_there_is_no_tag(shop: Reader) -> None:
    """A clock in a view, a count beside the rows, a comparison, a POST."""
    for query in ("now/rows", "sales/rows?count=exact&limit=1"):
        answer = shop.client.get(f"/api/v1/data/{query}", headers={"If-None-Match": "*"})
        assert (answer.status_code, "etag" in answer.headers) == (200, False)
    assert "etag" not in shop.post("sales", {"limit": 1}).headers


def test_it_is_on_record_like_a_read(shop: Reader) -> None:
    tag = ask(shop, "sales", "?limit=1", "").headers["etag"]
    request_id = ask(shop, "sales", "?limit=1", tag).headers["x-request-id"]
    ended = wait_until(lambda: [e for e in shop.server.events(kind="rows_ended") if e["request_id"] == request_id])
    assert (ended[0]["outcome"], ended[0]["reason"], ended[0]["rows"]) == ("complete", "not_modified", 0)
    assert [e for e in shop.server.events(kind="rows_opened") if e["request_id"] == request_id]


def test_every_check_comes_first(shop: Reader) -> None:
    tag = ask(shop, "hidden", "", "").headers["etag"]
    assert ask(shop, "hidden", "", tag).status_code == 304
    assert ask(shop, "hidden", "", tag, Authorization="Bearer x").status_code == 401
    assert ask(shop, "hidden", "?columns=nothing", tag).status_code == 400
    with administer(shop.server.settings) as desks:
        desks.objects.block("hidden", reason="")
    wait_until(lambda: ask(shop, "hidden", "", tag).status_code == 401)


def expect(reader: Reader, address: str, wanted: str, **headers: str) -> httpx.Response:
    return reader.client.get(f"/api/v1/data/{address}", headers={"If-Match": wanted, **headers})


def test_only_what_is_wanted_is_sent(shop: Reader) -> None:
    """RFC 9110 §13.1.1: any of a list, compared strongly; `*` is whatever there is."""
    seen = shop.client.get("/api/v1/data/sales/rows?limit=2")
    tag = seen.headers["etag"]
    for wanted, status in (
        (tag, 200),
        (f'"a" ,{tag}', 200),
        ("*", 200),
        (f"W/{tag}", 412),
        (tag.strip('"'), 412),
        ('"a", *', 412),
        ("", 412),
    ):
        answer = expect(shop, "sales/rows?limit=2", wanted)
        assert answer.status_code == status, wanted
        assert shop.client.head("/api/v1/data/sales/rows?limit=2", headers={"If-Match": wanted}).status_code == status
        if status == 200:
            assert answer.content == seen.content
        else:
            assert (answer.json()["error"], answer.json()["field"]) == ("precondition_failed", "If-Match")
            assert "etag" not in answer.headers


def test_what_is_wanted_comes_before_what_is_held(shop: Reader) -> None:
    """RFC 9110 §13.2.2."""
    tag = ask(shop, "sales", "?limit=2", "").headers["etag"]
    for wanted, held, status in ((tag, tag, 304), ("*", tag, 304), ('"a"', tag, 412), (tag, '"a"', 200)):
        assert expect(shop, "sales/rows?limit=2", wanted, **{"If-None-Match": held}).status_code == status


def test_an_answer_without_a_tag_is_none_of_a_list(shop: Reader) -> None:
    """A clock in a view, a count, a comparison, a preview, a POST: nobody knows whether they are what was seen."""
    for address in ("now/rows", "sales/rows?count=exact&limit=1", "sales/rows?dry_run=true"):
        assert expect(shop, address, "*").status_code == 200, address
        assert expect(shop, address, '"a"').status_code == 412, address
    address = "/api/v1/data/sales/rows"
    for wanted, status in (("*", 200), ('"a"', 412)):
        assert shop.client.post(address, json={"limit": 1}, headers={"If-Match": wanted}).status_code == status


def test_rows_that_were_written_meanwhile_are_not_those_that_were_wanted(shop: Reader) -> None:
    tag = ask(shop, "sales", "?limit=1&orderby=Id%20desc", "").headers["etag"]
    write(shop, "INSERT INTO sales VALUES (20000, 'x', '1')")
    assert expect(shop, "sales/rows?limit=1&orderby=Id%20desc", tag).status_code == 412
    write(shop, "DELETE FROM sales WHERE Id = 20000")


def test_a_refusal_of_what_is_not_wanted_is_on_record_and_comes_after_every_check(shop: Reader) -> None:
    request_id = expect(shop, "sales/rows", '"a"').headers["x-request-id"]
    (refused,) = [e for e in shop.server.events(kind="rows_refused") if e["request_id"] == request_id]
    assert (refused["error"], refused["reason"], refused["object"]) == ("precondition_failed", "If-Match", "sales")
    assert not [e for e in shop.server.events(kind="rows_opened") if e["request_id"] == request_id]
    assert expect(shop, "sales/rows", '"a"', Authorization="Bearer x").status_code == 401
    assert expect(shop, "sales/rows?columns=nothing", '"a"').status_code == 400
    assert expect(shop, "nothing/rows", "*").status_code == 404


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"),  # RFC 9110 §13.1.3: there is no date to compare
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),  # §13.1.4
        ("Range", "bytes=0-0"),  # §14.2: a server may ignore it
        ("If-Range", '"a"'),  # §13.1.5
    ],
)
@pytest.mark.parametrize("address", ["/api/v1/data/sales/rows?limit=2", "/api/v1/data/sales"])
def test_dates_and_ranges_change_nothing(shop: Reader, address: str, header: str, value: str) -> None:
    whole = shop.client.get(address)
    answer = shop.client.get(address, headers={header: value})
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert "accept-ranges" not in answer.headers


def test_rows_that_are_written_while_the_tag_is_looked_at_are_not_sent_as_wanted(
    shop: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "sales/rows?limit=1&orderby=Id%20desc"
    tag = shop.client.get(f"/api/v1/data/{query}").headers["etag"]
    find = SqliteSource.find_version
    looks: list[bytes | None] = []

    def find_and_write(source: SqliteSource, described: ObjectDescription) -> bytes | None:
        looks.append(find(source, described))
        if len(looks) == 1:
            write(shop, "INSERT INTO sales VALUES (30000, 'x', '1')")
        return looks[-1]

    monkeypatch.setattr(SqliteSource, "find_version", find_and_write)
    assert expect(shop, query, tag).status_code == 412
    assert len(set(looks)) == 2
    monkeypatch.undo()
    write(shop, "DELETE FROM sales WHERE Id = 30000")
