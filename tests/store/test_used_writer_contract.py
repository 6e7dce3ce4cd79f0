"""What every Store promises about what counts once and about rotating refresh tokens."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from rowgate.oauth.model import RefreshFamily
from rowgate.ports import Store
from store.conftest import Place

HANDLE, OTHER, FAMILY = b"h" * 32, b"o" * 32, b"f" * 16
NOW = 1_000_000


def use(store: Store, handle: bytes, forget_at: int = NOW + 60) -> bool:
    with store.changing() as change:
        return change.use_once(handle, forget_at)


def test_the_first_use_counts_and_no_other(store: Store) -> None:
    assert use(store, HANDLE)
    assert not use(store, HANDLE)
    assert use(store, OTHER)


def test_of_many_uses_at_once_one_is_the_first(place: Place) -> None:
    """Each in a store of its own, as workers and replicas are."""
    stores = [place.open() for _ in range(6)]
    for number in range(5):
        with ThreadPoolExecutor(len(stores)) as pool:
            outcomes = list(pool.map(use, stores, [bytes([number]) * 32] * len(stores)))
        assert sorted(outcomes) == [False] * 5 + [True]


def test_a_use_that_was_undone_did_not_count(store: Store) -> None:
    with contextlib.suppress(RuntimeError), store.changing() as change:
        change.use_once(HANDLE, NOW)
        raise RuntimeError
    assert use(store, HANDLE)


def test_what_is_too_old_is_forgotten_and_nothing_else(store: Store) -> None:
    use(store, HANDLE, NOW - 1)
    use(store, OTHER, NOW)
    with store.changing() as change:
        change.forget_used(NOW)
    assert use(store, HANDLE)
    assert not use(store, OTHER)


@pytest.mark.parametrize("state", [RefreshFamily(1, NOW), RefreshFamily(7, NOW, revoked=True)])
def test_a_family_is_kept_as_handed_over(store: Store, state: RefreshFamily) -> None:
    with store.changing() as change:
        assert change.find_refresh_family(FAMILY) is None
        change.keep_refresh_family(FAMILY, RefreshFamily(0, NOW - 1), forget_at=NOW)
        change.keep_refresh_family(FAMILY, state, forget_at=NOW)
    with store.reading() as look:
        assert look.find_refresh_family(FAMILY) == state


def test_families_are_forgotten_when_their_tokens_have_expired(store: Store) -> None:
    with store.changing() as change:
        change.keep_refresh_family(FAMILY, RefreshFamily(1, NOW), forget_at=NOW)
        change.forget_refresh_families(NOW)
        assert change.find_refresh_family(FAMILY) is not None
        change.forget_refresh_families(NOW + 1)
        assert change.find_refresh_family(FAMILY) is None


def test_a_family_is_kept_for_the_longest_lived_of_its_tokens(store: Store) -> None:
    """A successor ends sooner where a maximum was set since; the first lives on when that is taken back."""
    with store.changing() as change:
        change.keep_refresh_family(FAMILY, RefreshFamily(1, NOW), forget_at=NOW + 90)
        change.keep_refresh_family(FAMILY, RefreshFamily(2, NOW), forget_at=NOW + 7)
        change.forget_refresh_families(NOW + 90)
        assert change.find_refresh_family(FAMILY) == RefreshFamily(2, NOW)
        change.forget_refresh_families(NOW + 91)
        assert change.find_refresh_family(FAMILY) is None
