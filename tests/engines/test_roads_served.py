"""What an engine is read by over HTTP, as on every other: runs, comparisons, previews, tags, large requests."""

from typing import Any

import pytest

from engines.road_tables import KEYS, NEW, OLD
from rows.harness import Reader, refusal

CHANGES: list[dict[str, Any]] = [
    {"change": "added", "host": "B", "cores": 3, "note": "other case", "old": None},
    {"change": "changed", "host": "a", "cores": 8, "note": "x", "old": {"cores": 4}},
    {"change": "changed", "host": "b", "cores": 4, "note": "y", "old": {"note": None}},
    {"change": "removed", "host": "gone", "cores": 1, "note": "", "old": None},
    {"change": "added", "host": "new", "cores": 2, "note": "é", "old": None},
]


def test_runs_are_listed_and_compared(roads: Reader) -> None:
    runs = roads.client.get("/api/v1/data/hosts/runs").json()
    assert [list(run.values()) for run in runs] == [[NEW, 4], [OLD, 3]]
    for body in ({"compare": OLD}, {"jobRuntimeKey": NEW, "compare": OLD}):
        assert roads.rows("hosts", body) == CHANGES
    back = roads.rows("hosts", {"jobRuntimeKey": OLD, "compare": NEW, "columns": ["cores"]})
    assert [(row["change"], row["host"]) for row in back] == [
        ("removed", "B"),
        ("changed", "a"),
        ("added", "gone"),
        ("removed", "new"),
    ]
    assert len(roads.rows("hosts", {"compare": OLD, "limit": 2, "offset": 1})) == 2
    assert refusal(roads.post("hosts", {"compare": NEW}))[0] == "compare"
    assert refusal(roads.post("hosts", {"compare": "2001-01-01T00:00:00"}))[0] == "compare"


def test_rows_are_found_again_whatever_their_keys_are(roads: Reader) -> None:
    """In the order of code points, each text is itself; values that are equal have not changed."""
    expected: dict[str, tuple[str, list[str] | None]] = {}
    for place, key in enumerate(KEYS):
        if place % 5 < 2:
            expected[key] = "removed" if place % 5 else "added", None
        elif place % 3 == 2:
            expected[key] = "changed", ["m", "t"]
    told = roads.rows("keyed", {"compare": OLD})
    found = [(row["k"], (row["change"], row["old"] and list(row["old"]))) for row in told]
    assert found == sorted(expected.items())


def test_the_list_of_runs_has_pages_counts_and_formats(roads: Reader) -> None:
    page = roads.client.get("/api/v1/data/hosts/runs?limit=1&offset=1&count=exact")
    assert [run["run"] for run in page.json()] == [OLD]
    assert page.headers["rowgate-count"] == "2"
    csv = roads.client.get("/api/v1/data/hosts/runs?limit=1&format=csv")
    assert csv.text == f'"run","rows"\r\n"{NEW}",4\r\n'


def test_a_comparison_holds_the_same_in_csv(roads: Reader) -> None:
    lines = roads.get("hosts", f"compare={OLD}&columns=cores&format=csv").text.splitlines()
    changes = roads.rows("hosts", {"compare": OLD, "columns": ["cores"]})
    assert len(changes) == 4
    assert [line.split(",")[:2] for line in lines[1:]] == [[f'"{c["change"]}"', f'"{c["host"]}"'] for c in changes]


def test_a_preview_tells_the_statement_and_the_plan_without_values(roads: Reader) -> None:
    body = {"filters": [{"column": "note", "function": "equals", "value": "a value of the request"}], "limit": 3}
    answer = roads.post("hosts", {**body, "dry_run": True, "count": "exact"})
    told = answer.json()
    assert [statement["purpose"] for statement in told["statements"]] == ["count", "rows"]
    assert all(statement["plan"] and statement["values"] for statement in told["statements"])
    assert "a value of the request" not in answer.text
    compared = roads.post("hosts", {"compare": OLD, "dry_run": True}).json()
    assert [statement["purpose"] for statement in compared["statements"]] == ["run", "run", "rows"]


def test_an_answer_has_no_tag_where_nobody_knows_whether_rows_have_changed(roads: Reader) -> None:
    answer = roads.get("hosts", "columns=host")
    assert "etag" not in answer.headers
    again = roads.get("hosts", "columns=host", **{"If-None-Match": "*"})
    assert (again.status_code, again.json()) == (200, answer.json())
    assert roads.get("hosts", "columns=host", **{"If-Match": "*"}).json() == answer.json()
    assert roads.get("hosts", "columns=host", **{"If-Match": '"seen before"'}).status_code == 412


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
def test_a_large_request_finds_its_rows(roads: Reader, name: str) -> None:
    body, hosts = LARGE[name]
    assert [row["host"] for row in roads.rows("hosts", {**body, "orderby": ["host"]})] == hosts
