"""What every Store promises about initial access tokens."""

import dataclasses

import pytest

from rowgate.ports import NameTaken, Store, UnknownName
from rowgate.records import InitialToken
from store.conftest import Place

TOKEN = InitialToken(b"i" * 32, "k1x2y3z4", ("read", "introspect"), ("SA_Zoë", 'a"b'), 5000)


def make(name: str, expires_at: int = 5000) -> InitialToken:
    return dataclasses.replace(TOKEN, digest=name.encode() * 32, handle=name * 8, expires_at=expires_at)


def test_a_token_is_kept_as_handed_over(place: Place) -> None:
    with place.open().changing() as change:
        change.initial_tokens.add(TOKEN)
    with place.open().reading() as look:
        assert look.initial_tokens.find(TOKEN.digest) == TOKEN
        assert list(look.initial_tokens.list_all()) == [TOKEN]


def test_a_token_without_objects_is_kept_so(store: Store) -> None:
    bare = dataclasses.replace(TOKEN, objects=(), scope=("read",))
    with store.changing() as change:
        change.initial_tokens.add(bare)
        assert change.initial_tokens.find(bare.digest) == bare


def test_a_token_is_used_once(store: Store) -> None:
    with store.changing() as change:
        change.initial_tokens.add(TOKEN)
        assert change.initial_tokens.use(TOKEN.digest, used_at=1500, client_id="c1")
    with store.changing() as change:
        assert not change.initial_tokens.use(TOKEN.digest, used_at=1600, client_id="c2")
        assert change.initial_tokens.find(TOKEN.digest) == dataclasses.replace(TOKEN, used_at=1500, client_id="c1")


def test_an_unknown_token_is_nothing(store: Store) -> None:
    with store.changing() as change:
        assert change.initial_tokens.find(TOKEN.digest) is None
        assert not change.initial_tokens.use(TOKEN.digest, used_at=1, client_id="c1")
    with pytest.raises(UnknownName), store.changing() as change:
        change.initial_tokens.remove(TOKEN.handle)


def test_a_handle_names_one_token(store: Store) -> None:
    with store.changing() as change:
        change.initial_tokens.add(TOKEN)
    with pytest.raises(NameTaken), store.changing() as change:
        change.initial_tokens.add(dataclasses.replace(TOKEN, digest=b"j" * 32))


def test_tokens_are_forgotten_by_their_end_and_by_command(store: Store) -> None:
    with store.changing() as change:
        for token in (make("c", 300), make("a", 100), make("b", 200)):
            change.initial_tokens.add(token)
        assert [token.handle[0] for token in change.initial_tokens.list_all()] == ["a", "b", "c"]
        change.initial_tokens.forget(200)
        change.initial_tokens.remove("c" * 8)
        assert list(change.initial_tokens.list_all()) == [make("b", 200)]


def test_no_follower_hears_of_them(place: Place) -> None:
    """They are read where they are used, inside a transaction."""
    store, follower = place.open(), place.open()
    before = follower.load_state().sequence
    with store.changing() as change:
        change.initial_tokens.add(TOKEN)
        change.initial_tokens.use(TOKEN.digest, used_at=1500, client_id="c1")
    assert follower.load_state().sequence == before


def test_a_token_is_not_printed() -> None:
    assert "iii" not in repr(TOKEN)
