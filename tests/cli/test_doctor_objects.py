"""`rowgate doctor` holds what was set for objects against those that there are."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.transcript import run
from support.homes import newest_tables

ALIASES = "no alias has the name of an object"
THERE = "every object that was granted, blocked or given an alias is there"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """The database of a new home, with an application that may read `sales` and some columns of `staff`."""
    database = tmp_path / "shop.sqlite"
    monkeypatch.setenv("ROWGATE_HOME", str(tmp_path / "home"))
    with closing(sqlite3.connect(database)) as connection:
        for name in ("sales", "staff", "stock"):
            connection.execute(f"CREATE TABLE {name} (Id INTEGER PRIMARY KEY, Name TEXT)")
        with newest_tables():
            do("init", "--database", f"sqlite:///{database}")
        do("app", "add", "reports", "--object", "sales")
        do("app", "grant", "reports", "staff", "--columns", "Name")
        do("object", "block", "stock")
        do("object", "alias", "sales", "sold")
        yield connection


def do(*words: str) -> None:
    done = run(list(words))
    assert done.exit_code == 0, done.stderr


def find_answer(question: str) -> tuple[bool, str]:
    (finding,) = [f for f in json.loads(run(["doctor", "--json"]).stdout) if f["question"] == question]
    return finding["good"], finding["found"]


def test_where_all_is_there_it_says_so(shop: sqlite3.Connection) -> None:
    assert shop.in_transaction is False
    assert (find_answer(ALIASES), find_answer(THERE)) == ((True, "none"), (True, "yes"))


def test_an_alias_that_hides_an_object_is_told_and_its_advice_helps(shop: sqlite3.Connection) -> None:
    shop.execute("CREATE VIEW sold AS SELECT 1 AS a")
    assert find_answer(ALIASES) == (False, "sold is sales")
    do("object", "alias", "sales", "sold", "--remove")
    assert find_answer(ALIASES) == (True, "none")


def test_what_was_set_for_objects_that_are_gone_is_told_and_its_advice_helps(shop: sqlite3.Connection) -> None:
    for name in ("sales", "staff", "stock"):
        shop.execute(f"DROP TABLE {name}")
    told = "sales (granted to reports, called sold); staff (granted to reports with limits); stock (blocked)"
    assert find_answer(THERE) == (False, told)
    do("app", "ungrant", "reports", "sales", "staff")
    do("object", "unblock", "stock")
    assert find_answer(THERE) == (False, "sales (called sold)")
    do("object", "alias", "sales", "sold", "--remove")
    assert find_answer(THERE) == (True, "yes")


def test_of_a_database_that_cannot_be_asked_nothing_is_said_to_be_gone(shop: sqlite3.Connection) -> None:
    path = Path(shop.execute("PRAGMA database_list").fetchone()[2])
    path.rename(path.with_suffix(".away"))
    assert (find_answer(ALIASES), find_answer(THERE)) == ((True, "none"), (True, "yes"))
