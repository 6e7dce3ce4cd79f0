"""Which filters an index serves on PostgreSQL, MariaDB and MySQL, as docs/reference/http.md says; their plans tell.

SQLite's: rows/test_indexes.py.
"""

# ruff: noqa: RUF001 - letters that look alike are what is tested

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pymysql
import pytest

from engines.heavy import HEAVY
from rowgate.engines.generic import GenericSource
from rowgate.engines.mariadb import MariadbManner
from rowgate.engines.mysql_catalog import CASELESS
from rowgate.engines.postgres import PostgresSource
from rowgate.ports.rows import RowSource
from rowgate.rows.fold import fold
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.mariadb import PASSWORD, MariadbServer, make_numbers
from support.postgres import PostgresServer

MADE = """CREATE TABLE indexed (id INTEGER PRIMARY KEY, number INTEGER, price DECIMAL(10, 2), day DATE,
moment TIMESTAMP NULL, text VARCHAR(40), other VARCHAR(99))"""
ROWS = 3000
FILL_POSTGRES = f"""INSERT INTO indexed SELECT n, n, n / 100.0, date '2000-01-01' + n,
timestamp '2000-01-01' + n * interval '1 hour', 't' || n, repeat('x', 99) FROM generate_series(1, {ROWS}) n"""
FILL_MARIADB = """INSERT INTO indexed SELECT seq, seq, seq / 100, DATE_ADD('2000-01-01', INTERVAL seq DAY),
DATE_ADD('2000-01-01 00:00:00', INTERVAL seq HOUR), CONCAT('t', seq), REPEAT('x', 99), CONCAT('t', seq)
FROM numbers"""
OF_POSTGRES = (
    'CREATE INDEX ON indexed (lower(text COLLATE "C"))',
    "CREATE INDEX ON indexed (text text_pattern_ops)",
    "ANALYZE indexed",
)
OF_MARIADB = ("CREATE INDEX spelled_index ON indexed (spelled)", "ANALYZE TABLE indexed")
SPELLED = "ALTER TABLE indexed ADD spelled VARCHAR(40) COLLATE {}"
INDEXES = [
    f"CREATE INDEX {column}_index ON indexed ({column})" for column in ("number", "price", "day", "moment", "text")
]


@pytest.fixture(scope="module")
def of_postgres(postgres: PostgresServer) -> Iterator[RowSource]:
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        for statement in (MADE, FILL_POSTGRES, *INDEXES, *OF_POSTGRES):
            owner.execute(statement.encode())
    with closing(PostgresSource(postgres.address(name))) as source:
        yield source
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def of_mariadb(mariadb: MariadbServer) -> Iterator[RowSource]:
    yield from _open_indexed(mariadb, "utf8mb4_nopad_bin")


@pytest.fixture(scope="module")
def of_mysql(mysql: MariadbServer) -> Iterator[RowSource]:
    yield from _open_indexed(mysql, "utf8mb4_0900_bin")


def _open_indexed(server: MariadbServer, by_code_point: str) -> Iterator[RowSource]:
    name = server.create_database()
    filled = (MADE, SPELLED.format(by_code_point), *make_numbers(ROWS), FILL_MARIADB)
    server.execute(*filled, *INDEXES, *OF_MARIADB, database=name)
    with closing(GenericSource(MariadbManner(server.address(name), password=PASSWORD))) as source:
        yield source


def explain(source: RowSource, column: str, function: str, value: Any = None, *, match_case: bool = False) -> str:
    body = {"filters": [{"column": column, "function": function, "value": value, "matchCase": match_case}]}
    described = source.find_object("indexed")
    assert described is not None
    plan = plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="")
    return " ".join(source.explain(render_select(plan, source.dialect)))


Case = tuple[Any, ...]
IN_CASE = True
OF_NUMBERS_AND_TIMES: list[Case] = [
    ("number", "equals", 7),
    ("number", "equals", [7, 8]),
    ("number", "greater", ROWS - 5),
    ("price", "between", [7, 7.02]),
    ("day", "less", "2000-01-05"),
    ("moment", "equals", "2000-01-02T03:00:00"),
    ("text", "is_null"),
]
SERVED: dict[str, list[Case]] = {
    "postgres": [
        *OF_NUMBERS_AND_TIMES,
        ("text", "equals", "é", IN_CASE),
        ("text", "equals", ["t7", "t8"], IN_CASE),
        ("text", "starts_with", "t77", IN_CASE),
        ("text", "equals", "T7"),
        ("text", "equals", ["T7", "T8"]),
        ("text", "between", ["T77", "t770"]),
    ],
    "mariadb": [
        *OF_NUMBERS_AND_TIMES,
        ("text", "equals", "é", IN_CASE),
        ("text", "equals", ["t7", "t8"], IN_CASE),
        ("text", "equals", "T7"),
        ("text", "equals", ["T7", "T8"]),
        ("spelled", "equals", "é", IN_CASE),
        ("spelled", "between", ["t77", "t770"], IN_CASE),
        ("spelled", "starts_with", "t77", IN_CASE),
    ],
}
SERVED["mysql"] = SERVED["mariadb"]
BY_NONE: list[Case] = [
    ("text", "equals", "é"),
    ("text", "starts_with", "t77"),
    ("text", "contains", "77", IN_CASE),
    ("text", "ends_with", "77", IN_CASE),
    ("number", "not_equals", 7),
]
NOT_SERVED: dict[str, list[Case]] = {
    "postgres": BY_NONE,
    "mariadb": [*BY_NONE, ("text", "between", ["T77", "t770"]), ("text", "starts_with", "t77", IN_CASE)],
}
NOT_SERVED["mysql"] = NOT_SERVED["mariadb"]


def list_cases(cases: dict[str, list[Case]]) -> list[Any]:
    return [
        pytest.param(engine, case, id=f"{engine}-{case[0]}-{case[1]}-{number}", marks=HEAVY.get(engine, ()))
        for engine, of_engine in cases.items()
        for number, case in enumerate(of_engine)
    ]


def is_served(request: pytest.FixtureRequest, engine: str, case: Case) -> bool:
    column, function, *more = case
    plan = explain(request.getfixturevalue(f"of_{engine}"), column, function, *more[:1], match_case=IN_CASE in more[1:])
    if engine == "postgres":
        return "Index" in plan
    assert " indexed " in plan
    return " indexed ALL " not in plan


@pytest.mark.parametrize(("engine", "case"), list_cases(SERVED))
def test_an_index_serves(request: pytest.FixtureRequest, engine: str, case: Case) -> None:
    assert is_served(request, engine, case)


@pytest.mark.parametrize(("engine", "case"), list_cases(NOT_SERVED))
def test_every_row_is_looked_at(request: pytest.FixtureRequest, engine: str, case: Case) -> None:
    assert not is_served(request, engine, case)


@pytest.mark.engines
def test_what_is_taken_for_caseless_is_so_of_every_two_ascii_letters(either: MariadbServer) -> None:
    """An index must not miss a text: no two letters may be one in one case and two in another."""
    database = either.create_database()
    whole = "full_collation_name" if either.is_mariadb else "collation_name"
    listed = either.execute(f"SELECT {whole} FROM information_schema.collation_character_set_applicability")
    names = [name for (name,) in listed]
    found = [name for name in names if CASELESS.fullmatch(name)]
    newest = "utf8mb4_uca1400_ai_ci" if either.is_mariadb else "utf8mb4_0900_ai_ci"
    assert {"utf8mb4_general_ci", newest, "latin1_swedish_ci"} <= set(found)
    either.execute(*make_numbers(127), "INSERT INTO numbers VALUES (0)", database=database)
    for name in found:
        charset = name.partition("_")[0]
        first, second = (f"CONVERT(CHAR({side}.seq) USING {charset}) COLLATE {name}" for side in ("a", "b"))
        pair = f"CONCAT({first}, {second})"
        variants = (f"UPPER({pair})", f"LOWER({pair})", f"CONCAT(UPPER({first}), LOWER({second}))")
        differing = " OR ".join(
            f"{pair} <> {variant}" for variant in (*variants, f"CONCAT(LOWER({first}), UPPER({second}))")
        )
        ((count,),) = either.execute(f"SELECT count(*) FROM numbers a, numbers b WHERE {differing}", database=database)
        assert count == 0, name


COLUMNS = {
    "general": "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "unicode": "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "turkish": "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_turkish_ci",
    "binary_": "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "three": "VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",
    "latin": "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    "german": "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci",
    "japanese": "VARCHAR(20) CHARACTER SET cp932 COLLATE cp932_japanese_ci",
    "fixed": "CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "newest": "VARCHAR(20) CHARACTER SET utf8mb4",
    "chosen": "ENUM('I', 'i ', 'STRASSE', 'é', 'E') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
}
TEXTS = [
    "i",
    "I",
    "ı",
    "İ",
    "strasse",
    "STRASSE",
    "straße",
    "é",
    "É",
    "e",
    "E",
    "i ",
    "Ω",
    "😀",
    "K",
    "\u212a",
    "\t",
    "ß",
    "≒",
]


@pytest.mark.engines
def test_an_index_changes_no_answer_whatever_the_collation(either: MariadbServer) -> None:
    name = either.create_database()
    either.execute("CREATE VIEW said AS SELECT 'I' AS text UNION ALL SELECT 'i '", database=name)
    for table, declared in COLUMNS.items():
        either.execute(f"CREATE TABLE {table} (text {declared}, KEY (text))", database=name)
        kept = [text for text in TEXTS if _insert(either, name, table, text)]
        assert len(kept) >= 4, table
    with closing(GenericSource(MariadbManner(either.address(name), password=PASSWORD))) as source:
        for table in (*COLUMNS, "said"):
            held = [str(text) for (text,) in either.execute(f"SELECT text FROM {table}", database=name)]
            for value in TEXTS:
                assert sorted(_find(source, table, value, match_case=True)) == [text for text in held if text == value]
                found = sorted(_find(source, table, value, match_case=False))
                assert found == sorted(text for text in held if fold(text) == fold(value)), (table, value)
                several = sorted(_find(source, table, [value, "I"], match_case=False))
                assert several == sorted(text for text in held if fold(text) in (fold(value), "i")), (table, value)


def _insert(either: MariadbServer, database: str, table: str, text: str) -> bool:
    """Put a text into a table; tell whether its character set has it."""
    try:
        either.execute(f"INSERT INTO {table} VALUES ('{text}')", database=database)
    except (pymysql.DataError, pymysql.OperationalError):
        return False
    return True


def _find(source: RowSource, table: str, value: Any, *, match_case: bool) -> list[str]:
    described = source.find_object(table)
    assert described is not None
    body = {"filters": [{"column": "text", "function": "equals", "value": value, "matchCase": match_case}]}
    plan = plan_rows(parse_rows_body(msgspec.json.encode(body)), described, run_key="")
    with closing(source.open_rows(render_select(plan, source.dialect), statement_seconds=10)) as blocks:
        return [str(row[0]) for row in blocks.read_block()]


@pytest.mark.engines
def test_a_run_that_the_columns_characters_cannot_spell_is_none(either: MariadbServer) -> None:
    name = either.create_database()
    declared = "JobRuntimeKey VARCHAR(30) CHARACTER SET {} PRIMARY KEY"
    for table in ("latin1", "utf8mb3", "utf8mb4"):
        either.execute(
            f"CREATE TABLE {table} ({declared.format(table)})",
            f"INSERT INTO {table} VALUES ('2020'), ('é')",
            database=name,
        )
    with closing(GenericSource(MariadbManner(either.address(name), password=PASSWORD))) as source:
        for table in ("latin1", "utf8mb3", "utf8mb4"):
            described = source.find_object(table)
            assert described is not None
            for run, expected in (("😀", []), ("é", ["é"]), ("2020", ["2020"])):
                request = parse_rows_body(msgspec.json.encode({"jobRuntimeKey": run}))
                statement = render_select(plan_rows(request, described, run_key=""), source.dialect)
                with closing(source.open_rows(statement, statement_seconds=10)) as blocks:
                    assert [row[0] for row in blocks.read_block()] == expected
