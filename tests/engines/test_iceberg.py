"""Iceberg tables of a folder, written by PyIceberg and compared with what it reads itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines.iceberg_commits import delete_positions, open_catalog, rewrite_avro, rewrite_metadata
from engines.test_contract import read_all
from rowgate.cli.doctor import _databases
from rowgate.engines import file_versions
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_folder import AGAIN_SECONDS
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.engines.iceberg import UnreadableTable, find_file, find_metadata
from rowgate.rows.errors import EngineUnavailable
from rowgate.rows.model import Statement
from rows.cases import one
from rows.harness import open_reader
from support.clock import MovableClock
from support.homes import make_home

pytestmark = pytest.mark.filterwarnings("ignore")  # PyIceberg's own, about what it leans on

FIRST = pa.table(
    {
        "id": pa.array([1, 2, 3, 4], pa.int32()),
        "name": ["a", "b", None, "Zoë"],
        "part": ["x", "y", "x", None],
        "inner": [{"a": 1, "b": "q"}, None, {"a": None, "b": "r"}, {"a": 4, "b": None}],
        "many": [[1, 2], [], None, [4]],
    }
)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "it's served"
    folder.mkdir()
    (folder / "plain.csv").write_text("a\n1\n")
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Any]:
    with open_catalog(tmp_path) as made:
        yield made


@pytest.fixture
def make(catalog: Any, served: Path) -> Callable[..., Any]:
    def make_table(name: str = "t", rows: pa.Table = FIRST, **properties: str) -> Any:
        return catalog.create_table(
            f"n.{name}", schema=rows.schema, location=f"file://{served}/{name}", properties=properties
        )

    return make_table


@pytest.fixture
def source(served: Path) -> Iterator[DuckdbSource]:
    with closing(DuckdbSource(DuckdbManner(served))) as opened:
        yield opened


def _write(value: Any) -> Any:
    """Give a value as it is read; what has members is read as text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def compare(source: DuckdbSource, table: Any, name: str = "t") -> int:
    """Hold every row against PyIceberg's reading; give how many there are."""
    expected = table.scan().to_arrow()
    described = source.find_object(name)
    assert described is not None
    assert [column.name for column in described.columns] == expected.column_names
    read = read_all(source.open_rows(Statement(f'SELECT * FROM "{name}"', ()), statement_seconds=20))
    there = [list(row) for row in read]
    told = [[_write(value) for value in row.values()] for row in expected.to_pylist()]
    assert sorted(map(repr, there)) == sorted(map(repr, told))
    return len(there)


def refused(source: DuckdbSource, name: str = "t") -> str:
    with pytest.raises(EngineUnavailable) as caught:
        source.find_object(name)
    assert name not in [found.name for found in source.list_objects()]
    assert source.find_object("plain") is not None, "the others are served"
    assert source.list_table_faults()[0][0] == name
    return caught.value.detail


@pytest.mark.parametrize("version", ["1", "2"])
def test_each_snapshot_is_what_pyiceberg_reads(make: Any, source: DuckdbSource, version: str) -> None:
    table = make(**{"format-version": version})
    assert table.format_version == int(version)
    assert compare(source, table) == 0
    table.append(FIRST)
    assert compare(source, table) == 4
    table.append(FIRST)
    assert compare(source, table) == 8
    table.delete("id = 2")
    assert compare(source, table) == 6
    table.overwrite(FIRST.slice(0, 1))
    assert compare(source, table) == 1
    table.delete("id > 0")
    assert compare(source, table) == 0
    assert source.list_objects()[1].name == "t"


def test_columns_are_found_by_their_ids(make: Any, source: DuckdbSource) -> None:
    """Renamed, promoted, dropped, and one added anew under the name of one that was dropped."""
    from pyiceberg.types import DoubleType, LongType, StringType  # noqa: PLC0415 - as above

    table = make()
    table.append(FIRST)
    with table.update_schema() as update:
        update.rename_column("name", "title")
        update.update_column("id", LongType())
        update.add_column("weight", DoubleType())
        update.delete_column("many")
    assert compare(source, table) == 4
    with table.update_schema() as update:
        update.delete_column("part")
    with table.update_schema() as update:
        update.add_column("part", StringType())
    assert compare(source, table) == 4
    (row,) = source.ask("SELECT count(part), count(title) FROM t")
    assert row == (0, 3)


def test_partition_columns_that_the_files_lack_are_constants(make: Any, source: DuckdbSource, served: Path) -> None:
    table = make()
    with table.update_spec() as update:
        update.add_identity("part")
    table.append(FIRST)
    assert compare(source, table) == 4
    for path in (served / "t" / "data").rglob("*.parquet"):
        whole = pq.ParquetFile(path).read()
        pq.write_table(whole.drop_columns(["part"]), path)
    rewrite_metadata(served / "t", lambda members: members.update({"last-updated-ms": 1}))
    assert sorted(source.ask("SELECT id, part FROM t")) == [(1, "x"), (2, "y"), (3, "x"), (4, None)]


def test_positions_that_are_deleted_are_left_out(make: Any, source: DuckdbSource, served: Path) -> None:
    from pyiceberg.table import StaticTable  # noqa: PLC0415 - as above

    table = make()
    table.append(FIRST)
    (path,) = [task.file.file_path for task in table.scan().plan_files()]
    delete_positions(served / "t", [(path, 0), (path, 2)])
    assert sorted(source.ask("SELECT id FROM t")) == [(2,), (4,)]
    assert source.ask("SELECT id FROM t WHERE id > 2") == [(4,)]
    metadata = find_metadata(served / "t")
    assert compare(source, StaticTable.from_metadata(f"file://{metadata}")) == 2


def test_deletes_are_not_of_rows_that_came_later(make: Any, source: DuckdbSource, served: Path) -> None:
    table = make()
    table.append(FIRST)
    (old,) = [task.file.file_path for task in table.scan().plan_files()]
    table.append(FIRST)
    (new,) = [task.file.file_path for task in table.scan().plan_files() if task.file.file_path != old]
    delete_positions(served / "t", [(old, 0), (new, 1)])
    assert len(source.ask("SELECT id FROM t")) == 6
    snapshot = json.loads((find_metadata(served / "t") or served).read_text())["snapshots"][-1]

    def make_older(manifest: dict[str, Any]) -> None:
        if manifest["content"] == 1:
            manifest["sequence_number"] = 1

    rewrite_avro(Path(snapshot["manifest-list"].removeprefix("file://")), make_older)
    rewrite_metadata(served / "t", lambda members: members.update({"last-updated-ms": 33}))
    assert len(source.ask("SELECT id FROM t")) == 7, "only the older file's row is deleted"


def test_a_read_under_way_keeps_its_snapshot(make: Any, source: DuckdbSource) -> None:
    table = make(rows=pa.table({"n": list(range(50_000))}))
    table.append(pa.table({"n": list(range(50_000))}))
    rows = source.open_rows(Statement("SELECT n FROM t", ()), statement_seconds=20)
    first = rows.read_block()
    table.overwrite(pa.table({"n": [1]}))
    assert source.ask("SELECT n FROM t") == [(1,)]
    assert len(first) + len(read_all(rows)) == 50_000


def _set_manifest(field: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in (folder / "metadata").glob("*-m0.avro"):
            rewrite_avro(path, lambda record: record["data_file"].update({field: value}))

    return change


def _set_metadata(**members: Any) -> Callable[[Path], None]:
    told = {key.replace("_", "-"): value for key, value in members.items()}
    return lambda folder: rewrite_metadata(folder, lambda found: found.update(told))


def _set_list(where: str) -> Callable[[Path], None]:
    return lambda folder: rewrite_metadata(
        folder, lambda found: found["snapshots"][-1].update({"manifest-list": where})
    )


def _link_away(folder: Path) -> None:
    (path,) = (folder / "data").glob("*.parquet")
    shutil.move(path, folder.parent.parent / "away.parquet")
    path.symlink_to(folder.parent.parent / "away.parquet")


def _link_metadata_away(folder: Path) -> None:
    path = find_metadata(folder)
    assert path is not None
    shutil.move(path, folder.parent.parent / "away.json")
    path.symlink_to(folder.parent.parent / "away.json")


def _make_pipe(folder: Path) -> None:
    (path,) = (folder / "data").glob("*.parquet")
    path.unlink()
    os.mkfifo(path)


def _forget_ids(folder: Path) -> None:
    (path,) = (folder / "data").glob("*.parquet")
    pq.write_table(FIRST, path)


def _fork(folder: Path) -> None:
    newest = find_metadata(folder)
    assert newest is not None
    shutil.copy(newest, newest.with_name(newest.name.partition("-")[0] + "-other.metadata.json"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_set_manifest("content", 2), "do not say by which columns"),
        (_set_manifest("content", 3), "unknown content"),
        (_set_manifest("file_format", "ORC"), "only Parquet"),
        (_set_manifest("file_path", "s3://bucket/a.parquet"), "on another machine"),
        (_set_manifest("file_path", "file:///etc/passwd"), "outside of the served folder"),
        (_set_manifest("file_path", "/etc/passwd"), "outside of the served folder"),
        (_set_manifest("file_path", "relative.parquet"), "no absolute path"),
        (_set_list("file:///etc/passwd"), "outside of the served folder"),
        (_set_list("https://example.com/list.avro"), "on another machine"),
        (_set_metadata(format_version=3), "format version 3"),
        (_set_metadata(location="file:///where/it/was"), "was moved"),
        (_set_metadata(current_schema_id=99), "cannot be read"),
        (_link_away, "outside of the served folder"),
        (_link_metadata_away, "outside of the served folder"),
        (_make_pipe, "is no file"),
        (_forget_ids, "no ids for its columns"),
        (_fork, "2 metadata files are of version 1"),
        (lambda folder: (folder / "metadata" / "version-hint.text").write_text("7"), "no such metadata file"),
        (lambda folder: (find_metadata(folder) or folder).write_text("{"), "cannot be read"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(
    make: Any, source: DuckdbSource, served: Path, spoil: Callable[[Path], None], why: str
) -> None:
    make().append(FIRST)
    spoil(served / "t")
    assert why in refused(source)


def test_members_of_a_structure_that_changed_are_refused(make: Any, source: DuckdbSource) -> None:
    """DuckDB finds them by name: a renamed one would be read as nothing."""
    table = make()
    table.append(FIRST)
    with table.update_schema() as update:
        update.rename_column(("inner", "a"), "c")
    assert "what is in the column inner was changed" in refused(source)


def test_a_table_that_was_mended_is_served_again(make: Any, served: Path) -> None:
    """Its files came later than its metadata, as when a folder is copied back."""
    make().append(FIRST)
    clock = MovableClock()
    clock.freeze()
    (path,) = (served / "t" / "data").glob("*.parquet")
    beside = path.rename(served.parent / "beside.parquet")
    with closing(DuckdbSource(DuckdbManner(served, clock=clock), clock=clock)) as source:
        assert "is not there" in refused(source)
        beside.rename(path)
        clock.advance(AGAIN_SECONDS)
        assert len(source.ask("SELECT id FROM t")) == 4
        assert source.list_table_faults() == []


def test_every_type_is_what_pyiceberg_reads(make: Any, source: DuckdbSource) -> None:
    moment = datetime(2024, 2, 29, 23, 59, 59, 123456)  # noqa: DTZ001 - the column has no zone
    rows = pa.table(
        {
            'it\'s "a" name': pa.array([True, None]),
            "small": pa.array([-(2**31), None], pa.int32()),
            "large": pa.array([2**63 - 1, None], pa.int64()),
            "single": pa.array([1.5, None], pa.float32()),
            "real": pa.array([0.1, None], pa.float64()),
            "exact": pa.array([Decimal("12345678901234567.89"), None], pa.decimal128(19, 2)),
            "day": pa.array([moment.date(), None], pa.date32()),
            "local": pa.array([moment, None], pa.timestamp("us")),
            "there": pa.array([moment, None], pa.timestamp("us", tz="UTC")),
            "content": pa.array([b"\x00\xff", None], pa.binary()),
            "known": pa.array([b"0123456789abcdef", None], pa.uuid()),
            "fixed": pa.array([b"abcd", None], pa.binary(4)),
            "pairs": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        }
    )
    table = make(rows=rows)
    table.append(rows)
    (there,) = [row for row in source.ask("SELECT * FROM t") if row[0] is not None]
    (told,) = [list(row.values()) for row in table.scan().to_arrow().to_pylist() if row["small"] is not None]
    assert list(there[:7]) == [*told[:6], "2024-02-29"]
    assert list(there[7:9]) == ["2024-02-29T23:59:59.123456", "2024-02-29T23:59:59.123456+00:00"]
    assert there[9] == told[9]
    assert (there[10], there[11]) == (str(UUID(bytes=b"0123456789abcdef")), b"abcd")
    assert there[12] == '{"k": 1}'
    assert source.ask("SELECT count(*) FROM t WHERE large IS NULL AND pairs IS NULL") == [(1,)]


def test_the_hint_says_which_metadata_is_current(make: Any, source: DuckdbSource, served: Path) -> None:
    table = make()
    table.append(FIRST)
    older = find_metadata(served / "t")
    table.append(FIRST)
    assert older is not None
    assert len(source.ask("SELECT id FROM t")) == 8
    (older.parent / "version-hint.text").write_text(older.name.removesuffix(".metadata.json"))
    assert len(source.ask("SELECT id FROM t")) == 4


def test_versions_after_a_late_hint_are_followed(tmp_path: Path) -> None:
    place = tmp_path / "metadata"
    place.mkdir()
    for version in (1, 2, 3, 5):
        (place / f"v{version}.metadata.json").write_text("{}")
    (place / "version-hint.text").write_text("2\n")
    assert find_metadata(tmp_path) == place / "v3.metadata.json"


def test_dots_lead_nowhere(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    with pytest.raises(UnreadableTable):
        find_file(f"file://{served}/../secret.parquet", served)
    (served / "a b.parquet").touch()
    assert find_file(f"file:{served}/a%20b.parquet", served) == served / "a b.parquet"


def test_rows_over_http_are_what_pyiceberg_reads(make: Any, served: Path, tmp_path: Path) -> None:
    """As JSON and Arrow, with a filter, pages and aggregates; the next read after a commit has the new rows."""
    table = make()
    table.append(FIRST)
    with open_reader(tmp_path, tmp_path / "home", served=f"duckdb:///{served}") as reader:
        plain = table.scan(selected_fields=("id", "name")).to_arrow()
        assert reader.get("t", "format=json&orderby=id&columns=id,name").json() == plain.to_pylist()
        answer = reader.get("t", "format=arrow&orderby=id&columns=id,name")
        assert pa.ipc.open_stream(answer.content).read_all().to_pylist() == plain.to_pylist()
        filtered = table.scan(row_filter="part = 'x'", selected_fields=("id", "part")).to_arrow().to_pylist()
        body = {**one("part", "equals", "x"), "columns": ["id", "part"], "orderby": ["id"]}
        assert reader.rows("t", body) == filtered
        assert [row["id"] for row in reader.get("t", "orderby=id&limit=2&offset=1").json()] == [2, 3]
        (total,) = reader.get("t", "aggregates=count,sum:id:total").json()
        assert sorted(total.values()) == [4, 10]
        table.append(FIRST)
        assert len(reader.rows("t")) == 8


def test_the_etag_follows_the_metadata(
    make: Any, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_versions, "SETTLED_SECONDS", 0.0)
    table = make()
    table.append(FIRST)
    with open_reader(tmp_path, tmp_path / "home", served=f"duckdb:///{served}") as reader:
        reader.get("t")
        tag = reader.get("t").headers["etag"]
        assert reader.get("t", **{"If-None-Match": tag}).status_code == 304
        table.append(FIRST)
        for _ in range(2):
            changed = reader.get("t", **{"If-None-Match": tag})
            assert (changed.status_code, len(changed.json())) == (200, 8)
        assert changed.headers["etag"] != tag


def test_a_table_that_is_refused_is_told_by_doctor_and_leaves_the_others(
    make: Any, served: Path, tmp_path: Path
) -> None:
    make().append(FIRST)
    _set_metadata(format_version=3)(served / "t")
    settings = make_home(tmp_path / "home", f"duckdb:///{served}")
    told = [finding for finding in _databases(settings) if not finding.good]
    assert [one.found for one in told] == ["t: it is of Iceberg's format version 3; versions 1 and 2 can be read"]


def test_what_reads_iceberg_is_loaded_only_for_a_table(served: Path, make: Any) -> None:
    program = (
        "import sys; from pathlib import Path; from rowgate.engines.duckdb import DuckdbManner; "
        "from rowgate.engines.duckdb_source import DuckdbSource; "
        "s = DuckdbSource(DuckdbManner(Path(sys.argv[1]))); s.list_objects(); s.close(); "
        "print('fastavro' in sys.modules, 'pyiceberg' in sys.modules)"
    )
    for loaded in ("False False", "True False"):
        told = subprocess.run([sys.executable, "-c", program, str(served)], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == loaded
        if loaded == "False False":
            make().append(FIRST)


def test_a_missing_extra_is_named(make: Any, source: DuckdbSource, monkeypatch: pytest.MonkeyPatch) -> None:
    make().append(FIRST)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    assert "pip install 'rowgate[iceberg]'" in refused(source)
