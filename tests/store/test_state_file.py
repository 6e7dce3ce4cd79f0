"""The state's file: its migrations, and every way in which it can be unusable, each told in one line."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from rowgate.ports import StoreError
from rowgate.store import master_key, sql_store
from rowgate.store.following import NEWEST_REVISION
from rowgate.store.schema import metadata
from rowgate.store.sql_store import SqlStore
from store.conftest import MASTER, make_application

MIGRATIONS = Path(sql_store.__file__).with_name("migrations")


@pytest.fixture
def state(new_state: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(new_state, tmp_path / "state.db"))


@contextlib.contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def refuse(act: Callable[[], object]) -> str:
    """Give the text of the StoreError: one line, with what to do."""
    with pytest.raises(StoreError) as refused:
        act()
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) < 300
    assert "SELECT" not in text
    return text


def test_migrations_make_exactly_the_schema(state: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{state}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == NEWEST_REVISION
    engine.dispose()


def test_migrated_and_declared_tables_have_the_same_sql_features(state: Path, tmp_path: Path) -> None:
    """What Alembic does not compare: AUTOINCREMENT, ON DELETE CASCADE, the order of columns, indexes."""
    declared = tmp_path / "declared.db"
    engine = sa.create_engine(f"sqlite:///{declared}")
    metadata.create_all(engine)
    engine.dispose()
    assert _describe_tables(state) == _describe_tables(declared)


def _describe_tables(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    with connect(path) as connection:
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            if name.startswith("sqlite_") or name == "alembic_version":
                continue
            columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
            keys = connection.execute(f"PRAGMA foreign_key_list({name})").fetchall()
            indexes = sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({name})").fetchall())
            found[name] = (columns, keys, indexes, "AUTOINCREMENT" in sql)
    return found


def test_the_newest_revision_is_the_one_the_code_expects() -> None:
    heads = ScriptDirectory(str(MIGRATIONS)).get_heads()
    assert heads == [NEWEST_REVISION]


def test_a_state_without_tables_is_brought_up_from_the_first_revision(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.touch()
    store = SqlStore(path, MASTER, may_be_empty=True)
    with store.changing() as change:
        change.add_application(make_application())
    store.close()
    with connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST_REVISION,)]


@pytest.mark.parametrize("revision", ["0007", "9999", "zzzz"])
def test_a_newer_state_is_refused_and_left_alone(state: Path, revision: str) -> None:
    with connect(state) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    said = refuse(lambda: SqlStore(state, MASTER))
    assert "newer release" in said
    assert f"revision {revision}, this release knows them up to {NEWEST_REVISION}" in said
    with connect(state) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]


def test_an_unknown_older_revision_is_refused(state: Path) -> None:
    with connect(state) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    said = refuse(lambda: SqlStore(state, MASTER))
    assert "restore it from a backup" in said
    assert "0000" in said


def test_a_missing_state_is_refused_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert "rowgate init" in refuse(lambda: SqlStore(path, MASTER))
    assert not path.exists()


def test_an_existing_state_is_not_overwritten(state: Path) -> None:
    before = state.read_bytes()
    refuse(lambda: SqlStore.create(state, MASTER, sealing=b"", digest=b"", nonces=b"", now=0))
    assert state.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 8000], ids=["text", "torn"]
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    assert "restore it from a backup" in refuse(lambda: SqlStore(path, MASTER).load_state())


def test_a_damaged_page_is_told_when_it_is_read(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    state.write_bytes(content)
    assert "restore it from a backup" in refuse(lambda: SqlStore(state, MASTER).load_state())


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    refuse(lambda: SqlStore(tmp_path / "state.db", MASTER))


def test_an_emptied_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Its applications are gone: a state that looks new would hide it."""
    path = tmp_path / "state.db"
    path.touch()
    assert "restore it from a backup" in refuse(lambda: SqlStore(path, MASTER))
    assert path.stat().st_size == 0
    store = SqlStore(path, MASTER, may_be_empty=True)
    assert "holds no keys" in refuse(store.load_keys)
    store.close()


def test_a_wrong_master_key_opens_nothing(state: Path) -> None:
    store = SqlStore(state, bytes(32))
    assert "master.key" in refuse(store.load_keys)
    store.close()


def test_a_state_that_is_locked_for_too_long_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_store, "BUSY_MILLISECONDS", 50)
    store = SqlStore(state, MASTER)

    def change() -> None:
        with store.changing() as writer:
            writer.add_application(make_application())

    with connect(state) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "another process" in refuse(change)
        assert store.load_state().grants == ()  # readers go on
        other.execute("ROLLBACK")
    change()
    assert len(store.load_state().grants) == 1
    store.close()


@pytest.fixture
def read_only_home(tmp_path: Path, new_state: Path) -> Iterator[Path]:
    """A file system that takes no writes: as root, modes alone would not stop anybody."""
    home = tmp_path / "ro"
    home.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", home], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        shutil.copy(new_state, home / "state.db")
        subprocess.run(["mount", "-o", "remount,ro", home], check=True)
        yield home
    finally:
        subprocess.run(["umount", "-l", home], check=True)


def test_a_home_that_cannot_be_written_is_told(read_only_home: Path) -> None:
    def change() -> None:
        store = SqlStore(read_only_home / "state.db", MASTER)
        with store.changing() as writer:
            writer.add_application(make_application())

    assert "check the owner and mode" in refuse(change)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (None, "put the home's master key back"),
        (b"", "restore it from a backup"),
        (b"not hexadecimal\n", "restore it from a backup"),
        (b"\xff\xfe\x00", "restore it from a backup"),
        (b"00" * 31, "restore it from a backup"),
        (b"00" * 33, "restore it from a backup"),
    ],
)
def test_a_bad_master_key_file_is_told(tmp_path: Path, content: bytes | None, advice: str) -> None:
    path = tmp_path / "master.key"
    if content is not None:
        path.write_bytes(content)
    assert advice in refuse(lambda: master_key.load_master_key(path))


def test_a_master_key_is_kept_for_its_owner_only_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    master_key.create_master_key(path, MASTER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert master_key.load_master_key(path) == MASTER
    with pytest.raises(FileExistsError):
        master_key.create_master_key(path, bytes(32))
    assert master_key.load_master_key(path) == MASTER


def test_a_state_holds_no_key_in_the_clear_and_is_its_owners(state: Path, new_state: Path) -> None:
    content = state.read_bytes()
    assert b"s" * 32 not in content
    assert b"d" * 32 not in content
    assert new_state.stat().st_mode & 0o777 == 0o600


def test_a_wrapped_key_opens_only_for_its_purpose() -> None:
    wrapped = master_key.wrap_key(MASTER, "sealing", b"k" * 32, b"n" * 12)
    assert master_key.unwrap_key(MASTER, "sealing", wrapped) == b"k" * 32
    for purpose, damaged in (("digest", wrapped), ("sealing", wrapped[:-1]), ("sealing", b"")):
        refuse(lambda p=purpose, d=damaged: master_key.unwrap_key(MASTER, p, d))  # type: ignore[misc]


def test_a_state_that_is_put_back_while_it_is_followed_is_the_state(state: Path, tmp_path: Path) -> None:
    """Its numbers may be those that the follower knows, with other things behind them."""
    backup = Path(shutil.copy(state, tmp_path / "backup.db"))
    with contextlib.closing(SqlStore(state, MASTER)) as follower, contextlib.closing(SqlStore(state, MASTER)) as writer:
        with writer.changing() as change:
            change.add_application(make_application("lost"))
        known = follower.load_state()
        follower.has_changed()
        assert not follower.has_changed()
        backup.replace(state)
        for beside in ("state.db-wal", "state.db-shm"):
            state.with_name(beside).unlink()
        with contextlib.closing(SqlStore(state, MASTER)) as command, command.changing() as change:
            change.add_application(make_application("made since"))
        assert follower.has_changed()
        assert follower.load_changes(known.sequence) is None, "everything is to be loaded"
        assert [grants.application.name for grants in follower.load_state().grants] == ["made since"]
        assert follower.load_changes(follower.load_state().sequence) is not None


def test_a_state_that_is_gone_is_told_by_who_follows_it(state: Path, tmp_path: Path) -> None:
    with contextlib.closing(SqlStore(state, MASTER)) as follower:
        follower.load_state()
        state.rename(tmp_path / "away.db")
        assert "is missing" in refuse(follower.has_changed)
        (tmp_path / "away.db").rename(state)
        follower.has_changed()
        assert follower.load_changes(0) is not None, "it is the file of before"
