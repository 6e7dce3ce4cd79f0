"""LiveState: following change by change comes to the same as loading everything."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rowgate.ports import StoreError, StoreWriter
from rowgate.records import Changes, Grants, ObjectSettings, Revocation, StateSnapshot
from rowgate.service.state import LiveState
from rowgate.store.sql_store import SqlStore
from store.conftest import MASTER, make_application, make_secret
from support.laws import choose_examples

NAMES = st.sampled_from(["a", "b", "c"])
OBJECTS = st.sampled_from(["T", "U", "V"])
ALIASES = st.sampled_from(["x", "y", "T2"])
HANDLES = st.sampled_from([bytes([n]) * 16 for n in range(4)])
NOW = 1000
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # durable is tested elsewhere

Step = Callable[[StoreWriter], object]


def _numbered(name: str, act: Callable[[StoreWriter, int], object]) -> Step:
    def step(change: StoreWriter) -> None:
        found = change.find_application(name)
        if found is not None:
            act(change, found[0].number)

    return step


def _revoke_secret(name: str, *, kills: bool) -> Step:
    def step(change: StoreWriter) -> None:
        found = change.find_application(name)
        if found is not None and found[0].secrets:
            change.revoke_secret(found[0].secrets[-1].number, kills_tokens=kills)

    return step


def _add_secret(name: str, count: list[int]) -> Step:
    def act(change: StoreWriter, number: int) -> None:
        count[0] += 1
        change.add_secret(number, make_secret(f"k{count[0]}"))

    return _numbered(name, act)


_COUNT = [0]
STEPS: st.SearchStrategy[Step] = st.one_of(
    NAMES.map(lambda name: lambda change: change.add_application(make_application(name))),
    NAMES.map(lambda name: _numbered(name, lambda change, number: change.remove_application(number))),
    NAMES.map(lambda name: _numbered(name, lambda change, number: change.raise_epoch(number))),
    NAMES.map(lambda name: _add_secret(name, _COUNT)),
    st.builds(lambda name, kills: _revoke_secret(name, kills=kills), NAMES, st.booleans()),
    st.builds(
        lambda name, on: _numbered(name, lambda change, number: change.set_enabled(number, enabled=on)),
        NAMES,
        st.booleans(),
    ),
    st.builds(lambda name, obj: _numbered(name, lambda change, number: change.grant(number, [obj])), NAMES, OBJECTS),
    st.builds(lambda name, obj: _numbered(name, lambda change, number: change.ungrant(number, [obj])), NAMES, OBJECTS),
    st.builds(
        lambda obj, blocked, aliases: (
            lambda change: change.set_object_settings(
                ObjectSettings(obj, blocked=blocked, aliases=tuple(sorted(aliases)))
            )
        ),
        OBJECTS,
        st.booleans(),
        st.sets(ALIASES, max_size=2),
    ),
    st.builds(
        lambda handle, at: lambda change: change.add_revocation(Revocation(handle, at)),
        HANDLES,
        st.sampled_from([NOW - 1, NOW + 1]),
    ),
    st.just(lambda change: change.forget_revocations(NOW)),
)


@settings(max_examples=choose_examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    commits=[
        (lambda change: change.add_revocation(Revocation(bytes(16), NOW + 1)), True),
        (lambda change: change.add_revocation(Revocation(bytes(16), NOW - 1)), False),
        (lambda change: change.forget_revocations(NOW), False),
    ]
)
@given(commits=st.lists(st.tuples(STEPS, st.booleans()), max_size=14))
def test_applying_changes_equals_loading_everything(new_state: Path, commits: list[tuple[Step, bool]]) -> None:
    """Whatever is changed, and however many commits a follower takes over at once."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as directory:
        path = Path(shutil.copy(new_state, Path(directory) / "state.db"))
        store, follower = SqlStore(path, MASTER), SqlStore(path, MASTER)
        live = LiveState(follower.load_state())
        try:
            for step, catches_up in commits:
                _commit(store, step)
                if catches_up:
                    _catch_up(live, follower)
            _catch_up(live, follower)
            assert _describe(live) == _describe(LiveState(follower.load_state()))
        finally:
            store.close()
            follower.close()


@pytest.mark.parametrize("told", [(1, 2), (2, 1)], ids=["gone first", "come first"])
def test_a_client_id_that_is_there_again_is_found_in_whichever_order_it_is_told(told: tuple[int, int]) -> None:
    gone, come = (Grants(make_application("a", number=number), frozenset()) for number in (1, 2))
    live = LiveState(StateSnapshot(sequence=1, grants=(gone,), objects=(), revocations=()))
    news = {1: None, 2: come}
    live.apply(Changes(sequence=2, applications={number: news[number] for number in told}))
    assert live.find_application("id-a") == come.application
    assert live.list_applications() == [come.application]


def _commit(store: SqlStore, step: Step) -> None:
    try:
        with store.changing() as change:
            step(change)
    except StoreError:
        pass  # a name that is taken: nothing was changed


def _catch_up(live: LiveState, follower: SqlStore) -> None:
    changes = follower.load_changes(live.sequence)
    assert changes is not None
    live.apply(changes)


def _describe(live: LiveState) -> dict[str, object]:
    """Give the answers to everything that the service may ask."""
    live.forget_expired(NOW)
    names = ("T", "U", "V")
    numbers = range(1, 20)
    return {
        "sequence": live.sequence,
        "by client id": [live.find_application(f"id-{name}") for name in ("a", "b", "c")],
        "by number": [live.find_application_by_number(number) for number in numbers],
        "granted": [live.list_granted(number) for number in numbers],
        "aliases": [live.resolve_alias(alias) for alias in ("x", "y", "T2", *names)],
        "settings": [live.find_settings(name) for name in names],
        "revoked": [live.is_revoked(bytes([n]) * 16, b"-" * 16) for n in range(4)],
        "revoked family": [live.is_revoked(b"-" * 16, bytes([n]) * 16) for n in range(4)],
    }
