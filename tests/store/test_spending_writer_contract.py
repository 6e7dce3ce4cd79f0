"""What every Store promises of what was read of a budget."""

from rowgate.ports import Store
from rowgate.ports.spending import Spent
from store.conftest import Place, make_application


def add(store: Store, name: str = "app") -> int:
    with store.changing() as change:
        return change.add_application(make_application(name)).number


def test_what_is_added_is_summed_by_application_and_day(store: Store) -> None:
    one, two = add(store, "one"), add(store, "two")
    with store.changing() as change:
        change.spending.add(one, 20_000, Spent(2, 300))
        change.spending.add(two, 20_000, Spent(5, 2**60))
        change.spending.add(one, 20_000, Spent(3, -100))
    with store.reading() as look:
        assert look.spending.list_all(20_000) == {one: Spent(5, 200), two: Spent(5, 2**60)}
        assert look.spending.list_all(20_001) == {}


def test_new_day_begins_with_nothing_and_old_ones_are_forgotten_once_no_clock_has_them(store: Store) -> None:
    number = add(store)
    with store.changing() as change:
        change.spending.add(number, 20_000, Spent(2, 300))
        change.spending.add(number, 20_001, Spent(1, 10))
        assert change.spending.list_all(20_001) == {number: Spent(1, 10)}
        change.spending.add(number, 20_000, Spent(1, 1))  # by a clock that is behind
        assert change.spending.list_all(20_000) == {number: Spent(3, 301)}
        change.spending.add(number, 20_002, Spent(1, 10))
        assert change.spending.list_all(20_000) == {}
        assert change.spending.list_all(20_001) == {number: Spent(1, 10)}


def test_nothing_is_kept_for_an_application_that_is_gone(store: Store) -> None:
    number = add(store)
    with store.changing() as change:
        change.spending.add(number, 20_000, Spent(2, 300))
        change.remove_application(number)
        change.spending.add(number, 20_000, Spent(2, 300))
        assert change.spending.list_all(20_000) == {}


def test_followers_need_not_hear_of_it(place: Place) -> None:
    follower, writer = place.open(), place.open()
    number = add(writer)
    start = follower.load_state().sequence
    with writer.changing() as change:
        change.spending.add(number, 20_000, Spent(2, 300))
    changes = follower.load_changes(start)
    assert changes is not None
    assert changes.applications == {}
