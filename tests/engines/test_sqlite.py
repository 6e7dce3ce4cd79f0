"""SQLite's own: three locks against writing, virtual tables, WAL, encodings, files that go away."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from engines.test_contract import read_all
from rowgate.engines.block_weight import BLOCK_ROWS
from rowgate.engines.sqlite import SqliteSource
from rowgate.engines.sqlite_connection import ReadingConnection, define_functions, go_on
from rowgate.engines.sqlite_permissions import Authorizer
from rowgate.rows.dialects.sqlite import SQLITE
from rowgate.rows.errors import EngineFailure, InvalidParameter, NotReadOnly, StatementTimeout
from rowgate.rows.fold import fold
from rowgate.rows.model import Statement, Value
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "served.sqlite"


@pytest.fixture
def owner(path: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(
            "CREATE TABLE made (n INTEGER); CREATE INDEX made_n ON made (n); INSERT INTO made VALUES (1)"
        )
        yield connection


@pytest.fixture
def source(owner: apsw.Connection, path: Path) -> Iterator[SqliteSource]:
    assert owner.filename
    with closing(SqliteSource(path)) as opened:
        yield opened


def run(source: SqliteSource, text: str, *values: Value) -> list[tuple[Value, ...]]:
    return read_all(source.open_rows(Statement(text, values), statement_seconds=5))


REFUSED = {
    "attach": "ATTACH '/etc/passwd' AS other",
    "attach-memory": "ATTACH ':memory:' AS other",
    "detach": "DETACH main",
    "vacuum-into": "VACUUM INTO '/tmp/rowgate-stolen.sqlite'",
    "pragma-query_only": "PRAGMA query_only = 0",
    "pragma-table_list": "PRAGMA table_list",
    "pragma-data_version-set": "PRAGMA data_version = 1",
    "pragma-function": "SELECT * FROM pragma_database_list",
    "load_extension": "SELECT load_extension('x')",
    "readfile": "SELECT readfile('/etc/passwd')",
    "writefile": "SELECT writefile('/tmp/x', 'x')",
    "edit": "SELECT edit('x')",
    "fts3_tokenizer": "SELECT fts3_tokenizer('simple')",
    "reindex": "REINDEX",
    "analyze": "ANALYZE",
    "savepoint": "SAVEPOINT a",
    "writable-schema": "PRAGMA writable_schema = 1",
    "temporary-view": "CREATE TEMP VIEW v AS SELECT 1",
    "returning": "DELETE FROM made RETURNING n",
    "string-in-double-quotes": 'SELECT "no such column" FROM made',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_everything_but_reading_is_refused(source: SqliteSource, text: str) -> None:
    with pytest.raises(EngineFailure):
        run(source, text)
    assert run(source, "SELECT n FROM made") == [(1,)]


@pytest.mark.parametrize("lock", ["mode", "query_only", "authorizer"])
def test_each_lock_holds_alone(path: Path, owner: apsw.Connection, lock: str) -> None:
    """With the other two taken off, no write gets through."""
    assert owner.filename

    class Weakened(SqliteSource):
        def _connect(self, authorizer: Authorizer, *, is_lent: bool = False) -> ReadingConnection:  # noqa: ARG002
            if lock == "mode":
                connection = ReadingConnection(
                    f"file:{path}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
                )
            else:
                connection = ReadingConnection(str(path))
            if lock == "query_only":
                connection.pragma("query_only", 1)
            if lock == "authorizer":
                connection.set_authorizer(authorizer)
            return connection

    with closing(Weakened(path)) as source:
        for text in (
            "INSERT INTO made VALUES (2)",
            "DROP TABLE made",
            "CREATE TABLE more (n)",
            "PRAGMA user_version = 5",
        ):
            with pytest.raises(EngineFailure):
                run(source, text)
        assert run(source, "SELECT n FROM made") == [(1,)]
        if lock != "mode":
            with pytest.raises(NotReadOnly):
                source.prove_read_only()


def test_view_may_call_harmless_functions_and_no_others(source: SqliteSource, owner: apsw.Connection) -> None:
    owner.execute("CREATE VIEW upper_made AS SELECT upper('ab') AS u, abs(-n) AS a FROM made")
    owner.execute("CREATE VIEW loading AS SELECT load_extension('x') AS l FROM made")
    owner.execute("CREATE VIEW folding AS SELECT rowgate_fold('A') AS l FROM made")
    assert run(source, "SELECT * FROM upper_made") == [("AB", 1)]
    for view in ("loading", "folding"):
        with pytest.raises(EngineFailure):
            run(source, f"SELECT * FROM {view}")


def test_full_text_table_is_read_and_its_shadows_are_not_listed(source: SqliteSource, owner: apsw.Connection) -> None:
    owner.execute("CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('hello')")
    assert [listed.name for listed in source.list_objects()] == ["made", "notes"]
    described = source.find_object("notes")
    assert described is not None
    assert [column.name for column in described.columns] == ["body"]
    for _ in range(2):
        assert run(source, "SELECT body FROM notes") == [("hello",)]


def test_virtual_table_that_must_write_is_as_if_it_were_not_there(source: SqliteSource, owner: apsw.Connection) -> None:
    owner.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)")
    assert source.find_object("boxes") is None
    assert source.find_object("made") is not None


def test_columns_that_are_computed_are_read_and_hidden_ones_are_not(
    source: SqliteSource, owner: apsw.Connection
) -> None:
    owner.execute("CREATE TABLE computed (n INTEGER, twice INTEGER AS (n * 2), thrice INTEGER AS (n * 3) STORED)")
    described = source.find_object("computed")
    assert described is not None
    assert [column.name for column in described.columns] == ["n", "twice", "thrice"]


def test_name_that_is_not_utf_8_hides_nothing_else(source: SqliteSource, owner: apsw.Connection) -> None:
    owner.execute("PRAGMA writable_schema = 1")
    owner.execute('CREATE TABLE "bad X" (n INTEGER); CREATE TABLE half ("bad Y" INTEGER, n INTEGER)')
    owner.execute(
        "UPDATE sqlite_schema SET name = CAST(replace(CAST(name AS BLOB), 'X', x'ff') AS TEXT),"
        " tbl_name = CAST(replace(CAST(name AS BLOB), 'X', x'ff') AS TEXT),"
        " sql = CAST(replace(replace(CAST(sql AS BLOB), 'X', x'ff'), 'Y', x'ff') AS TEXT)"
        " WHERE name IN ('bad X', 'half')"
    )
    owner.execute("PRAGMA schema_version = 99")
    assert [listed.name for listed in source.list_objects()] == ["half", "made"]
    described = source.find_object("half")
    assert described is not None
    assert [column.name for column in described.columns] == ["n"]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_text_is_text_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "encoded.sqlite"
    with closing(apsw.Connection(str(path))) as owner:
        owner.execute(f"PRAGMA encoding = '{encoding}'")
        owner.execute("CREATE TABLE t (v TEXT, n INTEGER)")
        bad = b"\xff" if encoding == "UTF-8" else "\ud800".encode(encoding, "surrogatepass")
        owner.executemany("INSERT INTO t VALUES (?, ?)", [("Ünï", 1), ("山田", 2), ("x", 3)])
        owner.execute("INSERT INTO t VALUES (CAST(? AS TEXT), 4)", ("É".encode(encoding) + bad,))
    with closing(SqliteSource(path)) as source:
        described = source.find_object("t")
        assert described is not None

        def ask(body: str) -> list[tuple[Value, ...]]:
            plan = plan_rows(parse_rows_body(body.encode()), described, run_key="")
            return read_all(source.open_rows(render_select(plan, SQLITE), statement_seconds=5))

        assert ask("{}") == [("Ünï", 1), ("山田", 2), ("x", 3), ("É\ufffd", 4)]
        assert ask('{filters: [{column: "v", function: "contains", value: "ÜN"}]}') == [("Ünï", 1)]
        assert ask('{filters: [{column: "v", function: "equals", value: ["ünï", "X"]}]}') == [("Ünï", 1), ("x", 3)]
        assert ask('{filters: [{column: "v", function: "starts_with", value: "é"}]}') == [("É\ufffd", 4)]


def test_unreadable_text_after_another_writer_changed_the_rows(source: SqliteSource, owner: apsw.Connection) -> None:
    """WAL: the statement that goes on sees the same rows as the one that stopped."""
    owner.execute("PRAGMA journal_mode = WAL")
    owner.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)")
    owner.execute(
        "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 2499) INSERT INTO t "
        "SELECT n, CASE n WHEN 1500 THEN CAST(x'ff' AS TEXT) ELSE 'v' END FROM c"
    )
    blocks = source.open_rows(Statement("SELECT n, v FROM t", ()), statement_seconds=5)
    rows = blocks.read_block()
    owner.execute("DELETE FROM t WHERE n < 700; INSERT INTO t VALUES (-5, 'new')")
    while not blocks.is_exhausted:
        rows += blocks.read_block()
    blocks.close()
    assert rows == [(n, "\ufffd" if n == 1500 else "v") for n in range(2500)]


_AS_SOMEBODY_ELSE = """
import os, pathlib, sys
from rowgate.engines.sqlite import SqliteSource
from rowgate.rows.errors import EngineUnavailable
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    SqliteSource(pathlib.Path(sys.argv[1])).prove_read_only()
except EngineUnavailable as error:
    print(error.detail)
"""


def test_wal_database_in_a_folder_that_nobody_may_write_to_says_what_helps(owner: apsw.Connection) -> None:
    """SQLite itself says no more than that somebody tried to write."""
    with tempfile.TemporaryDirectory() as folder:  # of pytest's own others may not even pass through
        path = Path(folder) / "served.db"
        owner.execute(f"VACUUM INTO '{path}'")
        with closing(apsw.Connection(str(path))) as copy:
            copy.pragma("journal_mode", "wal")
        path.parent.chmod(0o555)
        command = [sys.executable, "-c", _AS_SOMEBODY_ELSE, str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "let this user write to its folder" in said


def test_wal_database_is_read_while_it_is_written(source: SqliteSource, owner: apsw.Connection) -> None:
    owner.execute("PRAGMA journal_mode = WAL")
    owner.execute("BEGIN IMMEDIATE; INSERT INTO made VALUES (2)")
    assert run(source, "SELECT n FROM made") == [(1,)], "what is not committed is not seen, and nobody waits"
    owner.execute("COMMIT")
    assert run(source, "SELECT n FROM made") == [(1,), (2,)]
    source.prove_read_only()


def test_file_removed_in_the_middle_of_a_read_is_read_to_its_end(
    source: SqliteSource, owner: apsw.Connection, path: Path
) -> None:
    owner.execute(
        "WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 5000) "
        "INSERT INTO made SELECT n FROM c"
    )
    blocks = source.open_rows(Statement("SELECT n FROM made ORDER BY n", ()), statement_seconds=5)
    rows = blocks.read_block()
    path.unlink()
    assert rows + read_all(blocks) == [(n,) for n in range(1, 5001)]


def test_connection_is_used_again_after_success_and_never_after_failure(source: SqliteSource) -> None:
    run(source, "SELECT 1")
    ((_, first),) = source._idle
    run(source, "SELECT 1")
    assert [connection for _, connection in source._idle] == [first]
    with pytest.raises(EngineFailure):
        run(source, "SELECT nope")
    assert not source._idle
    with pytest.raises(EngineFailure):
        source.explain(Statement("SELECT nope", ()))
    assert not source._idle
    assert not source._lent
    with pytest.raises(apsw.ConnectionClosedError):
        first.pragma("user_version")
    assert run(source, "SELECT 1") == [(1,)]


def test_whoever_has_a_connection_has_it_alone_on_whichever_thread(source: SqliteSource) -> None:
    """SQLite itself no longer looks after that: reads that end, fail and are given up take turns on few connections."""
    counted = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) SELECT n FROM c"
    with ThreadPoolExecutor(8) as threads:

        def read(number: int) -> list[tuple[Value, ...]]:
            text = counted.replace("SELECT n FROM", "SELECT abs(-9223372036854775808 * (n = 2000)), n FROM")
            blocks = source.open_rows(Statement(text if number % 4 == 3 else counted, ()), statement_seconds=30)
            with closing(blocks):
                rows = threads.submit(blocks.read_block).result()
                while number % 4 < 2 and not blocks.is_exhausted:
                    rows += threads.submit(blocks.read_block).result()
                if number % 4 == 3:
                    with pytest.raises(InvalidParameter):
                        threads.submit(blocks.read_block).result()
                return rows

        with ThreadPoolExecutor(4) as readers:
            results = list(readers.map(read, range(120)))
    whole = [(n,) for n in range(1, 3001)]
    assert all(rows == whole for number, rows in enumerate(results) if number % 4 < 2)
    assert all(rows == whole[:BLOCK_ROWS] for number, rows in enumerate(results) if number % 4 == 2)
    assert len({id(connection) for _, connection in source._idle}) == len(source._idle) <= 4
    assert not source._lent


def test_names_are_looked_up_once_while_nothing_changes(source: SqliteSource) -> None:
    assert source.find_object("made") is source.find_object("made")


def test_path_with_signs_that_mean_something_in_an_address(path: Path) -> None:
    odd = path.with_name("a b?c#d%41é.sqlite")
    with closing(apsw.Connection(str(odd))) as owner:
        owner.execute("CREATE TABLE t (n)")
    with closing(SqliteSource(odd)) as source:
        assert [listed.name for listed in source.list_objects()] == ["t"]


@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize(
    ("row", "most"),
    [("SELECT printf('%.1000000c', 'x') FROM n", 2), ("SELECT " + ", ".join(["i"] * 1000) + " FROM n", 70)],
    ids=["long", "wide"],
)
def test_heavy_rows_make_small_blocks(source: SqliteSource, row: str, most: int, limit: int | None) -> None:
    """A block is weighed from its first row on: a hundred rows of a megabyte are not taken before anyone looks."""
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
    with closing(source.open_rows(Statement(rows + row, (), limit), statement_seconds=5)) as blocks:
        assert len(blocks.read_block()) <= most


def test_a_filter_with_many_values_ends_in_the_middle_of_a_row() -> None:
    """SQLite itself looks whether it must stop only between rows, and one row may take a minute."""
    connection = ReadingConnection("")
    define_functions(connection, "UTF-8")
    looks = 0

    def must_stop() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    parts = json.dumps([f"part {n}" for n in range(1000)])
    for function in ("rowgate_begins", "rowgate_begins_folded", "rowgate_ends", "rowgate_ends_folded"):
        connection.stopping.must_stop = lambda: True
        with pytest.raises(apsw.InterruptError):
            connection.execute(f"SELECT {function}(CAST(? AS BLOB), ?)", ("nothing of it", parts)).fetchall()
    for function in ("rowgate_holds", "rowgate_holds_folded"):
        connection.stopping.must_stop = go_on
        asked = f"SELECT {function}(CAST(? AS BLOB), ?)"
        assert connection.execute(asked, ("PART 999", parts)).fetchall() == [(int(function.endswith("folded")),)]
        assert connection.execute(asked, (None, parts)).fetchall() == [(None,)]
        looks, connection.stopping.must_stop = 0, must_stop
        with pytest.raises(apsw.InterruptError):
            connection.execute(asked, ("nothing of it", parts)).fetchall()
        assert looks == 4


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
@pytest.mark.parametrize("at_start", [True, False])
def test_texts_begin_and_end_with_one_of_several(encoding: str, *, at_start: bool) -> None:
    connection = ReadingConnection("")
    define_functions(connection, encoding)
    name = "begins" if at_start else "ends"
    for text, parts, in_case, folded in (
        ("Zoë 😀", ["x", "Zoë", "ë 😀"], 1, 1),
        ("ZOË 😀 ZOË", ["zoë"], 0, 1),
        ("a\0b", ["a\0b"], 1, 1),
        ("short", ["not so short"], 0, 0),
        ("😀é😀", ["😀é"] if at_start else ["é😀"], 1, 1),
        ("middle", ["iddl"], 0, 0),
        ("any", [""], 1, 1),
        (None, ["x"], None, None),
    ):
        value = None if text is None else text.encode(encoding)
        for ending, expected in (("", in_case), ("_folded", folded)):
            asked = f"SELECT rowgate_{name}{ending}(?, ?)"
            given = json.dumps([fold(part) for part in parts] if ending else parts)
            assert connection.execute(asked, (value, given)).fetchall() == [(expected,)], (text, ending)


@pytest.mark.parametrize("function", ["contains", "starts_with", "ends_with"])
@pytest.mark.parametrize("match_case", [True, False])
def test_filters_with_ten_thousand_values_cost_little_before_the_first_row(
    source: SqliteSource, owner: apsw.Connection, function: str, *, match_case: bool
) -> None:
    """SQLite compares all the places of a statement with each other, and looks at no deadline meanwhile."""
    owner.execute("CREATE TABLE texts (t TEXT)")
    lists = [[f"é{n}" for n in range(k * 1000, k * 1000 + 1000)] for k in range(10)]
    filters = [{"column": "t", "function": function, "value": some, "matchCase": match_case} for some in lists]
    described = source.find_object("texts")
    assert described is not None
    request = parse_rows_body(json.dumps({"filters": [{"or": filters}]}).encode())
    statement = render_select(plan_rows(request, described, run_key=""), source.dialect)
    assert len(statement.parameters) <= 2000
    assert run(source, statement.text, *statement.parameters) == []


def test_a_long_part_is_not_looked_for_at_each_place_anew(source: SqliteSource, owner: apsw.Connection) -> None:
    """SQLite's own look-up takes seconds for this one row, and cannot be ended."""
    owner.execute("CREATE TABLE texts (t TEXT)")
    owner.execute("INSERT INTO texts VALUES (?)", ("a" * 200_000,))
    described = source.find_object("texts")
    assert described is not None
    part = "a" * 100_000 + "b"
    request = parse_rows_body(
        json.dumps({"filters": [{"column": "t", "function": "contains", "value": part}]}).encode()
    )
    statement = render_select(plan_rows(request, described, run_key=""), source.dialect)
    begun = time.thread_time()
    assert run(source, statement.text, *statement.parameters) == []
    assert time.thread_time() - begun < 0.2


def test_a_connection_that_is_given_back_forgets_whose_statement_it_ran(source: SqliteSource) -> None:
    assert run(source, "SELECT 1") == [(1,)]
    assert [connection.stopping.must_stop for _, connection in source._idle] == [go_on]


def test_few_rows_of_long_texts_end_at_the_deadline(source: SqliteSource, owner: apsw.Connection) -> None:
    """They take few steps, and each of them long."""
    owner.execute("CREATE TABLE long (t TEXT)")
    owner.executemany("INSERT INTO long VALUES (?)", [("x" * 200_000,)] * 40)
    parts = tuple(f"y{n}" for n in range(20))
    held = " OR ".join(["instr(lower(t), ?) > 0"] * len(parts))
    blocks = source.open_rows(Statement(f"SELECT 1 FROM long WHERE {held}", parts), statement_seconds=0.001)
    with closing(blocks), pytest.raises(StatementTimeout):
        blocks.read_block()
