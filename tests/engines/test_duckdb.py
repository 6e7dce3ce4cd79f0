"""DuckDB's own: folders of files, and what a statement may not do."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from engines.test_contract import read_all
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.generic import GenericSource
from rowgate.rows.errors import EngineFailure, EngineUnavailable
from rowgate.rows.model import Statement, Value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    exports = tmp_path / "it's exports"
    exports.mkdir()
    (exports / "plain.csv").write_text("id,name\n1,Zoë\n2,\n")
    (exports / "_hidden.csv").write_text("a\n1\n")
    (exports / "notes.txt").write_text("no table")
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS n FROM range(2500)")
        connection.table("t").write_parquet(str(exports / "many.parquet"))
    return exports


@pytest.fixture
def source(folder: Path) -> Iterator[GenericSource]:
    with closing(GenericSource(DuckdbManner(folder))) as opened:
        yield opened


def run(source: GenericSource, text: str) -> list[tuple[Value, ...]]:
    return read_all(source.open_rows(Statement(text, ()), statement_seconds=10))


def test_files_of_a_folder_are_objects(source: GenericSource, folder: Path) -> None:
    source.prove_read_only()
    assert [(found.name, found.kind) for found in source.list_objects()] == [("many", "view"), ("plain", "view")]
    assert run(source, "SELECT * FROM plain ORDER BY id") == [(1, "Zoë"), (2, None)]
    assert len(run(source, "SELECT n FROM many")) == 2500
    (folder / "later.csv").write_text("x\n5\n")
    assert run(source, "SELECT x FROM later") == [(5,)]
    (folder / "later.csv").unlink()
    assert source.find_object("later") is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO 'stolen.csv'",
        "ATTACH ':memory:' AS other",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CREATE TEMP TABLE x (a INTEGER)",
        "CREATE MACRO m() AS 1",
        "CHECKPOINT",
        "SELECT 1; SELECT 2",
    ],
)
def test_statement_reaches_nothing_beside_the_files(source: GenericSource, folder: Path, text: str) -> None:
    with pytest.raises((EngineFailure, EngineUnavailable)):
        run(source, text)
    assert not (folder / "stolen.csv").exists()
    assert not Path("stolen.csv").exists()


def test_read_under_way_ends_with_the_file_it_began_with(tmp_path: Path) -> None:
    path = tmp_path / "served.duckdb"
    for count in (5000, 7):
        beside = tmp_path / "beside.duckdb"
        with closing(duckdb.connect(str(beside))) as owner:
            owner.execute(f"CREATE TABLE t AS SELECT range AS n FROM range({count})")
        if count == 5000:
            beside.rename(path)
    with closing(GenericSource(DuckdbManner(path))) as source:
        old = source.open_rows(Statement("SELECT n FROM t", ()), statement_seconds=10)
        first = old.read_block()
        beside.replace(path)
        assert len(run(source, "SELECT n FROM t")) == 7
        assert len(first) + len(read_all(old)) == 5000


def test_a_slow_statement_draws_nothing_into_the_servers_output(source: GenericSource) -> None:
    assert source.ask("SELECT current_setting('enable_progress_bar')") == [(False,)]
