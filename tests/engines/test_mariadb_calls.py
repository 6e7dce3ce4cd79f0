"""Stored procedures of MariaDB and MySQL, called as the service calls them; nothing is written, whatever they try."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from rowgate.engines import kept_catalog
from rowgate.engines.mariadb import MariadbManner
from rowgate.engines.mariadb_source import MariadbSource
from rowgate.ports.calls import HELD
from rowgate.rows.errors import (
    EngineFailure,
    EngineUnavailable,
    InvalidParameter,
    RowsError,
    StatementCancelled,
    StatementTimeout,
)
from rowgate.rows.model import ObjectDescription, Value
from rowgate.rows.parameters import plan_call
from rowgate.rows.plan import plan_rows
from rowgate.rows.procedures import Procedure
from rowgate.rows.request_call import parse_call_body
from rowgate.rows.sql import render_select
from support.mariadb import PASSWORD, MariadbServer, make_numbers
from support.servers import wait_until

pytestmark = pytest.mark.engines

MADE = (
    """CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR(20), total DECIMAL(30,4), big BIGINT UNSIGNED,
    at DATETIME(3), day DATE, raw VARBINARY(4))""",
    """INSERT INTO orders VALUES
    (1, 'a', 12345678901234567890.1234, 18446744073709551615, '2020-01-01 10:00:00.5', '2020-01-01', x'00ff'),
    (2, 'B', 2.5, 7, '2021-01-01', NULL, NULL), (3, 'b', -1, 8, NULL, '2022-02-02', x'61')""",
    "CREATE TABLE loose (id INT) ENGINE=MyISAM",
    *make_numbers(20_000),
)
PROCEDURES = {
    "up_to": "(IN n INT) BEGIN SELECT * FROM orders WHERE id <= n ORDER BY id DESC; END",
    "both": "(IN n INT, OUT found INT, INOUT twice INT) BEGIN SET found = (SELECT count(*) FROM orders WHERE id <= n); "
    "SET twice = twice * 2; END",
    "several": "() BEGIN DECLARE unused INT; SET unused = 1; SELECT 1 AS first; SELECT 2 AS second, 3 AS third; END",
    "shared": "(IN n INT, OUT found INT) BEGIN SET found = 5; SELECT id FROM orders WHERE id <= n; END",
    "silent": "() BEGIN DECLARE unused INT; SET unused = 1; END",
    "alike": "() BEGIN SELECT 1 AS a, 2 AS A; END",
    "nameless": "() BEGIN SELECT 1 AS ``; END",
    "raises": "(IN t VARCHAR(20)) BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'; END",
    "fails_late": "() BEGIN SELECT 1 AS a; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'late'; END",
    "echo": "(IN t TEXT, IN i BIGINT, IN n DOUBLE, IN d DATE, IN m DATETIME(6), IN x BLOB) "
    "BEGIN SELECT t, i, n, d, m, x; END",
    "slow": "() {stoppable} BEGIN SELECT sum(a.seq * b.seq * c.seq) AS n FROM numbers a, numbers b, numbers c; END",
    "none": "() BEGIN SELECT id, total FROM orders WHERE id > 99; END",
    "many": "(IN n INT) BEGIN SELECT seq AS n, 'é' AS t FROM numbers WHERE seq <= n; END",
    "leaves": "() BEGIN SET SESSION sql_mode = 'ANSI_QUOTES'; SET @rowgate_0 = 5; SELECT @@sql_mode AS m; END",
}
INSERT = "INSERT INTO orders (id) VALUES (99)"
WRITES = {
    "plainly": INSERT,
    "after rows": f"SELECT 1 AS a; {INSERT}",
    "without transactions": "INSERT INTO loose VALUES (99)",
    "begins to write": f"START TRANSACTION READ WRITE; {INSERT}; COMMIT; SELECT 1 AS a",
    "commits first": f"COMMIT; {INSERT}; SELECT 1 AS a",
    "rolls back first": f"ROLLBACK; SET autocommit = 1; {INSERT}; SELECT 1 AS a",
    "sets the session": f"SET SESSION TRANSACTION READ WRITE; {INSERT}; SELECT 1 AS a",
    "sets and commits": f"SET SESSION TRANSACTION READ WRITE; COMMIT; {INSERT}; SELECT 1 AS a",
    "sets a variable": f"SET {{reading}} = 0; {INSERT}; SELECT 1 AS a",
    "by a prepared statement": f"PREPARE s FROM 'COMMIT'; EXECUTE s; {INSERT}; SELECT 1 AS a",
    "begins by one": f"PREPARE s FROM 'START TRANSACTION READ WRITE'; EXECUTE s; {INSERT}; COMMIT; SELECT 1 AS a",
    "ends it by name": f"XA END 'x'; XA ROLLBACK 'x'; {INSERT}; SELECT 1 AS a",
    "makes a table": "CREATE TABLE made (a INT); SELECT 1 AS a",
    "empties a table": "TRUNCATE TABLE loose; SELECT 1 AS a",
    "drops": "DROP TABLE orders; SELECT 1 AS a",
    "renames": "RENAME TABLE loose TO gone; SELECT 1 AS a",
    "grants": "CREATE USER made@localhost; SELECT 1 AS a",
    "changes an account": "ALTER USER reader@localhost IDENTIFIED BY 'falsch'; SELECT 1 AS a",
    "gives itself more": "GRANT ALL ON *.* TO reader@localhost; SELECT 1 AS a",
    "counts on": "SELECT NEXTVAL(counter) AS a",
}
# every column has a name there, no prepared statement begins a transaction, and there are no sequences
NOT_OF_MYSQL = {"nameless", "begins by one", "counts on"}


@pytest.fixture(scope="module")
def made(either: MariadbServer) -> dict[str, str]:
    """The procedures, each as this server has it."""
    texts = {**PROCEDURES, **{name: f"() BEGIN {text}; END" for name, text in WRITES.items()}}
    return {
        name: text.format(reading=either.reading, stoppable=either.stoppable)
        for name, text in texts.items()
        if either.is_mariadb or name not in NOT_OF_MYSQL
    }


@pytest.fixture(scope="module")
def database(either: MariadbServer, made: dict[str, str]) -> str:
    name = either.create_database()
    either.execute(
        *MADE,
        *(["CREATE SEQUENCE counter"] if either.is_mariadb else []),
        *(f"CREATE PROCEDURE `{key}` {text}" for key, text in made.items()),
        f"GRANT EXECUTE ON {name}.* TO reader@localhost",
        database=name,
    )
    return name


@pytest.fixture(autouse=True)
def has_it(request: pytest.FixtureRequest, made: dict[str, str]) -> None:
    """Skip what MySQL does not have."""
    if (name := request.node.callspec.params.get("name")) and name not in made:
        pytest.skip("not of MySQL")


@pytest.fixture(scope="module")
def source(either: MariadbServer, database: str) -> Iterator[MariadbSource]:
    manner = MariadbManner(either.address(database), password=PASSWORD)
    with closing(MariadbSource(manner, max_connections=2)) as opened:
        yield opened


def find(source: MariadbSource, name: str) -> Procedure:
    found = source.find_object(name)
    assert isinstance(found, Procedure)
    return found


def call(source: MariadbSource, name: str, body: bytes = b"", *, seconds: float = 10) -> list[tuple[Value, ...]]:
    """Call as service/starting.py does."""
    request = parse_call_body(body)
    planned = plan_call(find(source, name), request.parameters)
    held = source.open_call(planned, statement_seconds=seconds)
    held.hold()
    described = ObjectDescription(name, "procedure", tuple(held.columns), path=(HELD,))
    plan = plan_rows(request.result, described, run_key="")
    rows = held.open_rows(render_select(plan, held.dialect), statement_seconds=seconds)
    found: list[tuple[Value, ...]] = []
    with closing(rows):
        while not rows.is_exhausted:
            found += rows.read_block()
    return found


def test_procedures_are_listed_and_described(source: MariadbSource, made: dict[str, str]) -> None:
    listed = {found.name: found.kind for found in source.list_objects()}
    assert listed["orders"] == "table"
    assert {name for name, kind in listed.items() if kind == "procedure"} == set(made)
    told = find(source, "echo")
    assert [(p.name, p.type.value, p.required, p.takes_null) for p in told.parameters] == [  # type: ignore[union-attr]
        ("t", "text", True, True),
        ("i", "integer", True, True),
        ("n", "number", True, True),
        ("d", "date", True, True),
        ("m", "moment", True, True),
        ("x", "binary", True, True),
    ]
    assert [p.name for p in find(source, "both").parameters] == ["n", "twice"]
    assert source.find_object("UP_TO") is None, "names are exact"


def test_the_first_result_is_the_answer_with_every_digit(source: MariadbSource) -> None:
    assert call(source, "up_to", b"{parameters: {n: 2}}") == [
        (2, "B", Decimal("2.5000"), 7, "2021-01-01T00:00:00", None, None),
        (
            *(1, "a", Decimal("12345678901234567890.1234"), 18446744073709551615),
            *("2020-01-01T10:00:00.5", "2020-01-01", b"\x00\xff"),
        ),
    ]
    assert call(source, "several") == [(1,)]
    assert call(source, "shared", b"{parameters: {n: 2}}") == [(1,), (2,)]
    assert call(source, "none") == []
    assert len(call(source, "many", b"{parameters: {n: 12345}}")) == 12345


def test_without_a_result_what_is_handed_out_is_the_answer(source: MariadbSource) -> None:
    assert call(source, "both", b"{parameters: {n: 2, twice: 21}}") == [(2, 42)]
    assert call(source, "both", b"{parameters: {n: 2, twice: 21}, columns: ['TWICE']}") == [(42,)]
    assert call(source, "both", b"{parameters: {n: null, twice: null}}") == [(0, None)]
    with pytest.raises(EngineUnavailable) as raised:
        call(source, "silent")
    assert raised.value.detail == "it gives no rows"


@pytest.mark.parametrize("name", ["alike", "nameless"])
def test_columns_need_names_of_their_own(source: MariadbSource, name: str) -> None:
    with pytest.raises(EngineUnavailable) as raised:
        call(source, name)
    assert "need names" in raised.value.detail


SHAPES: list[tuple[str, list[Any]]] = [
    ("filters: [{column: 'name', function: 'equals', value: 'b'}], columns: ['id']", [(3,), (2,)]),
    ("filters: [{column: 'total', function: 'greater', value: 2}], columns: ['id']", [(2,), (1,)]),
    ("filters: [{column: 'big', function: 'less', value: 8}], columns: ['id']", [(2,)]),
    ("filters: [{column: 'at', function: 'equals', value: '2020-01-01T10:00:00.5'}], columns: ['id']", [(1,)]),
    ("filters: [{column: 'at', function: 'greater', value: '2020-06'}], columns: ['id']", [(2,)]),
    ("filters: [{column: 'day', function: 'less', value: '2021'}], columns: ['id']", [(1,)]),
    ("filters: [{column: 'name', function: 'starts_with', value: 'B'}], columns: ['id']", [(3,), (2,)]),
    ("orderby: ['total'], columns: ['id']", [(3,), (2,), (1,)]),
    ("limit: 1, offset: 1, columns: ['total']", [(Decimal("2.5000"),)]),
    ("aggregates: ['count', 'max:at', 'min:big']", [(3, "2021-01-01T00:00:00", 7)]),
    ("distinct: true, columns: ['day'], orderby: ['day']", [(None,), ("2020-01-01",), ("2022-02-02",)]),
    (
        "groupby: ['total'], columns: ['id']",
        [(Decimal("-1.0000"), 3), (Decimal("2.5000"), 2), (BIG := Decimal("12345678901234567890.1234"), 1)],
    ),
]


@pytest.mark.parametrize(("shape", "expected"), SHAPES)
def test_a_result_is_shaped_as_rows_are(source: MariadbSource, shape: str, expected: list[Any]) -> None:
    assert call(source, "up_to", f"{{parameters: {{n: 9}}, {shape}}}".encode()) == expected


def test_values_are_passed_untouched(source: MariadbSource) -> None:
    body = b"{parameters: {t: \"%s '; -- \\\\ \", i: 9223372036854775807, n: 0.1, d: '2020-02-29', "
    body += b"m: '2020-02-29T10:00:00.25', x: 'AP8='}}"
    assert call(source, "echo", body) == [
        ("%s '; -- \\ ", 9223372036854775807, 0.1, "2020-02-29", "2020-02-29T10:00:00.25", b"\x00\xff")
    ]
    nulls = b"{parameters: {t: null, i: null, n: null, d: null, m: null, x: null}}"
    assert call(source, "echo", nulls) == [(None,) * 6]


@pytest.mark.parametrize("name", WRITES)
def test_what_tries_to_write_is_refused_and_changes_nothing(
    either: MariadbServer, database: str, source: MariadbSource, name: str
) -> None:
    """Every procedure has its owner's rights, who may do all that it tries."""
    look = (
        "SELECT (SELECT group_concat(id) FROM orders), (SELECT count(*) FROM loose), (SELECT count(*) FROM mysql.user)"
    )
    before = [either.execute(look, database=database), either.execute("SHOW TABLES", database=database)]
    with pytest.raises(EngineFailure) as raised:
        call(source, name)
    assert raised.value.description == "The procedure tried to write, and nothing was changed."
    assert before == [either.execute(look, database=database), either.execute("SHOW TABLES", database=database)]
    assert either.execute("XA RECOVER") == []
    assert call(source, "several") == [(1,)]


def test_what_a_procedure_leaves_in_its_session_goes_with_it(source: MariadbSource) -> None:
    assert call(source, "leaves") == [("ANSI_QUOTES",)]
    for _ in range(3):
        assert source.ask("SELECT @@sql_mode, @rowgate_0") == [("STRICT_ALL_TABLES", None)]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("raises", b"{parameters: {t: 'x'}}"),
        ("raises", b"{parameters: {t: 'longer than twenty characters'}}"),
        ("up_to", b"{parameters: {n: 99999999999}}"),
        ("fails_late", b""),
    ],
)
def test_values_that_it_cannot_work_with_are_refused(source: MariadbSource, name: str, body: bytes) -> None:
    with pytest.raises(InvalidParameter) as raised:
        call(source, name, body)
    assert raised.value.field == "parameters"


def list_slow(either: MariadbServer) -> list[int]:
    return [row[0] for row in either.execute("SHOW PROCESSLIST") if row[4] != "Sleep" and "numbers a" in str(row[7])]


def test_a_call_has_its_seconds_and_can_be_cancelled(either: MariadbServer, source: MariadbSource) -> None:
    """Nobody may stop what runs with its owner's rights, so MariaDB itself must."""
    with pytest.raises(StatementTimeout):
        call(source, "slow", seconds=0.3)
    held = source.open_call(plan_call(find(source, "slow"), {}), statement_seconds=1)
    with ThreadPoolExecutor() as others:

        def cancel() -> None:
            wait_until(lambda: list_slow(either))
            held.cancel()

        cancelled = others.submit(cancel)
        with pytest.raises(StatementCancelled):
            held.hold()
        cancelled.result()
    before = source.open_call(plan_call(find(source, "slow"), {}), statement_seconds=30)
    before.cancel()
    with pytest.raises(StatementCancelled):
        before.hold()
    wait_until(lambda: not list_slow(either), seconds=3)


def test_what_runs_with_its_owners_rights_is_past_stopping_on_mysql(
    either: MariadbServer, database: str, source: MariadbSource
) -> None:
    """Who called has the answer at the end of the seconds; the server works on until its owner ends it."""
    if either.is_mariadb:
        pytest.skip("MariaDB stops it itself")
    slow = PROCEDURES["slow"].format(stoppable="")
    either.execute("DROP PROCEDURE IF EXISTS owned", f"CREATE PROCEDURE owned {slow}", database=database)
    with pytest.raises(StatementTimeout):
        call(source, "owned", seconds=0.3)
    assert source.count_connections() == 0
    (runs_on,) = list_slow(either)
    either.execute(f"KILL {runs_on}")
    wait_until(lambda: not list_slow(either))
    either.execute("DROP PROCEDURE owned", database=database)


def test_a_procedure_that_was_changed_or_dropped_is_noticed(
    either: MariadbServer, database: str, source: MariadbSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    either.execute("CREATE PROCEDURE passing () BEGIN SELECT 1 AS a; END", database=database)
    assert call(source, "passing") == [(1,)]
    either.execute(
        "DROP PROCEDURE passing", "CREATE PROCEDURE passing (IN n INT) BEGIN SELECT n AS b; END", database=database
    )
    with pytest.raises(RowsError):
        call(source, "passing")
    assert call(source, "passing", b"{parameters: {n: 3}}") == [(3,)], "the failure had it looked at anew"
    either.execute("DROP PROCEDURE passing", database=database)
    monkeypatch.setattr(kept_catalog, "CATALOG_SECONDS", 0)
    assert source.find_object("passing") is None


def test_a_comment_says_which_columns_there_are(either: MariadbServer, database: str, source: MariadbSource) -> None:
    either.execute(
        "CREATE PROCEDURE told () COMMENT 'columns: id integer, Name text; Says what it gives.' "
        "BEGIN SELECT id, name AS Name FROM orders; END",
        "CREATE PROCEDURE lies () COMMENT 'columns: id integer, other text' BEGIN SELECT id, name FROM orders; END",
        "CREATE PROCEDURE wrong () COMMENT 'columns: id' BEGIN SELECT id FROM orders; END",
        database=database,
    )
    found = find(source, "told")
    assert [(c.name, c.declared_type) for c in found.columns] == [("id", "integer"), ("Name", "text")]
    assert found.description == "Says what it gives."
    assert len(call(source, "told")) == 3
    with pytest.raises(EngineUnavailable) as raised:
        call(source, "lies")
    assert "id, other" in raised.value.detail
    assert "declared" in find(source, "wrong").fault
    either.execute("DROP PROCEDURE told", "DROP PROCEDURE lies", "DROP PROCEDURE wrong", database=database)
