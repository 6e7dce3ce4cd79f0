"""Files that are kept open beside SQLite: no more of them than there are in use."""

import os
from pathlib import Path

import pytest

from rowgate.engines.open_files import OpenFiles


def identify(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def test_a_file_that_was_replaced_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open it and look would do: but what is open may not be closed, for SQLite may have locks on it."""
    path = tmp_path / "database"
    path.touch()
    (tmp_path / "as it was").hardlink_to(path)  # or its number would be given again
    gone = identify(path)
    files = OpenFiles()
    kept = files.open(str(path), gone)
    files.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(kept)
    others = [tmp_path / f"other{number}" for number in range(20)]
    for other in others:
        other.touch()
    opened: list[int] = []
    really_open = os.open

    def note(name: str, flags: int) -> int:
        opened.append(really_open(name, flags))
        return opened[-1]

    monkeypatch.setattr(os, "open", note)
    for other in others:
        other.replace(path)
        with pytest.raises(FileNotFoundError):
            files.open(str(path), gone)
    assert opened == []
    assert files.open(str(path), identify(path)) == opened[0]
    assert files.open(str(path), identify(path)) == opened[0]
    files.close()


def test_a_file_of_two_users_is_open_once_and_until_both_are_done(tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.touch()
    one, two = OpenFiles(), OpenFiles()
    descriptor = one.open(str(path), identify(path))
    assert two.open(str(path), identify(path)) == descriptor
    one.close()
    assert os.fstat(descriptor).st_ino == path.stat().st_ino
    two.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
