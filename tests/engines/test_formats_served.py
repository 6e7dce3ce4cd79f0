"""Every format holds the same rows and results on every engine, whichever way they take through it."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import astuple
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from engines.road_tables import TYPED_ROWS, Typed
from rows.harness import Reader
from rows.sheets import read_sheet

NAMES = list(Typed.__slots__)


def _as_lists(table: Any) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


READERS: dict[str, Callable[[httpx.Response], list[list[Any]]]] = {
    "json": lambda answer: [list(row.values()) for row in answer.json()],
    "ndjson": lambda answer: [list(json.loads(line).values()) for line in answer.text.splitlines()],
    "csv": lambda answer: list(csv.reader(io.StringIO(answer.text, newline="")))[1:],
    "arrow": lambda answer: _as_lists(pa.ipc.open_stream(answer.content).read_all()),
    "parquet": lambda answer: _as_lists(parquet.read_table(io.BytesIO(answer.content))),
    "xlsx": lambda answer: read_sheet(answer.content)[1:],
}


def plain(name: str, value: Any) -> Any:
    """Give a value as any format may have it: some have texts alone, some no booleans, sheets no empty text."""
    if value in (None, ""):
        return None
    match name.partition("_")[0]:
        case "d":
            return Decimal(str(value)).quantize(Decimal("0.01"))
        case "id" | "i" | "count":
            return int(value)
        case "r":
            return float(value)
        case "b":
            return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
        case _:
            return value


def read(roads: Reader, form: str, body: dict[str, Any], names: list[str]) -> list[list[Any]]:
    answer = roads.post("typed", {**body, "format": form})
    assert answer.status_code == 200, answer.text[:500]
    return [[plain(*pair) for pair in zip(names, row, strict=True)] for row in READERS[form](answer)]


@pytest.mark.parametrize("form", READERS)
def test_every_format_holds_every_row(roads: Reader, form: str) -> None:
    expected = [[plain(*pair) for pair in zip(NAMES, astuple(row), strict=True)] for row in TYPED_ROWS]
    assert read(roads, form, {"orderby": ["id"]}, NAMES) == expected
    few = {"orderby": ["id desc"], "limit": 3, "columns": ["t", "d", "id"]}
    assert read(roads, form, few, ["t", "d", "id"]) == [[row[7], row[2], row[0]] for row in expected[:-4:-1]]


def compute(column: str, function: Callable[[list[Any]], Any], rows: list[Typed]) -> Any:
    values = [getattr(row, column) for row in rows]
    held = [Decimal(value) if column == "d" else value for value in values if value is not None]
    return function(held) if held else None


FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "count": len,
    "avg": lambda values: sum(map(float, values)) / len(values),
}
ASKED = {
    **{f"{column}_{name}": (name, column) for column in ("id", "d", "r") for name in ("sum", "min", "max")},
    **{f"{column}_{name}": (name, column) for column in ("day", "m", "t") for name in ("min", "max")},
    "i_sum": ("sum", "i"),
    "i_of_b": ("sum", "b"),
    "r_avg": ("avg", "r"),
    "r_of_id": ("avg", "id"),
    "count_t": ("count", "t"),
}


@pytest.mark.parametrize("keys", [[], ["b"]])
@pytest.mark.parametrize("form", READERS)
def test_every_format_holds_what_is_computed(roads: Reader, form: str, keys: list[str]) -> None:
    """The result has a type of its own, which must hold it: a sum has more digits than what is added."""
    aggregates = [{"function": name, "column": column, "as": alias} for alias, (name, column) in ASKED.items()]
    body = {"aggregates": aggregates, "groupby": keys, "orderby": keys}
    groups = [None, False, True] if keys else [...]
    expected = []
    for group in groups:
        rows = [row for row in TYPED_ROWS if group is ... or row.b is group]
        results = [plain(alias, compute(column, FUNCTIONS[name], rows)) for alias, (name, column) in ASKED.items()]
        expected.append([*([group] if keys else []), *results])
    found = read(roads, form, body, [*keys, *ASKED])
    for told, wanted in zip(found, expected, strict=True):
        assert told == [pytest.approx(value) if isinstance(value, float) else value for value in wanted]
