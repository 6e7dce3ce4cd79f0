"""What filters, orders, groups and aggregates mean is the same on every engine: held against Python's own answer."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engines.conftest import ENGINE_PARAMETERS
from engines.servings import ENGINES, Serving
from engines.test_contract import read_all
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select

TEXTS = [
    "Anna",
    "anna",
    "ANNA",
    "anna ",
    "Änna",
    "änna",
    "anne",
    "straße",
    "STRASSE",
    "strasse",
    "100%",
    "100_",
    "1000",
    "a\\b",
    "o'hara",
    'say "x"',
    "`tick`",
    "\u212aelvin",  # the Kelvin sign is no k
    "kelvin",
    "İstanbul",
    "istanbul",
    "Σίσυφος",
    "σίσυφος",
    "山田",
    "😀 smile",
    "",
    "zz",
    None,
]
INTEGERS = [0, 1, -1, 7, 42, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), None]
DECIMALS = ["0.100", "0.101", "10.500", "-3.250", "100000000.125", "0.000", None]
REALS = [0.1, 0.5, -2.25, 1e300, 1e-300, 3.0, 0.30000000000000004, None]
DATES = ["2018-11-05", "2018-11-06", "2020-02-29", None]
MOMENTS = ["2018-11-05T13:15:30", "2018-11-05T13:15:30.5", "2018-11-05T00:00:00", "2019-01-01T00:00:00.000001", None]
COUNT = len(TEXTS)


def pick(values: list[Any], place: int) -> Any:
    return values[place % len(values)]


@dataclass(frozen=True)
class Row:
    n: int
    t: str | None
    i: int | None
    d: str | None
    r: float | None
    day: str | None
    m: str | None


ROWS = [
    Row(n, TEXTS[n], pick(INTEGERS, n), pick(DECIMALS, n), pick(REALS, n), pick(DATES, n), pick(MOMENTS, n))
    for n in range(COUNT)
]


def quote(value: Any) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


@pytest.fixture(scope="module", params=ENGINE_PARAMETERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder: Path = tmp_path_factory.mktemp(f"conformance-{request.param}")
    with ExitStack() as stack:
        serving = stack.enter_context(ENGINES[request.param](request, folder))
        moment = "DATETIME(6)" if request.param in ("mariadb", "mysql") else "TIMESTAMP"
        values = ", ".join(
            f"({row.n}, {quote(row.t)}, {quote(row.i)}, {row.d or 'NULL'}, "
            f"{quote(row.r)}, {quote(row.day)}, {quote(row.m)})"
            for row in ROWS
        )
        serving.execute(
            "CREATE TABLE facts (n INTEGER PRIMARY KEY, t VARCHAR(100), i BIGINT, d DECIMAL(12, 3), "
            f'r DOUBLE PRECISION, "Day" DATE, m {moment}, "per%cent ""q"" `b`" INTEGER)',
            f'INSERT INTO facts (n, t, i, d, r, "Day", m) VALUES {values}',
        )
        yield serving


def ask(serving: Serving, **body: Any) -> list[tuple[Any, ...]]:
    described = serving.source.find_object("facts")
    assert described is not None
    plan = plan_rows(parse_rows_body(json.dumps(body).encode()), described, run_key="")
    return read_all(serving.source.open_rows(render_select(plan, serving.source.dialect), statement_seconds=20))


def matching(serving: Serving, *filters: Any) -> list[int]:
    return [row[0] for row in ask(serving, columns=["n"], filters=list(filters), orderby=["n"])]


Compare = Callable[[Any, Any], bool]
SUBSTRINGS: dict[str, Compare] = {
    "contains": lambda stored, value: value in stored,
    "starts_with": lambda stored, value: stored.startswith(value),
    "ends_with": lambda stored, value: stored.endswith(value),
}
COMPARISONS: dict[str, Compare] = {
    "equals": lambda stored, value: stored == value,
    "not_equals": lambda stored, value: stored != value,
    "greater": lambda stored, value: stored > value,
    "greater_equal": lambda stored, value: stored >= value,
    "less": lambda stored, value: stored < value,
    "less_equal": lambda stored, value: stored <= value,
}
ASKED_TEXTS = [
    "anna",
    "ANNA",
    "änna",
    "ÄNN",
    "ann",
    "na",
    "ß",
    "ss",
    "%",
    "_",
    "\\",
    "'",
    '"',
    "`",
    "k",
    "i",
    "σ",  # noqa: RUF001 - a sigma
    "山",
    "😀",
    " ",
    "zzz",
]


@pytest.mark.parametrize("match_case", [False, True])
@pytest.mark.parametrize("function", [*COMPARISONS, *SUBSTRINGS])
def test_text_compares_by_code_point_and_ignores_case_in_one_way(
    served: Serving, function: str, *, match_case: bool
) -> None:
    compare = {**COMPARISONS, **SUBSTRINGS}[function]
    prepare = (lambda text: text) if match_case else fold
    for value in ASKED_TEXTS:
        found = matching(served, {"column": "t", "function": function, "value": value, "matchCase": match_case})
        expected = [row.n for row in ROWS if row.t is not None and compare(prepare(row.t), prepare(value))]
        assert found == expected, (function, value, match_case)


def test_one_of_several_texts(served: Serving) -> None:
    wanted = ["ANNA", "Straße", "zz", "nobody"]
    folded = {fold(text) for text in wanted}
    found = matching(served, {"column": "t", "function": "equals", "value": wanted})
    assert found == [row.n for row in ROWS if row.t is not None and fold(row.t) in folded]
    others = matching(served, {"column": "t", "function": "not_equals", "value": wanted})
    assert others == [row.n for row in ROWS if row.t is not None and fold(row.t) not in folded]


@pytest.mark.parametrize("function", COMPARISONS)
def test_whole_numbers_compare_with_all_64_bits(served: Serving, function: str) -> None:
    for value in (0, 42, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 41.5):
        found = matching(served, {"column": "i", "function": function, "value": value})
        assert found == [row.n for row in ROWS if row.i is not None and COMPARISONS[function](row.i, value)], value


@pytest.mark.parametrize("function", COMPARISONS)
def test_decimals_and_floats_compare_as_they_are_written(served: Serving, function: str) -> None:
    for value in (0.1, 0.1015, 10.5, -3.25, 100000000.125, 0):
        asked = Decimal(str(value))
        found = matching(served, {"column": "d", "function": function, "value": value})
        assert found == [row.n for row in ROWS if row.d is not None and COMPARISONS[function](Decimal(row.d), asked)], (
            value
        )
        found = matching(served, {"column": "r", "function": function, "value": value})
        assert found == [row.n for row in ROWS if row.r is not None and COMPARISONS[function](row.r, value)], value


def test_dates_and_moments_compare_by_time(served: Serving) -> None:
    for function, compare in COMPARISONS.items():
        day = matching(served, {"column": "Day", "function": function, "value": "2018-11-06"})
        assert day == [row.n for row in ROWS if row.day is not None and compare(row.day, "2018-11-06")], function
        moment = "2018-11-05T13:15:30"
        found = matching(served, {"column": "m", "function": function, "value": moment})
        assert found == [row.n for row in ROWS if row.m is not None and compare(row.m, moment)], function


def test_values_come_back_as_they_were_stored(served: Serving) -> None:
    rows = ask(served, columns=["n", "t", "i", "r", "Day", "m"], orderby=["n"])
    assert rows == [(row.n, row.t, row.i, row.r, row.day, row.m) for row in ROWS]
    decimals = [
        None if value is None else Decimal(str(value)) for (value,) in ask(served, columns=["d"], orderby=["n"])
    ]
    assert decimals == [None if row.d is None else Decimal(row.d) for row in ROWS]


def sorted_by(key: str, *, descending: bool, nulls_first: bool) -> list[int]:
    held = sorted((row for row in ROWS if getattr(row, key) is not None), key=lambda row: (getattr(row, key), row.n))
    if descending:
        held.sort(key=lambda row: getattr(row, key), reverse=True)
    missing = [row for row in ROWS if getattr(row, key) is None]
    return [row.n for row in ((*missing, *held) if nulls_first else (*held, *missing))]


@pytest.mark.parametrize("key", ["t", "i", "r", "m"])
@pytest.mark.parametrize("nulls", ["", "nulls first", "nulls last"])
@pytest.mark.parametrize("descending", [False, True])
def test_order_and_the_place_of_null(served: Serving, key: str, nulls: str, *, descending: bool) -> None:
    asked = f"{key} {'desc' if descending else 'asc'} {nulls}".strip()
    found = [row[0] for row in ask(served, columns=["n"], orderby=[asked, "n"])]
    nulls_first = nulls == "nulls first" or (not nulls and not descending)
    assert found == sorted_by(key, descending=descending, nulls_first=nulls_first)


def test_pages_hold_every_row_once(served: Serving) -> None:
    found = []
    for offset in range(0, COUNT + 5, 5):
        found += [row[0] for row in ask(served, columns=["n"], orderby=["t desc", "n"], limit=5, offset=offset)]
    assert sorted(found) == list(range(COUNT))
    assert [row[0] for row in ask(served, columns=["n"], orderby=["n"], offset=COUNT - 2)] == [COUNT - 2, COUNT - 1]


def test_groups_and_distinct_keep_different_texts_apart(served: Serving) -> None:
    counted = ask(served, groupby=["t"], aggregates=[{"function": "count"}])
    assert sorted(str(row[0]) for row in counted) == sorted(map(str, TEXTS))
    assert {row[1] for row in counted} == {1}
    assert sorted(str(row[0]) for row in ask(served, columns=["t"], distinct=True)) == sorted(map(str, TEXTS))


def test_aggregates(served: Serving) -> None:
    small = {"column": "n", "function": "less", "value": 6}
    ((count, distinct, total, mean, least, greatest),) = ask(
        served,
        filters=[small],
        aggregates=[
            {"function": "count"},
            {"function": "count_distinct", "column": "t"},
            {"function": "sum", "column": "n"},
            {"function": "avg", "column": "n"},
            {"function": "min", "column": "t"},
            {"function": "max", "column": "m"},
        ],
    )
    assert (count, distinct, total, mean) == (6, 6, 15, 2.5)
    assert least == min(row.t for row in ROWS[:6] if row.t is not None)
    assert greatest == max(row.m for row in ROWS[:6] if row.m is not None)


def test_count_is_of_the_rows_that_match(served: Serving) -> None:
    described = served.source.find_object("facts")
    assert described is not None
    body = {"filters": [{"column": "t", "function": "contains", "value": "A"}], "count": "exact"}
    plan = plan_rows(parse_rows_body(json.dumps(body).encode()), described, run_key="")
    statement = render_count(plan, served.source.dialect)
    ((count,),) = read_all(served.source.open_rows(statement, statement_seconds=20))
    assert count == len([row for row in ROWS if row.t is not None and "a" in fold(row.t)])


@pytest.mark.parametrize("name", ['per%cent "q" `b`'])
def test_hostile_names_are_quoted(served: Serving, name: str) -> None:
    assert ask(served, columns=[name], limit=1) == [(None,)]
    assert matching(served, {"column": name, "function": "equals", "value": 1}) == []


@pytest.mark.parametrize(
    "value",
    [
        "'",
        "\\",
        "' OR '1'='1",
        "\\' OR 1=1 -- ",
        "%s",
        "%(x)s",
        "?",
        "$1",
        ":1",
        "\0",
        "x\0y",
        "`",
        "\u2019",
        "1; DROP TABLE facts",
    ],
)
def test_hostile_values_are_values(served: Serving, value: str) -> None:
    for function in ("equals", "contains", "starts_with"):
        for match_case in (False, True):
            found = matching(served, {"column": "t", "function": function, "value": value, "matchCase": match_case})
            compare = {**COMPARISONS, **SUBSTRINGS}[function]
            assert found == [row.n for row in ROWS if row.t is not None and compare(row.t, value)]


def test_what_is_no_moment_is_refused_before_it_is_asked(served: Serving, request: pytest.FixtureRequest) -> None:
    if "sqlite" in request.node.name:
        pytest.skip("SQLite stores what it is given")
    with pytest.raises(InvalidParameter):
        ask(served, filters=[{"column": "m", "function": "equals", "value": "yesterday"}])
