"""Homes made in the test process, without the command line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from rowgate import wiring
from rowgate.config import Settings, load_settings
from rowgate.ports import Clock
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.policies import PolicyChange
from rowgate.store import sql_store
from rowgate.store.tables import bring_up_to_date

HOURS_72 = 72 * 3600
_OWN = "sqlite_sequence"  # which SQLite makes by itself


def make_home(home: Path, database: Path | str, **flags: Any) -> Settings:
    """Make a home that serves a database, an SQLite file or an address; give its settings."""
    home.mkdir(mode=0o700, parents=True)
    address = str(database) if "://" in str(database) else f"sqlite:///{database}"
    settings = load_settings(home, {}, {"database": address, "port": 0, **flags})
    with newest_tables():
        wiring.create_home(settings, "tests")
    return settings


@contextmanager
def newest_tables() -> Iterator[None]:
    """Have a new state get its tables as they are in the end, not one migration after the other."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sql_store, "bring_up_to_date", _make_newest_tables)
        yield


def _make_newest_tables(connection: Connection, _place: str) -> None:
    for statement in _read_newest_tables():
        connection.exec_driver_sql(statement)


@cache
def _read_newest_tables() -> tuple[str, ...]:
    """Give what the migrations make of an empty file: to run them costs 18 ms, and the tests make hundreds of homes."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        bring_up_to_date(connection, "a state for tests")
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> ?", (_OWN,))
        ((revision,),) = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return *made.scalars(), f"INSERT INTO alembic_version VALUES ('{revision}')"


@contextmanager
def administer(settings: Settings, clock: Clock = time.time) -> Iterator[wiring.Administration]:
    """Give the administrator's desks of a home."""
    with wiring.open_administration(settings, actor="tests", clock=clock) as administration:
        yield administration


def add_application(
    settings: Settings, name: str, objects: tuple[str, ...] = ("*",), *, clock: Clock = time.time, **options: Any
) -> NewCredentials:
    """Register an application; `options` override what `rowgate app add` would choose."""
    chosen: dict[str, Any] = {
        "scope": "read",
        "secret_expires_at": int(clock()) + HOURS_72,
        "refresh_tokens": True,
        "access_lifetime_seconds": 3600,
        "refresh_lifetime_seconds": 604_800,
        **options,
    }
    with administer(settings, clock) as desks:
        return desks.applications.add(name, objects, **chosen)


def add_without_secret(settings: Settings, name: str, objects: tuple[str, ...] = ("*",), **policy: Any) -> str:
    """Register an application that proves itself by a key or certificate; give its client id."""
    with administer(settings) as desks:
        application, _ = desks.applications.add_with_key(
            name,
            objects,
            scope="read",
            refresh_tokens=True,
            access_lifetime_seconds=3600,
            refresh_lifetime_seconds=604_800,
            policy=PolicyChange(**policy),
        )
    return application.client_id
