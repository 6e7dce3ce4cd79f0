"""Runs over HTTP on every engine, whatever their keys are: listed, read, compared, by name and by alias."""

import json
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any
from urllib.parse import quote

import pytest

from engines.road_tables import LOOSE_KINDS, RUN_ROWS, WITHOUT_RUN, list_run_kinds
from engines.roads import Road
from rows.harness import Members, refusal, success
from support.laws import spread_examples

Held = Mapping[str, str | None]
NEWEST = RUN_ROWS[-1]
LOOSE = [f"loose_{kind}" for kind in LOOSE_KINDS]


def list_names(road: Road) -> Iterator[str]:
    """Give the tables of the kinds that this run is of, every other by its alias."""
    kinds = list(list_run_kinds("duckdb" if road.engine == "parquet" else road.engine))
    for place, kind in enumerate(spread_examples(kinds)):
        yield f"other run_{kind}" if place % 2 else f"run_{kind}"


def spell(key: Any) -> Any:
    """Give a key as a request may have it: a number of more than 64 bits is a text there."""
    return str(key) if isinstance(key, int) and abs(key) >= 2**63 else key


def list_keys(road: Road, name: str) -> list[Any]:
    """Give the run keys as they are told, from the first to the newest; each with as many rows as it has."""
    told = success(road.client.get(f"/api/v1/data/{quote(name)}/runs"))
    assert [run["rows"] for run in told] == [len(held) for held in reversed(RUN_ROWS)], name
    keys = [spell(run["run"]) for run in reversed(told)]
    assert len(set(keys)) == len(keys), (name, keys)
    return keys


def hold(rows: list[Members]) -> Held:
    """Give the rows of a run by their keys; none may come twice."""
    held = {row["k"]: None if row["v"] is None else str(row["v"]) for row in rows}
    assert len(held) == len(rows)
    return held


def test_every_run_that_is_listed_can_be_read(every_road: Road) -> None:
    """By the key as it was told, in a body and in an address; whoever says nothing gets the newest."""
    for name in (*list_names(every_road), *LOOSE):
        keys = list_keys(every_road, name)
        for key, held in zip(keys, RUN_ROWS, strict=True):
            rows = every_road.rows(name, {"jobRuntimeKey": key})
            assert (hold(rows), {spell(row["run"]) for row in rows}) == (held, {key}), (name, key)
            text = key if isinstance(key, str) else json.dumps(key)
            assert success(every_road.get(name, f"jobRuntimeKey={quote(text)}")) == rows, (name, key)
            found = every_road.rows(name, {"filters": [{"column": "run", "function": "equals", "value": key}]})
            assert hold(found) == held, (name, key)
        assert hold(every_road.rows(name)) == NEWEST, name
        assert hold(every_road.rows(name, {"filters": [{"column": "v", "function": "is_not_null"}]})) == {
            k: v for k, v in NEWEST.items() if v is not None
        }


def test_rows_of_no_run_are_read_with_all_and_with_no_run(every_road: Road) -> None:
    everything = sum(map(len, RUN_ROWS)) + len(WITHOUT_RUN)
    for name in LOOSE:
        rows = every_road.rows(name, {"jobRuntimeKey": "all"})
        assert len(rows) == everything, name
        assert hold([row for row in rows if row["run"] is None]) == WITHOUT_RUN, name
        assert hold(every_road.rows(name, {"filters": [{"column": "run", "function": "is_null"}]})) == WITHOUT_RUN


def compare(new: Held, old: Held) -> list[Members]:
    """Give what differs, in the order of the keys."""
    changes: list[Members] = []
    for k in sorted(new.keys() | old.keys()):
        if k not in old or k not in new:
            change, v = ("added", new[k]) if k in new else ("removed", old[k])
            changes.append({"change": change, "k": k, "v": _number(v), "old": None})
        elif new[k] != old[k]:
            changes.append({"change": "changed", "k": k, "v": _number(new[k]), "old": {"v": _number(old[k])}})
    return changes


def _number(value: str | None) -> int | None:
    return None if value is None else int(value)


def test_runs_are_compared_whatever_their_keys_are(every_road: Road) -> None:
    for name in list_names(every_road):
        runs = list(zip(list_keys(every_road, name), RUN_ROWS, strict=True))
        for (new, held), (old, before) in permutations(runs, 2):
            told = every_road.rows(name, {"jobRuntimeKey": new, "compare": old})
            assert told == compare(held, before), (name, new, old)
        assert every_road.rows(name, {"compare": runs[0][0]}) == compare(NEWEST, RUN_ROWS[0]), name
        assert refusal(every_road.post(name, {"compare": runs[-1][0]}))[0] == "compare", "the newest is itself"


@pytest.mark.parametrize("field", ["jobRuntimeKey", "compare"])
def test_a_run_that_is_not_there_is_empty_or_refused_by_name(every_road: Road, field: str) -> None:
    """No engine takes one key for another: neither the next number, nor a moment within a day."""
    absent = {"day": "2020-02-28", "moment": "2018-11-05T13:15:30.000002", "number": 6, "text": "A", "exact": 9.501}
    for kind, key in absent.items():
        answer = every_road.post(f"run_{kind}", {field: key})
        if field == "compare":
            assert refusal(answer)[0] == field, kind
        else:
            assert success(answer) == [], kind


@pytest.mark.parametrize("field", ["jobRuntimeKey", "compare"])
def test_what_is_no_key_of_a_run_is_refused_by_name(every_road: Road, field: str) -> None:
    for kind, wrong in {"day": "yesterday", "moment": "1 o'clock", "number": "' OR 1=1", "exact": "x"}.items():
        if every_road.engine == "sqlite" and kind in ("day", "moment"):
            continue  # SQLite stores what it is given
        for more in {}, {"dry_run": True}:
            assert refusal(every_road.post(f"run_{kind}", {field: wrong, **more}))[0] == field, kind
