"""What differs between two runs: as plain Python finds it, in every format, and by the permissions of rows."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.comparison import plan_comparison
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.encode import open_encoder
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family, Format, ObjectDescription, Plan, RowsRequest
from rowgate.rows.model import Row as Values
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from rowgate.service.comparing import ChangedRows, find_comparison
from rows.harness import Reader, narrow, open_reader, refusal, register, to_query
from rows.oracle import Row, matches
from rows.test_oracle import comparisons, integers, reals, texts
from support.homes import administer
from support.laws import choose_examples
from support.servers import wait_until

OLD, NEW = "2026-01-01T06:00:00", "2026-02-01T06:00:00"
COLUMNS = ("t", "i", "r")

keys = st.tuples(texts, integers)
runs = st.dictionaries(keys, st.tuples(st.none() | texts, st.none() | integers, st.none() | reals), max_size=8)


class Pairs:
    """One table of two runs, filled anew for each example."""

    def __init__(self, path: Path) -> None:
        self.writer = sqlite3.connect(path, isolation_level=None)
        self.writer.execute("PRAGMA synchronous=OFF")
        self.writer.execute(
            "CREATE TABLE pairs (JobRuntimeKey TEXT, k TEXT, n INTEGER, t TEXT, i INTEGER, r REAL, "
            "PRIMARY KEY (JobRuntimeKey, k, n)) WITHOUT ROWID"
        )
        self.source = SqliteSource(path)

    def fill(self, old: dict[Any, Any], new: dict[Any, Any]) -> None:
        self.writer.execute("DELETE FROM pairs")
        for run, rows in ((OLD, old), (NEW, new)):
            self.writer.executemany(
                "INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?)", [(run, *key, *row) for key, row in rows.items()]
            )

    def compare(self, body: Row) -> list[Row]:
        request = parse_rows_body(msgspec.json.encode({"jobRuntimeKey": NEW, "compare": OLD, **body}))
        described = self.source.find_object("pairs")
        assert described is not None

        def plan(asked: RowsRequest) -> Plan:
            return plan_rows(asked, described, run_key="")

        def read(planned: Plan) -> list[Values]:
            blocks = self.source.open_rows(render_select(planned, SQLITE), statement_seconds=10)
            with closing(blocks):
                return blocks.read_block()

        comparison = find_comparison(request, plan, read)
        blocks = self.source.open_rows(render_select(comparison.read, SQLITE), statement_seconds=10)
        with closing(ChangedRows(blocks, comparison, Format.JSON)) as changed:
            encoder = open_encoder(comparison.shown, Format.JSON)
            encoded = b""
            while not changed.is_exhausted:
                encoded += encoder.encode_block(changed.read_block())
        return list(msgspec.json.decode(encoded + encoder.encode_end()))


def test_rows_are_put_beside_each_other_by_keys_that_are_the_same() -> None:
    """Not by those that a collation takes for the same: their rows would come in any order, and meet the wrong one."""
    run, key = (Column(name, "TEXT", Family.TEXT, may_be_real=False, holds=Holds.TEXT) for name in ("run", "k"))
    described = ObjectDescription("o", "table", (run, key), row_key=(run, key))
    request = RowsRequest(compare=OLD)
    plan = plan_rows(request, described, run_key="run")
    comparison = plan_comparison(plan, request, new=frozenset({NEW}), old=frozenset({OLD}))
    assert render_select(comparison.read, SQLITE).text.endswith(' ORDER BY "k" COLLATE BINARY')


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    made = Pairs(tmp_path_factory.mktemp("pairs") / "pairs.sqlite")
    with closing(made.writer), closing(made.source):
        yield made


def differ(old: dict[Any, Row], new: dict[Any, Row]) -> list[Row]:
    """Compare two runs, by key, in plain Python; in the order of the keys."""
    found = []
    for key in sorted({*old, *new}, key=lambda key: (key[0].encode(), key[1])):
        if key not in old:
            found.append({"change": "added", **new[key], "old": None})
        elif key not in new:
            found.append({"change": "removed", **old[key], "old": None})
        else:
            before = {name: value for name, value in old[key].items() if value != new[key][name]}
            if before:
                found.append({"change": "changed", **new[key], "old": before})
    return found


@settings(max_examples=choose_examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs, runs, st.lists(comparisons, max_size=1), st.tuples(st.integers(0, 3), st.none() | st.integers(0, 9)))
def test_it_differs_as_plain_python_finds(
    pairs: Pairs, old: dict[Any, Any], new: dict[Any, Any], filters: list[Row], page: tuple[int, int | None]
) -> None:
    offset, limit = page
    # most rows of a run are those of the one before
    new = {**dict(list(old.items())[1:]), **new}
    pairs.fill(old, new)
    if not old or not new:
        with pytest.raises(InvalidParameter):
            pairs.compare({})
        return

    def keep(rows: dict[Any, Any]) -> dict[Any, Row]:
        named = {key: dict(zip(("k", "n", *COLUMNS), (*key, *row), strict=True)) for key, row in rows.items()}
        return {key: row for key, row in named.items() if all(matches(row, asked) for asked in filters)}

    expected = differ(keep(old), keep(new))[offset:][:limit]
    asked = {"filters": filters, "offset": offset, **({} if limit is None else {"limit": limit})}
    assert pairs.compare(asked) == expected


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("compared")
    path = folder / "hosts.sqlite"
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute(
            "CREATE TABLE hosts (JobRuntimeKey TEXT, Host TEXT, Cores INTEGER, Note TEXT, Load REAL, "
            "PRIMARY KEY (JobRuntimeKey, Host)) WITHOUT ROWID"
        )
        writer.executemany(
            "INSERT INTO hosts VALUES (?, ?, ?, ?, ?)",
            [
                (OLD, "a", 4, None, 0.5),
                (OLD, "b", 4, "x", 9e999),
                (OLD, "gone", 1, "", None),
                (OLD, "same", 1, None, None),
                (NEW, "a", 8, None, 0.5),
                (NEW, "b", 4, None, 1.0),
                (NEW, "new", 2, 'say "hi"', None),
                (NEW, "same", 1, None, None),
            ],
        )
        writer.execute("CREATE VIEW shown AS SELECT * FROM hosts")
        writer.execute("CREATE VIEW keyless AS SELECT * FROM hosts")
        writer.execute("CREATE TABLE rowids (JobRuntimeKey TEXT, a INTEGER)")
        writer.execute("CREATE TABLE plain (a INTEGER PRIMARY KEY)")
        writer.execute(
            'CREATE TABLE taken (JobRuntimeKey TEXT, id INTEGER, Change TEXT, "old" TEXT, '
            "PRIMARY KEY (JobRuntimeKey, id)) WITHOUT ROWID"
        )
        writer.executemany("INSERT INTO taken VALUES (?, 1, ?, 'o')", [(OLD, "a"), (NEW, "b")])
        writer.execute("CREATE TABLE many (JobRuntimeKey TEXT, Id INTEGER, n INTEGER, PRIMARY KEY (JobRuntimeKey, Id))")
        writer.execute(
            "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 9999) INSERT INTO many "
            "SELECT ?, n, CASE n % 2500 WHEN 0 THEN n END FROM c",
            (OLD,),
        )
        writer.execute(
            "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 9999) INSERT INTO many "
            "SELECT ?, n, NULL FROM c",
            (NEW,),
        )
        writer.execute(
            "CREATE TABLE declared (Host TEXT, n INT, JobRuntimeKey TEXT, PRIMARY KEY (JobRuntimeKey, Host))"
        )
        declared = [("a", 1, OLD), ("b", 2, OLD), ("b", 3, NEW), ("c", 4, NEW), ("d", 5, NEW), ("d", 5, OLD)]
        writer.executemany("INSERT INTO declared VALUES (?, ?, ?)", declared)
        writer.execute("CREATE TABLE nulls (JobRuntimeKey TEXT, Host TEXT, n INT, PRIMARY KEY (JobRuntimeKey, Host))")
        writer.executemany("INSERT INTO nulls VALUES (?, NULL, ?)", [(OLD, 1), (OLD, 2), (NEW, 3)])
        writer.execute("CREATE VIEW twice AS SELECT * FROM hosts")
    host, number = ("JobRuntimeKey", "Host"), ("JobRuntimeKey", "Id")
    named: dict[str, tuple[str, ...]] = {"shown": host, "twice": host, "many": number}
    with open_reader(path, folder / "home", keys=named) as reader:
        yield reader


CHANGES = [
    {"change": "changed", "Host": "a", "Cores": 8, "Note": None, "Load": 0.5, "old": {"Cores": 4}},
    {"change": "changed", "Host": "b", "Cores": 4, "Note": None, "Load": 1.0, "old": {"Note": "x", "Load": "Infinity"}},
    {"change": "removed", "Host": "gone", "Cores": 1, "Note": "", "Load": None, "old": None},
    {"change": "added", "Host": "new", "Cores": 2, "Note": 'say "hi"', "Load": None, "old": None},
]


@pytest.mark.parametrize("name", ["hosts", "shown"])
def test_added_removed_and_changed_rows_are_told_by_the_key(hosts: Reader, name: str) -> None:
    asked = {"jobRuntimeKey": NEW, "compare": OLD}
    assert hosts.rows(name, asked) == CHANGES
    assert hosts.get(name, to_query(asked)).json() == CHANGES


def test_a_declared_key_serves_though_sqlite_tells_rows_apart_by_a_number(hosts: Reader) -> None:
    assert hosts.rows("declared", {"compare": OLD}) == [
        {"change": "removed", "Host": "a", "n": 1, "old": None},
        {"change": "changed", "Host": "b", "n": 3, "old": {"n": 2}},
        {"change": "added", "Host": "c", "n": 4, "old": None},
    ]
    assert refusal(hosts.post("nulls", {"compare": OLD}))[0] == "compare", "it may hold NULL, more than once"


def test_the_newest_run_is_compared_unless_another_is_named(hosts: Reader) -> None:
    assert hosts.rows("hosts", {"compare": OLD.replace("T", " ")}) == CHANGES
    back = hosts.rows("hosts", {"jobRuntimeKey": OLD, "compare": NEW})
    assert [(row["change"], row["Host"]) for row in back] == [
        ("changed", "a"),
        ("changed", "b"),
        ("added", "gone"),
        ("removed", "new"),
    ]


def test_only_the_columns_asked_for_are_compared(hosts: Reader) -> None:
    """The key always comes, and first; what is left out is no difference."""
    found = hosts.rows("hosts", {"compare": OLD, "columns": ["cores", "JobRuntimeKey"]})
    assert found[0] == {"change": "changed", "Host": "a", "Cores": 8, "old": {"Cores": 4}}
    assert [row["Host"] for row in found] == ["a", "gone", "new"]
    assert [row["Host"] for row in hosts.rows("hosts", {"compare": OLD, "columns": ["Host"]})] == ["gone", "new"]


def test_filters_hold_for_both_runs(hosts: Reader) -> None:
    filters = [{"column": "Cores", "function": "equals", "value": 4}]
    found = hosts.rows("hosts", {"compare": OLD, "filters": filters})
    assert [(row["change"], row["Host"]) for row in found] == [("removed", "a"), ("changed", "b")]


def test_every_format_holds_the_same(hosts: Reader) -> None:
    old = [None if change["old"] is None else json.dumps(change["old"], separators=(",", ":")) for change in CHANGES]
    lines = hosts.post("hosts", {"compare": OLD, "format": "ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == CHANGES
    csv = hosts.post("hosts", {"compare": OLD, "format": "csv"}).text.splitlines()
    assert csv[:2] == ['"change","Host","Cores","Note","Load","old"', '"changed","a",8,,0.5,"{""Cores"":4}"']
    table = pa.ipc.open_stream(hosts.post("hosts", {"compare": OLD, "format": "arrow"}).content).read_all()
    assert table.column("change").to_pylist() == [change["change"] for change in CHANGES]
    assert table.column("old").to_pylist() == old


def test_limit_and_offset_count_changes(hosts: Reader) -> None:
    assert hosts.rows("hosts", {"compare": OLD, "limit": 2, "offset": 1}) == CHANGES[1:3]
    assert hosts.rows("hosts", {"compare": OLD, "limit": 0}) == []


def test_few_changes_among_many_rows(hosts: Reader) -> None:
    """Blocks in which nothing differs are passed over, and a key may meet its other row in the next block."""
    found = hosts.rows("many", {"compare": OLD})
    assert found == [{"change": "changed", "Id": n, "n": None, "old": {"n": n}} for n in (0, 2500, 5000, 7500)]


def test_columns_of_the_names_of_the_answer_keep_theirs(hosts: Reader) -> None:
    assert hosts.rows("taken", {"compare": OLD}) == [
        {"change_": "changed", "id": 1, "Change": "b", "old": "o", "old_": {"Change": "a"}}
    ]


def test_an_object_whose_rows_cannot_be_found_again_says_what_helps(hosts: Reader) -> None:
    for name in ("rowids", "keyless"):
        answer = hosts.post(name, {"compare": OLD})
        assert refusal(answer)[0] == "compare"
        assert "rowgate object key" in answer.json()["error_description"]
    assert "run-key" in hosts.post("plain", {"compare": OLD}).json()["error_description"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"compare": "2020-01-01T00:00:00"}, "compare"),
        ({"compare": OLD, "jobRuntimeKey": "2020-01-01T00:00:00"}, "jobRuntimeKey"),
        ({"compare": OLD, "jobRuntimeKey": OLD}, "compare"),
        ({"compare": NEW}, "compare"),
        ({"compare": "all"}, "compare"),
        ({"compare": OLD, "jobRuntimeKey": "all"}, "jobRuntimeKey"),
        ({"compare": [OLD]}, "compare"),
        ({"compare": OLD, "groupby": ["Host"]}, "groupby"),
        ({"compare": OLD, "aggregates": ["count"]}, "aggregates"),
        ({"compare": OLD, "distinct": True}, "distinct"),
        ({"compare": OLD, "orderby": ["Host"]}, "orderby"),
        ({"compare": OLD, "cursor": ""}, "cursor"),
        ({"compare": OLD, "count": "exact"}, "count"),
        ({"compare": OLD, "columns": ["nothing"]}, "columns[0]"),
    ],
)
def test_what_cannot_be_compared_is_refused(hosts: Reader, body: Row, field: str) -> None:
    assert refusal(hosts.post("hosts", body))[0] == field


def test_a_key_that_does_not_tell_rows_apart_is_found_out(hosts: Reader) -> None:
    """A view may come to hold rows that were not there when its key was named."""
    with closing(sqlite3.connect(hosts.database)) as writer, writer:
        writer.execute("DROP VIEW twice")
        writer.execute("CREATE VIEW twice AS SELECT * FROM hosts UNION ALL SELECT * FROM hosts WHERE Host = 'new'")
    wait_until(lambda: hosts.post("twice", {"compare": OLD}).status_code == 400)
    assert refusal(hosts.post("twice", {"compare": OLD}))[0] == "compare"


def test_hidden_columns_are_neither_seen_nor_compared(hosts: Reader) -> None:
    credentials = register(hosts.server, "narrow", ("hosts",))

    def compare(*columns: str) -> httpx.Response:
        token = narrow(hosts.server, credentials, "hosts", *columns)
        return hosts.post("hosts", {"compare": OLD}, authorization=token)

    found = compare("JobRuntimeKey", "Host", "Note").json()
    assert found[0] == {"change": "changed", "Host": "b", "Note": None, "old": {"Note": "x"}}
    assert [row["Host"] for row in found] == ["b", "gone", "new"]
    for columns in (("Host", "Note"), ("JobRuntimeKey", "Note")):  # no run, or no key
        assert refusal(compare(*columns))[0] == "compare"


def test_it_is_on_record_with_both_runs(hosts: Reader) -> None:
    request_id = hosts.post("hosts", {"compare": OLD}).headers["x-request-id"]
    (opened,) = [e for e in hosts.server.events(kind="rows_opened") if e["request_id"] == request_id]
    assert opened["compared_with"] == [OLD]
    assert opened["filters"] == [["JobRuntimeKey", "equals", NEW, OLD]]
    assert opened["columns"] == ["Host", "Cores", "Note", "Load", "JobRuntimeKey"]
    ended = wait_until(lambda: [e for e in hosts.server.events(kind="rows_ended") if e["request_id"] == request_id])
    assert (ended[0]["rows"], ended[0]["outcome"]) == (len(CHANGES), "complete")


def test_a_blocked_object_is_not_compared(hosts: Reader) -> None:
    with administer(hosts.server.settings) as desks:
        desks.objects.block("shown", reason="")
    answer = wait_until(lambda: (r := hosts.post("shown", {"compare": OLD})).status_code == 401 and r)
    assert answer.json()["error"] == "insufficient_scope"
