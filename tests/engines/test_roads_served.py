"""Comparing runs, previews, tags and large requests over HTTP on the other engines, as on SQLite."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rowgate import wiring
from rowgate.config import load_settings
from rowgate.served_databases import DatabaseSettings
from rows.harness import Reader, read_from, refusal
from support.homes import administer
from support.mariadb import PASSWORD, MariadbServer
from support.postgres import PostgresServer

OLD, NEW = "2018-11-05T13:15:30", "2018-11-06T13:15:30"
MADE = (
    """CREATE TABLE hosts (run TIMESTAMP NOT NULL, host VARCHAR(20) NOT NULL, cores INTEGER, note VARCHAR(20),
    PRIMARY KEY (run, host))""",
    """INSERT INTO hosts VALUES ('2018-11-05 13:15:30', 'a', 4, 'x'), ('2018-11-05 13:15:30', 'b', 4, NULL),
    ('2018-11-05 13:15:30', 'gone', 1, ''), ('2018-11-06 13:15:30', 'a', 8, 'x'),
    ('2018-11-06 13:15:30', 'b', 4, 'y'), ('2018-11-06 13:15:30', 'new', 2, 'é'),
    ('2018-11-06 13:15:30', 'B', 3, 'other case')""",
)
KEYS = ["", " ", "A", "a", "a ", "a!", "b", "B", "é", "É", "ß", "ss", "z", "Z", "😀", "%", "_", "''", "10", "9", "ﬁ"]
KEYED = (
    """CREATE TABLE keyed (run TIMESTAMP NOT NULL, k VARCHAR(20) NOT NULL, m DECIMAL(10, 2), r DOUBLE PRECISION,
    t DATE, PRIMARY KEY (run, k))""",
    *(
        f"INSERT INTO keyed VALUES ('{run.replace('T', ' ')}', '{key}', {m}, {r}, {t})"
        for place, key in enumerate(KEYS)
        for run, (m, r, t) in {
            OLD: ("1.10", "0.1", "NULL"),
            NEW: [("1.10", "0.1", "NULL"), ("1.1", "1e-1", "NULL"), ("1.11", "0.1", "'2020-02-29'")][place % 3],
        }.items()
        if (place % 5, run) not in ((0, OLD), (1, NEW))
    ),
)
CHANGES: list[dict[str, Any]] = [
    {"change": "added", "host": "B", "cores": 3, "note": "other case", "old": None},
    {"change": "changed", "host": "a", "cores": 8, "note": "x", "old": {"cores": 4}},
    {"change": "changed", "host": "b", "cores": 4, "note": "y", "old": {"note": None}},
    {"change": "removed", "host": "gone", "cores": 1, "note": "", "old": None},
    {"change": "added", "host": "new", "cores": 2, "note": "é", "old": None},
]


@contextmanager
def serve(folder: Path, address: str) -> Iterator[Reader]:
    (folder / "password").write_text(PASSWORD)
    home = folder / "home"
    home.mkdir(mode=0o700)
    served = DatabaseSettings(address=address, password_file=str(folder / "password"))
    made = load_settings(home, {}, {"databases": (served,), "port": 0})
    wiring.create_home(made, "tests")
    with administer(made) as desks:
        for name in ("hosts", "keyed"):
            desks.objects.set_run_key(name, "run")
    with read_from(made, Path()) as reader:
        yield reader


@pytest.fixture(scope="module", params=["postgres", "duckdb", pytest.param("mariadb", marks=pytest.mark.engines)])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("roads")
    if request.param == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        name = postgres.create_database()
        with postgres.owner(name) as owner:
            for statement in (*MADE, *KEYED):
                owner.execute(statement.encode())
        address = postgres.address(name)
    elif request.param == "duckdb":
        with closing(duckdb.connect(str(folder / "served.duckdb"))) as writer:
            for statement in (*MADE, *KEYED):
                writer.execute(statement)
        address = f"duckdb:///{folder}/served.duckdb"
    else:
        server: MariadbServer = request.getfixturevalue("mariadb")
        name = server.create_database()
        binary = "SET collation_server = utf8mb4_nopad_bin", f"ALTER DATABASE {name} COLLATE utf8mb4_nopad_bin"
        server.execute(*binary, *MADE, *KEYED, database=name)
        address = server.address(name)
    with serve(folder, address) as served:
        yield served


def test_runs_are_listed_and_compared(reader: Reader) -> None:
    runs = reader.client.get("/api/v1/data/hosts/runs").json()
    assert [list(run.values()) for run in runs] == [[NEW, 4], [OLD, 3]]
    for body in ({"compare": OLD}, {"jobRuntimeKey": NEW, "compare": OLD}):
        assert reader.rows("hosts", body) == CHANGES
    back = reader.rows("hosts", {"jobRuntimeKey": OLD, "compare": NEW, "columns": ["cores"]})
    assert [(row["change"], row["host"]) for row in back] == [
        ("removed", "B"),
        ("changed", "a"),
        ("added", "gone"),
        ("removed", "new"),
    ]
    assert len(reader.rows("hosts", {"compare": OLD, "limit": 2, "offset": 1})) == 2
    assert refusal(reader.post("hosts", {"compare": NEW}))[0] == "compare"
    assert refusal(reader.post("hosts", {"compare": "2001-01-01T00:00:00"}))[0] == "compare"


def test_rows_are_found_again_whatever_their_keys_are(reader: Reader) -> None:
    """In the order of code points, each text is itself; values that are equal have not changed."""
    expected: dict[str, tuple[str, list[str] | None]] = {}
    for place, key in enumerate(KEYS):
        if place % 5 < 2:
            expected[key.replace("''", "'")] = "removed" if place % 5 else "added", None
        elif place % 3 == 2:
            expected[key.replace("''", "'")] = "changed", ["m", "t"]
    told = reader.rows("keyed", {"compare": OLD})
    found = [(row["k"], (row["change"], row["old"] and list(row["old"]))) for row in told]
    assert found == sorted(expected.items())


def test_the_list_of_runs_has_pages_counts_and_formats(reader: Reader) -> None:
    page = reader.client.get("/api/v1/data/hosts/runs?limit=1&offset=1&count=exact")
    assert [run["run"] for run in page.json()] == [OLD]
    assert page.headers["rowgate-count"] == "2"
    csv = reader.client.get("/api/v1/data/hosts/runs?limit=1&format=csv")
    assert csv.text == f'"run","rows"\r\n"{NEW}",4\r\n'


def test_a_comparison_holds_the_same_in_csv(reader: Reader) -> None:
    lines = reader.get("hosts", f"compare={OLD}&columns=cores&format=csv").text.splitlines()
    changes = reader.rows("hosts", {"compare": OLD, "columns": ["cores"]})
    assert len(changes) == 4
    assert [line.split(",")[:2] for line in lines[1:]] == [[f'"{c["change"]}"', f'"{c["host"]}"'] for c in changes]


def test_a_preview_tells_the_statement_and_the_plan_without_values(reader: Reader) -> None:
    body = {"filters": [{"column": "note", "function": "equals", "value": "a value of the request"}], "limit": 3}
    answer = reader.post("hosts", {**body, "dry_run": True, "count": "exact"})
    told = answer.json()
    assert [statement["purpose"] for statement in told["statements"]] == ["count", "rows"]
    assert all(statement["plan"] and statement["values"] for statement in told["statements"])
    assert "a value of the request" not in answer.text
    compared = reader.post("hosts", {"compare": OLD, "dry_run": True}).json()
    assert [statement["purpose"] for statement in compared["statements"]] == ["run", "run", "rows"]


def test_an_answer_has_no_tag_where_nobody_knows_whether_rows_have_changed(reader: Reader) -> None:
    answer = reader.get("hosts", "columns=host")
    assert "etag" not in answer.headers
    again = reader.get("hosts", "columns=host", if_none_match='"made-up"')
    assert (again.status_code, again.json()) == (200, answer.json())


def _note(function: str, value: Any, *, times: int = 1) -> dict[str, Any]:
    return {"filters": [{"column": "note", "function": function, "value": value}] * times}


def _nest(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"column": "cores", "function": "less", "value": 5}
    for _ in range(depth):
        inner = {"not": inner}
    return inner


# Allowed but large, down to the engine, with the hosts that it finds; what is refused before is in tests/rows.
LARGE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "value-1-mb": (_note("contains", "x" * 1_000_000), []),
    "value-1-mb-non-ascii": (_note("not_equals", "é" * 500_000), ["B", "a", "b", "new"]),
    "value-nul": (_note("equals", "a\0b"), []),
    "1000-alternatives": (_note("equals", ["x", *(f"x{n}" for n in range(999))]), ["a"]),
    "1000-non-ascii-alternatives": (_note("equals", ["É", *(f"é{n}" for n in range(999))]), ["new"]),
    "10-times-1000-alternatives": (_note("equals", ["É", *(f"é{n}" for n in range(999))], times=10), ["new"]),
    "100-filters": (_note("contains", "e", times=100), ["B"]),
    "nested-8-deep": ({"filters": [_nest(7)]}, ["a"]),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_request_finds_its_rows(reader: Reader, name: str) -> None:
    body, hosts = LARGE[name]
    assert [row["host"] for row in reader.rows("hosts", {**body, "orderby": ["host"]})] == hosts
