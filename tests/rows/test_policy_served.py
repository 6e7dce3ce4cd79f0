"""Policies of grants on a real server: followed live, on record, the same in every format, never widened by a token."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nanoarrow
import pyarrow.parquet
import pytest

from rowgate.access import Access
from rowgate.config import Settings
from rowgate.records import GrantPolicy
from rowgate.rows.masks import Mask
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.desk import AdminError
from rowgate.service.admin.grants import ALL_COLUMNS, GrantChange
from rowgate.service.admin.policies import PolicyChange
from rows.harness import address, refusal
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, fetch_token, run_server, within_a_second

STAFF = "Staff"
PEOPLE = [
    (1, "Ada", "ada@example.com", 9000, "finance", "2015-03-01", "DE02120300000000202051", "2026-01-01T00:00:00"),
    (2, "Bob", "bob@example.com", 5000, "sales", "2019-07-15", "DE02500105170137075030", "2026-01-02T00:00:00"),
    (3, "Cyd", None, 7000, "Finance", "2021-11-30", "AT1", "2026-01-01T00:00:00"),
]
NAMES = ("Id", "Name", "Email", "Salary", "Department", "Since", "Account", "JobRuntimeKey")
IN_FINANCE = '{"column": "department", "function": "equals", "value": {"attribute": "department"}}'
MASKED = (("Salary", Mask.NULL), ("email", Mask.HASH), ("Account", Mask.LAST_FOUR), ("Since", Mask.YEAR))


@dataclass
class World:
    """A server, and its administrator."""

    server: RunningServer
    settings: Settings

    @contextmanager
    def reader(self, name: str, change: GrantChange, *attributes: tuple[str, str]) -> Iterator[httpx.Client]:
        """Give an application that is granted a part of the table."""
        made = add_application(self.settings, name, (), scope="read")
        with administer(self.settings) as desks:
            if attributes:
                desks.policies.set(name, PolicyChange(attributes=attributes))
            desks.grants.grant(name, [STAFF], change)
        with self.sign_in(made) as client:
            within_a_second(lambda: client.get(address(STAFF)).is_success or self.last_reason() != "not_granted")
            yield client

    @contextmanager
    def sign_in(self, made: NewCredentials, **more: str) -> Iterator[httpx.Client]:
        """Give a client with a token, once the server knows of the application."""
        client_id, secret = made.application.client_id, made.client_secret
        within_a_second(lambda: may_get_token(self.server.url, client_id, secret, **more))
        token = fetch_token(self.server.url, client_id, secret, **more)["access_token"]
        with httpx.Client(base_url=self.server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            yield client

    def last_reason(self) -> str:
        return str(self.last("rows_refused")["reason"])

    def last(self, kind: str) -> dict[str, Any]:
        return self.server.events(kind=kind)[-1]


def may_get_token(url: str, client_id: str, secret: str, **more: str) -> bool:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **more}
    return httpx.post(f"{url}/api/v1/token", data=form).is_success


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("policy")
    with closing(sqlite3.connect(folder / "staff.sqlite")) as database, database:
        database.execute(
            "CREATE TABLE Staff (Id INTEGER PRIMARY KEY, Name TEXT, Email TEXT, Salary INTEGER, Department TEXT, "
            "Since DATE, Account TEXT, JobRuntimeKey TIMESTAMP)"
        )
        database.executemany("INSERT INTO Staff VALUES (?, ?, ?, ?, ?, ?, ?, ?)", PEOPLE)
        database.execute("ANALYZE")
    settings = make_home(folder / "home", folder / "staff.sqlite")
    with run_server(settings) as server:
        yield World(server, settings)


def rows(client: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    answer = client.get(address(STAFF), params={"jobRuntimeKey": "all", **parameters})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def test_masks_look_the_same_in_every_format(world: World) -> None:
    with world.reader("formats", GrantChange(masks=MASKED)) as client:
        found = rows(client)
        assert [set(row) for row in found] == [set(NAMES)] * 3
        assert [row["Salary"] for row in found] == [None] * 3
        assert [row["Since"] for row in found] == [2015, 2019, 2021]
        assert [row["Account"] for row in found] == ["****2051", "****5030", "****1"]
        hashes = [row["Email"] for row in found]
        assert hashes[2] is None
        assert len({len(text) for text in hashes[:2]}) == 1
        assert hashes[0] != hashes[1]
        lines = client.get(address(STAFF), params={"jobRuntimeKey": "all", "format": "ndjson"}).text.splitlines()
        assert [json.loads(line) for line in lines] == found
        text = client.get(address(STAFF), params={"jobRuntimeKey": "all", "format": "csv"}).text
        told = [{name: None if value is None else str(value) for name, value in row.items()} for row in found]
        assert [{n: v or None for n, v in row.items()} for row in csv.DictReader(io.StringIO(text))] == told
        arrow = client.get(address(STAFF), params={"jobRuntimeKey": "all", "format": "arrow"}).content
        parquet = client.get(address(STAFF), params={"jobRuntimeKey": "all", "format": "parquet"}).content
        assert pyarrow.parquet.read_table(io.BytesIO(parquet)).to_pylist() == found
        table = nanoarrow.ArrayStream.from_readable(io.BytesIO(arrow)).read_all()
        assert [dict(zip(NAMES, row, strict=True)) for row in table.iter_tuples()] == found


def test_hashes_are_the_same_for_every_application_of_a_home(world: World) -> None:
    with (
        world.reader("one", GrantChange(masks=(("Email", Mask.HASH),))) as one,
        world.reader("two", GrantChange(columns=("Email", "JobRuntimeKey"), masks=(("Email", Mask.HASH),))) as two,
    ):
        assert {row["Email"] for row in rows(one)} == {row["Email"] for row in rows(two)}


def test_description_shows_masks_and_no_hidden_column(world: World) -> None:
    change = GrantChange(columns=("Name", "Salary", "Since"), masks=MASKED, rows=IN_FINANCE)
    with world.reader("described", change, ("department", "finance")) as client:
        told = client.get("/api/v1/data/Staff").json()
        columns = {column["name"]: column for column in told["columns"]}
        assert list(columns) == ["Name", "Salary", "Since"]
        assert {name: column["mask"] for name, column in columns.items()} == {
            "Name": None,
            "Salary": "null",
            "Since": "year",
        }
        assert columns["Salary"]["filters"] == []
        assert columns["Since"]["json_type"] == "integer"
        assert (told["run_key"], told["key"], told["pages_by_cursor"]) == (None, None, False)
        assert told["some_rows_only"]
        assert refusal(client.get(address(STAFF), params={"orderby": "Email"})) == (
            "orderby[0]",
            "one of Name, Salary, Since; behind it asc or desc, then nulls first or nulls last",
        )


def test_missing_attribute_refuses_and_is_followed_live(world: World) -> None:
    with world.reader("ruled", GrantChange(rows=IN_FINANCE)) as client:
        answer = client.get(address(STAFF))
        assert answer.status_code == 401
        assert answer.json()["error"] == "insufficient_scope"
        assert world.last_reason() == "attribute_missing"
        assert client.get("/api/v1/data").json() == []
        with administer(world.settings) as desks:
            desks.policies.set("ruled", PolicyChange(attributes=(("department", "finance"),)))
            found = desks.tokens.explain("ruled", STAFF)
            assert found.allowed
        within_a_second(lambda: client.get(address(STAFF)).status_code == 200)
        assert [row["Name"] for row in rows(client)] == ["Ada", "Cyd"]
        with administer(world.settings) as desks:
            desks.policies.set("ruled", PolicyChange(attributes=(("department", ""),)))
            assert not desks.tokens.explain("ruled", STAFF).allowed
        within_a_second(lambda: client.get(address(STAFF)).status_code == 401)


def test_newest_run_and_counts_are_of_the_rows_in_sight(world: World) -> None:
    """Bob alone is in the newest run of all, and the statistics of the database count him."""
    with world.reader("runs", GrantChange(rows=IN_FINANCE), ("department", "FINANCE")) as client:
        assert [row["Name"] for row in client.get(address(STAFF)).json()] == ["Ada", "Cyd"]
        for counting in ("exact", "estimated"):
            answer = client.get(address(STAFF), params={"count": counting, "jobRuntimeKey": "all", "limit": 1})
            assert answer.headers["rowgate-count"] == "2"
        body = {"aggregates": [{"function": "sum", "column": "Salary", "as": "all"}], "jobRuntimeKey": "all"}
        assert client.post(address(STAFF), json=body).json() == [{"all": 16000}]


def test_pages_go_on_among_the_rows_in_sight_and_a_cursor_ends_with_its_rule(world: World) -> None:
    with world.reader("paged", GrantChange(rows=IN_FINANCE), ("department", "finance")) as client:
        first = client.get(address(STAFF), params={"cursor": "", "limit": 1, "jobRuntimeKey": "all"})
        assert [row["Name"] for row in first.json()] == ["Ada"]
        going_on: dict[str, Any] = {"cursor": first.headers["rowgate-next-cursor"], "limit": 1, "jobRuntimeKey": "all"}
        second = client.get(address(STAFF), params=going_on)
        assert [row["Name"] for row in second.json()] == ["Cyd"]
        assert "rowgate-next-cursor" not in second.headers
        with administer(world.settings) as desks:
            desks.policies.set("paged", PolicyChange(attributes=(("department", "sales"),)))
        within_a_second(lambda: client.get(address(STAFF), params=going_on).status_code == 400)


def test_copy_is_good_no_longer_when_the_policy_changes(world: World) -> None:
    """An answer's tag stands for the policy too: another mask, another tag."""
    with world.reader("tagged", GrantChange(masks=(("Salary", Mask.NULL),))) as client:
        tag = client.get(address(STAFF)).headers["etag"]
        assert client.get(address(STAFF), headers={"If-None-Match": tag}).status_code == 304
        with administer(world.settings) as desks:
            desks.grants.grant("tagged", [STAFF], GrantChange(masks=(("Salary", Mask.HASH),)))
        within_a_second(lambda: client.get(address(STAFF), headers={"If-None-Match": tag}).status_code == 200)


def test_preview_tells_the_mask_and_neither_the_rule_nor_how_many_rows_there_are(world: World) -> None:
    change = GrantChange(columns=("Name", "Salary"), masks=(("Salary", Mask.HASH),), rows=IN_FINANCE)
    with world.reader("previewed", change, ("department", "finance")) as client:
        answer = client.post(address(STAFF), json={"dry_run": True})
        told = answer.json()
        assert told["columns"][1] == {"name": "Salary", "type": "TEXT", "mask": "hash"}
        assert told["estimated_rows"] is None
        assert [statement["plan"] for statement in told["statements"]] == [None]
        assert "epartment" not in answer.text
        assert "finance" not in answer.text


def test_read_has_its_masks_and_its_rule_on_record(world: World) -> None:
    change = GrantChange(masks=(("Salary", Mask.NULL),), rows=IN_FINANCE)
    with world.reader("recorded", change, ("department", "finance")) as client:
        rows(client, columns="Name,Salary", filter="Name:equals:Ada")
        opened = world.last("rows_opened")
        assert opened["masks"] == ["Salary=null"]
        assert opened["rule"] == [["Department", "equals", "finance"]]
        assert ["Name", "equals", "Ada"] in opened["filters"]
    changes = [event for event in world.server.events(kind="administrative_change") if event["target"] == "recorded"]
    assert [event["action"] for event in changes] == ["application.add", "application.set", "application.grant"]
    assert changes[2]["details"]["policies"] == {"Staff": {"masks": [["Salary", "null"]], "rows": IN_FINANCE}}
    assert changes[1]["details"]["attributes"] == [["department", "finance"]]


def test_token_can_narrow_what_is_granted_and_never_widen_it(world: World) -> None:
    name = "narrowed"
    made = add_application(world.settings, name, ())
    with administer(world.settings) as desks:
        desks.grants.grant(name, [STAFF], GrantChange(columns=("Name", "Salary"), masks=(("Salary", Mask.NULL),)))

    def detail(column: str) -> str:
        return json.dumps([{"type": "rowgate_object", "object": STAFF, "columns": [column]}])

    with world.sign_in(made, authorization_details=detail("Salary")) as client:
        assert client.get(address(STAFF)).json() == [{"Salary": None}]
        known = (world.server.url, made.application.client_id, made.client_secret)
        assert not may_get_token(*known, authorization_details=detail("Email"))  # to it there is no such column
        with administer(world.settings) as desks:
            desks.grants.grant(name, [STAFF], GrantChange(columns=("Name",)))
        within_a_second(lambda: client.get(address(STAFF)).status_code == 401)
        assert world.last_reason() == "outside_token"


def test_what_was_set_stays_unless_it_is_spoken_of(world: World) -> None:
    add_application(world.settings, "steps", (STAFF,))
    with administer(world.settings) as desks:

        def grant(change: GrantChange) -> GrantPolicy:
            (told,) = desks.grants.grant("steps", [STAFF], change)
            return told.policy

        assert grant(GrantChange(columns=("name", "SALARY"))).columns == ("Name", "Salary")
        assert grant(GrantChange(masks=(("Salary", Mask.NULL),))).columns == ("Name", "Salary")
        assert grant(GrantChange(rows=IN_FINANCE)).masks == (("Salary", "null"),)
        assert grant(GrantChange()).rows == IN_FINANCE
        assert grant(GrantChange(columns=ALL_COLUMNS)) == GrantPolicy((), (("Salary", "null"),), IN_FINANCE)
        assert grant(GrantChange(masks=(("salary", None),))) == GrantPolicy((), (), IN_FINANCE)
        assert grant(GrantChange(whole=True)) == GrantPolicy()


@pytest.mark.parametrize(
    "change",
    [
        GrantChange(columns=("Nowhere",)),
        GrantChange(masks=(("Nowhere", Mask.NULL),)),
        GrantChange(masks=(("Salary", Mask.YEAR),)),
        GrantChange(rows="{"),
        GrantChange(rows="[]"),
        GrantChange(rows='{"column": "Nowhere", "function": "is_null"}'),
        GrantChange(rows='{"column": "Salary", "function": "equals", "value": "much"}'),
        GrantChange(rows='{"column": "Name", "function": "equals", "value": {"attribut": "x"}}'),
    ],
)
def test_policy_that_does_not_fit_the_object_is_refused_and_nothing_changes(world: World, change: GrantChange) -> None:
    with administer(world.settings) as desks:
        if not [a for a, _ in desks.applications.list_all() if a.name == "refused"]:
            add_application(world.settings, "refused", ())
        with pytest.raises(AdminError):
            desks.grants.grant("refused", [STAFF], change)
        assert desks.applications.load("refused")[1] == ()


def test_grants_are_told_while_the_database_is_away(tmp_path: Path) -> None:
    path = tmp_path / "away.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE Staff (Name TEXT, Salary INTEGER)")
    settings = make_home(tmp_path / "home", path)
    made = add_application(settings, "app", (STAFF,))
    with administer(settings) as desks:
        desks.grants.grant("app", [STAFF], GrantChange(columns=("Name",)))
    path.unlink()
    with administer(settings) as desks:
        (told,) = desks.grants.list_all(made.application, [STAFF])
    assert told.words == "reads 1 of its columns"


def test_access_has_nothing_of_the_policy() -> None:
    """It is decided anew from the state, for every read: a token holds no copy that could grow old."""
    assert not [name for name in Access.__struct_fields__ if "mask" in name or "rule" in name or "policy" in name]
