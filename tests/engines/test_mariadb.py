"""MariaDB's own, and MySQL's: what their grants are judged by, and what their types become."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

import pytest

from engines.servings_generic import MariadbServing, serve_either
from engines.test_contract import read_all
from rowgate.engines.addresses import open_generic
from rowgate.engines.generic import GenericSource
from rowgate.engines.mariadb import MariadbManner
from rowgate.rows.errors import EngineUnavailable, NotReadOnly
from rowgate.rows.model import Value
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.mariadb import PASSWORD, MariadbServer
from support.mysql import MysqlServer

pytestmark = pytest.mark.engines


@pytest.fixture
def serving(either: MariadbServer) -> Iterator[MariadbServing]:
    with serve_either(either) as opened:
        yield opened


def prove(server: MariadbServer, database: str, *grants: str) -> None:
    """Look up what an account may do that has these grants and may read the database."""
    server.execute(
        "DROP USER IF EXISTS judged@localhost",
        "CREATE USER judged@localhost IDENTIFIED BY 'geheim'",
        f"GRANT SELECT ON {database}.* TO judged@localhost",
        *[grant.format(database=database) for grant in grants],
    )
    manner = MariadbManner(server.address(database, user="judged"), password=PASSWORD)
    with closing(GenericSource(manner)) as source:
        source.prove_read_only()


@pytest.mark.parametrize(
    ("grant", "named"),
    [
        ("GRANT INSERT ON {database}.* TO judged@localhost", "INSERT"),
        ("GRANT UPDATE (n) ON {database}.made TO judged@localhost", "UPDATE"),
        ("GRANT CREATE TEMPORARY TABLES ON {database}.* TO judged@localhost", "CREATE TEMPORARY TABLES"),
        ("GRANT FILE ON *.* TO judged@localhost", "FILE"),
        ("GRANT ALL ON {database}.* TO judged@localhost", "ALL PRIVILEGES"),
        ("GRANT SELECT ON {database}.* TO judged@localhost WITH GRANT OPTION", "GRANT OPTION"),
        ("GRANT DELETE ON mysql.user TO judged@localhost", "DELETE"),
    ],
)
def test_account_that_may_write_is_refused_by_name(serving: MariadbServing, grant: str, named: str) -> None:
    with pytest.raises(NotReadOnly, match=named):
        prove(serving.server, serving.name, grant)


def test_role_that_may_write_is_refused_though_it_is_not_set(serving: MariadbServing) -> None:
    role = (
        "DROP ROLE IF EXISTS writers",
        "CREATE ROLE writers",
        "GRANT DELETE ON {database}.* TO writers",
        "GRANT writers TO judged@localhost",
    )
    with pytest.raises(NotReadOnly, match="writers" if serving.server.is_mariadb else "DELETE"):
        prove(serving.server, serving.name, *role)
    with pytest.raises(NotReadOnly, match="DELETE"):
        prove(serving.server, serving.name, *role, _set_role(serving, "writers"))
    within = ("DROP ROLE IF EXISTS outer_role", "CREATE ROLE outer_role", "GRANT writers TO outer_role")
    given = ("GRANT outer_role TO judged@localhost", _set_role(serving, "outer_role"))
    with pytest.raises(NotReadOnly, match="DELETE"):
        prove(serving.server, serving.name, *role[:-1], *within, *given)


def test_role_that_only_reads_is_proven(serving: MariadbServing) -> None:
    role = ("DROP ROLE IF EXISTS readers", "CREATE ROLE readers", "GRANT SELECT, SHOW VIEW ON {database}.* TO readers")
    prove(serving.server, serving.name, *role, "GRANT readers TO judged@localhost", _set_role(serving, "readers"))


def _set_role(serving: MariadbServing, role: str) -> str:
    return f"SET DEFAULT ROLE {role} {'FOR' if serving.server.is_mariadb else 'TO'} judged@localhost"


@pytest.mark.mysql
def test_what_is_revoked_in_part_on_mysql_is_no_right(mysql: MysqlServer) -> None:
    with serve_either(mysql) as serving:
        mysql.execute("SET GLOBAL partial_revokes = ON")
        revoked = ("GRANT SELECT ON *.* TO judged@localhost", "REVOKE SELECT ON mysql.* FROM judged@localhost")
        prove(mysql, serving.name, *revoked)
        with pytest.raises(NotReadOnly, match="INSERT"):
            prove(mysql, serving.name, *revoked, "GRANT INSERT ON *.* TO judged@localhost")
        mysql.execute("DROP USER judged@localhost", "SET GLOBAL partial_revokes = OFF")


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT SHOW VIEW, EXECUTE ON {database}.* TO judged@localhost",
        "GRANT PROCESS ON *.* TO judged@localhost",
        "GRANT SELECT (n) ON {database}.made TO judged@localhost",
    ],
)
def test_account_that_may_only_read_is_proven(serving: MariadbServing, grant: str) -> None:
    prove(serving.server, serving.name, grant)


def test_wrong_password_is_told_as_unavailable_without_it(serving: MariadbServing) -> None:
    manner = MariadbManner(serving.server.address(serving.name), password="falsch")
    with closing(GenericSource(manner)) as source, pytest.raises(EngineUnavailable) as refused:
        source.prove_read_only()
    assert "falsch" not in str(refused.value) + refused.value.detail


def read(serving: MariadbServing, body: bytes) -> list[tuple[Value, ...]]:
    described = serving.source.find_object("typed")
    assert described is not None
    plan = plan_rows(parse_rows_body(body), described, run_key="")
    return read_all(serving.source.open_rows(render_select(plan, serving.source.dialect), statement_seconds=10))


def test_types_of_its_own(serving: MariadbServing) -> None:
    uuid = "UUID" if serving.server.is_mariadb else "CHAR(36)"
    serving.execute(
        "CREATE TABLE typed (big BIGINT UNSIGNED, money DECIMAL(30, 4), single FLOAT, flag BOOLEAN, span TIME(2), "
        f"stamp TIMESTAMP(3) NULL, kind ENUM('b', 'a'), id {uuid}, raw VARBINARY(4), old CHAR(5) CHARACTER SET latin1)",
        "SET time_zone = '+02:00'",
        "INSERT INTO typed VALUES (18446744073709551615, 12345678901234567890.1234, 16777217, TRUE, '-12:30:00.50', "
        "'2020-01-01 02:00:00.250', 'a', '123e4567-e89b-12d3-a456-426655440000', x'00ff', 'é')",
    )
    assert read(serving, b"{}") == [
        (
            18446744073709551615,
            Decimal("12345678901234567890.1234"),
            16777216.0,
            1,
            "-12:30:00.5",
            "2020-01-01T00:00:00.25",
            "a",
            "123e4567-e89b-12d3-a456-426655440000",
            b"\x00\xff",
            "é",
        )
    ]
    for column, value in (
        ("big", "18446744073709551614"),
        ("stamp", '"2020-01-01T00:00:00"'),
        ("id", '"123E4567-E89B-12D3-A456-000000000000"'),
        ("old", '"D"'),
    ):
        filters = (
            f'{{"filters": [{{"column": "{column}", "function": "greater", "value": {value}}}], "columns": ["flag"]}}'
        )
        if column != "big":  # requests hold whole numbers of 64 bits with a sign
            assert read(serving, filters.encode()) == [(1,)], column
    same = b'{"filters": [{"column": "old", "function": "equals", "value": "\xc3\x89"}], "columns": ["kind"]}'
    assert read(serving, same) == [("a",)]


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql", "mariadb+pymysql"])
def test_the_address_may_be_one_of_mysql(serving: MariadbServing, scheme: str) -> None:
    serving.execute("INSERT INTO made VALUES (5)")
    _, _, rest = serving.server.address(serving.name).partition("://")
    with closing(open_generic(f"{scheme}://{rest}", password=PASSWORD, max_connections=2)) as source:
        source.prove_read_only()
        described = source.find_object("made")
        assert described is not None
        body = b'{"filters": [{"column": "N", "function": "equals", "value": 5}]}'
        plan = plan_rows(parse_rows_body(body), described, run_key="")
        statement = render_select(plan, source.dialect)
        assert read_all(source.open_rows(statement, statement_seconds=10)) == [(5,)]
        assert source.name == "MariaDB"
