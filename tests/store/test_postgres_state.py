"""The state in PostgreSQL: its tables, and every way in which it can be unusable, each told in one line."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from rowgate.oauth.model import RefreshFamily
from rowgate.ports import StoreError
from rowgate.records import Revocation
from rowgate.store import postgres_connection
from rowgate.store.following import NEWEST_REVISION
from rowgate.store.postgres import PostgresReader
from rowgate.store.postgres_connection import PostgresPlace, connect
from rowgate.store.postgres_store import PostgresStore
from rowgate.store.schema import metadata
from store.conftest import MASTER, NewSchema, create_state, make_application
from store.test_state_file import refuse
from support.postgres import STATE_OWNER, PostgresServer
from support.servers import wait_until

NOW = 1_800_000_000
_number = count()


@pytest.fixture
def place(new_schema: NewSchema) -> PostgresPlace:
    """A fresh state."""
    return new_schema.renew()


@pytest.fixture
def nowhere(new_schema: NewSchema) -> PostgresPlace:
    """A schema that is not there."""
    return PostgresPlace(new_schema.place.address, f"fresh_{next(_number)}")


@pytest.fixture
def owner(postgres: PostgresServer, state_database: str) -> Iterator[psycopg.Connection]:
    """The superuser, in the database of the states."""
    with postgres.owner(state_database) as connection:
        yield connection


@contextlib.contextmanager
def opened(place: PostgresPlace, master_key: bytes = MASTER) -> Iterator[PostgresStore]:
    with contextlib.closing(PostgresStore(place, master_key)) as store:
        yield store


def load(place: PostgresPlace) -> object:
    """Read the state as a worker does that starts."""
    with contextlib.closing(PostgresReader(place, MASTER)) as reader:
        return reader.load_state()


def test_migrations_make_exactly_the_schema(place: PostgresPlace) -> None:
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: connect(place, autocommit=False))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == NEWEST_REVISION
    engine.dispose()


def test_names_are_compared_by_their_bytes_whatever_the_locale(place: PostgresPlace, owner: psycopg.Connection) -> None:
    columns = owner.execute(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns "
        "WHERE table_schema = %s AND data_type = 'text'",
        (place.schema,),
    ).fetchall()
    assert len(columns) > 10
    assert [column for column in columns if column[2] != "C"] == []


def test_nobody_else_may_read_a_new_state(
    postgres: PostgresServer, state_database: str, nowhere: PostgresPlace
) -> None:
    create_state(nowhere).close()
    with postgres.owner(state_database) as owner:
        owner.execute("SET ROLE reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(f"SELECT wrapped FROM {nowhere.schema}.keys")


def test_a_state_lives_in_a_schema_that_was_given(
    postgres: PostgresServer, owner: psycopg.Connection, state_database: str, nowhere: PostgresPlace
) -> None:
    """Who may make no schemas can be given one."""
    owner.execute("CREATE ROLE guest LOGIN")
    guest = PostgresPlace(postgres.address(state_database, "guest"), nowhere.schema)
    assert "it needs CREATE" in refuse(lambda: create_state(guest))
    owner.execute(f"CREATE SCHEMA {nowhere.schema} AUTHORIZATION guest")
    create_state(guest).close()
    with opened(guest) as store:
        assert store.load_state().grants == ()


def test_tables_of_something_else_are_left_alone(owner: psycopg.Connection, nowhere: PostgresPlace) -> None:
    owner.execute(f"CREATE SCHEMA {nowhere.schema} AUTHORIZATION {STATE_OWNER}")
    owner.execute(f"CREATE TABLE {nowhere.schema}.grants (a int)")
    assert "schema of its own" in refuse(lambda: create_state(nowhere))
    tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (nowhere.schema,)).fetchall()
    assert tables == [("grants",)]


def test_an_existing_state_is_not_overwritten(place: PostgresPlace) -> None:
    with opened(place) as store:
        before = store.load_state()
        assert "rowgate.toml and master.key" in refuse(lambda: create_state(place))
        assert store.load_state() == before


def test_of_two_that_make_a_state_at_once_one_does(nowhere: PostgresPlace) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            create_state(nowhere).close()
        except StoreError as error:
            outcomes.append(str(error))
        else:
            outcomes.append("made")

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(outcomes) == 4
    assert outcomes.count("made") == 1
    with opened(nowhere) as store:
        assert len(store.load_keys().sealing) == 1


@pytest.mark.parametrize("revision", ["0000", "9999", "zzzz"])
def test_a_state_of_another_release_is_refused_and_left_alone(
    place: PostgresPlace, owner: psycopg.Connection, revision: str
) -> None:
    table = f"{place.schema}.alembic_version"
    owner.execute(f"UPDATE {table} SET version_num = %s", (revision,))
    try:
        wanted = "restore it from a backup" if revision == "0000" else "newer release"
        assert wanted in refuse(lambda: PostgresStore(place, MASTER))
        assert owner.execute(f"SELECT version_num FROM {table}").fetchall() == [(revision,)]
    finally:
        owner.execute(f"UPDATE {table} SET version_num = %s", (NEWEST_REVISION,))


def test_a_missing_state_is_refused_and_not_made(nowhere: PostgresPlace, owner: psycopg.Connection) -> None:
    assert "rowgate init --state" in refuse(lambda: PostgresStore(nowhere, MASTER))
    assert "rowgate init --state" in refuse(lambda: load(nowhere))
    assert owner.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (nowhere.schema,)).fetchall() == []


def test_a_wrong_master_key_opens_nothing(place: PostgresPlace) -> None:
    with opened(place, bytes(32)) as store:
        assert "master.key" in refuse(store.load_keys)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("postgresql://rowgate@127.0.0.1:1/states", "cannot be reached"),
        ("postgresql://rowgate@/states?host=/nowhere", "cannot be reached"),
    ],
)
def test_a_server_that_is_not_there_is_told(address: str, advice: str) -> None:
    assert advice in refuse(lambda: load(PostgresPlace(address, "rowgate")))


@pytest.mark.parametrize(("user", "database"), [("nobody_there", None), (STATE_OWNER, "nothing_there")])
def test_a_wrong_user_or_database_is_told(
    postgres: PostgresServer, state_database: str, user: str, database: str | None
) -> None:
    place = PostgresPlace(postgres.address(database or state_database, user), "rowgate")
    refuse(lambda: load(place))


def test_no_password_stands_in_what_is_told() -> None:
    place = PostgresPlace("postgresql://rowgate:hidden@127.0.0.1:1/states?password=hidden", "rowgate")
    text = refuse(lambda: load(place))
    assert "127.0.0.1:1/states" in text
    assert "hidden" not in text + repr(place)


def test_a_standby_is_refused(place: PostgresPlace, owner: psycopg.Connection, state_database: str) -> None:
    """It would tell of a revocation later."""
    owner.execute(f"ALTER DATABASE {state_database} SET default_transaction_read_only = on")
    try:
        assert "not a standby" in refuse(lambda: load(place))
    finally:
        owner.execute("SET transaction_read_only = off")
        owner.execute("SET default_transaction_read_only = off")
        owner.execute(f"ALTER DATABASE {state_database} RESET default_transaction_read_only")


def test_a_state_that_is_locked_for_too_long_is_told(place: PostgresPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "BUSY_MILLISECONDS", 50)

    def change(store: PostgresStore) -> None:
        with store.changing() as writer:
            writer.add_application(make_application())

    with opened(place) as store, opened(place) as other:
        with other.changing() as writing:
            writing.find_application("app")
            assert "another process" in refuse(lambda: change(store))
            assert store.load_state().grants == ()  # readers go on
        change(store)
        assert len(store.load_state().grants) == 1


def test_a_replica_that_stands_still_in_a_change_does_not_keep_the_others_out(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connection, "IDLE_MILLISECONDS", 500)

    def stand_still(store: PostgresStore, other: PostgresStore) -> None:
        with store.changing() as writer:
            writer.add_application(make_application("lost"))
            monkeypatch.undo()  # the other is only slow, on a busy machine
            with other.changing() as writing:  # waits for the lock, and gets it
                writing.add_application(make_application("kept"))

    with opened(place) as store, opened(place) as other:
        refuse(lambda: stand_still(store, other))
        assert [grants.application.name for grants in other.load_state().grants] == ["kept"]
        with store.changing() as writer:  # the next change has a connection
            writer.add_application(make_application("next"))


def test_a_server_that_does_not_answer_is_given_up(place: PostgresPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "ANSWER_SECONDS", 0.2)
    connection = connect(place, autocommit=True)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pg_sleep(5)")
    assert connection.closed


def test_what_is_used_once_is_durable_where_the_server_would_not_wait(place: PostgresPlace) -> None:
    """The server of these tests has synchronous_commit off."""
    with connect(place, autocommit=True) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_who_waited_for_its_turn_sees_what_was_changed(place: PostgresPlace, owner: psycopg.Connection) -> None:
    """Whatever isolation the role or the database has by default; the role of these tests has another."""
    family, kept = b"f" * 16, RefreshFamily(current=3, rotated_at=NOW)

    def look() -> RefreshFamily | None:
        with opened(place) as store, store.changing() as change:
            return change.find_refresh_family(family)

    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with opened(place) as store, store.changing() as change:
            second = pool.submit(look)
            wait_until(lambda: owner.execute(waiting).fetchall())
            change.keep_refresh_family(family, kept, forget_at=NOW + 60)
        assert second.result() == kept


def cut_off(owner: psycopg.Connection) -> None:
    """End every connection to the states, as a server that is started again does."""
    others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s"
    owner.execute(others, (STATE_OWNER,))


def eventually(act: Callable[[], object]) -> None:
    """The call that finds the connection gone fails; the next one has another."""
    with contextlib.suppress(StoreError):
        act()
    act()


def test_a_lost_connection_is_replaced_and_everything_is_loaded_anew(
    place: PostgresPlace, owner: psycopg.Connection
) -> None:
    """The server that answers now may never have had the newest changes: their numbers are given to others."""
    with opened(place) as store, opened(place) as follower:
        with store.changing() as change:
            change.add_revocation(Revocation(b"r" * 16, 5))
        sequence = follower.load_state().sequence
        follower.has_changed()
        cut_off(owner)
        with store.changing() as change:
            change.add_revocation(Revocation(b"s" * 16, 5))
        eventually(follower.has_changed)
        assert follower.has_changed()
        assert follower.load_changes(sequence) is None
        assert len(follower.load_state().revocations) == 2
        follower.has_changed()
        assert not follower.has_changed()
        assert follower.load_changes(sequence) is not None


def test_a_state_that_was_put_back_is_loaded_anew(place: PostgresPlace, owner: psycopg.Connection) -> None:
    with opened(place) as store:
        with store.changing() as change:
            change.add_revocation(Revocation(b"r" * 16, 5))
        newest = store.load_state().sequence
        store.has_changed()
        owner.execute(f"TRUNCATE {place.schema}.changes, {place.schema}.revocations")
        assert store.has_changed()
        assert store.load_changes(newest) is None
        assert store.load_state().revocations == ()
