"""The implementations of Store that the contract suite runs on. Another one is another entry here, no more text."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg
import pytest

from rowgate.oauth.model import Application, Secret
from rowgate.ports import Store
from rowgate.store import writer
from rowgate.store.postgres_connection import PostgresPlace
from rowgate.store.postgres_store import PostgresStore
from rowgate.store.schema import metadata
from rowgate.store.sql_store import SqlStore
from support.postgres import STATE_OWNER, PostgresServer

MASTER = bytes(range(32))
SEALING = b"s" * 32
DIGEST = b"d" * 32


class Place(Protocol):
    """Where an implementation keeps one state."""

    def open(self, *, max_secret_seconds: int = 0) -> Store:
        """Open the state; every call gives an independent store on the same state."""

    def keep_changes(self, count: int) -> None:
        """Have only so many changes kept for followers."""


@dataclass
class SqlitePlace:
    """A state.db, copied from one that was made once."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    opened: list[SqlStore] = field(default_factory=list)

    def open(self, *, max_secret_seconds: int = 0) -> SqlStore:
        store = SqlStore(self.path, MASTER, max_secret_seconds=max_secret_seconds)
        self.opened.append(store)
        return store

    def keep_changes(self, count: int) -> None:
        self.monkeypatch.setattr(writer, "KEPT_CHANGES", count)


@dataclass
class PostgresSchema:
    """A schema whose tables hold what `rowgate init` puts there."""

    place: PostgresPlace
    monkeypatch: pytest.MonkeyPatch
    opened: list[PostgresStore] = field(default_factory=list)

    def open(self, *, max_secret_seconds: int = 0) -> PostgresStore:
        store = PostgresStore(self.place, MASTER, max_secret_seconds=max_secret_seconds)
        self.opened.append(store)
        return store

    def keep_changes(self, count: int) -> None:
        self.monkeypatch.setattr(writer, "KEPT_CHANGES", count)


@dataclass
class NewSchema:
    """A state in PostgreSQL that was made once, and is made new again for each test."""

    place: PostgresPlace
    owner: psycopg.Connection

    def __post_init__(self) -> None:
        create_state(self.place).close()
        self._tables = ", ".join(f'"{self.place.schema}"."{table.name}"' for table in metadata.sorted_tables)
        self._keys = self.owner.execute(f'SELECT * FROM "{self.place.schema}".keys').fetchall()

    def renew(self) -> PostgresPlace:
        self.owner.execute(f"TRUNCATE {self._tables} RESTART IDENTITY")
        for row in self._keys:
            self.owner.execute(f'INSERT INTO "{self.place.schema}".keys VALUES (%s, %s, %s, %s)', row)
        self.owner.execute(f"SELECT setval('{self.place.schema}.keys_number_seq', {len(self._keys)})")
        return self.place


def create_state(place: PostgresPlace) -> PostgresStore:
    """Make a state as `rowgate init` makes it."""
    nonces = os.urandom(24)
    return PostgresStore.create(place, MASTER, sealing=SEALING, digest=DIGEST, nonces=nonces, now=1000.0)


@pytest.fixture(scope="session")
def new_schema(postgres: PostgresServer, state_database: str) -> Iterator[NewSchema]:
    """A state in PostgreSQL."""
    with postgres.owner(state_database) as owner:
        yield NewSchema(PostgresPlace(postgres.address(state_database, STATE_OWNER), "contract"), owner)


@pytest.fixture(scope="session")
def new_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh state.db, as `rowgate init` makes it."""
    path = tmp_path_factory.mktemp("store") / "state.db"
    SqlStore.create(path, MASTER, sealing=SEALING, digest=DIGEST, nonces=os.urandom(24), now=1000.0).close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A new state of each implementation."""
    kept: SqlitePlace | PostgresSchema
    if request.param == "sqlite":
        new_state: Path = request.getfixturevalue("new_state")
        kept = SqlitePlace(Path(shutil.copy(new_state, tmp_path / "state.db")), monkeypatch)
    else:
        new_schema: NewSchema = request.getfixturevalue("new_schema")
        kept = PostgresSchema(new_schema.renew(), monkeypatch)
    yield kept
    for store in kept.opened:
        store.close()


@pytest.fixture
def store(place: Place) -> Store:
    """One store on the new state."""
    return place.open()


def make_secret(key_id: str = "k1", **changed: object) -> Secret:
    """Give a secret as the administration hands it over."""
    members: dict[str, object] = {
        "number": 0,
        "key_id": key_id,
        "name": "first",
        "digest": b"\x00\xff" * 16,
        "created_at": 1000,
        "expires_at": 2000,
        "revoked": False,
        "kills_tokens": False,
        **changed,
    }
    return Secret(**members)  # type: ignore[arg-type]


def make_application(name: str = "app", **changed: object) -> Application:
    """Give an application as the administration hands it over."""
    members: dict[str, object] = {
        "number": 0,
        "client_id": f"id-{name}",
        "name": name,
        "enabled": True,
        "epoch": 0,
        "scope": ("read",),
        "refresh_tokens": True,
        "access_lifetime_seconds": 3600,
        "refresh_lifetime_seconds": 604_800,
        "created_at": 1000,
        "secrets": (),
        **changed,
    }
    return Application(**members)  # type: ignore[arg-type]
