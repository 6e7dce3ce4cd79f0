"""Pages by cursor: together they are the whole, whatever is written meanwhile; and what a cursor is good for."""

import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.paging import go_on_after, list_unseen, note_place
from rowgate.rows.sql import render_select
from rowgate.service.admin.desk import AdminError
from rowgate.service.cursors import Cursors
from rows.cases import DISKS, USERS
from rows.generated import Bench
from rows.harness import Reader, open_reader, refusal
from rows.oracle import Row, read
from rows.test_oracle import comparisons, orders, tables
from support.homes import add_application, administer
from support.laws import choose_examples
from support.servers import fetch_token, wait_until

ORDERINGS = st.lists(orders, max_size=3, unique_by=lambda order: order[0])


def _turn(bench: Bench, body: Row, place: tuple[Any, ...] | None) -> tuple[list[Any], tuple[Any, ...] | None]:
    """Give the row ids of a page, and where it ended if it is not the last."""
    plan = bench.plan({**body, "columns": ["n"]})
    page = plan if place is None else go_on_after(plan, place)
    assert page is not None
    assert page.page is not None
    blocks = bench.source.open_rows(render_select(page, bench.source.dialect), statement_seconds=10)
    try:
        rows = blocks.read_block()
    finally:
        blocks.close()
    shown = rows[: page.page.size]
    is_followed = len(rows) > page.page.size
    return [row[0] for row in shown], note_place(page, shown[-1]) if is_followed else None


@settings(max_examples=choose_examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables, ORDERINGS, st.lists(comparisons, max_size=1), st.integers(1, 4))
def test_pages_are_the_whole_in_its_order(
    bench: Bench, rows: list[tuple[Any, ...]], order: list[str], filters: list[Row], size: int
) -> None:
    stored = bench.fill(rows)
    if "ends_with" in str(filters):
        return
    last = "n desc" if order and " desc" in order[-1] else "n"
    expected = [row["n"] for row in read(stored, {"filters": filters, "orderby": [*order, last]})]
    body = {"filters": filters, "orderby": order, "cursor": "", "limit": size}
    found: list[int] = []
    place: tuple[Any, ...] | None = None
    while True:
        page, place = _turn(bench, body, place)
        assert len(page) == size or place is None
        found += page
        if place is None:
            break
    assert found == expected


@settings(max_examples=choose_examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables.filter(bool), ORDERINGS, st.data())
def test_rows_that_stay_come_once_whatever_is_written(
    bench: Bench, rows: list[tuple[Any, ...]], order: list[str], data: st.DataObject
) -> None:
    bench.fill(rows)
    present = set(range(len(rows)))
    found: list[int] = []
    place: tuple[Any, ...] | None = None
    new = 1000
    for _ in range(100):
        page, place = _turn(bench, {"orderby": order, "cursor": "", "limit": 2}, place)
        found += page
        if place is None:
            break
        gone = data.draw(st.sampled_from(sorted(present | {-1})))
        bench.writer.execute("DELETE FROM generated WHERE n = ?", (gone,))
        present.discard(gone)
        if new < 1003:
            bench.add(new, data.draw(tables.filter(bool))[0])
            new += 1
    assert place is None
    assert len(found) == len(set(found))
    assert present <= set(found)


def _follow(reader: Reader, url: str, query: str) -> Iterator[httpx.Response]:
    answer = reader.client.get(f"{url}?{query}")
    while True:
        assert answer.status_code == 200, answer.text
        yield answer
        if "next" not in answer.links:
            return
        answer = reader.client.get(answer.links["next"]["url"])


def test_a_client_follows_links(sample: Reader) -> None:
    pages = list(_follow(sample, f"/api/v1/data/{USERS}/rows", "orderby=Department desc,UserId&limit=50&cursor="))
    expected = sample.sql(f"SELECT * FROM {USERS} ORDER BY Department DESC, UserId")
    assert len(pages) == -(-len(expected) // 50)
    assert [row for page in pages for row in page.json()] == expected
    assert "rowgate-next-cursor" not in pages[-1].headers


def test_a_post_takes_the_cursor_of_the_page_before(sample: Reader) -> None:
    body: Row = {
        "filters": [{"column": "UserId", "function": "greater", "value": 20}],
        "columns": ["Mail"],
        "limit": 70,
    }
    found: list[Row] = []
    cursor = ""
    while True:
        answer = sample.post(USERS, {**body, "cursor": cursor})
        assert "link" not in answer.headers
        found += answer.json()
        cursor = answer.headers.get("rowgate-next-cursor", "")
        if not cursor:
            break
    assert found == sample.sql(f"SELECT Mail FROM {USERS} WHERE UserId > 20 ORDER BY UserId")


def test_pages_stay_with_the_run_of_the_first(jobs: Reader) -> None:
    """O-25: the newest run when reading began, though a newer one comes meanwhile."""
    newest = jobs.sql(f"SELECT max(JobRunTimeKey) AS run FROM {DISKS}")[0]["run"]
    expected = jobs.sql(f"SELECT * FROM {DISKS} WHERE JobRunTimeKey = ? ORDER BY rowid", newest)
    pages = _follow(jobs, f"/api/v1/data/{DISKS}/rows", "limit=7&cursor=")
    found = next(pages).json()
    with closing(sqlite3.connect(jobs.database)) as writer, writer:
        names = ", ".join(name for name in expected[0] if name != "JobRunTimeKey")
        writer.execute(
            f"INSERT INTO {DISKS} (JobRunTimeKey, {names}) SELECT '2030-01-01T00:00:00', {names} FROM {DISKS} LIMIT 5"
        )
    found += [row for page in pages for row in page.json()]
    assert found == expected


@pytest.fixture
def jobs(sample_database: Path, tmp_path: Path) -> Iterator[Reader]:
    database = tmp_path / "jobs.sqlite"
    database.write_bytes(sample_database.read_bytes())
    with open_reader(database, tmp_path / "home") as reader:
        yield reader


def _first_cursor(reader: Reader, body: Row) -> str:
    return reader.post(USERS, {**body, "cursor": "", "limit": 3}).headers["rowgate-next-cursor"]


OTHER_QUERIES: dict[str, Row] = {
    "other-order": {"orderby": ["UserId desc"]},
    "other-nulls": {"orderby": ["Department nulls last"]},
    "other-filter": {"orderby": ["Department"], "filters": [{"column": "UserId", "function": "less", "value": 9}]},
    "other-case": {
        "orderby": ["Department"],
        "filters": [{"column": "Mail", "function": "contains", "value": "e", "matchCase": True}],
    },
}


@pytest.mark.parametrize("other", OTHER_QUERIES.values(), ids=OTHER_QUERIES.keys())
def test_a_cursor_of_another_query_is_refused(sample: Reader, other: Row) -> None:
    filters = [{"column": "Mail", "function": "contains", "value": "e"}]
    cursor = _first_cursor(sample, {"orderby": ["Department"], "filters": filters})
    assert refusal(sample.post(USERS, {**other, "cursor": cursor}))[0] == "cursor"
    same = {"orderby": ["department"], "filters": filters, "columns": ["Mail"], "format": "ndjson", "limit": 9}
    assert sample.post(USERS, {**same, "cursor": cursor}).status_code == 200


def test_a_cursor_of_another_application_is_refused(sample: Reader) -> None:
    cursor = _first_cursor(sample, {})
    made = add_application(sample.server.settings, "stranger to cursors", ("*",))
    wait_until(
        lambda: (
            httpx.post(
                f"{sample.server.url}/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": made.application.client_id,
                    "client_secret": made.client_secret,
                },
            ).status_code
            == 200
        )
    )
    token = fetch_token(sample.server.url, made.application.client_id, made.client_secret)["access_token"]
    answer = sample.post(USERS, {"cursor": cursor}, Authorization=f"Bearer {token}")
    assert refusal(answer)[0] == "cursor"


@settings(max_examples=choose_examples(100), deadline=None)
@given(st.data())
def test_an_altered_cursor_is_refused(bench: Bench, data: st.DataObject) -> None:
    bench.fill([("a", 1, 0.5)] * 3)
    cursors = Cursors(b"k" * 32)
    plan = bench.plan({"cursor": "", "limit": 1, "orderby": ["t", "r"]})
    _, seal = cursors.open_page(plan, "", 7)
    cursor = seal(("a", 0.5, 0))
    place = data.draw(st.integers(0, len(cursor)))
    altered = data.draw(
        st.sampled_from(
            [cursor[:place], cursor[:place] + "A" + cursor[place:], cursor[:place] + "_" + cursor[place + 1 :]]
        )
        | st.text(max_size=30)
    )
    if altered in (cursor, "") or altered.rstrip("=") == cursor:
        return
    with pytest.raises(InvalidParameter) as refused:
        cursors.open_page(plan, altered, 7)
    assert refused.value.field == "cursor"


def test_a_cursor_shows_nothing_of_what_it_holds(bench: Bench) -> None:
    cursors = Cursors(b"k" * 32)
    plan = bench.plan({"cursor": "", "orderby": ["t"]})
    _, seal = cursors.open_page(plan, "", 7)
    same, other = seal(("a secret value", 1)), seal(("another secret", 1))
    assert same == seal(("a secret value", 1))
    assert same[:16] != other[:16]
    assert "secret" not in same
    with pytest.raises(InvalidParameter):
        Cursors(b"x" * 32).open_page(plan, same, 7)


CANNOT_BE_PAGED = {
    "groupby": ({"cursor": "", "groupby": ["Department"]}, "groupby"),
    "distinct": ({"cursor": "", "distinct": True}, "distinct"),
    "offset": ({"cursor": "", "offset": 1}, "offset"),
    "limit-0": ({"cursor": "", "limit": 0}, "limit"),
    "limit-10001": ({"cursor": "", "limit": 10_001}, "limit"),
    "no-text": ({"cursor": 7}, "cursor"),
    "too-long": ({"cursor": "A" * 5000}, "cursor"),
}


@pytest.mark.parametrize(("body", "field"), CANNOT_BE_PAGED.values(), ids=CANNOT_BE_PAGED.keys())
def test_what_cannot_be_paged_is_refused_by_name(users_table: Reader, body: Row, field: str) -> None:
    assert refusal(users_table.post("t", body))[0] == field


@pytest.fixture(scope="module")
def users_table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("pages")
    with closing(sqlite3.connect(folder / "t.sqlite")) as writer, writer:
        writer.execute("CREATE TABLE t (UserId INTEGER PRIMARY KEY, Department TEXT, blob BLOB)")
        writer.execute("CREATE TABLE pairs (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID")
        writer.execute("CREATE TABLE taken (rowid TEXT, _rowid_ TEXT, oid TEXT)")
        writer.execute("CREATE TABLE quirk (id INTEGER PRIMARY KEY DESC, v INTEGER)")  # no row id: may hold NULL
        writer.execute("CREATE TABLE nameless (rowid TEXT PRIMARY KEY, v INTEGER)")
        wide = [f"c{place}" for place in range(400)]
        writer.execute(f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {', '.join(wide)})")
        writer.execute("CREATE TABLE names (name TEXT)")
        writer.execute("CREATE VIEW folded AS SELECT name COLLATE NOCASE AS name FROM names")
        writer.executemany("INSERT INTO names VALUES (?)", [("a",), ("A",), ("b",)])
        writer.execute("CREATE VIEW v AS SELECT * FROM t")
        writer.executemany("INSERT INTO t VALUES (?, ?, ?)", [(n, f"d{n % 3}", bytes(60_000)) for n in range(600)])
        writer.executemany("INSERT INTO pairs VALUES (?, ?, ?)", [(f"a{n % 5}", n % 7, str(n)) for n in range(35)])
        writer.executemany("INSERT INTO quirk VALUES (?, ?)", [(None if n % 2 else n, n) for n in range(30)])
        writer.executemany("INSERT INTO nameless VALUES (?, ?)", [(None if n % 2 else str(n), n) for n in range(30)])
    with open_reader(folder / "t.sqlite", folder / "home") as reader:
        yield reader


@pytest.mark.parametrize("name", ["v", "taken"])
def test_an_object_without_a_key_has_no_pages(users_table: Reader, name: str) -> None:
    field, expected = refusal(users_table.post(name, {"cursor": ""}))
    assert field == "cursor"
    assert "offset" in expected


def test_an_administrator_names_the_key_of_a_view(users_table: Reader) -> None:
    with administer(users_table.server.settings) as desks:
        with pytest.raises(AdminError, match="not told apart by Department"):
            desks.objects.set_key("v", ["Department"])
        with pytest.raises(AdminError, match="no column Nothing"):
            desks.objects.set_key("v", ["Nothing"])
        desks.objects.set_key("v", ["userid"])
    wait_until(lambda: users_table.get("v", "cursor=&limit=1").status_code == 200)
    pages = _follow(users_table, "/api/v1/data/v/rows", "columns=Department&orderby=Department desc&limit=30&cursor=")
    expected = users_table.sql("SELECT Department FROM t ORDER BY Department DESC")
    assert [row for page in pages for row in page.json()] == expected
    with administer(users_table.server.settings) as desks:
        desks.objects.set_key("v", [])
    wait_until(lambda: users_table.get("v", "cursor=&limit=1").status_code == 400)


def test_a_key_tells_rows_apart_as_they_are_sorted(users_table: Reader) -> None:
    """Two spellings that the column's collation takes for one would stand at one place."""
    with administer(users_table.server.settings) as desks, pytest.raises(AdminError, match="not told apart by name"):
        desks.objects.set_key("folded", ["name"])


def test_more_columns_than_an_engine_could_bind_are_refused(users_table: Reader) -> None:
    order = [f"c{place}" for place in range(400)]
    assert refusal(users_table.post("wide", {"cursor": "", "orderby": order}))[0] == "orderby"
    assert users_table.post("wide", {"cursor": "", "orderby": order[:16]}).status_code == 200
    assert users_table.post("wide", {"orderby": order}).status_code == 200


def test_a_link_leads_on_whatever_stands_in_the_query(users_table: Reader) -> None:
    """curl sends > as it is."""
    connection = http.client.HTTPConnection(urlsplit(users_table.server.url).netloc, timeout=10)
    path = "/api/v1/data/t/rows?filter=Department:not_equals:<>&columns=UserId&limit=2&cursor="
    connection.request("GET", path, headers={"Authorization": users_table.client.headers["authorization"]})
    answer = connection.getresponse()
    assert [row["UserId"] for row in json.loads(answer.read())] == [0, 1]
    link = answer.headers["link"]
    connection.close()
    url = link.removeprefix("<").removesuffix('>; rel="next"')
    assert not set("<>") & set(url)
    assert [row["UserId"] for row in users_table.client.get(url).json()] == [2, 3]


@pytest.mark.parametrize(("name", "order"), [("pairs", "b, a"), ("nameless", "_rowid_"), ("quirk", "rowid")])
def test_keys_of_every_kind_tell_rows_apart(users_table: Reader, name: str, order: str) -> None:
    """Two columns without a row id; primary keys that hold NULL more than once, one under the row id's own name."""
    pages = _follow(users_table, f"/api/v1/data/{name}/rows", "limit=4&cursor=")
    assert [row for page in pages for row in page.json()] == users_table.sql(f"SELECT * FROM {name} ORDER BY {order}")


def test_heavy_rows_make_shorter_pages(users_table: Reader) -> None:
    """A page is held in memory: 16 MiB and a block at most, however many rows were asked for."""
    answers = list(_follow(users_table, "/api/v1/data/t/rows", "limit=10000&cursor="))
    assert len(answers) > 2
    assert max(len(answer.content) for answer in answers) < 26 * 1_048_576
    assert [row["UserId"] for answer in answers for row in answer.json()] == list(range(600))


def test_values_too_long_for_a_cursor_are_told(users_table: Reader) -> None:
    assert refusal(users_table.get("t", "orderby=blob&limit=2&cursor="))[0] == "orderby"


def test_a_page_deep_inside_is_found_by_the_index(sqlite_bench: Bench) -> None:
    bench = sqlite_bench
    bench.fill([])
    for body, place in (({}, (7,)), ({"orderby": ["n desc"]}, (7,))):
        page = go_on_after(bench.plan({**body, "cursor": ""}), place)
        assert page is not None
        assert list_unseen(page) == ()
        [step] = bench.source.explain(render_select(page, SQLITE))
        assert step.startswith("SEARCH generated USING INTEGER PRIMARY KEY"), step


def test_the_count_is_told_beside_the_rows(sample: Reader) -> None:
    [total] = sample.sql(f"SELECT count(*) AS n FROM {USERS} WHERE Enabled = 1")
    answer = sample.get(USERS, "filter=Enabled:equals:true&limit=2&count=exact")
    assert len(answer.json()) == 2
    assert answer.headers["rowgate-count"] == str(total["n"])
    paged = sample.get(USERS, "filter=Enabled:equals:true&limit=2&count=exact&cursor=")
    again = sample.client.get(paged.links["next"]["url"])
    assert paged.headers["rowgate-count"] == str(total["n"])
    assert "rowgate-count" not in again.headers  # told once: it costs a statement
    assert "rowgate-count" not in sample.get(USERS, "limit=2").headers
    assert refusal(sample.get(USERS, "count=roughly"))[0] == "count"


def test_an_estimate_is_told_as_one_where_the_engine_has_it(tmp_path: Path) -> None:
    """SQLite knows whole tables, once ANALYZE has run; otherwise rows are counted."""
    database = tmp_path / "estimated.sqlite"
    with closing(sqlite3.connect(database)) as writer, writer:
        writer.execute("CREATE TABLE t (n INTEGER)")
        writer.execute("CREATE INDEX i ON t (n)")
        writer.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(50)])
    with open_reader(database, tmp_path / "home") as reader:
        assert reader.get("t", "count=estimated&limit=1").headers["rowgate-count"] == "50"
        with closing(sqlite3.connect(database)) as writer, writer:
            writer.execute("CREATE INDEX few ON t (n) WHERE n > 45")
            writer.execute("ANALYZE")
            writer.execute("DELETE FROM t WHERE n < 10")
        assert reader.get("t", "count=estimated&limit=1").headers["rowgate-count"] == "50;estimated"
        assert reader.get("t", "count=exact&limit=1").headers["rowgate-count"] == "40"
        filtered = reader.get("t", "count=estimated&filter=n:less:20")
        assert filtered.headers["rowgate-count"] == "10"
