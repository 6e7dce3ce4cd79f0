"""The whole road on PostgreSQL over HTTP: token, rows, pages, refusals, a database that comes and goes, the record."""

from collections.abc import Iterator

import pytest

from rows.harness import Reader, open_reader, refusal
from support.postgres import PostgresServer, run_postgres
from support.servers import wait_until

ORDERS = """
INSERT INTO orders SELECT n, CASE n % 3 WHEN 0 THEN 'Zoë' WHEN 1 THEN 'ZOË' ELSE 'Åke' END, n / 4.0,
  timestamptz '2026-01-01 00:00+00' + n * interval '1 hour' FROM generate_series(1, 3000) n
"""
MADE = (
    "CREATE TABLE orders (id bigint PRIMARY KEY, who text NOT NULL, paid numeric(12,2), at timestamptz)",
    ORDERS,
    'CREATE TABLE runs ("JobRunTimeKey" timestamp, n int)',
    "INSERT INTO runs SELECT date '2026-01-01' + n, n FROM generate_series(1, 5) n",
    "CREATE SCHEMA hidden",
    "CREATE TABLE hidden.secrets (a int)",
)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server of this module's own, to be stopped."""
    with run_postgres() as running:
        yield running


@pytest.fixture(scope="module")
def shop(own_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("shop")
    name = own_server.create_database()
    with own_server.owner(name) as owner:
        for statement in MADE:
            owner.execute(statement.encode())
    with open_reader(folder / "none", folder / "home", served=own_server.address(name)) as reader:
        yield reader


def test_rows_are_filtered_grouped_counted_and_turned_page_by_page(shop: Reader) -> None:
    who = {"column": "who", "function": "equals", "value": "zoë"}
    rows = shop.rows("orders", {"filters": [who], "orderby": ["paid desc"], "limit": 2})
    assert rows == [
        {"id": 3000, "who": "Zoë", "paid": 750.0, "at": "2026-05-06T00:00:00+00:00"},
        {"id": 2998, "who": "ZOË", "paid": 749.5, "at": "2026-05-05T22:00:00+00:00"},
    ]
    groups = shop.rows("orders", {"groupby": ["who"], "columns": ["id"], "filters": [who]})
    assert {group["who"]: len(group["groupItems"]) for group in groups} == {"ZOË": 1000, "Zoë": 1000}
    answer = shop.get("orders", "filter=at:less:2026-01-02&count=exact&limit=5&cursor=&columns=id")
    assert answer.headers["rowgate-count"] == "23"
    found = answer.json()
    while "next" in answer.links:
        answer = shop.client.get(answer.links["next"]["url"])
        found += answer.json()
    assert [row["id"] for row in found] == list(range(1, 24))
    request_id = answer.headers["x-request-id"]
    events = shop.server.events
    [ended] = wait_until(lambda: [e for e in events(kind="rows_ended") if e["request_id"] == request_id])
    assert (ended["object"], ended["outcome"], ended["rows"]) == ("orders", "complete", 3)


def test_the_newest_run_is_read_unless_another_is_asked_for(shop: Reader) -> None:
    assert shop.rows("runs", {"columns": ["n"]}) == [{"n": 5}]
    for spelled in ("2026-01-03 00:00:00", "2026-01-03T00:00:00"):
        assert shop.rows("runs", {"columns": ["n"], "jobRuntimeKey": spelled}) == [{"n": 2}]
    assert len(shop.rows("runs", {"jobRuntimeKey": "all"})) == 5


def test_what_cannot_be_compared_is_refused_by_name(shop: Reader) -> None:
    for column, value in (("at", "yesterday"), ("id", "many"), ("paid", "NaN")):
        body = {"filters": [{"column": column, "function": "less", "value": value}]}
        assert refusal(shop.post("orders", body))[0] == "filters[0].value"
    assert shop.get("hidden.secrets").status_code == 404


def test_a_database_that_stops_is_a_503_and_comes_back(shop: Reader, own_server: PostgresServer) -> None:
    assert shop.get("orders", "limit=1").status_code == 200
    own_server.stop()
    answer = shop.get("orders", "limit=1")
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in answer.headers
    assert shop.client.get("/readyz").status_code == 503
    own_server.start()
    assert shop.get("orders", "limit=1").status_code == 200
    wait_until(lambda: shop.client.get("/readyz").status_code == 200)
