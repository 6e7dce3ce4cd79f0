"""What a grant hides is not there, whatever is asked: against plain Python, and against a database without it."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rowgate.rows.encode import open_encoder
from rowgate.rows.errors import InvalidParameter, UnusablePolicy
from rowgate.rows.masks import Mask
from rowgate.rows.model import AnyCondition, Condition, Format, Plan, RequestedCondition, RequestedFilter, RowsRequest
from rowgate.rows.plan import plan_rows
from rowgate.rows.policy import MissingAttribute, RowsPolicy, list_attributes, parse_rule, read_policy
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select
from rows.generated import Bench
from rows.oracle import Row, aggregate, matches, read
from rows.test_oracle import filters, orders, tables
from support.laws import choose_examples

NAMES = ("n", "t", "i", "r")
KEY = b"k" * 32
law = settings(
    max_examples=choose_examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

masks = st.dictionaries(st.sampled_from("tir"), st.sampled_from(Mask), max_size=2)
rules = st.lists(filters, max_size=2)
INDEXES = ("t, i", "i, t", "r, t", "i, r, t")
shown = st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1)
some = st.lists(st.sampled_from([*NAMES, "T", "zz"]), max_size=2)
requests = st.fixed_dictionaries(
    {},
    optional={
        "filters": st.lists(filters, max_size=2),
        "columns": some,
        "orderby": st.lists(orders, max_size=2),
        "groupby": some,
        "distinct": st.booleans(),
        "limit": st.integers(0, 5),
        "aggregates": st.lists(
            st.sampled_from(
                [
                    {"function": "count", "as": "a"},
                    {"function": "count_distinct", "column": "i", "as": "b"},
                    {"function": "max", "column": "t", "as": "c"},
                    {"function": "min", "column": "r", "as": "d"},
                ]
            ),
            max_size=2,
            unique_by=lambda item: item["as"],
        ),
    },
)


def test_a_rule_with_a_member_twice_is_refused() -> None:
    """One of the two conditions would be dropped in silence."""
    with pytest.raises(InvalidParameter) as refused:
        parse_rule('{"not": {"column": "a", "function": "is_null"}, "not": {"column": "b", "function": "is_null"}}', {})
    assert refused.value.field == "not"


def make_policy(columns: frozenset[str] | None, masked: dict[str, Mask], rule: list[Row]) -> RowsPolicy:
    text = msgspec.json.encode(rule).decode() if rule else ""
    return read_policy(tuple(sorted(columns or ())), tuple(sorted(masked.items())), text, ())


def plan(bench: Bench, body: Row, policy: RowsPolicy) -> Plan:
    described = bench.source.find_object(bench.name)
    assert described is not None
    return plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="", policy=policy)


def answer(bench: Bench, body: Row, policy: RowsPolicy, form: Format = Format.JSON) -> tuple[object, ...]:
    """Give all that a reader learns: the bytes and the count, or the refusal whole."""
    try:
        planned = plan(bench, body, policy)
    except InvalidParameter as refusal:
        return refusal.field, refusal.description, refusal.expected
    encoder = open_encoder(planned, form, mask_key=KEY)
    blocks = bench.source.open_rows(render_select(planned, bench.source.dialect), statement_seconds=10)
    with closing(blocks):
        encoded = encoder.encode_block(blocks.read_block()) + encoder.encode_end()
    counting = bench.source.open_rows(render_count(planned, bench.source.dialect), statement_seconds=10)
    with closing(counting):
        return encoded, counting.read_block()


def mask_value(mask: Mask, value: Any) -> Any:
    """Give a masked value, made without the code that is tested."""
    if value is None or mask is Mask.NULL:
        return None
    text = str(int(value) if isinstance(value, float) and value == value // 1 else value)
    if mask is Mask.HASH:
        return hmac.new(KEY, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
    if mask is Mask.LAST_FOUR:
        text = str(value)
        return "****" + (text[-min(4, len(text) // 2) :] if len(text) > 1 else "")
    digits = isinstance(value, str) and value[:4].isascii() and value[:4].isdigit() and len(value[:4]) == 4
    return int(value[:4]) if digits and not value[4:5].isdecimal() else None


def in_sight(rows: list[Row], rule: list[Row]) -> list[Row]:
    return [row for row in rows if all(matches(row, item) for item in rule)]


@law
@example([(None, None, -0.0)], frozenset({"r"}), {}, [], [], 0)
@given(tables, shown, masks, rules, st.lists(filters, max_size=2), st.integers(0, 5))
def test_answer_is_that_of_plain_python_over_what_is_in_sight(  # noqa: PLR0917 - one per strategy
    bench: Bench,
    stored: list[tuple[Any, ...]],
    columns: frozenset[str] | None,
    masked: dict[str, Mask],
    rule: list[Row],
    asked: list[Row],
    limit: int,
) -> None:
    """The rule first, then the request; then columns are left out, and masks laid on."""
    if "ends_with" in str((rule, asked)) and any("\0" in str(row[0]) for row in stored):
        return  # docs/reference/types.md
    rows = in_sight(bench.fill(stored), rule)
    policy = make_policy(columns, masked, rule)
    bare = [name for name in NAMES if (columns is None or name in columns) and name not in masked]
    asked = [item for item in asked if names_of(item) <= set(bare)]
    body: Row = {"filters": asked, **({"orderby": ["n"], "limit": limit} if "n" in bare else {})}
    found, counted = answer(bench, body, policy)
    expected = [
        {name: mask_value(masked[name], row[name]) if name in masked else row[name] for name in NAMES if name in row}
        for row in read(rows, body)
    ]
    kept = [{name: row[name] for name in row if columns is None or name in columns} for row in expected]
    assert isinstance(found, bytes)
    told = msgspec.json.decode(found)
    assert told == kept if "n" in bare else sorted(map(repr, told)) == sorted(map(repr, kept))
    assert counted == [(len(read(rows, {"filters": asked})),)]


@law
@given(tables, rules, st.sampled_from([[], ["i"], ["t"]]))
def test_aggregates_are_of_what_is_in_sight(
    bench: Bench, stored: list[tuple[Any, ...]], rule: list[Row], keys: list[str]
) -> None:
    if "ends_with" in str(rule) and any("\0" in str(row[0]) for row in stored):
        return
    rows = in_sight(bench.fill(stored), rule)
    functions = [("count", None), ("count_distinct", "r"), ("max", "i"), ("min", "t")]
    asked = [{"function": f, "as": f, **({"column": c} if c else {})} for f, c in functions]
    body: Row = {"groupby": keys, "aggregates": asked}
    found, _ = answer(bench, {**body, "orderby": keys}, make_policy(None, {}, rule))
    assert isinstance(found, bytes)
    assert msgspec.json.decode(found) == aggregate(rows, body)


@law
@given(tables, shown, masks, rules, requests, st.sampled_from(Format), st.data())
def test_two_databases_that_differ_in_what_is_hidden_alone_answer_alike(  # noqa: PLR0917 - one per strategy
    indexed_bench: Bench,
    stored: list[tuple[Any, ...]],
    columns: frozenset[str] | None,
    masked: dict[str, Mask],
    rule: list[Row],
    body: Row,
    form: Format,
    data: st.DataObject,
) -> None:
    """Byte by byte, and every refusal word by word: nothing of a hidden cell or row reaches the reader.

    Not by the order of the rows either, though there are indexes that hold what is hidden.
    """
    bench = indexed_bench
    has_key = columns is None or "n" in columns
    if not has_key and any(mask is not Mask.NULL for name, mask in masked.items() if columns and name in columns):
        return  # docs/how-to/limit-columns-and-rows.md: a key is to be left in sight
    rows = bench.fill(stored)
    policy = make_policy(columns, masked, rule)
    first = answer(bench, body, policy, form)
    let_through, _ = answer(bench, {"columns": ["n"]}, make_policy(None, {}, rule))
    change_what_is_hidden(bench, rows, let_through, columns=columns, masked=masked, rule=rule, data=data)
    assert answer(bench, body, policy, form) == first


@pytest.fixture(scope="module")
def indexed_bench(bench: Bench) -> Iterator[Bench]:
    """The table with indexes by which the engine may find its rows, in an order that hidden cells decide on."""
    for place, columns in enumerate(INDEXES):
        bench.writer.execute(f"CREATE INDEX by_{place} ON generated ({columns})")
    yield bench
    for place in range(len(INDEXES)):
        bench.writer.execute(f"DROP INDEX by_{place}")


def change_what_is_hidden(
    bench: Bench,
    rows: list[Row],
    let_through: object,
    *,
    columns: frozenset[str] | None,
    masked: dict[str, Mask],
    rule: list[Row],
    data: st.DataObject,
) -> None:
    """Take away the rows that the rule does not let through, and give hidden cells of the others other values."""
    assert isinstance(let_through, bytes)
    matched = {row["n"] for row in msgspec.json.decode(let_through)}
    ruled = set().union(*(names_of(item) for item in rule))
    hidden = {
        name
        for name in "tir"
        if name not in ruled and ((columns is not None and name not in columns) or masked.get(name) is Mask.NULL)
    }
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)  # PostgreSQL stores no NUL
    others = {"t": st.none() | texts, "i": st.integers(-9, 9), "r": st.floats(-9, 9)}
    for row in rows:
        if row["n"] not in matched:
            bench.writer.execute("DELETE FROM generated WHERE n = ?", (row["n"],))
        for name in sorted(hidden):
            bench.writer.execute(f"UPDATE generated SET {name} = ? WHERE n = ?", (data.draw(others[name]), row["n"]))


def names_of(item: Row) -> set[str]:
    for connective in ("and", "or", "not"):
        if connective in item:
            inner = item[connective] if isinstance(item[connective], list) else [item[connective]]
            return set().union(*(names_of(part) for part in inner))
    return {item["column"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filters": [{"column": "T", "function": "is_null"}]}, "filters[0].column"),
        ({"filters": [{"or": [{"not": {"column": "t", "function": "equals", "value": "x"}}]}]}, None),
        ({"orderby": ["t desc"]}, "orderby[0]"),
        ({"groupby": ["i", "t"]}, "groupby[1]"),
        ({"aggregates": [{"function": "count", "column": "t"}]}, "aggregates[0].column"),
        ({"aggregates": [{"function": "count_distinct", "column": "t"}]}, "aggregates[0].column"),
        ({"distinct": True}, "distinct"),
        ({"distinct": True, "columns": ["i", "t"]}, "distinct"),
    ],
)
def test_masked_column_can_be_read_and_nothing_else(bench: Bench, body: Row, field: str | None) -> None:
    policy = make_policy(None, {"t": Mask.HASH}, [])
    with pytest.raises(InvalidParameter, match="The column t is masked") as refused:
        plan(bench, body, policy)
    if field:
        assert refused.value.field == field
    assert [column.mask for column in plan(bench, {"columns": ["T"]}, policy).columns] == [Mask.HASH]


@pytest.mark.parametrize("masked", [{}, {"n": Mask.HASH}])
def test_there_are_no_pages_in_the_order_of_a_key_that_is_out_of_sight(bench: Bench, masked: dict[str, Mask]) -> None:
    columns = None if masked else frozenset("ti")
    with pytest.raises(InvalidParameter) as refused:
        plan(bench, {"cursor": ""}, make_policy(columns, masked, []))
    assert refused.value.field == "cursor"
    assert plan(bench, {"cursor": ""}, make_policy(frozenset("ni"), {"t": Mask.NULL}, [])).page is not None


def test_masked_column_that_is_gone_refuses_since_another_may_hold_its_values(bench: Bench) -> None:
    with pytest.raises(UnusablePolicy):
        plan(bench, {}, make_policy(None, {"salary": Mask.NULL}, []))


def test_rule_on_a_column_that_is_gone_refuses(bench: Bench) -> None:
    with pytest.raises(UnusablePolicy):
        plan(bench, {}, make_policy(None, {}, [{"column": "dept", "function": "is_null"}]))


RULE = '[{"or": [{"column": "t", "function": "equals", "value": {"attribute": "team"}}, {"not": {"column": "i", \
"function": "equals", "value": [1, {"attribute": "number"}]}}]}]'


def test_attributes_stand_in_the_rule_as_values() -> None:
    assert list_attributes(RULE) == ("number", "team")
    (group,) = parse_rule(RULE, {"team": 'x"], "or": [', "number": "7"})
    assert [item.value for item in _walk(group)] == ['x"], "or": [', (1, "7")]


def _walk(condition: RequestedCondition) -> Iterator[RequestedFilter]:
    if isinstance(condition, RequestedFilter):
        yield condition
        return
    for member in condition.members:
        yield from _walk(member)


@pytest.mark.parametrize("there", [{}, {"team": "a"}, {"number": "1"}])
def test_missing_attribute_refuses(there: dict[str, str]) -> None:
    with pytest.raises(MissingAttribute):
        parse_rule(RULE, there)


@pytest.mark.parametrize(
    "rule",
    [
        *("", "{", "[]", "1", '"x"', '[{"column": "t"}]', '{"attribute": "team"}', '{"column": {"attribute": "team"}}'),
        '[{"column": "t", "function": "equals", "value": {"attribute": 1}}]',
    ],
)
def test_what_is_no_rule_is_refused_by_its_place(rule: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_rule(rule, {"team": "a"})
    assert refused.value.field.startswith("rows")


def test_newest_run_is_the_newest_that_the_rule_lets_through(bench: Bench) -> None:
    bench.fill([("a", 1, None), ("b", 2, None), ("a", None, None)])
    described = bench.source.find_object(bench.name)
    assert described is not None
    policy = make_policy(None, {"i": Mask.NULL}, [{"column": "t", "function": "equals", "value": "a"}])
    planned = plan_rows(parse_rows_body(b""), described, run_key="i", policy=policy)
    with closing(bench.source.open_rows(render_select(planned, bench.source.dialect), statement_seconds=10)) as blocks:
        assert blocks.read_block() == [(0, "a", 1, None)]
    with pytest.raises(InvalidParameter, match="masked"):
        plan_rows(parse_rows_body(b'{"jobRuntimeKey": "all"}'), described, run_key="i", policy=policy)


def test_masked_column_is_not_compared_between_runs_and_a_masked_run_key_lists_none(bench: Bench) -> None:
    """That a value has changed is told by a comparison, and by a run which runs there are."""
    described = bench.source.find_object(bench.name)
    assert described is not None

    def columns_of(body: str, masked: dict[str, Mask]) -> list[str]:
        request = parse_rows_body(body.encode())
        key = ("i", "n")
        planned = plan_rows(request, described, run_key="i", key=key, policy=make_policy(None, masked, []))
        return [column.name for column in planned.columns]

    assert columns_of('{"compare": 1}', {"t": Mask.HASH}) == ["n", "r", "i"]
    with pytest.raises(InvalidParameter, match="masked"):
        columns_of('{"compare": 1, "columns": ["t"]}', {"t": Mask.HASH})
    with pytest.raises(InvalidParameter, match="masked"):
        columns_of('{"compare": 1}', {"i": Mask.HASH})
    runs = RowsRequest(lists_runs=True)
    with pytest.raises(InvalidParameter, match="masked"):
        plan_rows(runs, described, run_key="i", policy=make_policy(None, {"i": Mask.HASH}, []))


def test_rule_stands_in_every_part_of_a_statement(bench: Bench) -> None:
    """One that chooses the newest run looks at the object twice."""
    described = bench.source.find_object(bench.name)
    assert described is not None
    policy = make_policy(None, {}, [{"column": "t", "function": "contains", "value": "secret"}])
    planned = plan_rows(parse_rows_body(b""), described, run_key="i", policy=policy)
    assert not [item for item in planned.conditions if _is_ruled(item)]
    for render in (render_select, render_count):
        assert render(planned, bench.source.dialect).parameters.count("secret") == 2


def _is_ruled(condition: AnyCondition) -> bool:
    return isinstance(condition, Condition) and condition.values == ("secret",)
