"""Homes made in the test process, without the command line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rowgate import wiring
from rowgate.config import Settings, load_settings
from rowgate.ports import Clock
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.policies import PolicyChange

HOURS_72 = 72 * 3600


def make_home(home: Path, database: Path | str, **flags: Any) -> Settings:
    """Make a home that serves a database, an SQLite file or an address; give its settings."""
    home.mkdir(mode=0o700, parents=True)
    address = str(database) if "://" in str(database) else f"sqlite:///{database}"
    settings = load_settings(home, {}, {"database": address, "port": 0, **flags})
    wiring.create_home(settings, "tests")
    return settings


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
