"""PostgreSQL's own: what lets an account write, names in schemas, keys, restarts, encodings, thousands of objects."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from engines.test_contract import read_all
from rowgate.engines import kept_catalog
from rowgate.engines.postgres import PostgresSource
from rowgate.engines.postgres_address import read_address
from rowgate.rows.errors import EngineUnavailable, InvalidParameter, NotReadOnly
from rowgate.rows.holds import Collation, Holds
from rowgate.rows.model import ObjectDescription, Statement, Value
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.postgres import READER, PostgresServer, run_postgres
from support.servers import wait_until
from support.stopwatch import Stopwatch

ACCOUNT = "tried"  # its privileges are what is tried


@contextmanager
def serve(server: PostgresServer, *statements: str, user: str = READER, options: str = "") -> Iterator[PostgresSource]:
    """Serve a database that the statements made."""
    name = server.create_database(options)
    with server.owner(name) as owner:
        for statement in statements:
            owner.execute(statement.replace("DATABASE {}", f"DATABASE {name}").encode())
    with closing(PostgresSource(server.address(name, user))) as source:
        yield source
    server.drop_database(name)


def find(source: PostgresSource, name: str) -> ObjectDescription:
    described = source.find_object(name)
    assert described is not None, name
    return described


def read(source: PostgresSource, name: str, body: bytes) -> Sequence[tuple[Value, ...]]:
    plan = plan_rows(parse_rows_body(body), find(source, name), run_key="")
    return read_all(source.open_rows(render_select(plan, source.dialect), statement_seconds=10))


@pytest.fixture
def account(postgres: PostgresServer) -> Iterator[str]:
    with postgres.owner() as owner:
        owner.execute(f"CREATE ROLE {ACCOUNT} LOGIN")
        yield ACCOUNT
        owner.execute(f"ALTER ROLE {ACCOUNT} NOSUPERUSER")
        owner.execute(f"DROP ROLE {ACCOUNT}")


_TABLE = "CREATE TABLE t (a int, b int)"
WRITING: dict[str, tuple[tuple[str, ...], str]] = {
    "superuser": ((f"ALTER ROLE {ACCOUNT} SUPERUSER",), "superuser"),
    "createdb": ((f"ALTER ROLE {ACCOUNT} CREATEDB",), f"ALTER ROLE {ACCOUNT} NOCREATEDB"),
    "createrole": ((f"ALTER ROLE {ACCOUNT} CREATEROLE",), f"ALTER ROLE {ACCOUNT} NOCREATEROLE"),
    "member": ((f"GRANT pg_write_all_data TO {ACCOUNT}",), f"REVOKE pg_write_all_data FROM {ACCOUNT}"),
    "programs": ((f"GRANT pg_execute_server_program TO {ACCOUNT}",), "pg_execute_server_program"),
    "insert": ((_TABLE, f"GRANT INSERT ON t TO {ACCOUNT}"), f"REVOKE INSERT ON t FROM {ACCOUNT}, PUBLIC"),
    "update": ((_TABLE, "GRANT UPDATE ON t TO PUBLIC"), f"REVOKE UPDATE ON t FROM {ACCOUNT}, PUBLIC"),
    "truncate": ((_TABLE, f"GRANT TRUNCATE ON t TO {ACCOUNT}"), "REVOKE TRUNCATE ON t"),
    "column": ((_TABLE, f"GRANT UPDATE (b) ON t TO {ACCOUNT}"), "REVOKE UPDATE (column) ON t"),
    "view": ((_TABLE, "CREATE VIEW v AS SELECT a FROM t", f"GRANT DELETE ON v TO {ACCOUNT}"), "REVOKE DELETE ON v"),
    "schema": ((f"GRANT CREATE ON SCHEMA public TO {ACCOUNT}",), "REVOKE CREATE ON SCHEMA public"),
    "other-schema": (("CREATE SCHEMA s", f"GRANT CREATE ON SCHEMA s TO {ACCOUNT}"), "REVOKE CREATE ON SCHEMA s"),
    "hidden-table": (
        ("CREATE SCHEMA s", "CREATE TABLE s.t (a int)", f"GRANT DELETE ON s.t TO {ACCOUNT}"),
        "REVOKE DELETE ON s.t",
    ),
    "sequence": (("CREATE SEQUENCE n", f"GRANT USAGE ON SEQUENCE n TO {ACCOUNT}"), "REVOKE USAGE ON SEQUENCE n"),
    "owner": ((_TABLE, f"ALTER TABLE t OWNER TO {ACCOUNT}"), "OWNER TO"),
    "database": (("GRANT CREATE ON DATABASE {} TO tried",), "REVOKE CREATE ON DATABASE"),
}  # fmt: skip


@pytest.mark.parametrize(("statements", "remedy"), WRITING.values(), ids=WRITING.keys())
def test_an_account_that_may_write_is_refused_with_what_to_take_away(
    postgres: PostgresServer, account: str, statements: tuple[str, ...], remedy: str
) -> None:
    with serve(postgres, *statements, user=account) as source:
        with pytest.raises(NotReadOnly) as refused:
            source.prove_read_only()
        assert remedy in refused.value.description
        assert "\n" not in refused.value.description
        with postgres.owner() as owner:
            owner.execute(f"REVOKE pg_write_all_data, pg_execute_server_program FROM {ACCOUNT}")


def test_an_account_that_may_read_all_data_is_served(postgres: PostgresServer, account: str) -> None:
    with serve(postgres, _TABLE, f"GRANT pg_read_all_data TO {account}", user=account) as source:
        source.prove_read_only()
        assert [listed.name for listed in source.list_objects()] == ["t"]


def test_the_session_refuses_what_the_account_may(postgres: PostgresServer) -> None:
    """Were the proof wrong, the session would still be read-only; a superuser is the worst case."""
    with serve(postgres, _TABLE, "INSERT INTO t VALUES (1, 2)", user="postgres") as source:
        for text in (
            "INSERT INTO t VALUES (1, 1) RETURNING a",
            "WITH gone AS (DELETE FROM t RETURNING a) SELECT * FROM gone",
            "SELECT set_config('transaction_read_only', 'off', false)",
            "SELECT lo_create(0)",
        ):
            with pytest.raises(Exception, match="could not answer"):
                read_all(source.open_rows(Statement(text, ()), statement_seconds=5))
        assert read(source, "t", b"{}") == [(1, 2)]


SCHEMAS = (
    "CREATE SCHEMA sales",
    f"GRANT USAGE ON SCHEMA sales TO {READER}",
    "CREATE SCHEMA closed",
    "CREATE TABLE orders (a int)",
    "CREATE TABLE sales.orders (b int)",
    'CREATE TABLE sales."dotted.name" (c int)',
    'CREATE TABLE "sales.taken" (plain int)',
    "CREATE TABLE sales.taken (hidden int)",
    "CREATE TABLE closed.secret (d int)",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA sales, closed TO {READER}",
    "CREATE TABLE columns_only (shown int, hidden int)",
    f"REVOKE SELECT ON columns_only FROM {READER}",
    f"GRANT SELECT (shown) ON columns_only TO {READER}",
    "CREATE TABLE not_granted (a int)",
    f"REVOKE SELECT ON not_granted FROM {READER}",
    "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a",
    "CREATE TABLE parted (a int) PARTITION BY LIST (a)",
    "CREATE TEMPORARY TABLE passing (a int)",
)  # fmt: skip


def test_names_are_those_of_the_search_path_and_others_have_their_schema(postgres: PostgresServer) -> None:
    with serve(postgres, *SCHEMAS) as source:
        listed = {found.name: found.kind for found in source.list_objects()}
        assert listed == {
            "orders": "table",
            "sales.orders": "table",
            "sales.dotted.name": "table",
            "sales.taken": "table",
            "columns_only": "table",
            "kept": "view",
            "parted": "table",
        }
        columns = {name: [column.name for column in find(source, name).columns] for name in listed}
        assert columns["orders"] == ["a"]
        assert columns["sales.orders"] == ["b"]
        assert columns["sales.dotted.name"] == ["c"]
        assert columns["sales.taken"] == ["plain"], "the search path has the name"
        assert columns["columns_only"] == ["shown"]
        for name in ("public.orders", "secret", "closed.secret", "not_granted", "pg_class", "pg_catalog.pg_class"):
            assert source.find_object(name) is None, name


KEYED: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "primary": (("CREATE TABLE t (a int, b int, c int, PRIMARY KEY (c, a))",), ["c", "a"]),
    "unique-not-null": (("CREATE TABLE t (a int UNIQUE, b int NOT NULL UNIQUE)",), ["b"]),
    "unique-may-be-null": (("CREATE TABLE t (a int UNIQUE)",), []),
    "partial": ((_TABLE, "ALTER TABLE t ALTER a SET NOT NULL", "CREATE UNIQUE INDEX ON t (a) WHERE b > 0"), []),
    "of-an-expression": (("CREATE TABLE t (a int NOT NULL)", "CREATE UNIQUE INDEX ON t ((a + 1))"), []),
    "deferred": (("CREATE TABLE t (a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)",), []),
    "including": (("CREATE TABLE t (a int NOT NULL, b int)", "CREATE UNIQUE INDEX ON t (a) INCLUDE (b)"), ["a"]),
    "inherited": (("CREATE TABLE t (a int PRIMARY KEY)", "CREATE TABLE child () INHERITS (t)"), []),
    "partitioned": (
        ("CREATE TABLE t (a int PRIMARY KEY) PARTITION BY RANGE (a)", "CREATE TABLE p PARTITION OF t DEFAULT"),
        ["a"],
    ),
    "view": (("CREATE TABLE s (a int PRIMARY KEY)", "CREATE VIEW t AS SELECT * FROM s"), []),
}


@pytest.mark.parametrize(("statements", "key"), KEYED.values(), ids=KEYED.keys())
def test_only_what_tells_all_rows_apart_is_a_key(
    postgres: PostgresServer, statements: tuple[str, ...], key: list[str]
) -> None:
    with serve(postgres, *statements) as source:
        assert [column.name for column in find(source, "t").row_key] == key


@pytest.mark.slow
def test_ten_thousand_objects_are_served_at_once(postgres: PostgresServer) -> None:
    """Nothing reads the whole catalog but a listing."""
    made = "DO $$ BEGIN FOR n IN {} LOOP EXECUTE 'CREATE TABLE t' || n || ' (a int)'; END LOOP; END $$"
    with serve(postgres, *(made.format(f"{n * 500 + 1}..{n * 500 + 500}") for n in range(20))) as source:
        with Stopwatch() as watch:
            source.prove_read_only()
            assert find(source, "t9999").name == "t9999"
        assert watch.seconds < 2
        assert len(source.list_objects()) == 10_000


@pytest.fixture(scope="module")
def restarted() -> Iterator[PostgresServer]:
    """A server of this module's own, to be stopped."""
    with run_postgres() as running:
        yield running


@pytest.mark.slow
def test_a_server_that_was_stopped_is_unavailable_and_comes_back(restarted: PostgresServer) -> None:
    """Idle connections, one in the middle of its rows, and new ones."""
    with serve(
        restarted, "CREATE TABLE t AS SELECT n, repeat('x', 500) AS x FROM generate_series(1, 50000) n"
    ) as source:
        statement = Statement("SELECT n, x FROM t ORDER BY n", ())
        blocks = [source.open_rows(statement, statement_seconds=30) for _ in range(3)]
        for opened in blocks[:2]:
            opened.read_block()
        blocks[2].close()
        restarted.stop()
        with pytest.raises(EngineUnavailable):
            read_all(blocks[0])
        for use in (
            source.list_objects,
            source.check_reachable,
            lambda: source.find_object("t"),
            source.prove_read_only,
        ):
            with pytest.raises(EngineUnavailable):
                use()
        restarted.start()
        assert len(read_all(source.open_rows(statement, statement_seconds=30))) == 50_000
        with pytest.raises(EngineUnavailable):
            read_all(blocks[1])
        with ThreadPoolExecutor(8) as threads:
            found = threads.map(lambda _: len(read_all(source.open_rows(statement, statement_seconds=30))), range(8))
            assert list(found) == [50_000] * 8


def test_an_idle_connection_that_the_server_closed_is_replaced_unseen(postgres: PostgresServer) -> None:
    with serve(postgres, _TABLE, "INSERT INTO t VALUES (1, 2)") as source:
        assert read(source, "t", b"{}") == [(1, 2)]
        with postgres.owner() as owner:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")
        assert read(source, "t", b"{}") == [(1, 2)]


def test_connections_are_no_more_than_there_may_be(postgres: PostgresServer) -> None:
    with serve(postgres, _TABLE) as source:
        source.close()
        before = _list_sessions(postgres)  # of those that closed, the server ends some a little later
        with closing(PostgresSource(source.pool._address, max_connections=2)) as small:
            with ThreadPoolExecutor(12) as threads:
                list(threads.map(lambda _: read(small, "t", b"{}"), range(60)))
            assert 1 <= len(_list_sessions(postgres) - before) <= 2


def _list_sessions(server: PostgresServer) -> set[int]:
    with server.owner() as owner:
        return {pid for (pid,) in owner.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'reader'")}


def test_what_was_cut_runs_no_longer_on_the_server(postgres: PostgresServer) -> None:
    with serve(postgres, _TABLE) as source:
        blocks = source.open_rows(Statement("SELECT pg_sleep(60), 7 AS cut", ()), statement_seconds=60)
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(blocks.read_block)
            wait_until(lambda: _count_running(postgres, "cut") == 1)
            blocks.cancel()
            assert reading.exception(5) is not None
        blocks.close()
        wait_until(lambda: _count_running(postgres, "cut") == 0)


def _count_running(server: PostgresServer, word: str) -> int:
    with server.owner() as owner:
        asked = (
            f"SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active' AND query ~ '{word}'"
        )
        [count] = owner.execute(asked.encode()).fetchone() or [0]
    return int(count)


LATIN = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"


def test_a_database_of_another_encoding_gives_unicode(postgres: PostgresServer) -> None:
    with serve(
        postgres, "CREATE TABLE t (v text)", "INSERT INTO t VALUES ('Zoë'), ('ZOË'), ('x')", options=LATIN
    ) as source:
        assert source.dialect.codec == "iso8859-1"
        assert read(source, "t", b'{"orderby": ["v"]}') == [("ZOË",), ("Zoë",), ("x",)]
        for function, value in (
            ("equals", "zOË"),
            ("contains", "oË"),
            ("starts_with", "zoë"),
            ("between", ["ZOË", "zoë"]),
        ):
            body = f'{{"filters": [{{"column": "v", "function": "{function}", "value": {value!r}}}]}}'.replace("'", '"')
            assert len(read(source, "t", body.encode())) == 2, body
        with pytest.raises(InvalidParameter):
            read(source, "t", '{"filters": [{"column": "v", "function": "equals", "value": "山"}]}'.encode())


def test_bytes_that_are_no_text_hide_nothing_else(postgres: PostgresServer) -> None:
    stored = "INSERT INTO t SELECT n, CASE WHEN n % 250 = 9 THEN E'a\\xff' ELSE 'b' END FROM generate_series(1, 2000) n"
    options = LATIN.replace("LATIN1", "SQL_ASCII")
    with serve(postgres, "CREATE TABLE t (n int, v text)", stored, options=options) as source:
        rows = read(source, "t", b'{"orderby": ["n"]}')
        assert rows == [(n, "a\ufffd" if n % 250 == 9 else "b") for n in range(1, 2001)]


def test_collations_are_known(postgres: PostgresServer) -> None:
    columns = 'a text, b text COLLATE "C", c text COLLATE "POSIX", d int, e text COLLATE own'
    made = ("CREATE COLLATION own (locale = 'C')", f"CREATE TABLE t ({columns})")
    with serve(postgres, *made) as source:
        exact, language = Collation.CODE_POINT, Collation.LINGUISTIC
        assert [column.collation for column in find(source, "t").columns if column.holds is Holds.TEXT] == [
            exact,
            exact,
            exact,
            language,
        ]


def test_a_stale_description_is_forgotten_when_the_database_says_so(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_catalog, "CATALOG_SECONDS", 3600.0)
    with serve(postgres, _TABLE) as source:
        read(source, "t", b"{}")
        name = source.pool._address.partition("/")[2]
        assert name
        with psycopg.connect(source.pool._address.replace(READER, "postgres"), autocommit=True) as owner:
            owner.execute("ALTER TABLE t DROP COLUMN b")
        with pytest.raises(Exception, match="could not answer"):
            read(source, "t", b"{}")
        assert read(source, "t", b"{}") == []


def test_a_text_with_nul_is_never_cut_short(postgres: PostgresServer) -> None:
    with serve(postgres, _TABLE) as source, pytest.raises(InvalidParameter):
        read_all(source.open_rows(Statement("SELECT CAST($1 AS text)", ("a\0b",)), statement_seconds=5))


def test_estimates_come_from_the_planner(postgres: PostgresServer) -> None:
    made = ("CREATE TABLE t AS SELECT n, n % 10 AS d FROM generate_series(1, 10000) n", "ANALYZE t")
    with serve(postgres, *made) as source:
        bodies: list[tuple[bytes, Callable[[int], bool]]] = [
            (b'{"limit": 3, "offset": 2}', lambda n: n == 10_000),
            (
                b'{"filters": [{"column": "d", "function": "equals", "value": 3}], "groupby": ["d"]}',
                lambda n: 900 < n < 1100,
            ),
        ]
        for body, fits in bodies:
            found = source.estimate_rows(plan_rows(parse_rows_body(body), find(source, "t"), run_key=""))
            assert found is not None
            assert fits(found)
        distinct = plan_rows(parse_rows_body(b'{"distinct": true}'), find(source, "t"), run_key="")
        assert source.estimate_rows(distinct) is None


SERVED: dict[str, dict[str, Any]] = {
    "number-equals": {"column": "n", "function": "equals", "value": 7},
    "number-less-than-a-fraction": {"column": "n", "function": "less", "value": 7.5},
    "moment-beginning": {"column": "at", "function": "less", "value": "2018-01"},
    "uuid-equals": {"column": "u", "function": "equals", "value": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"},
    "text-equals-in-case": {"column": "t", "function": "equals", "value": "7", "matchCase": True},
    "text-starts-in-case": {"column": "t", "function": "starts_with", "value": "99", "matchCase": True},
    "text-equals-by-an-index-of-its-own": {"column": "folded", "function": "equals", "value": "SEVEN"},
}


@pytest.fixture(scope="module")
def indexed(postgres: PostgresServer) -> Iterator[PostgresSource]:
    made = (
        (
            "CREATE TABLE t AS SELECT n, n::text AS t, n::text AS folded, gen_random_uuid() AS u, "
            "'2018-01-01'::timestamp + n * interval '1 h' AS at, repeat('x', 200) AS x FROM generate_series(1, 20000) n"
        ),
        *(f"CREATE INDEX ON t ({column})" for column in ("n", "at", "u", "t", 'lower(folded COLLATE "C")')),
        "ANALYZE t",
    )
    with serve(postgres, *made) as source:
        yield source


@pytest.mark.parametrize("given", SERVED.values(), ids=SERVED.keys())
def test_an_index_serves(indexed: PostgresSource, given: dict[str, Any]) -> None:
    body = str({"filters": [given]}).replace("'", '"').replace("True", "true")
    plan = plan_rows(parse_rows_body(body.encode()), find(indexed, "t"), run_key="")
    assert "Index" in " ".join(indexed.explain(render_select(plan, indexed.dialect)))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://a:hidden@h/d",
        "postgresql://a@h/d?password=hidden",
        "host=h password=hidden",
        "postgresql://[hidden",
    ],
)
def test_an_address_with_a_password_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match=r"password|not one of") as refused:
        read_address(address, "")
    assert "hidden" not in str(refused.value)


def test_a_password_comes_from_its_file(tmp_path: Any) -> None:
    path = tmp_path / "password"
    path.write_text("it's \\ me\nsecond line\n")
    made = psycopg.conninfo.conninfo_to_dict(read_address("postgresql://a@h/d", str(path)))
    assert made["password"] == "it's \\ me"
