"""No name and no value of a request reaches the text of a statement (R23, R24)."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.dialects.postgres import BARE_POSTGRES, POSTGRES
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import Aggregation, Column, Family, Format, Function, ObjectDescription, Plan, Statement, Value
from rowgate.rows.paging import go_on_after
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_count, render_select
from rowgate.rows.sql_lines import LiteralBinder, render_lines
from rows.generated import Bench
from rows.harness import Reader, refusal
from rows.tables import HOSTILE
from support.homes import add_application
from support.laws import choose_examples
from support.servers import ask_until, fetch_token

ATTACKS = [
    *('"', '""', "'", "]", "[x]", "`", ";", "--", "/*", "\n", "\0", "?", "?1", ":a", "$a", "%", "\\", "\u2028"),
    *('x"||(select sql from sqlite_schema)||"y', "' OR 1=1 --", "1; DROP TABLE t", '") UNION SELECT 1 --', "null"),
]  # fmt: skip
attacks = st.sampled_from(ATTACKS) | st.lists(st.sampled_from(ATTACKS), min_size=1, max_size=4).map("".join)
names = (attacks | st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)).filter(lambda name: "\0" not in name)

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_NOTED = re.compile(r' AS "rowgate noted \d{1,2}"')  # of a page for the next; in a column's name its quotes are doubled
_PLACES = re.compile(r"\?|\$(\d+)")
_WORDS = (
    r"SELECT|FROM|WHERE|AND|OR|NOT|IN|IS|NULL|ORDER|BY|DESC|LIMIT|OFFSET|COLLATE|NOCASE|BINARY|CASE|WHEN|THEN|ELSE|END"
    r"|CAST|AS|BLOB|typeof|max|instr|lower|substr|rowgate_fold|rowgate_(?:holds|begins|ends)(?:_folded)?|counted"
    r"|DISTINCT|GROUP|NULLS|FIRST|LAST|count|sum|avg|min"
    r"|translate|strpos|left|right|to_jsonb|encode|decode|replace|isfinite|AT TIME ZONE INTERVAL"
    r"|text|bigint|int|numeric|double precision|real|boolean|date|time|timestamp|timestamptz|uuid|bytea"
)
_MOMENTS = r"0001-01-01T00:00:00Z|infinity|0|\+00:00| BC|\+00:00 BC"  # constants of what writes them
_SKELETON = re.compile(
    rf"(?:\s|[(),=<>?*]|~>=~|~<~|\|\||\b(?:{_WORDS}|\d{{1,3}})\b|-\d{{1,3}}|\$\d+|#>> '\{{\}}'"
    rf"|'(?:text|integer|real|hex|{_MOMENTS})')*"
)
_LITERAL = re.compile(r"U&'(?:[0-9A-Za-z]|\\[0-9a-f]{4}|\\\+[0-9a-f]{6})*'")
_NAME_OR_PLACE = re.compile(r'"(?:[^"]|"")*"|\$\d+')
_AROUND = re.compile(
    r"(?:\s|[(),=<>.+-]|>=|\|\||#>>|\b(?:c\d+|r|COPY|TO|STDOUT|FORMAT|FORCE_QUOTE|csv|binary|float8|abs|trunc|scale|length|ltrim"
    rf"|substr|replace|chr|to_jsonb|{_WORDS}|\d{{1,3}})\b|0\.000001|'(?:{_MOMENTS}|base64|-|\.|\.0|E|0E-|1e-4|1e15|\{{\}}|)')*"
)


def check_text(statement: Statement, allowed: set[str], dialect: Dialect) -> None:
    """The text is known words, quoted names of the catalog, and a place for each value."""
    # a name that says this has its quotes doubled, so it stays
    text = statement.text.replace(' COLLATE "C"', " COLLATE BINARY") if dialect is POSTGRES else statement.text
    assert {name.replace('""', '"') for name in _QUOTED.findall(_NOTED.sub(" AS", text))} <= allowed
    skeleton = _QUOTED.sub(" ", statement.text)
    assert _SKELETON.fullmatch(skeleton), skeleton
    numbers = [place[1] for place in _PLACES.finditer(skeleton)]
    assert len(numbers) == len(statement.parameters)
    assert not any(numbers) or numbers == [str(place + 1) for place in range(len(numbers))]


def check_lines(statement: Statement, plan: Plan) -> None:
    """The text is the bound statement's in a COPY, with each value written by letters, digits and numbers alone.

    Its moments are still as the server writes them; what is around it puts the T in.
    """
    bound = render_select(plan, BARE_POSTGRES)
    literals = [LiteralBinder(BARE_POSTGRES).bind(value) for value in bound.parameters]
    assert all(_LITERAL.fullmatch(literal) for literal in literals)
    places = iter(literals)
    inner = _NAME_OR_PLACE.sub(lambda found: next(places) if found[0].startswith("$") else found[0], bound.text)
    head, found, tail = statement.text.partition(inner)
    assert found
    assert next(places, None) is None
    assert not statement.parameters
    assert _AROUND.fullmatch(head + tail), head + tail


@given(st.text())
def test_a_written_value_says_the_whole_of_its_text(text: str) -> None:
    literal = LiteralBinder(BARE_POSTGRES).bind(text)
    code = re.compile(r"\\(?:\+([0-9a-f]{6})|([0-9a-f]{4}))")
    assert code.sub(lambda found: chr(int(found[1] or found[2], 16)), literal) == f"U&'{text}'"


columns = st.builds(
    Column,
    names,
    declared_type=st.just(""),
    family=st.sampled_from([Family.TEXT, Family.ANY, Family.MOMENT]),
    may_be_real=st.just(value=True),
) | st.builds(
    Column,
    names,
    declared_type=st.just(""),
    family=st.sampled_from([Family.TEXT, Family.NUMBER, Family.BOOLEAN, Family.BINARY, Family.MOMENT]),
    may_be_real=st.just(value=True),
    never_null=st.booleans(),
    holds=st.sampled_from(Holds),
    collation=st.sampled_from(Collation),
)


objects = st.builds(
    ObjectDescription,
    names,
    kind=st.just("table"),
    columns=st.lists(columns, min_size=1, max_size=4, unique_by=lambda column: column.name).map(tuple),
    row_key=st.lists(columns, max_size=1).map(tuple),
)


@st.composite
def asked(draw: st.DrawFn) -> tuple[ObjectDescription, dict[str, Any]]:
    described = draw(objects)
    name = st.sampled_from([column.name for column in described.columns])
    if draw(st.booleans()):
        name |= names
    value = attacks | st.lists(attacks, max_size=3)
    comparing = [f for f in Function if f not in (Function.BETWEEN, Function.IS_NULL, Function.IS_NOT_NULL)]
    one = st.fixed_dictionaries(
        {"column": name, "function": st.sampled_from(comparing), "value": value, "matchCase": st.booleans()}
    )
    tree = one | st.lists(one, min_size=1, max_size=2).map(lambda items: {"or": [{"not": {"and": items}}]})
    nulls = st.sampled_from(["first", "last"])
    order = st.fixed_dictionaries({"column": name, "direction": st.sampled_from(["asc", "desc"]), "nulls": nulls})
    computed = st.fixed_dictionaries({"function": st.sampled_from(Aggregation), "column": name, "as": attacks})
    body = draw(
        st.fixed_dictionaries(
            {"filters": st.lists(tree, max_size=3)},
            optional={
                "columns": st.lists(name, min_size=1, max_size=3),
                "groupby": st.lists(name, max_size=2),
                "orderby": st.lists(order, max_size=2),
                "limit": st.integers(0, 2**63 - 1),
                "offset": st.integers(0, 2**63 - 1),
                "jobRuntimeKey": attacks,
                "aggregates": st.lists(computed, max_size=2),
                "distinct": st.booleans(),
                "cursor": st.just(""),
            },
        )
    )
    return described, body


# A place is what the engine gave, and such columns give nothing else.
_TIMES = {
    Holds.DATE: "2018-11-05",
    Holds.TIME: "13:15:30",
    Holds.MOMENT: "2018-11-05T13:15:30",
    Holds.INSTANT: "2018-11-05T13:15:30Z",
}


@settings(max_examples=choose_examples(150), deadline=None)
@given(asked())
def test_only_names_of_the_catalog_reach_the_text(made: tuple[ObjectDescription, dict[str, Any]]) -> None:
    described, body = made
    for run_key in ("", described.columns[0].name):
        try:
            plan = plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key=run_key)
        except InvalidParameter:
            continue
        known = {described.name, *(column.name for column in (*described.columns, *described.row_key))}
        plans = [plan]
        if plan.page is not None:
            attack = body.get("jobRuntimeKey", "'; --")
            place: list[Value] = [_TIMES.get(column.holds, attack) for column in plan.page.noted]
            plans += [p for p in (go_on_after(plan, place), go_on_after(plan, [None] * len(place))) if p]
        for found in plans:
            for dialect in (SQLITE, POSTGRES):
                check_text(render_select(found, dialect), known, dialect)
                check_text(render_count(found, dialect), known, dialect)
            for form in (Format.CSV, Format.ARROW):
                if (lines := render_lines(found, form, POSTGRES)) is not None:
                    check_lines(lines, found)


@settings(max_examples=choose_examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names.filter(lambda name: not name.lower().startswith("generated")), names, attacks)
def test_hostile_names_of_real_objects_give_their_rows(bench: Bench, table: str, column: str, value: str) -> None:
    if not (bench.writer.takes(table) and bench.writer.takes(column)):
        return
    if not bench.source.dialect.holds_nul:
        value = value.replace("\0", "\1")
    source = bench.source
    bench.writer.make(table, column, (value, "other", None))
    bench.forget_catalog()
    try:
        described = source.find_object(table)
        assert described is not None
        assert [listed.name for listed in source.list_objects()].count(table) == 1
        body = {
            "columns": [column],
            "filters": [
                {"column": column, "function": function, "value": value} for function in ("equals", "contains")
            ],
            "orderby": [{"column": column}],
        }
        plan = plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="")
        blocks = source.open_rows(render_select(plan, source.dialect), statement_seconds=10)
        assert blocks.read_block() == [(value,)]
        blocks.close()
    finally:
        bench.writer.unmake(table)


def test_hostile_columns_are_read_filtered_grouped_and_ordered(hostile: Reader) -> None:
    expected = hostile.sql("SELECT * FROM hostile")
    assert hostile.rows("hostile") == expected
    for name in HOSTILE:
        body = {
            "columns": [name],
            "filters": [{"column": name, "function": "ends_with", "value": ["É1", "É2"]}],
            "orderby": [{"column": name, "direction": "desc"}],
        }
        assert hostile.rows("hostile", body) == [{name: expected[2][name]}, {name: expected[1][name]}]
        groups = hostile.rows("hostile", {"columns": ["?"], "groupby": [name]})
        assert [group[name] for group in groups if name != "groupItems"] == [
            row[name] for row in expected if name != "groupItems"
        ]


def test_hostile_objects_are_found_by_exactly_their_name(hostile: Reader) -> None:
    for place, name in enumerate([*HOSTILE, "plain"]):
        assert hostile.rows(name) == [{name: f"in table {place}"}]


@pytest.mark.parametrize("value", ATTACKS)
@pytest.mark.parametrize("function", ["equals", "contains", "less", "not_equals"])
def test_hostile_values_are_values(sample: Reader, function: str, value: str) -> None:
    body = {"filters": [{"column": "DisplayName", "function": function, "value": value}], "columns": ["DisplayName"]}
    rows = sample.rows("SA_ADInventory_UsersView", body)
    every = [row["DisplayName"] for row in sample.sql("SELECT DisplayName FROM SA_ADInventory_UsersView")]
    meanings: dict[str, Callable[[str], bool]] = {
        "equals": lambda text: fold(text) == fold(value),
        "not_equals": lambda text: fold(text) != fold(value),
        "contains": lambda text: fold(value) in fold(text),
        "less": lambda text: fold(text) < fold(value),
    }
    meaning = meanings[function]
    assert [row["DisplayName"] for row in rows] == [text for text in every if meaning(text)]


def test_no_spelling_reaches_an_object_that_is_not_granted(odd: Reader) -> None:
    """Datasette GHSA-h547: `plain` is granted, `plain\\n` is another table, and nothing else is either of them."""
    made = add_application(odd.server.settings, "plain only", ("plain",))
    token = ask_until(lambda: _try_token(odd, made.application.client_id, made.client_secret))
    with httpx.Client(base_url=odd.server.url, headers={"Authorization": f"Bearer {token}"}) as client:

        def status(name: str) -> int:
            return client.get(f"/api/v1/data/{name}/rows").status_code

        assert client.get("/api/v1/data/plain/rows").json() == [{"plain": f"in table {len(HOSTILE)}"}]
        assert client.get("/api/v1/data/%70lain/rows").status_code == 200, "the same name, encoded without need"
        assert status("plain%0A") == 401
        for spelling in (
            "plain%00",
            "plain%20",
            "PLAIN",
            "plain%0A%0A",
            "%22plain%22",
            "main.plain",
            "plain%2F",
            "plain;",
            "pl%FFain",
        ):
            assert status(spelling) in (401, 404), spelling
        for other in ("hostile", "numbers", "type_1"):
            assert status(other) == 401


def _try_token(odd: Reader, client_id: str, client_secret: str) -> str | None:
    try:
        return str(fetch_token(odd.server.url, client_id, client_secret)["access_token"])
    except AssertionError:
        return None  # the server has not yet heard of the application


def test_refusal_names_the_hostile_column_as_json(odd: Reader) -> None:
    for name in ATTACKS:
        assert refusal(odd.post("numbers", {"columns": [name]}))[0] == "columns[0]"
