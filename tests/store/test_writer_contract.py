"""What every Store promises the administrator: each call of StoreWriter, and that a change is whole or nothing."""

import dataclasses

import pytest

from rowgate.oauth.model import Application
from rowgate.ports import NameTaken, Store, StoreWriter, UnknownName
from rowgate.records import ObjectDetails, ObjectSettings, Revocation
from store.conftest import Place, make_application, make_secret

NOBODY = 4_000_000


def add(store: Store, name: str = "app", *objects: str, **changed: object) -> Application:
    with store.changing() as change:
        added = change.add_application(make_application(name, **changed))
        change.grant(added.number, objects)
    return added


def load(store: Store, name: str = "app") -> tuple[Application, tuple[str, ...]]:
    with store.reading() as look:
        found = look.find_application(name)
    assert found is not None
    return found


def test_an_application_is_found_as_it_was_added(store: Store) -> None:
    wanted = make_application(
        "Zoë's app", scope=("read", "procedure"), refresh_tokens=False, secrets=(make_secret(), make_secret("k2"))
    )
    with store.changing() as change:
        added = change.add_application(wanted)
    found, objects = load(store, "Zoë's app")
    assert found == added
    assert objects == ()
    numbers = [secret.number for secret in found.secrets]
    assert len(set(numbers)) == 2
    assert 0 not in (*numbers, found.number)
    secrets = tuple(dataclasses.replace(secret, number=0) for secret in found.secrets)
    assert dataclasses.replace(found, number=0, secrets=secrets) == wanted


def test_an_application_is_found_by_its_client_id_too(store: Store) -> None:
    added = add(store)
    assert load(store, added.client_id)[0] == added
    with store.reading() as look:
        assert look.find_application("ID-APP") is None
        assert look.find_application("") is None


@pytest.mark.parametrize(
    "second",
    [
        make_application("app", client_id="other"),
        make_application("other", client_id="id-app"),
        make_application("id-app", client_id="other"),
        make_application("other", client_id="app"),
    ],
)
def test_a_name_is_taken_as_name_and_as_client_id(store: Store, second: Application) -> None:
    """Commands take either, so one must not stand for two."""
    add(store)
    with pytest.raises(NameTaken), store.changing() as change:
        change.add_application(second)
    with store.reading() as look:
        assert len(look.list_applications()) == 1


def test_applications_are_listed_by_name_with_their_objects(store: Store) -> None:
    add(store, "b", "Y", "X")
    add(store, "a")
    with store.reading() as look:
        assert [(found.name, objects) for found, objects in look.list_applications()] == [("a", ()), ("b", ("X", "Y"))]


def test_enabling_epoch_and_grants_change_what_is_found(store: Store) -> None:
    number = add(store, "app", "A", "B").number
    with store.changing() as change:
        change.set_enabled(number, enabled=False)
        change.raise_epoch(number)
        change.raise_epoch(number)
        change.grant(number, ["B", "C", "C"])
        change.ungrant(number, ["A", "never granted"])
    found, objects = load(store)
    assert (found.enabled, found.epoch, objects) == (False, 2, ("B", "C"))
    with store.changing() as change:
        change.set_enabled(number, enabled=True)
    assert load(store)[0].enabled


def test_a_removed_application_is_gone_with_secrets_and_grants_and_its_number_is_never_used_again(store: Store) -> None:
    numbers = set()
    for _ in range(3):
        added = add(store, "app", "A", secrets=(make_secret(),))
        numbers.add(added.number)
        numbers.add(added.secrets[0].number + 1_000_000)
        with store.changing() as change:
            change.remove_application(added.number)
        with store.reading() as look:
            assert look.find_application("app") is None
    assert len(numbers) == 6
    again = add(store, "app")
    assert load(store) == (again, ())


def test_terms_are_kept_and_nothing_else_changes(store: Store) -> None:
    before, other = add(store, "app", "Table", secrets=(make_secret(),)), add(store, "other")
    terms = {
        "scope": ("read", "run"),
        "refresh_tokens": not before.refresh_tokens,
        "access_lifetime_seconds": 61,
        "refresh_lifetime_seconds": 62,
    }
    with store.changing() as change:
        change.set_terms(before.number, **terms)  # type: ignore[arg-type]
    assert load(store) == (dataclasses.replace(before, **terms), ("Table",))  # type: ignore[arg-type]
    assert load(store, "other")[0] == other


def test_secrets_are_added_and_revoked(store: Store) -> None:
    number = add(store, secrets=(make_secret("k1"),)).number
    with store.changing() as change:
        second = change.add_secret(number, make_secret("k2", name="second", expires_at=0))
        change.revoke_secret(second.number, kills_tokens=False)
    first, found = load(store)[0].secrets
    assert (first.key_id, first.revoked) == ("k1", False)
    assert found == dataclasses.replace(second, revoked=True)
    with store.changing() as change:
        change.revoke_secret(second.number, kills_tokens=True)
    assert load(store)[0].secrets[1].kills_tokens


def test_a_secret_that_was_ended_as_compromised_stays_so(store: Store) -> None:
    secret = add(store, secrets=(make_secret(),)).secrets[0]
    with store.changing() as change:
        change.revoke_secret(secret.number, kills_tokens=True)
        change.revoke_secret(secret.number, kills_tokens=False)
    assert load(store)[0].secrets[0].kills_tokens


def test_a_key_id_names_one_secret(store: Store) -> None:
    add(store, secrets=(make_secret("k1"),))
    other = add(store, "other")
    with pytest.raises(NameTaken), store.changing() as change:
        change.add_secret(other.number, make_secret("k1"))


def test_object_settings_are_kept_replaced_and_found(store: Store) -> None:
    details = ObjectDetails("T", "of things", ("Id", "Day"))
    wanted = ObjectSettings(
        "T",
        blocked=True,
        block_reason="why",
        aliases=("a", "b"),
        run_key="Run",
        details=details,
    )
    with store.changing() as change:
        change.set_object_settings(wanted)
        change.set_object_settings(ObjectSettings("A", aliases=("c",)))
        change.set_object_settings(ObjectSettings("A", aliases=("d",)))
    with store.reading() as look:
        assert look.find_object_settings("T") == wanted
        assert look.find_object_settings("unset") == ObjectSettings("unset")
        assert list(look.list_object_settings()) == [ObjectSettings("A", aliases=("d",)), wanted]


def test_an_alias_names_one_object_and_is_free_again_when_taken_away(store: Store) -> None:
    with store.changing() as change:
        change.set_object_settings(ObjectSettings("A", aliases=("x",)))
    with pytest.raises(NameTaken), store.changing() as change:
        change.set_object_settings(ObjectSettings("B", aliases=("y", "x")))
    with store.changing() as change:
        assert change.find_object_settings("B") == ObjectSettings("B")
        change.set_object_settings(ObjectSettings("A"))
        change.set_object_settings(ObjectSettings("B", aliases=("x",)))
        assert change.find_object_settings("B").aliases == ("x",)


def test_a_revocation_holds_until_it_is_forgotten(store: Store) -> None:
    early, late = b"\x00" * 16, b"\xff" * 16
    with store.changing() as change:
        change.add_revocation(Revocation(early, 100))
        change.add_revocation(Revocation(late, 200))
        change.add_revocation(Revocation(late, 200))
    with store.changing() as change:
        change.forget_revocations(100.5)
    with store.reading() as look:
        assert not look.is_revoked(early)
        assert look.is_revoked(late)
        assert not look.is_revoked(b"\x01" * 16)


@pytest.mark.parametrize(
    "call",
    [
        lambda change: change.set_enabled(NOBODY, enabled=True),
        lambda change: change.set_terms(
            NOBODY, scope=("read",), refresh_tokens=True, access_lifetime_seconds=1, refresh_lifetime_seconds=1
        ),
        lambda change: change.remove_application(NOBODY),
        lambda change: change.raise_epoch(NOBODY),
        lambda change: change.grant(NOBODY, ["A"]),
        lambda change: change.grant(NOBODY, []),
        lambda change: change.ungrant(NOBODY, ["A"]),
        lambda change: change.add_secret(NOBODY, make_secret()),
        lambda change: change.revoke_secret(NOBODY, kills_tokens=True),
    ],
)
def test_a_number_that_does_not_exist_is_unknown(store: Store, call: object) -> None:
    before = store.load_state()
    with pytest.raises(UnknownName), store.changing() as change:
        call(change)  # type: ignore[operator]
    assert store.load_state() == before


def change_everything(change: StoreWriter, number: int, secret_number: int) -> None:
    change.add_application(make_application("second", secrets=(make_secret("k9"),)))
    change.set_enabled(number, enabled=False)
    change.raise_epoch(number)
    change.grant(number, ["B"])
    change.ungrant(number, ["A"])
    change.add_secret(number, make_secret("k8"))
    change.revoke_secret(secret_number, kills_tokens=True)
    change.set_object_settings(ObjectSettings("T", blocked=True, aliases=("t",)))
    change.add_revocation(Revocation(b"r" * 16, 10**10))
    change.forget_revocations(10**9)


def fail_after_everything(change: StoreWriter, number: int, secret_number: int) -> None:
    change_everything(change, number, secret_number)
    raise ZeroDivisionError


def test_an_exception_inside_changing_leaves_nothing(place: Place) -> None:
    """After every single step of a long change: the state is as before, for this store and for others."""
    store, other = place.open(), place.open()
    added = add(store, "app", "A", secrets=(make_secret(),))
    with store.changing() as change:
        change.add_revocation(Revocation(b"o" * 16, 1))
    before = store.load_state()
    with pytest.raises(ZeroDivisionError), store.changing() as change:
        fail_after_everything(change, added.number, added.secrets[0].number)
    assert store.load_state() == before
    assert other.load_state() == before
    with store.changing() as change:
        change_everything(change, added.number, added.secrets[0].number)
    assert other.load_state() == store.load_state() != before


def test_reading_never_changes_anything(store: Store) -> None:
    before = store.load_state()
    with store.reading() as look:
        look.add_application(make_application())
    assert store.load_state() == before


def test_a_change_is_not_seen_before_it_is_whole(place: Place) -> None:
    store, other = place.open(), place.open()
    with store.changing() as change:
        change.add_application(make_application())
        assert other.load_state().grants == ()
    assert len(other.load_state().grants) == 1


def test_a_store_that_is_opened_again_holds_the_same(place: Place) -> None:
    first = place.open()
    add(first, "app", "A", secrets=(make_secret(),))
    state, keys = first.load_state(), first.load_keys()
    first.close()
    assert place.open().load_state() == state
    assert place.open().load_keys() == keys
