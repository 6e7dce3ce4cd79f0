"""The implementations of Store that the contract suite runs on. Another one is another entry here, no more text."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from rowgate.oauth.model import Application, Secret
from rowgate.ports import Store
from rowgate.store import writer
from rowgate.store.sql_store import SqlStore

MASTER = bytes(range(32))
SEALING = b"s" * 32
DIGEST = b"d" * 32


class Place(Protocol):
    """Where an implementation keeps one state."""

    def open(self) -> Store:
        """Open the state; every call gives an independent store on the same state."""

    def keep_changes(self, count: int) -> None:
        """Have only so many changes kept for followers."""


@dataclass
class SqlitePlace:
    """A state.db, copied from one that was made once."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    opened: list[SqlStore] = field(default_factory=list)

    def open(self) -> SqlStore:
        store = SqlStore(self.path, MASTER)
        self.opened.append(store)
        return store

    def keep_changes(self, count: int) -> None:
        self.monkeypatch.setattr(writer, "KEPT_CHANGES", count)


@pytest.fixture(scope="session")
def new_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh state.db, as `rowgate init` makes it."""
    path = tmp_path_factory.mktemp("store") / "state.db"
    SqlStore.create(path, MASTER, sealing=SEALING, digest=DIGEST, nonces=os.urandom(24), now=1000.0).close()
    return path


@pytest.fixture(params=["sqlite"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, new_state: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """A new state of each implementation."""
    assert request.param == "sqlite"
    kept = SqlitePlace(Path(shutil.copy(new_state, tmp_path / "state.db")), monkeypatch)
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
