"""Aggregates, with and without groups, against plain Python; and what may not be asked of them."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.holds import Holds
from rowgate.rows.model import Aggregation, Column, Family, ObjectDescription
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import build_request
from rows.cases import EVENTS, USERS
from rows.generated import Bench
from rows.harness import Reader, refusal, success
from rows.oracle import Row, aggregate
from rows.test_oracle import comparisons
from support.laws import choose_examples

small = st.integers(-50, 50)
halves = small.map(lambda number: number / 2)  # sums of these are exact, in whatever order they are added
names = st.none() | st.sampled_from(["a", "A", "b", "é", "É", ""])
tables = st.lists(st.tuples(names, st.none() | small, st.none() | halves), max_size=12)
computed = st.lists(
    st.builds(
        lambda function, column: {"function": function.value, "column": column},
        st.sampled_from([Aggregation.COUNT, Aggregation.COUNT_DISTINCT, Aggregation.MIN, Aggregation.MAX]),
        st.sampled_from("tir"),
    )
    | st.builds(
        lambda function, column: {"function": function.value, "column": column},
        st.sampled_from(list(Aggregation)),
        st.sampled_from("ir"),
    )
    | st.just({"function": "count"}),
    min_size=1,
    max_size=4,
)


@settings(max_examples=choose_examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables, computed, st.lists(st.sampled_from("tir"), max_size=2, unique=True), st.lists(comparisons, max_size=1))
def test_engine_computes_what_plain_python_computes(
    bench: Bench, rows: list[tuple[Any, ...]], asked: list[Row], keys: list[str], filters: list[Row]
) -> None:
    stored = bench.fill(rows)
    if "ends_with" in str(filters):
        return
    named = [{**item, "as": f"result {place}"} for place, item in enumerate(asked)]
    body = {"aggregates": named, "groupby": keys, "filters": filters, "orderby": keys}
    expected = aggregate(stored, body)
    assert bench.read(body) == expected
    assert bench.count(body) == len(expected)


def test_results_have_names_and_can_be_sorted_by_them(sample: Reader) -> None:
    body = {
        "groupby": ["Department"],
        "aggregates": ["count", "max:UserId:newest"],
        "orderby": ["count desc", "department"],
    }
    expected = sample.sql(
        f"SELECT Department, count(*) AS count, max(UserId) AS newest FROM {USERS} GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    assert sample.rows(USERS, body) == expected
    query = "groupby=Department&aggregates=count,max:UserId:newest&orderby=count desc,Department"
    assert success(sample.get(USERS, query)) == expected
    assert sample.rows(USERS, {"aggregates": ["sum:userid"]}) == sample.sql(
        f"SELECT sum(UserId) AS sum_UserId FROM {USERS}"
    )


@pytest.mark.parametrize("form", ["ndjson", "csv", "arrow"])
def test_every_format_writes_them(sample: Reader, form: str) -> None:
    answer = sample.get(EVENTS, f"aggregates=count:*:n,max:DurationMs:most&format={form}")
    assert answer.status_code == 200
    [row] = sample.sql(f"SELECT count(*) AS n, max(DurationMs) AS most FROM {EVENTS}")
    if form == "ndjson":
        assert msgspec.json.decode(answer.content) == row
    elif form == "csv":
        assert answer.content == f'"n","most"\r\n{row["n"]},{row["most"]}\r\n'.encode()
    else:
        import pyarrow as pa  # noqa: PLC0415 - takes long to load

        assert pa.ipc.open_stream(answer.content).read_all().to_pylist() == [row]


WRONG = {
    "unknown-function": ({"aggregates": ["median:UserId"]}, "aggregates[0].function"),
    "no-column": ({"aggregates": ["sum"]}, "aggregates[0].column"),
    "unknown-column": ({"aggregates": ["sum:Nowhere"]}, "aggregates[0].column"),
    "text-cannot-be-added": ({"aggregates": ["sum:Department"]}, "aggregates[0].column"),
    "too-many-parts": ({"aggregates": ["sum:UserId:a:b"]}, "aggregates[0]"),
    "unknown-member": ({"aggregates": [{"function": "count", "alias": "n"}]}, "aggregates[0]"),
    "no-text": ({"aggregates": [7]}, "aggregates[0]"),
    "name-twice": ({"aggregates": ["count", "count:UserId:COUNT"]}, "aggregates[1]"),
    "name-of-a-key": ({"groupby": ["Department"], "aggregates": ["count:*:department"]}, "aggregates[0]"),
    "unprintable-name": ({"aggregates": ["count:*:a\tb"]}, "aggregates[0].as"),
    "columns-beside": ({"aggregates": ["count"], "columns": ["UserId"]}, "columns"),
    "distinct-beside": ({"aggregates": ["count"], "distinct": True}, "distinct"),
    "sorted-by-another-column": ({"aggregates": ["count"], "orderby": ["UserId"]}, "orderby[0]"),
    "cursor-beside": ({"aggregates": ["count"], "cursor": ""}, "aggregates"),
}


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_computed_is_refused_by_name(sample: Reader, body: Row, field: str) -> None:
    assert refusal(sample.post(USERS, body))[0] == field


TYPED = {
    "n": Column("n", "numeric(10,2)", Family.NUMBER, may_be_real=False, never_null=True, holds=Holds.DECIMAL),
    "b": Column("b", "boolean", Family.BOOLEAN, may_be_real=False, holds=Holds.BOOLEAN),
    "t": Column("t", "text", Family.TEXT, may_be_real=False, holds=Holds.TEXT),
}


@pytest.mark.parametrize(
    ("asked", "declared_type", "family"),
    [
        ("sum:n", "numeric(38,2)", Family.NUMBER),
        ("max:n", "numeric(10,2)", Family.NUMBER),
        ("avg:n", "REAL", Family.NUMBER),
        ("sum:b", "", Family.NUMBER),
        ("min:b", "boolean", Family.BOOLEAN),
        ("min:t", "text", Family.TEXT),
        ("count", "INTEGER", Family.NUMBER),
        ("count:t", "INTEGER", Family.NUMBER),
        ("count_distinct:n", "INTEGER", Family.NUMBER),
    ],
)
def test_results_have_types_that_hold_them(asked: str, declared_type: str, family: Family) -> None:
    """A least and a greatest value are as their column's are; of no rows there is neither."""
    described = ObjectDescription("o", "table", tuple(TYPED.values()))
    (planned,) = plan_rows(build_request({"aggregates": [asked]}), described, run_key="").aggregates
    found = planned.result
    assert (found.declared_type, found.family, found.never_null) == (declared_type, family, False)
    assert found.may_be_real == asked.startswith("avg")


def test_a_sum_beyond_64_bits_is_refused_and_an_average_is_not(bench: Bench) -> None:
    bench.fill([(None, 2**62, None)] * 3)
    with pytest.raises(InvalidParameter) as refused:
        bench.read({"aggregates": ["sum:i"]})
    assert (refused.value.field, refused.value.expected.partition(",")[0]) == ("aggregates", "avg")
    assert bench.read({"aggregates": ["avg:i:mean"]}) == [{"mean": float(2**62)}]


def test_text_in_a_column_without_a_type_is_no_number(sqlite_bench: Bench) -> None:
    bench = sqlite_bench
    bench.writer.execute(
        "CREATE VIEW IF NOT EXISTS untyped AS SELECT 1 AS v UNION ALL SELECT '7 of 9' UNION ALL SELECT 2.5"
    )
    described = bench.source.find_object("untyped")
    assert described is not None
    bench.name = "untyped"
    try:
        assert bench.read({"aggregates": ["sum:v", "avg:v", "count:v"]}) == [
            {"sum_v": 3.5, "avg_v": 1.75, "count_v": 3}
        ]
    finally:
        bench.name = "generated"


def test_distinct_rows_differ_in_what_is_asked_for(sample: Reader) -> None:
    body = {"columns": ["Department", "Enabled"], "distinct": True, "orderby": ["Department", "Enabled"]}
    assert sample.rows(USERS, body) == sample.sql(f"SELECT DISTINCT Department, Enabled FROM {USERS} ORDER BY 1, 2")
    query = "columns=Department,Enabled&distinct=true&orderby=Department,Enabled"
    assert success(sample.get(USERS, query)) == sample.rows(USERS, body)
    assert refusal(sample.post(USERS, {**body, "orderby": ["UserId"]}))[0] == "orderby[0]"
    assert refusal(sample.get(USERS, "distinct=yes"))[0] == "distinct"


def test_distinct_tells_case_apart_whatever_the_collation(sqlite_bench: Bench) -> None:
    bench = sqlite_bench
    bench.writer.execute("CREATE TABLE IF NOT EXISTS folded (v TEXT COLLATE NOCASE)")
    bench.writer.execute("DELETE FROM folded")
    for text in "aAa":
        bench.writer.execute("INSERT INTO folded VALUES (?)", (text,))
    bench.name = "folded"
    try:
        assert bench.read({"distinct": True, "orderby": ["v"]}) == [{"v": "A"}, {"v": "a"}]
        assert bench.read({"groupby": ["v"], "aggregates": ["count"], "orderby": ["v"]}) == [
            {"v": "A", "count": 1},
            {"v": "a", "count": 2},
        ]
        assert bench.read({"aggregates": ["count_distinct:v:n"]}) == [{"n": 2}]
    finally:
        bench.name = "generated"
