"""What DuckDB has no memory for goes into a folder that is nobody else's, or is refused."""

import os
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.engines.duckdb_spill import render_spill_settings
from rowgate.rows.errors import EngineUnavailable
from rowgate.rows.model import Statement

MEMORY = "8MB"
LARGE = "SELECT hash(range) AS a FROM range(600000) ORDER BY a"  # needs more


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder for temporary files; the process stands in another one."""
    (tmp_path / "started in").mkdir()
    monkeypatch.chdir(tmp_path / "started in")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def open_source(tmp_path: Path) -> DuckdbSource:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "small.csv").write_text("a\n1\n")
    return DuckdbSource(DuckdbManner(tmp_path / "served", memory=MEMORY, threads=1))


def test_what_does_not_fit_into_memory_lies_in_a_folder_of_its_own_and_goes_again(
    temporary: Path, tmp_path: Path
) -> None:
    with closing(open_source(tmp_path)) as source:
        blocks = source.open_rows(Statement(LARGE, ()), statement_seconds=30)
        assert blocks.read_block()
        (folder,) = temporary.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert list(folder.glob("*.tmp"))
        blocks.close()
    assert not list(folder.glob("*.tmp"))
    assert not list(Path.cwd().iterdir())


def test_a_link_in_the_folders_place_is_not_followed(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (temporary / f"rowgate-duckdb-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with closing(open_source(tmp_path)) as source:
        blocks = source.open_rows(Statement(LARGE, ()), statement_seconds=30)
        with closing(blocks), pytest.raises(EngineUnavailable, match="memory"):
            blocks.read_block()
        with closing(source.open_rows(Statement("SELECT a FROM small", ()), statement_seconds=30)) as blocks:
            assert blocks.read_block() == [(1,)]
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not list(Path.cwd().iterdir())


@pytest.mark.usefixtures("temporary")
def test_no_more_is_written_than_is_allowed() -> None:
    with closing(duckdb.connect()) as connection:
        for setting in (f"SET memory_limit = '{MEMORY}'", "SET threads = 1", *render_spill_settings(100_000)):
            connection.execute(setting)
        with pytest.raises(duckdb.OutOfMemoryException, match="max_temp_directory_size"):
            connection.execute(LARGE).fetchone()


def test_what_others_may_look_into_is_no_place(temporary: Path) -> None:
    folder = temporary / f"rowgate-duckdb-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o755)
    assert render_spill_settings() == ("SET temp_directory = ''",)
    folder.chmod(0o700)
    assert render_spill_settings(5)[1] == "SET max_temp_directory_size = '5B'"
