"""What a cursor is good for, over HTTP on every engine: its application, its object and its query, as it is."""

from typing import Any

import httpx
import pytest

from engines.road_tables import NEW, OLD, TYPED_ROWS
from engines.roads import Road
from engines.test_policies_served import TYPED, sign_in
from rowgate.service.admin.grants import GrantChange
from rows.harness import Members, refusal, success
from support.homes import administer
from support.laws import spread_examples
from support.servers import within_a_second

QUERY: Members = {
    "filters": [{"column": "i", "function": "greater", "value": 0}],
    "orderby": ["r desc"],
    "limit": 5,
}
IDS = [
    row.id for row in sorted(TYPED_ROWS, key=lambda row: (row.r is None, -(row.r or 0), -row.id)) if (row.i or 0) > 0
]
OTHERS: dict[str, Members] = {
    "value": {"filters": [{**QUERY["filters"][0], "value": 1}]},
    "function": {"filters": [{**QUERY["filters"][0], "function": "greater_equal"}]},
    "column": {"filters": [{**QUERY["filters"][0], "column": "id"}]},
    "none": {"filters": []},
    "more": {"filters": [*QUERY["filters"], {"column": "t", "function": "is_not_null"}]},
    "direction": {"orderby": ["r"]},
    "nulls": {"orderby": ["r desc nulls first"]},
    "order": {"orderby": ["d desc"]},
    "further": {"orderby": ["r desc", "t"]},
    "unordered": {"orderby": []},
}
IS_TRUE, IS_FALSE = (f'[{{"column": "b", "function": "equals", "value": {value}}}]' for value in ("true", "false"))


def take_cursor(answer: httpx.Response) -> str:
    assert success(answer)
    return answer.headers["rowgate-next-cursor"]


def ask(client: httpx.Client, body: Members) -> httpx.Response:
    return client.post(TYPED, json=body)


def is_refused(answer: httpx.Response) -> bool:
    """Tell whether it is a 400 that names the cursor, and says what would be right."""
    return refusal(answer)[0] == "cursor"


def test_a_cursor_goes_on_where_its_page_ended_whatever_is_shown(every_road: Road) -> None:
    """In other columns, another format and pages of another size it is the same place."""
    first = every_road.post("typed", {**QUERY, "cursor": ""})
    assert [row["id"] for row in success(first)] == IDS[:5]
    going_on = {**QUERY, "cursor": take_cursor(first)}
    assert [row["id"] for row in every_road.rows("typed", going_on)] == IDS[5:10]
    assert every_road.rows("typed", {**going_on, "columns": ["id"], "limit": 2}) == [{"id": n} for n in IDS[5:7]]
    lines = every_road.post("typed", {**going_on, "columns": ["id"], "format": "csv"}).text.split()
    assert lines == ['"id"', *map(str, IDS[5:10])]


def test_a_cursor_of_another_query_is_refused(every_road: Road) -> None:
    cursor = take_cursor(every_road.post("typed", {**QUERY, "cursor": ""}))
    for name, other in OTHERS.items():
        assert is_refused(every_road.post("typed", {**QUERY, **other, "cursor": cursor})), name
    for stands_against in {"offset": 1}, {"distinct": True}, {"aggregates": ["count"]}, {"groupby": ["b"]}:
        answer = every_road.post("typed", {**QUERY, "orderby": [], **stands_against, "cursor": cursor})
        assert refusal(answer)[0] in stands_against


def test_a_cursor_is_of_one_object_by_all_its_names_and_of_one_run(every_road: Road) -> None:
    """The newest run that it began in stays its own; another is another query."""
    cursor = take_cursor(every_road.post("hosts", {"cursor": "", "limit": 2}))
    assert len(every_road.rows("other hosts", {"cursor": cursor, "limit": 2})) == 2
    for name in ("run_moment", "keyed", "typed"):
        assert is_refused(every_road.post(name, {"cursor": cursor, "limit": 2})), name
    for run in (OLD, NEW, "all"):
        assert is_refused(every_road.post("hosts", {"cursor": cursor, "jobRuntimeKey": run})), run


def test_a_cursor_that_was_cut_or_altered_is_refused(every_road: Road) -> None:
    cursor = take_cursor(every_road.post("typed", {**QUERY, "cursor": ""}))
    cut = [cursor[:size] for size in range(1, len(cursor))]
    altered = [f"{cursor[:n]}{'B' if cursor[n] == 'A' else 'A'}{cursor[n + 1 :]}" for n in range(len(cursor))]
    others = [cursor * 2, f"{cursor}=", f" {cursor}", cursor[::-1], "é", "'; DROP TABLE typed --", "A" * 9000]
    for wrong in (*spread_examples(cut)[::4], *spread_examples(altered)[::4], *others):
        assert is_refused(every_road.post("typed", {**QUERY, "cursor": wrong})), wrong
    for unfit in (5, True, [cursor], {"a": cursor}):
        assert is_refused(every_road.post("typed", {**QUERY, "cursor": unfit})), unfit


def test_a_cursor_of_another_application_or_rule_is_refused(every_road: Road) -> None:
    """Of the same query; and what was good before the rule changed is so no more."""
    theirs = take_cursor(every_road.post("typed", {**QUERY, "cursor": ""}))
    with sign_in(every_road, "cursors", GrantChange(rows=IS_TRUE)) as client:
        assert is_refused(ask(client, {**QUERY, "cursor": theirs}))
        first = ask(client, {**QUERY, "cursor": ""})
        going_on: dict[str, Any] = {**QUERY, "cursor": take_cursor(first)}
        assert is_refused(every_road.post("typed", going_on))
        seen = [row["id"] for row in (*success(first), *success(ask(client, going_on)))]
        assert seen == [n for n in IDS if TYPED_ROWS[n].b][:10]
        with administer(every_road.server.settings) as desks:
            desks.grants.grant("cursors", ["typed"], GrantChange(rows=IS_FALSE))
        within_a_second(lambda: ask(client, going_on).status_code == 400)
        assert is_refused(ask(client, going_on))
        with administer(every_road.server.settings) as desks:
            desks.applications.ungrant("cursors", ["typed"])
        within_a_second(lambda: ask(client, going_on).status_code == 401)
        assert "insufficient_scope" in ask(client, going_on).headers["www-authenticate"]


@pytest.mark.parametrize("size", [0, -1, 10_001, "x"])
def test_a_page_of_another_size_is_refused_by_name(every_road: Road, size: Any) -> None:
    assert refusal(every_road.post("typed", {**QUERY, "cursor": "", "limit": size}))[0] == "limit"
