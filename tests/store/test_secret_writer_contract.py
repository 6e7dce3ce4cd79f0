"""What every Store promises about lines of secrets and one-time codes."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from rowgate.oauth.model import NEVER, Application
from rowgate.ports import Store, StoreReader, StoreWriter, UnknownName
from rowgate.records import Enrolment
from store.conftest import Place, make_application, make_secret

DIGEST = b"c" * 32
Step: TypeAlias = Callable[[StoreWriter], None]


def add(store: Store, *key_ids: str, **changed: object) -> Application:
    secrets = tuple(make_secret(key_id, **changed) for key_id in key_ids or ("k1",))
    with store.changing() as change:
        return change.add_application(make_application("app", secrets=secrets))


def load(store: Store) -> Application:
    with store.reading() as look:
        found = look.find_application("app")
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("had", "asked", "kept"), [(2000, 1500, 1500), (2000, 2500, 2000), (NEVER, 1500, 1500), (2000, 2000, 2000)]
)
def test_a_secrets_end_is_only_ever_moved_sooner(store: Store, had: int, asked: int, kept: int) -> None:
    number = add(store, expires_at=had).secrets[0].number
    with store.changing() as change:
        change.end_secret(number, expires_at=asked)
    assert load(store).secrets[0].expires_at == kept


def test_no_secret_is_read_with_a_later_end_than_the_maximum(place: Place) -> None:
    """By a transaction, by a follower that begins and by one that goes on; and nothing of it is kept."""
    maximum = 600
    limited = place.open(max_secret_seconds=maximum)
    before = limited.load_state().sequence
    secrets = tuple(make_secret(f"k{end}", expires_at=end) for end in (NEVER, 1500, 1600, 1601))
    with limited.changing() as change:
        made = change.add_application(make_application("app", secrets=secrets))
    changes = limited.load_changes(before)
    assert changes is not None
    followed = changes.applications[made.number]
    assert followed is not None
    (loaded,) = limited.load_state().grants
    for application in (made, load(limited), loaded.application, followed.application):
        assert [secret.expires_at for secret in application.secrets] == [1600, 1500, 1600, 1600]
    assert [secret.expires_at for secret in load(place.open()).secrets] == [NEVER, 1500, 1600, 1601]


def test_the_first_use_of_a_secret_is_kept_and_no_later_one(store: Store) -> None:
    """A later one reaches no follower either."""
    number = add(store, parent=7).secrets[0].number
    assert load(store).secrets[0].used_at == 0
    with store.changing() as change:
        change.note_secret_use(number, used_at=1500)
    sequence = store.load_state().sequence
    with store.changing() as change:
        change.note_secret_use(number, used_at=1600)
    assert load(store).secrets[0].used_at == 1500
    assert store.load_state().sequence == sequence


def test_line_and_use_are_kept_as_handed_over(store: Store) -> None:
    kept = add(store, parent=7, lineage_began_at=900, used_at=950).secrets[0]
    assert (kept.parent, kept.lineage_began_at, kept.used_at) == (7, 900, 950)


def test_a_removed_secret_is_gone_and_the_others_stay(store: Store) -> None:
    first, second = add(store, "k1", "k2").secrets
    with store.changing() as change:
        change.remove_secret(first.number)
    assert load(store).secrets == (second,)


def test_every_change_of_a_secret_is_followed(place: Place) -> None:
    store: Store = place.open()
    follower: StoreReader = place.open()
    number = add(store, parent=1).secrets[0].number
    steps: list[Step] = [
        lambda change: change.end_secret(number, expires_at=1500),
        lambda change: change.note_secret_use(number, used_at=1200),
        lambda change: change.remove_secret(number),
    ]
    for step in steps:
        before = follower.load_state()
        with store.changing() as change:
            step(change)
        changes = follower.load_changes(before.sequence)
        assert changes is not None
        (found,) = changes.applications.values()
        assert found is not None
        assert found.application == load(store) != before.grants[0].application


def test_secrets_that_are_not_there_are_unknown(store: Store) -> None:
    add(store)
    steps: list[Step] = [
        lambda change: change.end_secret(99, expires_at=1500),
        lambda change: change.note_secret_use(99, used_at=1200),
        lambda change: change.remove_secret(99),
    ]
    for step in steps:
        with pytest.raises(UnknownName), store.changing() as change:
            step(change)


def test_a_code_is_redeemed_once(store: Store) -> None:
    application = add(store)
    enrolment = Enrolment(DIGEST, application.number, 5000)
    with store.changing() as change:
        change.add_enrolment(enrolment)
        assert change.find_enrolment(DIGEST) == enrolment
        assert change.find_enrolled_application(DIGEST) == application
        assert change.redeem_enrolment(DIGEST, redeemed_at=1500)
    with store.changing() as change:
        assert not change.redeem_enrolment(DIGEST, redeemed_at=1600)
        assert change.find_enrolment(DIGEST) == Enrolment(DIGEST, application.number, 5000, 1500)


def test_an_unknown_code_is_nothing(store: Store) -> None:
    with store.changing() as change:
        assert change.find_enrolment(DIGEST) is None
        assert change.find_enrolled_application(DIGEST) is None
        assert not change.redeem_enrolment(DIGEST, redeemed_at=1)
        with pytest.raises(UnknownName):
            change.add_enrolment(Enrolment(DIGEST, 99, 5000))


def test_codes_are_forgotten_by_their_end_and_with_their_application(store: Store) -> None:
    application = add(store)
    with store.changing() as change:
        for name, expires_at in ((b"a", 100), (b"b", 200)):
            change.add_enrolment(Enrolment(name * 32, application.number, expires_at))
        change.forget_enrolments(200)
    with store.changing() as change:
        assert change.find_enrolment(b"a" * 32) is None
        assert change.find_enrolment(b"b" * 32) is not None
        change.remove_application(application.number)
        assert change.find_enrolment(b"b" * 32) is None


def test_a_code_is_not_printed() -> None:
    assert "ccc" not in repr(Enrolment(DIGEST, 1, 2))
