"""What every Store promises the server: load once, then follow what others commit."""

import pytest

from rowgate.ports import NameTaken, Store
from rowgate.records import Changes, ObjectSettings, Revocation
from store.conftest import DIGEST, SEALING, Place, make_application, make_secret


def test_a_new_state_is_empty_and_has_its_keys(store: Store) -> None:
    state = store.load_state()
    assert (state.sequence, state.grants, state.objects, state.revocations) == (0, (), (), ())
    keys = store.load_keys()
    assert list(keys.sealing.values()) == [SEALING]
    assert keys.digest == DIGEST
    assert "ss" not in repr(keys)


def test_changes_after_the_newest_number_are_none_at_all(store: Store) -> None:
    assert store.load_changes(0) == Changes(sequence=0)


def test_changes_give_what_is_different_now(place: Place) -> None:
    """Not each step: what is there at the end, once."""
    follower, writer = place.open(), place.open()
    with writer.changing() as change:
        kept = change.add_application(make_application("kept", secrets=(make_secret(),)))
        gone = change.add_application(make_application("gone"))
    start = follower.load_state().sequence
    with writer.changing() as change:
        change.grant(kept.number, ["A"])
        change.grant(kept.number, ["B"])
        change.remove_application(gone.number)
        change.set_object_settings(ObjectSettings("T", blocked=True))
        change.add_revocation(Revocation(b"r" * 16, 5))
    changes = follower.load_changes(start)
    assert changes is not None
    assert changes.sequence > start
    assert changes.applications[gone.number] is None
    grants = changes.applications[kept.number]
    assert grants is not None
    assert grants.objects == {"A", "B"}
    assert grants.application == next(g.application for g in follower.load_state().grants)
    assert changes.objects == {"T": ObjectSettings("T", blocked=True)}
    assert changes.revocations == (Revocation(b"r" * 16, 5),)
    assert follower.load_changes(changes.sequence) == Changes(sequence=changes.sequence)


def test_every_writer_call_is_a_change(place: Place) -> None:
    """Whatever a command does, followers hear of it."""
    follower, writer = place.open(), place.open()
    with writer.changing() as change:
        number = change.add_application(make_application(secrets=(make_secret(),))).number
        secret = change.add_secret(number, make_secret("k2")).number
    calls = (
        lambda change: change.set_enabled(number, enabled=False),
        lambda change: change.raise_epoch(number),
        lambda change: change.grant(number, ["A"]),
        lambda change: change.ungrant(number, ["A"]),
        lambda change: change.add_secret(number, make_secret("k3")),
        lambda change: change.revoke_secret(secret, kills_tokens=False),
        lambda change: change.remove_application(number),
    )
    for call in calls:
        before = follower.load_state().sequence
        with writer.changing() as change:
            call(change)  # type: ignore[no-untyped-call]
        changes = follower.load_changes(before)
        assert changes is not None
        assert list(changes.applications) == [number]


def test_has_changed_tells_of_each_commit_of_others_once(place: Place) -> None:
    follower, writer = place.open(), place.open()
    follower.has_changed()
    assert not follower.has_changed()
    for name in ("a", "b"):
        with writer.changing() as change:
            change.add_application(make_application(name))
        assert follower.has_changed()
        assert not follower.has_changed()


def test_has_changed_says_nothing_of_what_was_undone(place: Place) -> None:
    follower, writer = place.open(), place.open()
    with writer.changing() as change:
        change.add_application(make_application("app"))
    follower.has_changed()
    with pytest.raises(NameTaken), writer.changing() as change:
        change.add_application(make_application("app"))
    assert not follower.has_changed()


def test_a_follower_that_is_too_far_behind_is_told_to_load_everything(place: Place) -> None:
    place.keep_changes(10)
    store = place.open()
    with store.changing() as change:
        number = change.add_application(make_application()).number
        for _ in range(1100):  # pruning is done now and then
            change.raise_epoch(number)
    newest = store.load_state().sequence
    assert store.load_changes(0) is None
    assert store.load_changes(500) is None
    recent = store.load_changes(newest - 3)
    assert recent is not None
    assert list(recent.applications) == [number]
    assert store.load_changes(newest) == Changes(sequence=newest)


def test_sequence_numbers_are_never_used_again_after_pruning(place: Place) -> None:
    place.keep_changes(0)
    store = place.open()
    with store.changing() as change:
        number = change.add_application(make_application()).number
        for _ in range(1000):
            change.raise_epoch(number)
    newest = store.load_state().sequence
    with store.changing() as change:
        change.raise_epoch(number)
    assert store.load_state().sequence == newest + 1
