"""What the audit tests share: events, and an operating system that fails on demand."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rowgate.audit.events import TokenIssued


def make_event(number: int = 0, **changed: Any) -> TokenIssued:
    """Give an event that can be told from others by its token id."""
    members: dict[str, Any] = {
        "at": 1000.0 + number,
        "client_id": "client",
        "application": "app",
        "key_id": "k1",
        "grant_type": "client_credentials",
        "scope": "read",
        "token_id": f"{number:032x}",
        "family": "f" * 32,
        "expires_at": 4600,
        **changed,
    }
    return TokenIssued(**members)


@dataclass
class FailingDisk:
    """Counts the calls that write, and fails the ones it is told to."""

    calls: list[str] = field(default_factory=list)
    fails_at: frozenset[int] = frozenset()
    fails_always: bool = False
    code: int = errno.ENOSPC
    is_short: bool = False  # a write takes half, and the next call fails

    def check(self, name: str) -> None:
        self.calls.append(name)
        if self.fails_always or len(self.calls) - 1 in self.fails_at:
            raise OSError(self.code, os.strerror(self.code))

    def count(self, name: str) -> int:
        return self.calls.count(name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingDisk]:
    """Every os.write, fdatasync, fsync, open and ftruncate of this process goes through it."""
    failing = FailingDisk()
    real_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        failing.check("write")
        return real_write(descriptor, data[: max(1, len(data) // 2)] if failing.is_short else data)

    monkeypatch.setattr(os, "write", write)
    for name in ("fdatasync", "fsync", "ftruncate"):
        monkeypatch.setattr(os, name, _guard(failing, name, getattr(os, name)))
    yield failing
    failing.fails_always = False
    failing.fails_at = frozenset()


def _guard(failing: FailingDisk, name: str, real: Any) -> Any:
    def call(*arguments: Any) -> Any:
        failing.check(name)
        return real(*arguments)

    return call
