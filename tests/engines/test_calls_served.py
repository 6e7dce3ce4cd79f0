"""Calls over HTTP on every engine: hostile parameters are values, or refused by name, and nothing is ever written."""

import json
from typing import Any

import httpx
import pytest

from engines.roads import Road
from rows.harness import Members, refusal, success
from rows.test_injection import ATTACKS
from support.laws import spread_examples

WITHOUT_CALLS = ("trino", "clickhouse")  # that declare none here
ONE = [{"w": 1, "v": "x"}]


@pytest.fixture
def calls(every_road: Road) -> Road:
    if every_road.engine in WITHOUT_CALLS:
        pytest.skip("has no declared procedures")
    return every_road


def call(road: Road, parameters: Any, **more: Any) -> httpx.Response:
    body = json.dumps({"parameters": parameters, **more}).encode()
    return road.client.post("/api/v1/data/echo/proc", content=body)


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_values_are_what_they_were(calls: Road) -> None:
    given: Members = {"i": 2**63 - 1, "t": "Zoë 😀", "n": -0.5, "b": True, "d": "2020-02-29"}
    (row,) = success(call(calls, {**given, "l": [{"v": None, "w": -(2**63)}]}))
    assert (row["i"], row["t"], float(row["n"]), bool(row["b"]), row["d"]) == tuple(given.values())
    assert (row["w"], row["v"]) == (-(2**63), None)
    (row,) = success(call(calls, {"I": 1, "L": ONE}))
    assert list(row.values()) == [1, None, None, None, None, 1, "x"]
    assert success(call(calls, {"i": 1})) == []


def test_hostile_texts_are_values(calls: Road) -> None:
    """In a plain parameter and in a table's; where the engine's texts hold no NUL, such a one is refused by name."""
    whole = [attack for attack in ATTACKS if "\0" not in attack]
    table = [{"w": place, "v": attack} for place, attack in enumerate(whole)]
    for attack in spread_examples(whole):
        rows = success(call(calls, {"i": 1, "t": attack, "l": table}, orderby=["w"]))
        assert [row["v"] for row in rows] == whole
        assert {row["t"] for row in rows} == {attack}
    holding: dict[str, Members] = {"t": {"t": "a\0b", "l": ONE}, "l": {"l": [{"w": 1, "v": "a\0b"}]}}
    for field, parameters in holding.items():
        answer = call(calls, {"i": 1, **parameters})
        if answer.status_code == 200:
            assert success(answer)[0]["t" if field == "t" else "v"] == "a\0b"
        else:
            assert refusal(answer)[0].startswith(f"parameters.{field}")


def test_large_values_are_values(calls: Road) -> None:
    text = "é'" * 100_000
    (row,) = success(call(calls, {"i": 1, "t": text, "l": ONE}))
    assert row["t"] == text
    many = [{"w": n, "v": str(n)} for n in range(2000)]
    assert success(call(calls, {"i": 1, "l": many}, aggregates=["count", "sum:w"])) == [
        {"count": 2000, "sum_w": sum(range(2000))}
    ]


_UNFIT: dict[str, list[Any]] = {  # by parameter
    "i": [None, "1", "", 1.5, True, [1], {"a": 1}, 2**63, -(2**63) - 1],
    "t": [5, False, ["a"], {"a": "b"}, nest(31), nest(40)],
    "n": ["0.5", True, [1], "NaN"],
    "b": [1, 0, "true", []],
    "d": ["yesterday", "2018-13-01", "2018-02-30", 20180101, "", "'"],
    "l": ["x", 5, {"w": 1}, True, [{"q": 1}], [{"w": "1", "v": "a"}], [{"w": 1, "v": 2}], [5]],
}
REFUSED: list[tuple[Any, str]] = [
    *(({"i": 1, name: value}, f"parameters.{name}") for name, values in _UNFIT.items() for value in values),
    ([], "parameters"),
    ("x", "parameters"),
    (5, "parameters"),
    ({}, "parameters.i"),
    ({"t": "a"}, "parameters.i"),
    ({"i": 1, "I": 2}, "parameters.I"),
    *(({"i": 1, name: 1}, f"parameters.{name[:64]}") for name in ("x", "' OR 1=1 --", "i; DROP TABLE typed", "é\0")),
    ({"i": 1, "": 1}, "parameters"),
    ({"i": 1, "x" * 5000: 1}, "parameters." + "x" * 64),
]


def test_what_no_parameter_takes_is_refused_by_name(calls: Road) -> None:
    wrong = []
    for parameters, field in REFUSED:
        answer = call(calls, parameters)
        told = answer.json()
        if answer.status_code != 400 or not (told["field"] or "").startswith(field) or not told["expected"]:
            wrong.append((str(parameters)[:80], field, answer.status_code, answer.text[:200]))
    assert not wrong
    assert refusal(call(calls, {"i": 1, "l": ONE}, columns=["t; DROP TABLE typed"]))[0] == "columns[0]"
    assert refusal(call(calls, {"i": 1, "l": ONE}, orderby=["(SELECT 1)"]))[0].startswith("orderby")


NO_BODIES = {
    "lists": b"[" * 50_000,
    "objects": b'{"parameters": ' * 5000,
    "no text": b"\xff",
    "cut": b'{"parameters": {"i": 1',
    "words": b"nonsense",
}


@pytest.mark.parametrize("name", NO_BODIES)
def test_a_body_that_is_none_is_refused(calls: Road, name: str) -> None:
    assert calls.client.post("/api/v1/data/echo/proc", content=NO_BODIES[name]).status_code == 400


def test_nothing_is_written_by_any_call(calls: Road) -> None:
    before = calls.rows("hosts", {"jobRuntimeKey": "all", "orderby": ["run", "host"]})
    for attack in (
        "1; DELETE FROM hosts",
        "'); DROP TABLE hosts; --",
        "x', now()); INSERT INTO hosts VALUES ('",
        "$$;--",
    ):
        for parameters in {"t": attack}, {"l": [{"w": 1, "v": attack}]}, {attack: 1}, {"d": attack}:
            call(calls, {"i": 1, **parameters})
    assert calls.rows("hosts", {"jobRuntimeKey": "all", "orderby": ["run", "host"]}) == before
