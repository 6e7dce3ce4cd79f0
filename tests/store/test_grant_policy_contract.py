"""What every Store promises of the policies of grants."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rowgate.ports import Store, UnknownName
from rowgate.records import WHOLE_OBJECT, GrantPolicy
from store.conftest import Place, make_application

POLICY = GrantPolicy(("Name", "Salary"), (("Salary", "null"),), '{"column": "Département", "function": "is_null"}')


def add(store: Store, *objects: str) -> int:
    with store.changing() as change:
        number = change.add_application(make_application()).number
        change.grant(number, objects)
    return number


def test_grant_is_of_the_whole_object_unless_it_is_said(store: Store) -> None:
    number = add(store, "A")
    with store.changing() as change:
        assert change.find_grant_policy(number, "A") is WHOLE_OBJECT
        assert change.find_grant_policy(number, "B") is WHOLE_OBJECT
        assert change.find_grant_policy(4_000_000, "A") is WHOLE_OBJECT
    (held,) = store.load_state().grants
    assert held.policies == {}


def test_policy_is_found_as_it_was_set_and_reaches_followers(place: Place) -> None:
    follower, writer = place.open(), place.open()
    number = add(writer, "A", "B")
    start = follower.load_state().sequence
    with writer.changing() as change:
        change.set_grant_policy(number, "A", POLICY)
        assert change.find_grant_policy(number, "A") == POLICY
        assert change.find_grant_policy(number, "B") is WHOLE_OBJECT
    changes = follower.load_changes(start)
    assert changes is not None
    held = changes.applications[number]
    assert held is not None
    assert held.objects == {"A", "B"}
    assert held.policies == {"A": POLICY}
    assert follower.load_state().grants == (held,)


def test_granting_again_keeps_the_policy_and_withdrawing_forgets_it(store: Store) -> None:
    number = add(store, "A")
    with store.changing() as change:
        change.set_grant_policy(number, "A", POLICY)
        change.grant(number, ["A", "B"])
        assert change.find_grant_policy(number, "A") == POLICY
        change.ungrant(number, ["A"])
        change.grant(number, ["A"])
        assert change.find_grant_policy(number, "A") is WHOLE_OBJECT


def test_policy_of_what_is_not_granted_is_refused(store: Store) -> None:
    number = add(store, "A")
    for application, name in ((number, "B"), (4_000_000, "A")):
        with pytest.raises(UnknownName), store.changing() as change:
            change.set_grant_policy(application, name, POLICY)


def test_home_from_before_there_were_policies_grants_what_it_granted(new_state: Path, tmp_path: Path) -> None:
    from alembic import command  # noqa: PLC0415 - slow to load
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415

    from rowgate.store import sql_store  # noqa: PLC0415
    from store.conftest import MASTER  # noqa: PLC0415

    path = tmp_path / "state.db"
    path.write_bytes(new_state.read_bytes())
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(sql_store.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    engine.dispose()
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("INSERT INTO applications VALUES (1, 'id', 'app', 1, 0, 'read', 1, 3600, 3600, 0, '{}')")
        old.execute("INSERT INTO grants VALUES (1, 'A')")
    with closing(sql_store.SqlStore(path, MASTER)) as store:
        (held,) = store.load_state().grants
        assert held.objects == {"A"}
        assert held.policies == {}
