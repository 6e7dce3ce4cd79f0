"""Views whose functions set something of the session: what they give is right or refused, and no other read notices."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from engines.test_contract import read_all
from engines.test_postgres_lines import Kept
from rowgate.engines.postgres import PostgresSource
from rowgate.rows.encode_lines import ARRAY_FORMATS
from rowgate.rows.errors import EngineFailure
from rowgate.rows.model import Format, Statement, Value
from rowgate.rows.sql import render_count, render_select
from rowgate.rows.sql_lines import render_lines
from support.postgres import PostgresServer

_NAMES = (
    *("timezone", "datestyle", "intervalstyle", "standard_conforming_strings", "default_transaction_read_only"),
    *("extra_float_digits", "bytea_output", "search_path", "statement_timeout", "row_security", "role"),
)
_TOLD = "SELECT pg_backend_pid(), " + ", ".join(f"current_setting('{name}')" for name in _NAMES)
_USUAL = ("UTC", "ISO, YMD", "iso_8601", "on", "on", "1", "hex", '"$user", public', "0", "on", "none")
# of every zone with minutes, of the year 0, of BC, and moments that never come
_MOMENTS = (
    "2018-11-05 13:15:30+01",
    "2018-11-05 13:15:30.25-03:30",
    "0001-01-01 00:00:00+00",
    "0001-01-01 00:00:00+00 BC",
    "0044-03-15 01:02:03.000004+00 BC",
    "9999-12-31 23:59:59.999999+00",
    "infinity",
    "-infinity",
)
_WRITTEN = [
    "2018-11-05T12:15:30+00:00",
    "2018-11-05T16:45:30.25+00:00",
    "0001-01-01T00:00:00+00:00",
    "0001-01-01T00:00:00+00:00 BC",
    "0044-03-15T01:02:03.000004+00:00 BC",
    "9999-12-31T23:59:59.999999+00:00",
    "infinity",
    "-infinity",
    None,
]


@pytest.fixture(scope="module")
def kept(postgres: PostgresServer) -> Iterator[Kept]:
    name = postgres.create_database()
    with postgres.owner(name) as owner, closing(PostgresSource(postgres.address(name))) as source:
        values = ", ".join(f"({n}, TIMESTAMPTZ '{moment}')" for n, moment in enumerate(_MOMENTS))
        owner.execute(f"CREATE TABLE plain AS VALUES {values}, (99, NULL)".encode())
        owner.execute(b"ALTER TABLE plain RENAME column1 TO n")
        owner.execute(b"ALTER TABLE plain RENAME column2 TO at")
        yield Kept(owner, source)
    postgres.drop_database(name)


def make_view(kept: Kept, name: str, value: str, *, is_local: bool = False) -> str:
    """Give the name of a view that sets it before its first row is written."""
    view = f"sets_{name}_{'here' if is_local else 'on'}"
    setting = f"set_config('{name}', '{value}', {str(is_local).lower()})"
    kept.owner.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT n, at FROM plain WHERE {setting} <> ''".encode())
    return view


def ask(kept: Kept) -> tuple[Value, ...]:
    ((number, *told),) = read_all(kept.source.open_rows(Statement(_TOLD, ()), statement_seconds=10))
    assert isinstance(number, int)
    return tuple(told)


@pytest.mark.parametrize("is_local", [False, True])
def test_moments_are_in_utc_whatever_zone_a_view_sets(kept: Kept, *, is_local: bool) -> None:
    view = make_view(kept, "timezone", "Asia/Kolkata", is_local=is_local)
    for form in (Format.JSON, Format.NDJSON):
        assert kept.write_rows(kept.plan(view), form) == kept.write_rows(kept.plan("plain"), form)
    assert kept.write_lines(kept.plan(view), Format.CSV) == kept.write_lines(kept.plan("plain"), Format.CSV)
    for form in ARRAY_FORMATS:
        assert kept.write_lines(kept.plan(view), form) == kept.write_lines(kept.plan("plain"), form)
    assert ask(kept) == _USUAL


def test_moments_with_a_zone_are_written_in_utc(kept: Kept) -> None:
    rows = json.loads(kept.write_rows(kept.plan("plain", orderby=["n"]), Format.JSON))
    assert [row["at"] for row in rows] == _WRITTEN
    found = kept.plan("plain", filters=[{"column": "at", "function": "ends_with", "value": "00 bc"}])
    assert len(json.loads(kept.write_rows(found, Format.JSON))) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("datestyle", "German"), ("intervalstyle", "postgres"), ("extra_float_digits", "-15")]
)
def test_a_view_that_sets_how_values_are_written_is_not_read(kept: Kept, name: str, value: str) -> None:
    view = make_view(kept, name, value)
    for write, form in ((kept.write_rows, Format.JSON), (kept.write_lines, Format.CSV)):
        with pytest.raises(EngineFailure) as failed:
            write(kept.plan(view), form)
        assert name in failed.value.detail.lower()
        assert name not in failed.value.description.lower()
        assert ask(kept) == _USUAL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("standard_conforming_strings", "off"),
        ("default_transaction_read_only", "off"),
        ("bytea_output", "escape"),
        ("search_path", "pg_temp"),
        ("statement_timeout", "86400000"),
        ("row_security", "off"),
        ("role", "reader"),
    ],
)
def test_no_other_read_has_what_a_view_has_set(kept: Kept, name: str, value: str) -> None:
    view = make_view(kept, name, value)
    assert kept.write_rows(kept.plan(view), Format.JSON) == kept.write_rows(kept.plan("plain"), Format.JSON)
    assert ask(kept) == _USUAL


def test_binary_values_are_themselves_however_a_view_has_them_written(kept: Kept) -> None:
    kept.owner.execute(b"CREATE TABLE IF NOT EXISTS bytes AS SELECT 1 AS n, '\\x005c27ff61'::bytea AS b")
    setting = "set_config('bytea_output', 'escape', false)"
    kept.owner.execute(f"CREATE OR REPLACE VIEW escapes AS SELECT n, b FROM bytes WHERE {setting} <> ''".encode())
    for form in (Format.JSON, Format.NDJSON):
        assert kept.write_rows(kept.plan("escapes"), form) == kept.write_rows(kept.plan("bytes"), form)
    for form in (Format.CSV, *ARRAY_FORMATS):
        assert kept.write_lines(kept.plan("escapes"), form) == kept.write_lines(kept.plan("bytes"), form)
    assert ask(kept) == _USUAL


def test_a_lock_that_a_view_takes_for_the_session_ends_with_its_read(kept: Kept) -> None:
    kept.owner.execute(b"CREATE OR REPLACE VIEW locks AS SELECT n, pg_advisory_lock(4711)::text AS l FROM plain")
    kept.write_rows(kept.plan("locks"), Format.JSON)
    [(held,)] = kept.owner.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchall()
    assert held == 0


def test_a_statement_that_a_view_prepares_ends_with_its_read(kept: Kept) -> None:
    kept.owner.execute(
        b"CREATE FUNCTION prepares() RETURNS int LANGUAGE plpgsql AS "
        b"$$BEGIN EXECUTE 'PREPARE kept AS SELECT 1'; RETURN 1; END$$"
    )
    kept.owner.execute(b"CREATE VIEW preparing AS SELECT prepares() AS n")
    for _ in range(2):  # the second would find what the first has left
        kept.write_rows(kept.plan("preparing"), Format.JSON)


def test_a_table_is_read_without_setting_anything_anew(kept: Kept) -> None:
    """It would cost a turn to the server and back; no code of the database's own has run."""
    view = make_view(kept, "timezone", "Asia/Kolkata")
    assert not render_select(kept.plan("plain"), kept.source.dialect).runs_code
    assert not render_count(kept.plan("plain"), kept.source.dialect).runs_code
    for form in (Format.CSV, Format.ARROW):
        told = [render_lines(kept.plan(name), form, kept.source.dialect) for name in ("plain", view)]
        assert [lines.runs_code for lines in told if lines] == [False, True]
