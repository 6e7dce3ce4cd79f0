"""Groups (O-33, O-34): keys, then `groupItems`; whole whatever their number and size."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from rows.cases import DISKS, USERS
from rows.harness import Members, Reader, refusal, success, to_query


def ungroup(groups: Sequence[Members]) -> list[Members]:
    return [{**_keys(group), **item} for group in groups for item in group["groupItems"]]


def _keys(group: Members) -> Members:
    return {name: value for name, value in group.items() if name != "groupItems"}


CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "O-33-one-key": (USERS, {"groupby": ["Department"]}, f"SELECT Department, * FROM {USERS}"),
    "O-33-key-and-columns": (
        USERS,
        {"groupby": ["Department"], "columns": ["UserId", "Mail"]},
        f"SELECT Department, UserId, Mail FROM {USERS}",
    ),
    "O-34-key-in-columns-is-not-repeated": (
        USERS,
        {"groupby": ["Department"], "columns": ["UserId", "Department", "Mail"]},
        f"SELECT Department, UserId, Mail FROM {USERS}",
    ),
    "O-33-null-key": (
        USERS,
        {"groupby": ["ManagerName"], "columns": ["UserId"]},
        f"SELECT ManagerName, UserId FROM {USERS}",
    ),
    "O-33-two-keys": (
        USERS,
        {"groupby": ["Title", "Department"], "columns": ["UserId"]},
        f"SELECT Title, Department, UserId FROM {USERS}",
    ),
    "O-33-key-twice": (
        USERS,
        {"groupby": ["Title", "title"], "columns": ["UserId"]},
        f"SELECT Title, UserId FROM {USERS}",
    ),
    "O-45-key-spelling": (
        USERS,
        {"GroupBy": ["DEPARTMENT"], "columns": ["USERID"]},
        f"SELECT Department, UserId FROM {USERS}",
    ),
    "O-25-latest": (
        DISKS,
        {"groupby": ["HostName"], "columns": ["Volume"]},
        f"SELECT HostName, Volume FROM {DISKS} WHERE JobRunTimeKey = '2018-11-12T13:15:31'",
    ),
}


@pytest.mark.parametrize(("name", "body", "sql"), CASES.values(), ids=CASES.keys())
def test_groups_hold_every_row_once(sample: Reader, name: str, body: Members, sql: str) -> None:
    groups = sample.rows(name, body)
    assert success(sample.get(name, to_query(body))) == groups
    keys = [json.dumps(_keys(group)) for group in groups]
    assert len(keys) == len(set(keys)), "a group came in pieces"
    assert list(groups[0])[-1] == "groupItems"
    found, expected = ungroup(groups), sample.sql(sql)
    assert sorted(map(_sortable, found)) == sorted(map(_sortable, expected))
    assert set(found[0]) == set(expected[0])


def _sortable(row: Members) -> str:
    return json.dumps(row, sort_keys=True)


def test_groups_over_blocks_are_whole(odd: Reader) -> None:
    """Groups that end with a block, fill one, reach over three; 1,500 groups of one row; a NULL group of 1,000."""
    groups = odd.rows("spans", {"groupby": ["k"], "columns": ["n"], "orderby": ["n"]})
    sizes = {group["k"]: len(group["groupItems"]) for group in groups}
    assert len(groups) == len(sizes) == 4 + 1500
    assert {key: sizes[key] for key in (None, "a", "b", "c", "d4500")} == {
        None: 1000,
        "a": 1000,
        "b": 1000,
        "c": 2500,
        "d4500": 1,
    }
    assert groups[0]["k"] is None
    assert [row["n"] for row in ungroup(groups)] == [*range(6000, 7000), *range(6000)]


def test_lines_hold_one_group_each(odd: Reader) -> None:
    lines = odd.get("spans", "groupby=k,even&columns=n&orderby=n&format=ndjson").text.splitlines()
    groups = odd.rows("spans", {"groupby": ["k", "even"], "columns": ["n"], "orderby": ["n"]})
    assert [json.loads(line) for line in lines] == groups
    assert len(groups) == 2 * 4 + 1500


def test_limit_counts_rows_not_groups(odd: Reader) -> None:
    groups = odd.rows("spans", {"groupby": ["k"], "columns": ["n"], "orderby": ["n"], "limit": 1001})
    assert [(group["k"], len(group["groupItems"])) for group in groups] == [(None, 1000), ("a", 1)]


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        (["k desc", "n"], ["d4501", "d4500", "c", "b", "a", None]),
        (["n desc", "k"], [None, "a", "b", "c", "d4500", "d4501"]),
    ],
)
def test_orderby_orders_groups_by_their_key_and_items_inside(odd: Reader, order: list[str], keys: list[str]) -> None:
    filters = [{"column": "n", "function": "not_equals", "value": list(range(4502, 5502))}]
    filters += [{"column": "n", "function": "not_equals", "value": list(range(5502, 6000))}]
    groups = odd.rows("spans", {"groupby": ["k"], "columns": ["n"], "orderby": order, "filters": filters})
    assert [group["k"] for group in groups] == keys
    for group in groups:
        found = [item["n"] for item in group["groupItems"]]
        assert found == sorted(found, reverse=order[0] == "n desc")


def test_second_key_may_lead_the_order(odd: Reader) -> None:
    groups = odd.rows("spans", {"groupby": ["k", "even"], "columns": ["n"], "orderby": ["even desc"]})
    assert [group["even"] for group in groups] == sorted((group["even"] for group in groups), reverse=True)
    assert len(groups) == 2 * 4 + 1500


def test_column_that_ignores_case_gives_each_spelling_one_group(odd: Reader) -> None:
    """The column's own order leaves a, A and a mixed; groups are of equal values."""
    groups = odd.rows("folded", {"groupby": ["k"], "orderby": ["n"]})
    assert {group["k"]: [item["n"] for item in group["groupItems"]] for group in groups} == {
        None: [6, 8],
        "A": [1, 5],
        "a": [0, 4, 7],
        "É": [3],
        "é": [2],
    }
    assert len(groups) == 5


def test_numbers_texts_and_binary_data_are_different_keys(odd: Reader) -> None:
    groups = odd.rows("mixed", {"groupby": ["k"], "orderby": ["n"]})
    found = [(group["k"], [item["n"] for item in group["groupItems"]]) for group in groups]
    assert found == [(None, [3]), (1, [0, 1, 8]), (2.5, [5]), ("", [6]), ("1", [2]), ("", [7]), ("MQ==", [4])]


def test_only_keys_gives_empty_items(sample: Reader) -> None:
    groups = sample.rows(USERS, {"groupby": ["Department"], "columns": ["Department"]})
    assert {json.dumps(item) for group in groups for item in group["groupItems"]} == {"{}"}
    assert sum(len(group["groupItems"]) for group in groups) == 240


def test_no_rows_no_groups(sample: Reader) -> None:
    assert sample.rows(USERS, {"groupby": ["Department"], "limit": 0}) == []
    assert sample.get(USERS, "groupby=Department&limit=0&format=ndjson").text == ""


def test_unknown_key_is_refused(sample: Reader) -> None:
    assert refusal(sample.post(USERS, {"groupby": ["Departement"]}))[0] == "groupby[0]"


def test_every_real_carrier_is_one_group(flights: Reader) -> None:
    groups = flights.rows("flights", {"groupby": ["carrier"], "columns": ["flight"]})
    expected = flights.sql("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY carrier")
    assert [(g["carrier"], len(g["groupItems"])) for g in groups] == [(e["carrier"], e["n"]) for e in expected]
