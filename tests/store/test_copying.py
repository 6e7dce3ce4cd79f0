"""A state that is copied into PostgreSQL is the same state, and goes on as the first would have."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rowgate.oauth.model import RefreshFamily
from rowgate.ports import StoreError
from rowgate.ports.spending import Spent
from rowgate.records import Enrolment, InitialToken, KeptSigningKey, ObjectSettings, Revocation
from rowgate.store.postgres_connection import PostgresPlace
from rowgate.store.postgres_store import PostgresStore
from rowgate.store.schema import metadata
from rowgate.store.sql_store import SqlStore
from store.conftest import MASTER, NewSchema, create_state, make_application, make_secret


@pytest.fixture
def source(new_state: Path, tmp_path: Path) -> Iterator[SqlStore]:
    """A state that has something in every table."""
    with closing(SqlStore(Path(shutil.copy(new_state, tmp_path / "state.db")), MASTER)) as store:
        with store.changing() as change:
            number = change.add_application(make_application("Zoë's app", secrets=(make_secret(),))).number
            change.grant(number, ["A", "B"])
            change.set_object_settings(ObjectSettings("A", blocked=True, block_reason="why", aliases=("a",)))
            change.add_revocation(Revocation(b"r" * 16, 5_000_000_000))
            change.use_once(b"u" * 32, 5_000_000_000)
            change.keep_refresh_family(b"f" * 16, RefreshFamily(3, 7, revoked=True), forget_at=9)
            change.add_enrolment(Enrolment(b"e" * 32, number, 9))
            change.initial_tokens.add(
                InitialToken(digest=b"i" * 32, handle="h", scope=("read",), objects=("A",), expires_at=9)
            )
            change.keys.add_signing_key(KeptSigningKey("kid", "ES256", b"private", 1, 2, 3, 4), nonce=b"n" * 12)
            change.spending.add(number, 1, Spent(2, 3))
            gone = change.add_application(make_application("gone", secrets=(make_secret("k2"),))).number
            change.remove_application(gone)
        yield store


@pytest.fixture
def target(new_schema: NewSchema, request: pytest.FixtureRequest) -> Iterator[PostgresPlace]:
    place = PostgresPlace(new_schema.place.address, f"copied_{abs(hash(request.node.name)) % 10**6}")
    yield place
    new_schema.owner.execute(f"DROP SCHEMA IF EXISTS {place.schema} CASCADE")


def test_copy_holds_every_row_of_every_table(source: SqlStore, target: PostgresPlace, new_schema: NewSchema) -> None:
    with closing(PostgresStore.copy(target, MASTER, source)) as copied:
        assert copied.load_state() == source.load_state()
        assert copied.load_keys() == source.load_keys()
    with source.held() as held:
        for table in metadata.sorted_tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            there = held.exec_driver_sql(f"SELECT {columns} FROM {table.name}").all()
            assert there, f"nothing was in {table.name}"
            here = new_schema.owner.execute(f"SELECT {columns} FROM {target.schema}.{table.name}").fetchall()
            assert sorted(map(tuple, here)) == sorted(map(tuple, there))


def test_numbers_go_on_where_they_were(source: SqlStore, target: PostgresPlace) -> None:
    """Those of what was removed too: they stand in tokens."""
    with closing(PostgresStore.copy(target, MASTER, source)) as copied:
        numbers = []
        for store in (source, copied):
            with store.changing() as change:
                added = change.add_application(make_application("next", secrets=(make_secret("k3"),)))
            numbers.append((added.number, added.secrets[0].number, store.load_state().sequence))
        assert numbers[0] == numbers[1]


def test_a_state_that_is_there_is_not_written_over(source: SqlStore, target: PostgresPlace) -> None:
    create_state(target).close()
    with closing(PostgresStore(target, MASTER)) as kept:
        before = kept.load_state()
        with pytest.raises(StoreError, match="already"):
            PostgresStore.copy(target, MASTER, source)
        assert kept.load_state() == before


@pytest.mark.usefixtures("source")
def test_a_state_of_another_master_key_is_not_copied(
    target: PostgresPlace, tmp_path: Path, new_schema: NewSchema
) -> None:
    with closing(SqlStore(tmp_path / "state.db", bytes(32))) as foreign, pytest.raises(StoreError, match="master"):
        PostgresStore.copy(target, bytes(32), foreign)
    there = new_schema.owner.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (target.schema,)).fetchall()
    assert there == []
