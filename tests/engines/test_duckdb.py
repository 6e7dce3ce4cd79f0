"""DuckDB's own: folders of files, and what a statement may not do."""

import gzip
import itertools
import operator
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import zstandard

from engines.test_contract import read_all
from rowgate.cli.doctor import _databases
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_folder import AGAIN_SECONDS, ServedFolder
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.engines.generic import GenericSource
from rowgate.rows.errors import EngineFailure, EngineUnavailable, ObjectUnreadable
from rowgate.rows.model import Format, RowsRequest, Statement, Value
from rowgate.rows.plan import plan_rows
from rowgate.rows.request import parse_rows_body
from rowgate.rows.sql import render_select
from support.clock import MovableClock
from support.homes import make_home


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
def source(folder: Path) -> Iterator[DuckdbSource]:
    with closing(DuckdbSource(DuckdbManner(folder))) as opened:
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


def test_a_broken_file_is_left_out_alone_until_it_is_mended(
    folder: Path, source: DuckdbSource, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks for it is told that it is there; who runs the server, which file it is and why."""
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    (folder / "torn.csv").write_bytes(b"\x00\xff,\xfe\n\x00")
    assert [found.name for found in source.list_objects()] == ["many", "plain"]
    assert len(run(source, "SELECT n FROM many")) == 2500
    with pytest.raises(ObjectUnreadable) as refused:
        source.find_object("broken")
    assert "DuckDB cannot read broken.parquet: " in refused.value.detail
    assert [name for name, _ in source.list_table_faults()] == ["broken", "torn"]
    assert len([line for line in caplog.messages if "broken.parquet" in line]) == 1

    (folder / "many.parquet").rename(folder / "broken.parquet")
    assert len(run(source, "SELECT n FROM broken")) == 2500
    assert [name for name, _ in source.list_table_faults()] == ["torn"]


def test_a_file_that_takes_all_memory_keeps_no_other_from_being_read(folder: Path) -> None:
    (folder / "wide.csv").write_text(",".join(f"c{n}" for n in range(5000)) + "\n" + ",".join(["1"] * 5000))
    with closing(DuckdbSource(DuckdbManner(folder, memory="64MB"))) as source:
        assert len(run(source, "SELECT n FROM many")) == 2500
        ((name, why),) = source.list_table_faults()
        assert (name, "Out of Memory" in why) == ("wide", True)


def test_a_link_out_of_the_folder_is_no_file_of_it(folder: Path, source: DuckdbSource, tmp_path: Path) -> None:
    """Who may write into the folder could have whatever the server may read be served."""
    (tmp_path / "elsewhere.csv").write_text("id\n1\n")
    (folder / "beyond.csv").symlink_to(tmp_path / "elsewhere.csv")
    (folder / "within.parquet").symlink_to("many.parquet")
    (folder / "round.csv").symlink_to(folder / "round.csv")
    (folder / "round").symlink_to(folder / "round")
    assert [found.name for found in source.list_objects()] == ["many", "plain", "within"]
    assert source.list_table_faults() == [("beyond", "beyond.csv is a link to a file outside of the folder")]


def test_what_took_long_to_fail_is_looked_at_again_as_much_later(folder: Path) -> None:
    clock = MovableClock()
    clock.freeze()
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    looks: list[str] = []

    def ask(statement: str) -> list[Any]:
        looks.append(statement)
        if "broken" in statement:
            clock.advance(10)
            raise duckdb.InvalidInputException("no")
        return []

    served = ServedFolder(folder, clock)
    served.make_views(ask)
    opened = served.identify()
    (folder / "another.csv").write_text("a\n1\n")
    assert served.identify() != opened
    looks.clear()
    served.make_views(ask)
    assert len(looks) == 3  # at all but the broken one
    assert list(served.faults) == ["broken"]
    opened = served.identify()
    clock.advance(100)
    assert served.identify() == opened
    clock.advance(100)
    assert served.identify() != opened


def test_a_text_file_that_is_packed_is_called_as_it_is_without_that(folder: Path, source: DuckdbSource) -> None:
    (folder / "sales.2024.CSV.gz").write_bytes(gzip.compress(b"id;name\n1;Z\n"))
    (folder / "tabs.tsv.zst").write_bytes(zstandard.compress(b"id\tname\n2\tY\n"))
    (folder / "other.gz").write_bytes(gzip.compress(b"id\n1\n"))
    assert [found.name for found in source.list_objects()] == ["many", "plain", "sales.2024", "tabs"]
    assert run(source, "SELECT name FROM tabs") == [("Y",)]
    assert run(source, 'SELECT id, name FROM "sales.2024"') == [(1, "Z")]


def drain(blocks: Any) -> None:
    while not blocks.is_exhausted:
        blocks.read_block()


@pytest.mark.parametrize("form", [None, Format.ARROW, Format.CSV], ids=["values", "arrow", "csv"])
def test_a_line_of_other_types_makes_its_file_unreadable_and_is_not_told(
    folder: Path, source: DuckdbSource, form: Format | None
) -> None:
    """Types are guessed from the first lines. The log gets the number of the line, and nothing of the row."""
    lines = "".join(f"{n},{n}\n" for n in range(30_000))
    (folder / "late.csv").write_text(f"id,n\n{lines}7,a secret\n")
    described = source.find_object("late")
    assert described is not None
    plan = plan_rows(RowsRequest(), described, run_key="")
    blocks: Any = source.open_rows(render_select(plan, source.dialect), statement_seconds=30)
    if form is not None:
        blocks.close()
        blocks = source.open_lines(plan, form, statement_seconds=30)
    with closing(blocks), pytest.raises(ObjectUnreadable) as refused:
        drain(blocks)
    assert refused.value.detail.startswith(f"line 30002 of {folder / 'late.csv'}")
    assert "secret" not in refused.value.detail


def test_a_text_file_of_another_encoding_is_said_to_be_one(folder: Path, source: DuckdbSource) -> None:
    (folder / "german.csv").write_bytes("Müller,1\n".encode("latin-1"))
    ((name, why),) = source.list_table_faults()
    assert (name, why.rpartition(": ")[2]) == ("german", "it is not UTF-8")


@pytest.mark.parametrize("other", ["plain.tsv", "plain.csv.gz", "Plain.parquet"])
def test_files_that_would_have_one_name_are_both_left_out(folder: Path, source: DuckdbSource, other: str) -> None:
    """Who was granted the one may not get the other, which may hold anything."""
    assert source.find_object("plain") is not None
    (folder / other).write_text("secret\n1\n")
    assert [found.name for found in source.list_objects()] == ["many"]
    for name in ("plain", other.partition(".")[0]):
        with pytest.raises(ObjectUnreadable) as refused:
            source.find_object(name)
        assert {"plain.csv", other} <= set(refused.value.detail.replace(",", " ").split())
    (folder / other).unlink()
    assert run(source, "SELECT id FROM plain ORDER BY id") == [(1,), (2,)]


def test_what_is_left_out_is_looked_at_again(folder: Path) -> None:
    """What kept it from being read may have been something else than the file, which does not change then."""
    clock = MovableClock()
    clock.freeze()
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    with closing(DuckdbSource(DuckdbManner(folder, clock=clock), clock=clock)) as source:
        opened = source.manner.identify()
        assert [name for name, _ in source.list_table_faults()] == ["broken"]
        assert source.manner.identify() == opened
        clock.advance(AGAIN_SECONDS)
        assert source.manner.identify() != opened


def test_doctor_names_what_is_left_out_of_a_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    settings = make_home(tmp_path / "home", f"duckdb:///{folder}")
    told = [finding.found for finding in _databases(settings) if not finding.good]
    assert len(told) == 1
    assert told[0].startswith("broken: DuckDB cannot read broken.parquet: ")


def test_filters_on_wide_numbers_are_those_of_python(tmp_path: Path) -> None:
    """No value is beyond what the comparison takes, neither a stored one nor one that is asked for."""
    stored = {
        "DECIMAL(38,0)": ["9" * 38, "-" + "9" * 38, "1"],
        "DECIMAL(30,20)": ["0.00000000000000000001", "9999999999.99999999999999999999", "-1.5"],
        "HUGEINT": [str(2**127 - 1), str(-(2**127)), "1"],
        "UHUGEINT": [str(2**128 - 1), "0", "1"],
        "UBIGINT": [str(2**64 - 1), "0", "1"],
    }
    asked = [
        "1",
        "1.5",
        "-1.5",
        "1e30",
        "1e400",
        "-1e400",
        "0.00000000000000000001",
        "9" * 38,
        str(2**127 - 1),
        "1e-99",
    ]
    compare = {"equals": operator.eq, "not_equals": operator.ne, "greater": operator.gt, "less_equal": operator.le}
    with closing(duckdb.connect(str(tmp_path / "wide.duckdb"))) as owner:
        owner.execute(f"CREATE TABLE t ({', '.join(f'c{n} {kind}' for n, kind in enumerate(stored))})")
        for row in zip(*stored.values(), strict=True):
            owner.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", row)
    with closing(DuckdbSource(DuckdbManner(tmp_path / "wide.duckdb"))) as source:
        described = source.find_object("t")
        assert described is not None
        for (place, texts), value, (name, holds) in itertools.product(
            enumerate(stored.values()), asked, compare.items()
        ):
            wanted = {"column": f"c{place}", "function": name, "value": value}
            request = parse_rows_body(msgspec.json.encode({"columns": [f"c{place}"], "filters": [wanted]}))
            statement = render_select(plan_rows(request, described, run_key=""), source.dialect)
            found = read_all(source.open_rows(statement, statement_seconds=20))
            expected = sorted(Decimal(text) for text in texts if holds(Decimal(text), Decimal(value)))
            assert sorted(Decimal(str(row[0])) for row in found) == expected, wanted
