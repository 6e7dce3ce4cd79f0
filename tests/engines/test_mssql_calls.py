"""SQL Server's stored procedures, as far as can be told without a server: what is asked, bound, refused and undone."""

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.dialects import registry

from rowgate.engines import addresses
from rowgate.engines.mssql import MssqlManner
from rowgate.engines.mssql_procedures import list_defaulted
from rowgate.engines.mssql_source import MssqlSource
from rowgate.ports.calls import HELD, CallSource
from rowgate.rows.errors import EngineFailure, EngineUnavailable, InvalidParameter
from rowgate.rows.model import Value
from rowgate.rows.parameters import plan_call
from rowgate.rows.plan import plan_rows
from rowgate.rows.procedures import Procedure, describe_type
from rowgate.rows.request_call import parse_call_body
from rowgate.rows.sql import render_select
from support.mssql import BINARY, DATETIME, DECIMAL, NUMBER, STRING, Dialect, Error, Parameter, Result, Server
from support.mssql import Procedure as Made

HOSTS = [("name", "nvarchar", 80, 0, 0), ("weight", "decimal", 9, 9, 2), ("seen", "datetime2", 8, 23, 3)]
SCALARS = (
    Parameter("t", "nvarchar", 20),
    Parameter("v", "varchar", 4),
    Parameter("i", "bigint", 8),
    Parameter("n", "decimal", 9, 12, 4),
    Parameter("f", "float", 8),
    Parameter("b", "bit", 1),
    Parameter("d", "date", 3),
    Parameter("m", "datetime", 8),
    Parameter("o", "datetimeoffset", 10, 34, 3),
    Parameter("x", "varbinary", 4),
    Parameter("u", "uniqueidentifier", 16),
    Parameter("s", "sql_variant", 8016),
)


def echo(**given: Any) -> Sequence[Result]:
    return [([(name, BINARY) for name in given], [list(given.values())])]


def list_hosts(hosts: Sequence[Sequence[Any]]) -> Sequence[Result]:
    return [([("name", STRING), ("weight", NUMBER)], [row[:2] for row in hosts])]


def fail(number: int) -> Made:
    return Made(lambda: [([("a", NUMBER)], [(1,)]), Error(number, "what the server says of it")])


SEVERAL: Sequence[Result] = [
    ([], []),  # what counts rows only
    ([("first", NUMBER)], [(n,) for n in range(250)]),
    ([("second", STRING)], [("thrown away",)]),
]
TYPED = [
    ("id", "int", False, None),
    ("Name", "nvarchar(40)", True, None),
    ("total", "decimal(30,4)", True, None),
    ("ok", "bit", True, None),
    ("day", "date", True, None),
    ("at", "datetimeoffset(7)", True, None),
    ("any", "sql_variant", True, None),
]
ROWS = [
    (
        *(1, "ä", Decimal("12345678901234567890.1234"), True, date(2020, 1, 2)),
        *(datetime(2020, 1, 2, 3, 4, 5, 500_000, UTC), Decimal("0.10")),
    ),
    (2, None, None, False, None, None, None),
]


def make_server() -> Server:
    return Server(
        {
            "echo": Made(echo, SCALARS, "CREATE PROC echo @t nvarchar(10), … AS SELECT 1"),
            "hosts": Made(list_hosts, [Parameter("hosts", None, table=HOSTS, description="which")]),
            "one]": Made(
                lambda list: list_hosts([(name, 1) for (name,) in list]),  # noqa: A006 - a parameter's name
                [Parameter("list", None, table=HOSTS[:1])],
            ),
            "typed": Made(lambda: [([(name, BINARY) for name, *_ in TYPED], ROWS)], told=TYPED, comment="All of them."),
            "told": Made(
                lambda: [([("id", NUMBER), ("Owner", STRING)], [(1, "a")])],
                comment="columns: id integer, Owner text; By its comment.",
                told=[(None, None, True, "because the statement contains dynamic SQL")],
            ),
            "lies": Made(lambda: [([("id", NUMBER)], [(1,)])], told=[("other", "int", True, None)]),
            "several": Made(lambda: SEVERAL),
            "silent": Made(list),
            "odd": Made(
                lambda: [
                    (
                        [("n", NUMBER), ("d", DECIMAL), ("m", DATETIME), ("x", BINARY)],
                        [(1, Decimal("1.50"), datetime(2020, 1, 2), Decimal("9.90"))],  # noqa: DTZ001 - as drivers give
                    )
                ]
            ),
            "outputs": Made(
                lambda n, found: [],  # noqa: ARG005
                [Parameter("n", "int", 4), Parameter("found", "int", 4, is_output=True)],
                "CREATE PROC outputs @n int, @found int OUTPUT AS SET @found = 42",
            ),
            "defaults": Made(
                lambda **given: echo(**({"a": "its own", "b": "its own"} | given)),
                [Parameter("a", "int", 4), Parameter("b", "nvarchar", -1)],
                "/* @c = 1 */ CREATE PROCEDURE defaults (@a int, @b nvarchar(max) = N'@a = 5') AS SELECT @a, @b",
                defaults=("b",),
            ),
            "hidden": Made(
                lambda **given: echo(**({"b": "its own"} | given)),
                [Parameter("a", "int", 4), Parameter("b", "int", 4)],
                defaults=("b",),
            ),
            "cursor": Made(echo, [Parameter("c", "cursor", is_cursor=True)]),
            "dotnet": Made(echo, [Parameter("c", None)]),
            "unusable": Made(echo, [Parameter("t", None, table=HOSTS, may_use=False)]),
            "unseen": Made(echo, [Parameter("t", None, table=[])]),
            "blobs": Made(echo, [Parameter("t", None, table=[("x", "varbinary", 4, 0, 0)])]),
            "nameless": Made(list, told=[(None, "int", True, None)]),
            "raises": fail(50_001),
            "ends": fail(266),
            "locked": fail(1222),
            "denied": fail(229),
            "frozen": fail(3906),
            "gone": fail(2812),
        }
    )


@pytest.fixture
def fake() -> Server:
    Dialect.server = make_server()
    return Dialect.server


@pytest.fixture
def source(fake: Server) -> Iterator[MssqlSource]:
    assert fake is Dialect.server
    registry.register("mssql.fake", "support.mssql", "Dialect")
    url = sqlalchemy.make_url("mssql+fake://u@h/d")
    with closing(MssqlSource(MssqlManner(url, accept_unproven=True))) as opened:
        yield opened


def test_an_address_of_sql_server_is_served_with_its_procedures(
    source: MssqlSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(addresses._DRIVERS, "mssql", "mssql+fake")
    with closing(addresses.open_generic("mssql://u@h/d", password=None, max_connections=1)) as opened:
        assert isinstance(opened, MssqlSource)
        assert opened.list_objects() == source.list_objects()


def find(source: MssqlSource, name: str) -> Procedure:
    found = source.find_object(name)
    assert isinstance(found, Procedure)
    return found


def call(source: MssqlSource, name: str, body: bytes = b"{}") -> list[tuple[Value, ...]]:
    request = parse_call_body(body)
    made = plan_call(find(source, name), request.parameters, holds_nul=source.dialect.holds_nul)
    held = source.open_call(made, statement_seconds=5)
    held.hold()
    described = Procedure(name, "procedure", tuple(held.columns), path=(HELD,))
    plan = plan_rows(request.result, described, run_key="")
    blocks = held.open_rows(render_select(plan, held.dialect), statement_seconds=5)
    rows: list[tuple[Value, ...]] = []
    while not blocks.is_exhausted:
        rows += blocks.read_block()
    return rows


def test_procedures_are_listed_and_found_by_exactly_their_names(source: MssqlSource, fake: Server) -> None:
    assert isinstance(source, CallSource)
    assert {(one.name, one.kind) for one in source.list_objects()} == {(name, "procedure") for name in fake.procedures}
    assert source.find_object("ECHO") is None
    assert source.find_object("echo'; --") is None
    assert source.find_object("nul\0") is None


def test_parameters_are_described_with_their_types(source: MssqlSource) -> None:
    told = find(source, "echo").parameters
    assert [(one.name, one.type.value) for one in told if not isinstance(one.type, tuple)] == [
        *[("t", "text"), ("v", "text"), ("i", "integer"), ("n", "number"), ("f", "number"), ("b", "boolean")],
        *[("d", "date"), ("m", "moment"), ("o", "moment"), ("x", "binary"), ("u", "text"), ("s", "text")],
    ]
    assert all(one.required and one.takes_null for one in told)
    (table,) = find(source, "hosts").parameters
    assert describe_type(table.type) == "table(name text, weight number, seen moment)"
    assert (table.required, table.description) == (False, "which")


def test_what_is_required_is_read_from_the_definition_where_it_may_be_seen(source: MssqlSource) -> None:
    assert [(one.name, one.required) for one in find(source, "defaults").parameters] == [("a", True), ("b", False)]
    assert [(one.name, one.required) for one in find(source, "hidden").parameters] == [("a", False), ("b", False)]
    assert [(one.name, one.required) for one in find(source, "outputs").parameters] == [("n", True), ("found", False)]


def test_values_are_bound_and_passed_untouched(source: MssqlSource, fake: Server) -> None:
    body = b"{parameters: {t: \"%s'; -- @a\", v: 'xyz', i: -9223372036854775808, n: 0.1, f: 1e-7, b: true, "
    body += b"d: '2020-02-29', m: '2020-02-29T10:00:00', o: '2020-02-29 10:00:00+01:00', x: 'AP8=', "
    body += b"u: '6F9619FF-8B86-D011-B42D-00C04FC964FF', s: 'any'}}"
    expected = (
        *("%s'; -- @a", "xyz", -9223372036854775808, 0.1, 1e-7, True, "2020-02-29", "2020-02-29T10:00:00"),
        *("2020-02-29 10:00:00+01:00", b"\x00\xff", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "any"),
    )
    assert call(source, "echo", body) == [expected]
    text, values = fake.asked[-1]
    assert values == expected
    assert "@rowgate_7 datetime = CAST(CAST(%s AS datetimeoffset(7)) AS datetime)" in text, "in no language's own order"
    nulls = ", ".join(f"{one.name}: null" for one in SCALARS)
    assert call(source, "echo", f"{{parameters: {{{nulls}}}}}".encode()) == [(None,) * len(SCALARS)]


def test_an_array_is_a_table_and_one_value(source: MssqlSource, fake: Server) -> None:
    body = b"{parameters: {HOSTS: [{NAME: 'b', weight: 1e-7, seen: null}, {seen: '2020-01-01', weight: 2, name: 'a'}]}}"
    assert call(source, "hosts", body) == [("b", Decimal("1e-7")), ("a", 2)]
    text, values = fake.asked[-1]
    assert values == ('[["b",1e-7,null],["a",2,"2020-01-01"]]',)
    assert (
        "DECLARE @rowgate_0 [dbo].[T0]; INSERT INTO @rowgate_0 ([name], [weight], [seen]) SELECT "
        "CAST(given.c0 AS nvarchar(max)), COALESCE(TRY_CAST(given.c1 AS decimal(9, 2)), "
        "CAST(CAST(given.c1 AS float) AS decimal(9, 2))), CAST(CAST(given.c2 AS datetimeoffset(7)) AS datetime2(3)) "
        "FROM OPENJSON(%s) WITH (c0 nvarchar(max) '$[0]', c1 nvarchar(max) '$[1]', c2 nvarchar(max) '$[2]') AS given; "
        "SET XACT_ABORT OFF; EXEC [dbo].[hosts] @hosts = @rowgate_0; " in text
    )
    assert call(source, "hosts") == [], "left out, it has no rows"
    assert call(source, "hosts", b"{parameters: {hosts: null}}") == []
    many = [f"host {place}" for place in range(5000)]  # beyond what VALUES takes, and the places of one statement
    told = ", ".join(f"'{name}'" for name in many)
    assert [name for name, _ in call(source, "one]", f"{{parameters: {{list: [{told}]}}}}".encode())] == many
    assert len(fake.asked[-1][1]) == 1


WRONG = [
    ("echo", "t: 'x'", "parameters.v"),
    ("echo", "t: 'x', nothing: 1", "parameters.nothing"),
    ("defaults", "a: 'x'", "parameters.a"),
    ("defaults", "a: 1, A: 2", "parameters.A"),
    ("hosts", "hosts: 'a'", "parameters.hosts"),
    ("hosts", "hosts: [{name: 'a'}]", "parameters.hosts[0]"),
    ("hosts", "hosts: [{name: 'a', weight: 'x', seen: null}]", "parameters.hosts[0].weight"),
    ("hidden", "b: 1", "parameters.a"),  # only the server knows that it has no default
]


@pytest.mark.parametrize(("name", "given", "field"), WRONG)
def test_wrong_missing_and_unknown_parameters_are_named(source: MssqlSource, name: str, given: str, field: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        call(source, name, f"{{parameters: {{{given}}}}}".encode())
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("given", "is_too_long"),
    [
        ({"t": "0123456789"}, False),
        ({"t": "0123456789a"}, True),  # the server would pass the first ten
        ({"t": "01234567\N{DANCER}"}, False),  # two places there
        ({"t": "012345678\N{DANCER}"}, True),
        ({"v": "äöüß"}, False),  # one byte each
        ({"v": "äöüß "}, True),
        ({"x": "AAECAw=="}, False),
        ({"x": "AAECAwQ="}, True),
    ],
)
def test_what_the_server_would_cut_is_refused(source: MssqlSource, given: dict[str, str], *, is_too_long: bool) -> None:
    everything: dict[str, object] = dict.fromkeys([one.name for one in SCALARS]) | given
    made = plan_call(find(source, "echo"), everything)
    held = source.open_call(made, statement_seconds=5)
    if not is_too_long:
        held.hold()
        return
    with pytest.raises(InvalidParameter) as raised:
        held.hold()
    assert raised.value.field == f"parameters.{next(iter(given))}"


def test_the_servers_own_default_stands_where_nothing_is_given(source: MssqlSource) -> None:
    assert call(source, "defaults", b"{parameters: {a: 1}}") == [(1, "its own")]
    assert call(source, "defaults", b"{parameters: {a: 1, b: null}}") == [(1, None)]
    assert call(source, "hidden", b"{parameters: {a: 1}}") == [("its own", 1)]


def test_without_a_result_what_is_handed_out_is_the_answer(source: MssqlSource) -> None:
    assert call(source, "outputs", b"{parameters: {n: 1}}") == [(42,)]
    assert call(source, "outputs", b"{parameters: {n: 1, found: 7}, columns: ['FOUND']}") == [(42,)]
    with pytest.raises(EngineUnavailable) as raised:
        call(source, "silent")
    assert raised.value.detail == "it gives no rows"


def test_the_first_result_is_the_answer_and_the_others_are_waited_for(source: MssqlSource, fake: Server) -> None:
    assert call(source, "several") == [(n,) for n in range(250)]
    assert fake.open_transactions == 0


def test_columns_are_described_before_a_call_where_the_server_knows_them(source: MssqlSource) -> None:
    told = find(source, "typed")
    assert [(one.name, one.declared_type, str(one.holds), one.never_null) for one in told.columns] == [
        ("id", "int", "integer", True),
        ("Name", "nvarchar(40)", "text", False),
        ("total", "decimal(30,4)", "decimal", False),
        ("ok", "bit", "boolean", False),
        ("day", "date", "date", False),
        ("at", "datetimeoffset(7)", "instant", False),
        ("any", "sql_variant", "anything", False),
    ]
    assert told.description == "All of them."
    assert call(source, "typed") == [
        (1, "ä", Decimal("12345678901234567890.1234"), True, "2020-01-02", "2020-01-02T03:04:05.5+00:00", "0.10"),
        (2, None, None, False, None, None, None),
    ]
    shape = b"{filters: [{column: 'day', function: 'equals', value: '2020-01-02'}], columns: ['total']}"
    assert call(source, "typed", shape) == [(Decimal("12345678901234567890.1234"),)]


def test_else_a_comment_tells_of_them_or_the_result_itself(source: MssqlSource) -> None:
    told = find(source, "told")
    assert [(one.name, one.declared_type) for one in told.columns] == [("id", "integer"), ("Owner", "text")]
    assert told.description == "By its comment."
    assert call(source, "told") == [(1, "a")]
    assert find(source, "odd").columns == ()
    assert call(source, "odd") == [(1, Decimal("1.50"), "2020-01-02T00:00:00", "9.90")]
    with pytest.raises(EngineUnavailable) as raised:
        call(source, "lies")
    assert "other" in raised.value.detail


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("cursor", "cursor"),
        ("dotnet", r"\.NET"),
        ("unusable", "GRANT EXECUTE, VIEW DEFINITION ON TYPE::dbo.T0"),
        ("unseen", "GRANT VIEW DEFINITION ON TYPE::dbo.T0"),
        ("blobs", "binary"),
        ("nameless", "need names"),
    ],
)
def test_what_cannot_be_called_says_why(source: MssqlSource, name: str, fault: str) -> None:
    assert fault.replace("\\", "") in find(source, name).fault


def test_a_database_of_an_old_level_takes_no_table(source: MssqlSource, fake: Server) -> None:
    fake.level = 120
    assert "compatibility level below 130" in find(source, "hosts").fault
    assert not find(source, "echo").fault


FAILURES = [
    ("raises", InvalidParameter, "The procedure cannot work with these values."),
    ("ends", EngineFailure, "The procedure ends a transaction that is not its own."),
    ("frozen", EngineFailure, "The procedure tried to write, and nothing was changed."),
    ("locked", EngineUnavailable, "The database cannot be read at the moment."),
    ("denied", EngineFailure, "The database could not answer."),
    ("gone", EngineFailure, "The database could not answer."),
]


@pytest.mark.parametrize(("name", "kind", "told"), FAILURES)
def test_a_failure_after_the_first_result_leaves_no_answer(
    source: MssqlSource, name: str, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as raised:
        call(source, name)
    assert getattr(raised.value, "description", "") == told
    assert "what the server says" in getattr(raised.value, "detail", "")


def test_every_call_is_undone_and_has_a_connection_of_its_own(source: MssqlSource, fake: Server) -> None:
    for name in ("several", "raises"):
        closed, asked = fake.closed, len(fake.asked)
        with pytest.raises(InvalidParameter) if name == "raises" else nullcontext():
            call(source, name)
        assert fake.closed > closed
        (batch,) = [text for text, _ in fake.asked[asked:] if " EXEC [" in text]
        before, after = batch.split(" SET XACT_ABORT OFF; EXEC ")
        assert before == (
            "SET NOCOUNT ON; SET LOCK_TIMEOUT 5000; SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS ON; BEGIN TRANSACTION;"
        )
        assert after.endswith("; IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;")


def test_names_keep_their_percent_signs(source: MssqlSource) -> None:
    """This driver takes its values by %s, and two percent signs for two."""
    assert source.dialect.quote("100%]") == "[100%]]]"


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("create proc p as select 1", ""),
        ("create proc p @a int as select @x = 1", ""),
        ("create proc p @a int = 1, @b int as", "a"),
        ("create proc p (@a decimal(9, 2) = -1, @b varchar(9) = 'x, @c = 1', @c int out) as", "a b"),
        ("-- @z int = 1\ncreate or alter procedure [a=b] @A dbo.T readonly, @b as int = null with recompile as", "b"),
        ("create proc p @a int, @b int = 5 for replication as select @a = 1", "b"),
        ("create proc p @a int = 'open", "a"),
    ],
)
def test_defaults_are_read_from_the_head_of_a_definition(definition: str, expected: str) -> None:
    assert sorted(list_defaulted(definition)) == expected.split()
