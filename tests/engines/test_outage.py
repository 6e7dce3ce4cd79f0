"""The served database is stopped and started while it is read over HTTP: refused, cut, and read again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from engines.heavy import HEAVY
from rowgate import wiring
from rowgate.config import load_settings
from rowgate.served_databases import DatabaseSettings
from rows.harness import Reader, read_from
from support.mariadb import PASSWORD, MariadbServer, make_numbers, run_mariadb
from support.mysql import run_mysql
from support.postgres import PostgresServer, run_postgres
from support.servers import wait_until

ROWS = 20_000
TABLE = "CREATE TABLE made (n INTEGER PRIMARY KEY, t VARCHAR(200))"
Own = MariadbServer | PostgresServer


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("postgres", marks=pytest.mark.slow),
        pytest.param("mariadb", marks=HEAVY["mariadb"]),
        pytest.param("mysql", marks=HEAVY["mysql"]),
    ],
)
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """A server that these tests may stop."""
    if request.param == "postgres":
        with run_postgres() as started:
            yield started
    else:
        run = run_mariadb if request.param == "mariadb" else run_mysql
        with run(tmp_path_factory.mktemp("outage")) as running:
            yield running


@pytest.fixture
def reader(own: Own, tmp_path: Path) -> Iterator[Reader]:
    name = own.create_database()
    if isinstance(own, PostgresServer):
        with own.owner(name) as owner:
            owner.execute(TABLE)
            owner.execute(f"INSERT INTO made SELECT n, repeat('x', 200) FROM generate_series(1, {ROWS}) n".encode())
            owner.execute("CHECKPOINT")  # these servers are quick to commit: a kill would take the rows back
    else:
        fill = (*make_numbers(ROWS), "INSERT INTO made SELECT seq, repeat('x', 200) FROM numbers")
        own.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1", TABLE, *fill, database=name)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    served = DatabaseSettings(name="shop", address=own.address(name), password_file=str(tmp_path / "password"))
    settings = load_settings(home, {}, {"databases": (served,), "port": 0})
    wiring.create_home(settings, "tests")
    with read_from(settings, tmp_path) as opened:
        yield opened


def read_whole(reader: Reader) -> tuple[str, int]:
    """Give how a read ended, and how many rows it gave."""
    try:
        with httpx.Client(base_url=reader.client.base_url, headers=reader.client.headers, timeout=30) as client:
            answer = client.get("/api/v1/data/shop.made/rows")
    except httpx.TransportError:
        return "cut", 0
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0
        return "refused", 0
    assert answer.status_code == 200, answer.text[:500]
    return "whole", len(answer.json())


def test_rows_are_read_over_http(reader: Reader) -> None:
    assert read_whole(reader) == ("whole", ROWS)
    told = reader.client.get("/api/v1/data/shop.made").json()
    assert [column["name"] for column in told["columns"]] == ["n", "t"]
    assert told["key"] == ["n"]
    first = reader.client.get("/api/v1/data/shop.made/rows?cursor=&limit=3&columns=n")
    assert first.json() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert reader.client.get(first.links["next"]["url"]).json() == [{"n": 4}, {"n": 5}, {"n": 6}]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_outage_under_load_refuses_or_cuts_and_passes_by_itself(reader: Reader, own: Own, how: str) -> None:
    """No read that ended well is short; when the database is back it is read without a restart."""
    ended: list[tuple[str, int]] = []
    is_over = threading.Event()

    def read_on() -> None:
        while not is_over.is_set():
            ended.append(read_whole(reader))

    threads = [threading.Thread(target=read_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: ("whole", ROWS) in ended)
        getattr(own, how)()
        wait_until(lambda: ("refused", 0) in ended, seconds=20)
        own.start()
        before = len(ended)
        wait_until(lambda: ("whole", ROWS) in ended[before:], seconds=10)
    finally:
        is_over.set()
        for thread in threads:
            thread.join(60)
    assert {rows for outcome, rows in ended if outcome == "whole"} == {ROWS}
    wait_until(lambda: read_whole(reader) == ("whole", ROWS))
