"""What every Store promises about keys: kept encrypted, each for its own name, followed, forgotten for good."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from rowgate.oauth.model import NEVER
from rowgate.ports import KeyWriter, NameTaken, Store, StoreError, UnknownName
from rowgate.records import KeptSigningKey
from rowgate.store.signing_keys import MAX_SEALING_NUMBER
from store.conftest import MASTER, SEALING, Place, SqlitePlace, make_application

NONCE = b"n" * 12
KEY = KeptSigningKey("kid-1", "EdDSA", b"-----BEGIN PRIVATE KEY----- one", 1000, 2000, NEVER, NEVER)
OTHER = replace(KEY, kid="kid-2", algorithm="ES256", private_key=b"-----BEGIN PRIVATE KEY----- two")


def add_both(store: Store) -> None:
    with store.changing() as change:
        change.keys.add_signing_key(KEY, nonce=NONCE)
        change.keys.add_signing_key(OTHER, nonce=NONCE[::-1])


def test_signing_keys_are_kept_as_they_are_and_not_printed(store: Store) -> None:
    add_both(store)
    assert store.load_keys().signing == (KEY, OTHER)
    assert store.load_state().keys == store.load_keys()
    with store.reading() as look:
        assert look.keys.load() == store.load_keys()
    assert "PRIVATE" not in repr(store.load_keys())


def test_each_change_of_keys_is_followed(place: Place) -> None:
    store, follower = place.open(), place.open()
    number = 0

    def add_sealing(keys: KeyWriter) -> None:
        nonlocal number
        number = keys.add_sealing_key(b"t" * 32, created_at=5, nonce=NONCE)

    calls: list[Callable[[KeyWriter], None]] = [
        lambda keys: keys.add_signing_key(KEY, nonce=NONCE),
        lambda keys: keys.retire_signing_key("kid-1", retired_at=3000, forget_at=4000),
        lambda keys: keys.remove_signing_key("kid-1"),
        add_sealing,
        lambda keys: keys.remove_sealing_key(number),
    ]
    for call in calls:
        before = follower.load_state().sequence
        with store.changing() as change:
            call(change.keys)
        changes = follower.load_changes(before)
        assert changes is not None
        assert changes.keys == store.load_keys()
        assert changes.sequence > before


def test_other_changes_bring_no_keys_along(store: Store) -> None:
    with store.changing() as change:
        change.add_application(make_application())
    changes = store.load_changes(0)
    assert changes is not None
    assert changes.keys is None


def test_retired_key_has_its_times(store: Store) -> None:
    add_both(store)
    with store.changing() as change:
        change.keys.retire_signing_key("kid-1", retired_at=3000, forget_at=4000)
    assert store.load_keys().signing == (replace(KEY, retired_at=3000, forget_at=4000), OTHER)


def test_sealing_numbers_rise_and_are_never_used_again(store: Store) -> None:
    (first,) = store.load_keys().sealing
    with store.changing() as change:
        second = change.keys.add_sealing_key(b"t" * 32, created_at=7, nonce=NONCE)
        change.keys.remove_sealing_key(second)
        third = change.keys.add_sealing_key(b"u" * 32, created_at=8, nonce=NONCE)
    assert first < second < third
    keys = store.load_keys()
    assert keys.sealing == {first: SEALING, third: b"u" * 32}
    assert keys.sealing_created_at == {first: 1000, third: 8}


def test_a_kid_names_one_key(store: Store) -> None:
    add_both(store)
    with pytest.raises(NameTaken) as refused, store.changing() as change:
        change.keys.add_signing_key(replace(OTHER, kid="kid-1"), nonce=NONCE)
    assert "PRIVATE" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert store.load_keys().signing == (KEY, OTHER)


def test_what_is_not_there_cannot_be_changed(store: Store) -> None:
    calls: list[Callable[[KeyWriter], None]] = [
        lambda keys: keys.retire_signing_key("none", retired_at=1, forget_at=2),
        lambda keys: keys.remove_signing_key("none"),
        lambda keys: keys.remove_sealing_key(999),
    ]
    for call in calls:
        with pytest.raises(UnknownName), store.changing() as change:
            call(change.keys)


def test_the_digest_key_is_no_sealing_key(store: Store) -> None:
    (sealing,) = store.load_keys().sealing
    with pytest.raises(UnknownName), store.changing() as change:
        change.keys.remove_sealing_key(sealing + 1)  # `create` keeps it there


@pytest.fixture
def sqlite_place(tmp_path: Path, new_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlitePlace]:
    """A state in a file of its own."""
    kept = SqlitePlace(Path(shutil.copy(new_state, tmp_path / "own.db")), monkeypatch)
    yield kept
    for store in kept.opened:
        store.close()


def test_no_key_stands_in_for_another(sqlite_place: SqlitePlace) -> None:
    """Who can write the database, but has no master key, cannot give one key the name of another."""
    store = sqlite_place.open()
    add_both(store)
    with closing(sqlite3.connect(sqlite_place.path, isolation_level=None)) as connection:
        (wrapped,) = connection.execute("SELECT wrapped FROM signing_keys WHERE kid = 'kid-1'").fetchone()
        assert wrapped[12:] != KEY.private_key
        connection.execute("UPDATE signing_keys SET wrapped = ? WHERE kid = 'kid-2'", (wrapped,))
    with pytest.raises(StoreError):
        store.load_keys()


def test_no_private_key_stands_in_the_file(sqlite_place: SqlitePlace) -> None:
    store = sqlite_place.open()
    add_both(store)
    store.close()
    content = b"".join(path.read_bytes() for path in sqlite_place.path.parent.iterdir() if path.is_file())
    assert b"kid-1" in content
    assert b"PRIVATE" not in content
    assert MASTER not in content


def test_a_number_that_fits_into_no_token_is_refused(sqlite_place: SqlitePlace) -> None:
    store = sqlite_place.open()
    with closing(sqlite3.connect(sqlite_place.path, isolation_level=None)) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'keys'", (MAX_SEALING_NUMBER,))
    with pytest.raises(StoreError, match="used up"), store.changing() as change:
        change.keys.add_sealing_key(b"t" * 32, created_at=5, nonce=NONCE)
    assert len(store.load_keys().sealing) == 1
