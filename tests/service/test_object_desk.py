"""What administration means by a name is what an address means by it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rowgate.service.admin.desk import AdminError
from support.homes import administer, make_home


def test_a_name_is_the_alias_even_when_the_database_makes_a_table_of_it(tmp_path: Path) -> None:
    """Or whoever blocks what clients read by the name would block the new table, and they would read on."""
    with closing(sqlite3.connect(tmp_path / "data.sqlite")) as database, database:
        database.execute("CREATE TABLE staff (n INTEGER PRIMARY KEY)")
        settings = make_home(tmp_path / "home", tmp_path / "data.sqlite")
        with administer(settings) as desks:
            desks.objects.add_alias("staff", "people")
        database.execute("CREATE TABLE people (n INTEGER PRIMARY KEY)")
        database.commit()
    with administer(settings) as desks:
        assert desks.objects.block("people", reason="").name == "staff"
        assert desks.objects.remove_alias("staff", "people").aliases == ()
        assert desks.objects.block("people", reason="").name == "people"


@pytest.mark.parametrize("alias", [".", ".."])
def test_an_alias_is_no_step_of_a_path(tmp_path: Path, alias: str) -> None:
    with closing(sqlite3.connect(tmp_path / "data.sqlite")) as database:
        database.execute("CREATE TABLE staff (n INTEGER PRIMARY KEY)")
    settings = make_home(tmp_path / "home", tmp_path / "data.sqlite")
    with administer(settings) as desks, pytest.raises(AdminError, match="cannot stand in an address"):
        desks.objects.add_alias("staff", alias)
