"""Views whose functions set something of the session: no other read has it, and no value is quoted by it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pymysql.cursors import SSCursor

from engines.servings_generic import MariadbServing, serve_either
from engines.test_contract import read_all
from rowgate.engines.generic import GenericSource
from rowgate.engines.mariadb import MariadbManner
from rowgate.rows.model import Statement
from rows.test_injection import ATTACKS
from support.mariadb import PASSWORD, MariadbServer

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def served(either: MariadbServer) -> Iterator[MariadbServing]:
    with serve_either(either) as opened:
        for name, text in SETTINGS.items():
            setting = text.format(reading=opened.server.reading)
            opened.execute(
                f"CREATE FUNCTION set_{name}() RETURNS INT BEGIN SET SESSION {setting}; RETURN 1; END",
                f"CREATE VIEW sets_{name} AS SELECT n FROM made WHERE set_{name}() = 1",
            )
        opened.execute("INSERT INTO made VALUES (1), (2)", "CREATE TABLE texts (t VARCHAR(90))")
        yield opened


@pytest.fixture
def source(served: MariadbServing) -> Iterator[GenericSource]:
    """All reads of it are on one connection."""
    manner = MariadbManner(served.server.address(served.name), password=PASSWORD)
    with closing(GenericSource(manner, max_connections=1)) as opened:
        yield opened


SETTINGS = {
    "zone": "time_zone = '+05:30'",
    "writing": "{reading} = OFF",
    "waiting": "lock_wait_timeout = 1000",
    "quotes": "sql_mode = 'ANSI_QUOTES'",
    "backslashes": "sql_mode = 'NO_BACKSLASH_ESCAPES'",
}


def ask(source: GenericSource, text: str, *values: str) -> list[tuple[object, ...]]:
    return list(read_all(source.open_rows(Statement(text, values), statement_seconds=10)))


@pytest.mark.parametrize("name", SETTINGS)
def test_no_other_read_has_what_a_view_has_set(served: MariadbServing, source: GenericSource, name: str) -> None:
    told = f"@@time_zone, @@sql_mode, @@{served.server.reading}, @@lock_wait_timeout"
    before = ask(source, f"SELECT connection_id(), {told}")
    assert before[0][1:4] == ("+00:00", "STRICT_ALL_TABLES", 1)
    assert ask(source, f"SELECT n FROM sets_{name} ORDER BY n") == [(1,), (2,)]
    assert ask(source, f"SELECT connection_id(), {told}") == before, "the same connection, as it was"


@pytest.mark.parametrize("name", ["quotes", "backslashes"])
@pytest.mark.parametrize("value", [*ATTACKS, "\\' OR 1=1 -- ", "\\", "\\\\'", '\\" OR ""="'])
def test_values_stay_values_after_a_view_has_changed_how_they_are_quoted(
    served: MariadbServing, source: GenericSource, name: str, value: str
) -> None:
    """The driver goes by what the server said last, which it says while the function runs."""
    served.server.execute("TRUNCATE texts", database=served.name)
    with closing(served.server.connect(served.name)) as owner, owner.cursor() as cursor:
        cursor.executemany("INSERT INTO texts VALUES (%s)", [(value,), ("another",)])
    ask(source, f"SELECT n FROM sets_{name}")
    assert ask(source, "SELECT t FROM texts WHERE t = %s", value) == [(value,)]


def test_result_whose_connection_is_gone_is_forgotten_without_a_word(source: GenericSource) -> None:
    """The driver's own would read it to its end, from nothing, and complain to nobody."""
    made = source.manner.open_engine(max_connections=1)
    connection: Any = made.raw_connection().driver_connection
    cursor = connection.cursor(SSCursor)
    cursor.execute("SELECT a.n FROM made a, made b, made c, made d, made e, made f, made g, made h")
    result = cursor._result
    assert result.unbuffered_active
    connection._force_close()
    assert not result.unbuffered_active
    result.__del__()
    made.dispose()
