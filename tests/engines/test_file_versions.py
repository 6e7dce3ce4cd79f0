"""A file's version: two that are equal mean that nothing was written between them."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rowgate.engines import file_versions
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.engines.file_versions import SETTLED_SECONDS, FileVersions
from rows.harness import open_reader
from support.clock import MovableClock


@pytest.fixture
def clock() -> MovableClock:
    made = MovableClock()
    made.freeze()
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "made.csv"
    made.write_text("a\n1\n")
    return made


def settle(versions: FileVersions, clock: MovableClock, path: Path) -> bytes | None:
    versions.find(path)
    clock.advance(SETTLED_SECONDS)
    return versions.find(path)


def test_there_is_none_until_a_file_has_been_seen_unchanged_for_a_while(clock: MovableClock, path: Path) -> None:
    """However old its times are: who restores a file may set them, and its server's clock may be another."""
    versions = FileVersions(clock)
    os.utime(path, (1, 1))
    assert versions.find(path) is None
    clock.advance(SETTLED_SECONDS - 0.1)
    assert versions.find(path) is None
    clock.advance(0.1)
    assert versions.find(path) is not None
    assert settle(FileVersions(clock), clock, path) == versions.find(path), "it is the same for every process"


def _rewrite(path: Path) -> None:
    path.write_text("a\n2\n")


def _rewrite_and_set_times_back(path: Path) -> None:
    before = path.stat()
    path.write_text("a\n2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _append(path: Path) -> None:
    with path.open("a") as file:
        file.write("3\n")


def _replace(path: Path) -> None:
    before = path.stat()
    beside = path.with_name("beside")
    beside.write_text("a\n2\n")
    os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))
    beside.replace(path)


def _touch(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("change", [_rewrite, _rewrite_and_set_times_back, _append, _replace, _touch])
def test_every_write_gives_another_one(clock: MovableClock, path: Path, change: Callable[[Path], None]) -> None:
    versions = FileVersions(clock)
    before = settle(versions, clock, path)
    assert before is not None
    change(path)
    assert versions.find(path) is None
    assert settle(versions, clock, path) not in (before, None)


def test_what_is_no_file_has_none(clock: MovableClock, path: Path) -> None:
    versions = FileVersions(clock)
    assert settle(versions, clock, path) is not None
    path.unlink()
    assert settle(versions, clock, path) is None


def test_only_files_of_a_folder_have_one(clock: MovableClock, tmp_path: Path, path: Path) -> None:
    with closing(duckdb.connect(str(tmp_path / "own.duckdb"))) as owner:
        owner.execute("CREATE VIEW made AS SELECT random() AS r")
    for served, has_one in ((path.parent, True), (tmp_path / "own.duckdb", False)):
        with closing(DuckdbSource(DuckdbManner(served), clock=clock)) as source:
            described = source.find_object("made")
            assert described is not None
            source.find_version(described)
            clock.advance(SETTLED_SECONDS)
            assert (source.find_version(described) is not None) == has_one


def test_an_answer_that_the_client_has_is_not_sent_again_until_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_versions, "SETTLED_SECONDS", 0.0)
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in ("made", "other"):
        (folder / f"{name}.csv").write_text("a\n1\n")
    with open_reader(tmp_path, tmp_path / "home", served=f"duckdb:///{folder}") as reader:
        assert "etag" not in reader.get("made").headers
        tag = reader.get("made").headers["etag"]
        again = reader.get("made", **{"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        _append(folder / "other.csv")
        assert reader.get("made", **{"If-None-Match": tag}).status_code == 304, "another file is none of its business"
        _rewrite_and_set_times_back(folder / "made.csv")
        for _ in range(2):
            changed = reader.get("made", **{"If-None-Match": tag})
            assert (changed.status_code, changed.json()) == (200, [{"a": 2}])
        assert changed.headers["etag"] != tag
