"""Budgets of an application: counted over every worker of a home and over restarts, refused with what would fit."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowgate.config import Settings
from rowgate.engines.block_weight import BLOCK_ROWS
from rowgate.oauth.model import Application, ClientPolicy
from rowgate.ports import StoreError
from rowgate.ports.spending import Spent
from rowgate.records import Grants, StateSnapshot
from rowgate.rows.errors import BudgetExceeded
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.policies import PolicyChange
from rowgate.service.budgets import DAY_SECONDS, Budgets
from rowgate.service.state import LiveState
from rowgate.service.writes import Writes
from rows.harness import Reader, address
from rows.streams import CREATE_VIEWS, STUCK, receive_answer, slow_reader
from support.homes import add_application, administer, make_home
from support.laws import choose_examples
from support.servers import RunningServer, ask_until, fetch_token, run_server, wait_until, within_a_second

ROWS = 200_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small table, a long one, and a view that never ends."""
    folder = tmp_path_factory.mktemp("budgets")
    with closing(sqlite3.connect(folder / "data.sqlite")) as database, database:
        database.execute("CREATE TABLE small (n INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO small VALUES (1), (2), (3)")
        database.execute("CREATE TABLE long (n INTEGER PRIMARY KEY, filler TEXT)")
        numbers = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {ROWS})"
        database.execute(f"INSERT INTO long {numbers} SELECT n, 'some text to make the row longer' FROM c")
        for view in CREATE_VIEWS:
            database.execute(view)
        database.execute("CREATE TABLE estimated (n INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO estimated VALUES (1), (2), (3)")
        database.execute("ANALYZE estimated")
    return make_home(folder / "home", folder / "data.sqlite", read_queue_seconds=1)


def add(home: Settings, name: str, **budgets: Any) -> NewCredentials:
    return add_application(home, name, ("*",), policy=PolicyChange(**budgets))


@contextmanager
def sign_in(server: RunningServer, made: NewCredentials) -> Iterator[httpx.Client]:
    token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


def test_rows_of_a_day_are_counted_and_refused_with_what_would_fit(home: Settings) -> None:
    made = add(home, "counted", rows_per_day=7)
    with run_server(home) as server, sign_in(server, made) as client:
        for _ in range(2):
            assert len(client.get(address("small")).json()) == 3
        refused = client.get(address("small"))
        told = refused.json()
        assert (refused.status_code, told["error"], told["field"]) == (429, "budget_exceeded", "rows_per_day")
        assert (told["limit"], told["used"], told["left"], told["expected"]) == (7, 6, 1, "at most 1")
        assert 1 <= int(refused.headers["retry-after"]) <= DAY_SECONDS
        assert client.get(address("small"), params={"limit": 1}).json() == [{"n": 1}]
        assert client.get(address("small"), params={"limit": 1}).json()["left"] == 0
        events = server.events(kind="rows_refused", application="counted")
        assert [event["reason"] for event in events] == ["rows_per_day"] * 2


def test_budget_renews_at_midnight(home: Settings) -> None:
    made = add(home, "renewed", rows_per_day=3)
    with run_server(home) as server:
        with sign_in(server, made) as client:
            assert client.get(address("small")).status_code == 200
            refused = client.get(address("small"))
            assert refused.status_code == 429
        server.clock.advance(int(refused.headers["retry-after"]) + 1)
        with sign_in(server, made) as client:
            assert client.get(address("small")).status_code == 200
            assert client.get(address("small")).status_code == 429


def test_bytes_are_counted_too(home: Settings) -> None:
    made = add(home, "bytes", bytes_per_day=30)
    with run_server(home) as server, sign_in(server, made) as client:
        assert len(client.get(address("small")).content) == 25
        told = client.get(address("small")).json()
        assert (told["field"], told["limit"], told["used"]) == ("bytes_per_day", 30, 25)


def test_restart_forgets_nothing_and_other_workers_know_within_a_second(home: Settings) -> None:
    made = add(home, "shared", rows_per_day=5)
    with run_server(home) as one, run_server(home) as two, sign_in(one, made) as here, sign_in(two, made) as there:
        assert there.get(address("small"), params={"limit": 1}).status_code == 200
        assert here.get(address("small")).status_code == 200
        within_a_second(lambda: there.get(address("small")).status_code == 429)
    with run_server(home) as anew, sign_in(anew, made) as client:
        told = client.get(address("small")).json()
        assert told["error"] == "budget_exceeded"
        assert told["used"] in (4, 7)  # the other worker may have answered once more before it knew


def test_read_that_would_pass_its_budget_in_the_middle_is_cut(home: Settings) -> None:
    made = add(home, "cut", rows_per_day=30 * BLOCK_ROWS + 500)
    with run_server(home) as server, sign_in(server, made) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(address("long"))
        (ended,) = wait_until(lambda: server.events(kind="rows_ended", application="cut"))
        assert (ended["outcome"], ended["reason"]) == ("cut", "rows_per_day")
        refused = client.get(address("long")).json()
        assert (refused["used"], refused["left"]) == (30 * BLOCK_ROWS, 500), "a block that does not fit is not sent"
        assert len(client.get(address("long"), params={"limit": 500}).json()) == 500


def test_head_costs_the_rows_that_it_tells_of_and_no_bytes(home: Settings) -> None:
    made = add(home, "head", rows_per_day=4000, bytes_per_day=200_000)
    with run_server(home) as server, sign_in(server, made) as client:
        for _ in range(5):
            told = client.head(address("long"))
            assert (told.status_code, told.headers.get("rowgate-rows")) == (200, None), "a long answer tells nothing"
        for _ in range(4):
            told = client.head(address("long"), params={"limit": 1000})
            assert (told.status_code, told.headers["rowgate-rows"]) == (200, "1000")
        assert client.head(address("small")).status_code == 429
        assert client.get(address("small")).json()["used"] == 4000


def test_estimate_costs_a_row_in_a_preview_and_in_the_list(home: Settings) -> None:
    made = add(home, "estimates", rows_per_day=4)
    with run_server(home) as server, sign_in(server, made) as client:
        for _ in range(2):
            assert client.get(address("estimated"), params={"dry_run": "true"}).json()["estimated_rows"] == 3
        assert client.get(address("long"), params={"dry_run": "true"}).json()["estimated_rows"] is None
        listed = client.get("/api/v1/data", params={"count": "estimated"})
        assert [item["estimated_rows"] for item in listed.json() if item["estimated_rows"] is not None] == [3]
        assert client.get(address("estimated"), params={"dry_run": "true"}).status_code == 200
        for refused in (
            client.get(address("estimated"), params={"dry_run": "true"}),
            client.get("/api/v1/data", params={"count": "estimated"}),
        ):
            assert (refused.status_code, refused.json()["used"]) == (429, 4)
        assert client.get("/api/v1/data").status_code == 200
        assert len(server.events(kind="rows_previewed", application="estimates")) == 4


def test_unchanged_answer_costs_nothing(home: Settings) -> None:
    made = add(home, "unchanged", rows_per_day=4)
    with run_server(home) as server, sign_in(server, made) as client:
        tag = client.get(address("small")).headers["etag"]
        for method in ("GET", "HEAD"):
            again = client.request(method, address("small"), headers={"If-None-Match": tag})
            assert again.status_code == 304
        assert client.get(address("small"), params={"limit": 1}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_count_costs_a_row_as_the_aggregate_does(home: Settings, method: str) -> None:
    made = add(home, f"count {method}", rows_per_day=3)
    with run_server(home) as server, sign_in(server, made) as client:
        for parameters in ({"count": "exact", "limit": "0"}, {"count": "estimated", "limit": "0"}):
            assert client.request(method, address("small"), params=parameters).headers["rowgate-count"] == "3"
        assert client.request(method, address("small"), params={"aggregates": "count"}).status_code == 200
        assert client.get(address("small"), params={"limit": 0}).json()["used"] == 3


def test_reads_at_once_wait_and_then_are_refused_by_the_budgets_name(home: Settings) -> None:
    made = add(home, "two", max_reads=1)
    with run_server(home) as server, sign_in(server, made) as client:
        reader = Reader(server, client, Path())
        with slow_reader(reader, "long") as connection:
            assert connection.recv(100)
            for parameters in ({}, {"dry_run": "true"}):  # a plan is asked of the engine too
                told = client.get(address("small"), params=parameters)
                assert (told.status_code, told.json()["field"], told.json()["limit"]) == (429, "max_reads", 1)
                assert told.headers["retry-after"] == "1"
            with administer(home) as desks:
                desks.policies.set("two", PolicyChange(max_reads=2))
            # one that asks too early waits a second for its turn by the old budget
            ask_until(lambda: client.get(address("small")).status_code == 200)
            receive_answer(connection)


def test_statement_of_an_application_may_have_fewer_seconds(home: Settings) -> None:
    made = add(home, "brief", statement_seconds=1)
    with run_server(home) as server, sign_in(server, made) as client:
        answer = client.get(address(STUCK))
        assert (answer.status_code, answer.json()["error"]) == (503, "statement_timeout")


def test_what_is_given_back_after_midnight_does_not_widen_the_new_day() -> None:
    async def play() -> None:
        now = [float(DAY_SECONDS)]
        budgets = Budgets(make_state(5), cast("Writes", MemoryWrites()), clock=lambda: now[0])
        day = budgets.charge(7, Spent(4, 1))
        now[0] += DAY_SECONDS
        budgets.give_back(7, Spent(4, 1), day)
        budgets.charge(7, Spent(5, 1))
        with pytest.raises(BudgetExceeded):
            budgets.charge(7, Spent(1, 1))
        now[0] += DAY_SECONDS
        budgets.give_back(7, Spent(4, 1), budgets.charge(7, Spent(4, 1)))
        assert budgets.charge(7, Spent(5, 1)) == now[0] // DAY_SECONDS
        await budgets.stop()

    asyncio.run(play())


def test_what_was_never_counted_is_not_given_back() -> None:
    """The application had no budget when the read began."""

    async def play() -> None:
        state = make_state(0)
        budgets = Budgets(state, cast("Writes", MemoryWrites()), clock=lambda: 0.0)
        day = budgets.charge(7, Spent(4, 1))
        state.replace(make_snapshot(5))
        budgets.give_back(7, Spent(4, 1), day)
        budgets.charge(7, Spent(5, 1))
        with pytest.raises(BudgetExceeded):
            budgets.charge(7, Spent(1, 1))
        await budgets.stop()

    asyncio.run(play())


class MemoryWrites:
    """In the place of `Writes`: one state in memory, for every worker; `fails` refuses."""

    def __init__(self) -> None:
        self.days: dict[tuple[int, int], Spent] = {}
        self.fails = False
        self.spending = self

    async def write(self, work: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        if self.fails:
            raise StoreError("it cannot be written")
        return work(self)

    def add(self, number: int, day: int, more: Spent) -> None:
        before = self.days.get((number, day), Spent())
        self.days[number, day] = Spent(before.rows + more.rows, before.bytes + more.bytes)

    def list_all(self, day: int) -> dict[int, Spent]:
        return {number: spent for (number, of), spent in self.days.items() if of == day}


def make_snapshot(rows_per_day: int) -> StateSnapshot:
    policy = ClientPolicy(rows_per_day=rows_per_day)
    application = Application(7, "id", "app", True, 0, ("read",), True, 1, 1, 0, (), policy)  # noqa: FBT003
    return StateSnapshot(1, (Grants(application, frozenset()),), (), ())


def make_state(rows_per_day: int) -> LiveState:
    return LiveState(make_snapshot(rows_per_day))


steps = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["charge", "charge", "charge", "look", "fail", "midnight"]),
        st.integers(1, 9),
    ),
    max_size=40,
)


@settings(max_examples=choose_examples(150), deadline=None)
@given(st.integers(1, 40), steps)
def test_what_is_sent_is_never_more_than_the_budget_and_what_the_others_sent_since_a_look(
    limit: int, taken: list[tuple[int, str, int]]
) -> None:
    """A worker refuses only what does not fit, by what it knows; after a look it knows everything."""
    asyncio.run(_play(limit, taken))


async def _play(limit: int, taken: list[tuple[int, str, int]]) -> None:
    now = [0.0]
    writes = MemoryWrites()
    workers = [Budgets(make_state(limit), cast("Writes", writes), clock=lambda: now[0]) for _ in range(2)]
    sent = [0, 0]  # today, by worker
    known_of_other = [0, 0]
    written = [0, 0]
    for who, what, rows in taken:
        worker, other = workers[who], 1 - who
        if what == "midnight":
            now[0] += DAY_SECONDS
            sent, known_of_other, written = [0, 0], [0, 0], [0, 0]
        elif what == "charge":
            fits = sent[who] + known_of_other[who] + rows <= limit
            if fits:
                worker.charge(7, Spent(rows, 1))
                sent[who] += rows
                continue
            with pytest.raises(BudgetExceeded) as refused:
                worker.charge(7, Spent(rows, 1))
            assert refused.value.left == max(0, limit - sent[who] - known_of_other[who])
        else:
            writes.fails = what == "fail"
            worker._turn_page()
            await worker._share()
            if what == "look":
                written[who] = sent[who]
                known_of_other[who] = written[other]
    for worker in workers:
        writes.fails = False
        await worker.stop()
    assert sum(spent.rows for spent in writes.list_all(int(now[0]) // DAY_SECONDS).values()) <= sum(sent)
