"""Engines of which nothing is known: what must be said of an account, and what they are asked."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from engines.servings_other import OtherServing, serve_other
from rowgate.engines import other
from rowgate.engines.addresses import UnservedAddress, open_generic
from rowgate.engines.generic import GenericSource
from rowgate.engines.known import open_manner
from rowgate.engines.manners import Ask
from rowgate.engines.other import OtherManner
from rowgate.engines.reflected_catalog import list_catalog
from rowgate.rows.errors import EngineFailure, EngineUnavailable, NotReadOnly
from rowgate.rows.model import ObjectListing, Statement


@pytest.fixture
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OtherServing]:
    with serve_other(request, tmp_path) as opened:
        yield opened


def open_as(serving: OtherServing, user: str, *, accept_unproven: bool) -> GenericSource:
    url = sqlalchemy.make_url(serving.server.address(serving.name, user)).set(drivername="postgresql+psycopg")
    return GenericSource(OtherManner(url, accept_unproven=accept_unproven))


def test_account_is_not_taken_for_read_only_unless_somebody_vouches_for_it(serving: OtherServing) -> None:
    with closing(open_as(serving, "reader", accept_unproven=False)) as source:
        with pytest.raises(NotReadOnly, match="accept_unproven"):
            source.prove_read_only()
        assert "not proven" in source.name


def test_account_that_may_make_tables_is_refused_whoever_vouches_and_leaves_none(serving: OtherServing) -> None:
    with closing(open_as(serving, "postgres", accept_unproven=True)) as source:
        with pytest.raises(NotReadOnly, match="make tables"):
            source.prove_read_only()
        assert [listed.name for listed in source.list_objects()] == ["made"]


def test_database_that_is_away_has_proven_nothing(serving: OtherServing) -> None:
    serving.remove()
    with pytest.raises(EngineUnavailable):
        serving.source.prove_read_only()


@pytest.mark.parametrize(
    "text",
    [
        "WITH gone AS (DELETE FROM made RETURNING n) SELECT n FROM gone",
        "SELECT 1; DELETE FROM made",
        "SELECT ';' AS \";\" ; DELETE FROM made",
        "select 1",
        "EXPLAIN ANALYZE DELETE FROM made",
    ],
)
def test_only_one_question_reaches_the_database(serving: OtherServing, text: str) -> None:
    manner = serving.source.manner  # type: ignore[attr-defined]
    with pytest.raises(EngineFailure):
        manner.check(None, text, seconds=1)
    manner.check(None, "SELECT ';' AS \";\", `;` AS [;] FROM made", seconds=1)


def test_key_of_a_table_and_types_are_reflected(serving: OtherServing) -> None:
    serving.execute(
        "CREATE TABLE typed (a INTEGER, b VARCHAR(9), c NUMERIC(9, 2) NOT NULL, d TIMESTAMP, e BOOLEAN, f BYTEA, "
        "g REAL, h DOUBLE PRECISION, i TIMESTAMPTZ, j DATE, k TIME, l UUID, m JSON, PRIMARY KEY (b, a))"
    )
    described = serving.source.find_object("typed")
    assert described is not None
    assert [column.name for column in described.row_key] == ["b", "a"]
    assert [str(column.holds) for column in described.columns] == [
        *("integer", "text", "decimal", "moment", "boolean", "binary"),
        *("single", "real", "instant", "date", "time", "uuid", "other"),
    ]
    assert [column.name for column in described.columns if column.never_null] == ["a", "b", "c"]


def test_describing_many_objects_lists_them_once(serving: OtherServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of thousands for each of thousands would be millions."""
    serving.execute(*[f"CREATE TABLE t{number} (n INTEGER)" for number in range(20)])
    listings = []

    def count(connection: sqlalchemy.Connection) -> Sequence[ObjectListing]:
        listings.append(connection)
        return list_catalog(connection)

    monkeypatch.setattr(other, "list_catalog", count)
    serving.clock.freeze()
    found = [serving.source.find_object(f"t{number}") for number in range(20)]
    assert [described and described.name for described in found] == [f"t{number}" for number in range(20)]
    assert len(listings) == 1
    serving.execute("CREATE TABLE later (n INTEGER)", "DROP TABLE t1")
    serving.clock.advance(60)
    assert serving.source.find_object("later") is not None
    assert serving.source.find_object("t1") is None


def test_places_of_a_text_stand_in_their_order(serving: OtherServing) -> None:
    """A driver that does not number its places takes them as they come."""
    serving.execute("CREATE TABLE said (t VARCHAR(9))", "INSERT INTO said VALUES ('ÄB'), ('äc')")
    text = "SELECT count(*) FROM said WHERE POSITION(%s IN t) > 0 AND t <> %s"
    blocks = serving.source.open_rows(Statement(text, ("Ä", "äc")), statement_seconds=5)
    assert blocks.read_block() == [(1,)]
    blocks.close()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("trino://u@h/catalog", "the catalog and the schema"),
        ("trino://u:hidden@h/catalog/schema", "password_file"),
        ("nothing://u@h/db", "install its SQLAlchemy dialect"),
        ("mssql://u@h/db", r"rowgate\[mssql\]"),
        ("oracle://u@h/db", r"rowgate\[oracle\]"),
        ("clickhouse://u@h/db", r"rowgate\[clickhouse\]"),
        ("mssql+pyodbc://u@h/db", "missing"),
    ],
)
def test_address_of_another_engine_is_refused_in_one_line(address: str, told: str) -> None:
    with pytest.raises(UnservedAddress, match=told) as refused:
        open_generic(address, password=None, max_connections=1)
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_engine_is_told_which_are_served_and_how() -> None:
    with pytest.raises(UnservedAddress) as refused:
        open_generic("nothing://u@h/db", password=None, max_connections=1)
    for name, extra in (("postgresql", "postgres"), ("mysql", "mysql"), ("mssql", "mssql"), ("trino", "trino")):
        assert f"{name} (rowgate[{extra}])" in str(refused.value)
    assert "clickhousedb" not in str(refused.value)


def test_engines_that_are_known_have_their_names() -> None:
    for address, name in (
        ("trino://u@h/c/s", "Trino"),
        ("mssql+pymssql://u@h/d", "SQL Server"),
        ("oracle+oracledb://u@h/d", "Oracle"),
        ("db2://h/d", "db2"),
    ):
        manner = open_manner(sqlalchemy.make_url(address), accept_unproven=False)
        assert manner.name == f"{name} (not proven to be read-only)"


class _SuspiciousManner(OtherManner):
    """To which every error says that the catalog has changed; and what it asks then fails too."""

    def is_of_catalog(self, error: Exception) -> bool:  # noqa: ARG002
        return True

    def check_presence(self, ask: Ask) -> None:
        ask("SELECT nothing FROM nowhere")


def test_an_error_whose_cause_cannot_be_asked_for_is_asked_for_once(serving: OtherServing) -> None:
    url = sqlalchemy.make_url(serving.server.address(serving.name)).set(drivername="postgresql+psycopg")
    with closing(GenericSource(_SuspiciousManner(url, accept_unproven=True))) as source:
        with pytest.raises(EngineFailure, match="could not answer") as failed:
            source.open_rows(Statement("SELECT n FROM gone", ()), statement_seconds=10).read_block()
        assert "nowhere" in failed.value.detail
    nobody = url.set(database="nothing_of_the_kind")
    source = GenericSource(_SuspiciousManner(nobody, accept_unproven=True))
    with closing(source), pytest.raises(EngineUnavailable):
        source.open_rows(Statement("SELECT n FROM made", ()), statement_seconds=10)
