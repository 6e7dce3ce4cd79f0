"""Equality deletes of Iceberg tables, which PyIceberg neither writes nor reads: held against plain Python."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.iceberg_commits import (
    delete_positions,
    delete_values,
    find_sequence,
    name_ids,
    open_catalog,
    rewrite_metadata,
)
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_source import DuckdbSource
from rowgate.rows.errors import EngineUnavailable

pytestmark = pytest.mark.filterwarnings("ignore")  # PyIceberg's own, about what it leans on

SCHEMA = pa.schema({"id": pa.int32(), "name": pa.string(), "part": pa.string()})
ROWS = st.lists(
    st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y"])),
    min_size=1,
    max_size=5,
)
IDS = st.sampled_from([(1,), (2,), (1, 2), (2, 1)])
COMMITS = st.lists(
    st.tuples(st.just("append"), ROWS)
    | st.tuples(st.just("delete"), ROWS, IDS, st.sampled_from([None, "x", "y"]), st.integers(0, 1)),
    max_size=4,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Any]:
    with open_catalog(tmp_path) as made:
        yield made


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def source(served: Path) -> Iterator[DuckdbSource]:
    with closing(DuckdbSource(DuckdbManner(served))) as opened:
        yield opened


def make_table(catalog: Any, served: Path, name: str = "t", *, parted: bool = True) -> Any:
    table = catalog.create_table(f"n.{name}", schema=SCHEMA, location=f"file://{served}/{name}")
    if parted:
        with table.update_spec() as update:
            update.add_identity("part")
    return table


def tell(rows: list[tuple[Any, ...]]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=ROWS, commits=COMMITS)
def test_what_is_left_is_what_plain_python_leaves(
    catalog: Any, served: Path, first: list[tuple[Any, ...]], commits: list[Any]
) -> None:
    table = make_table(catalog, served)
    try:
        appended: list[tuple[int, tuple[Any, ...]]] = []
        deleted: list[tuple[int, Any, list[tuple[Any, ...]], str | None]] = []
        for what, rows, *how in [("append", first), *commits]:
            if what == "append":
                table.append(tell(rows))
                appended += [(find_sequence(served / "t"), row) for row in rows]
                continue
            ids, partition, later = how
            sequence = find_sequence(served / "t") + later
            values = name_ids(tell(rows).select([number - 1 for number in ids]), ids)
            delete_values(served / "t", values, ids, sequence=sequence, partition=partition)
            deleted.append((sequence, ids, rows, partition))
        left = [
            row
            for came, row in appended
            if not any(
                came < sequence
                and partition in (None, row[2])
                and any(all(row[number - 1] == value[number - 1] for number in ids) for value in values)
                for sequence, ids, values, partition in deleted
            )
        ]
        with closing(DuckdbSource(DuckdbManner(served))) as source:
            assert sorted(map(repr, source.ask("SELECT id, name, part FROM t"))) == sorted(map(repr, left))
    finally:
        catalog.drop_table("n.t")
        shutil.rmtree(served / "t")


def test_both_kinds_of_deletes_hold_at_once(catalog: Any, served: Path, source: DuckdbSource) -> None:
    table = make_table(catalog, served, parted=False)
    table.append(tell([(1, "a", "x"), (2, "b", "x"), (3, None, "y")]))
    (path,) = [task.file.file_path for task in table.scan().plan_files()]
    delete_positions(served / "t", [(path, 0)])
    delete_values(served / "t", name_ids(pa.table({"name": pa.array([None], pa.string())}), [2]), [2], sequence=2)
    assert source.ask("SELECT id FROM t") == [(2,)]


def test_a_column_that_is_no_more_deletes_still(catalog: Any, served: Path, source: DuckdbSource) -> None:
    table = make_table(catalog, served, parted=False)
    table.append(tell([(1, "a", "x"), (2, "b", "x")]))
    delete_values(served / "t", name_ids(pa.table({"name": ["a"]}), [2]), [2], sequence=2)
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("name")
        update.rename_column("part", "name")
    assert source.ask("SELECT * FROM t") == [(2, "x")]


def test_a_column_that_came_later_is_null_in_what_was_there(catalog: Any, served: Path, source: DuckdbSource) -> None:
    table = make_table(catalog, served, parted=False)
    table.append(tell([(1, "a", "x")]))
    table.update_schema().union_by_name(pa.schema({"more": pa.int64()})).commit()
    delete_values(served / "t", name_ids(pa.table({"more": pa.array([7], pa.int64())}), [4]), [4], sequence=2)
    assert len(source.ask("SELECT id FROM t")) == 1
    delete_values(served / "t", name_ids(pa.table({"more": pa.array([None], pa.int64())}), [4]), [4], sequence=2)
    assert source.ask("SELECT id FROM t") == []


@pytest.mark.parametrize(
    ("ids", "why"),
    [([9], "by what is within a column, or was never one"), ([1, 2], "lacks a column by which it deletes")],
)
def test_what_would_be_deleted_wrongly_is_refused(
    catalog: Any, served: Path, source: DuckdbSource, ids: list[int], why: str
) -> None:
    make_table(catalog, served, parted=False).append(tell([(1, "a", "x")]))
    delete_values(served / "t", name_ids(pa.table({"name": ["a"]}), [2]), ids, sequence=2)
    with pytest.raises(EngineUnavailable) as caught:
        source.find_object("t")
    assert why in caught.value.detail


def test_deletes_of_an_unknown_spec_are_refused(catalog: Any, served: Path, source: DuckdbSource) -> None:
    """Nobody could tell whose rows they delete: those of a partition, or all."""
    make_table(catalog, served, parted=False).append(tell([(1, "a", "x")]))
    delete_values(served / "t", name_ids(pa.table({"name": ["b"]}), [2]), [2], sequence=2)
    rewrite_metadata(served / "t", lambda members: members.update({"partition-specs": []}))
    with pytest.raises(EngineUnavailable) as caught:
        source.find_object("t")
    assert "a partition spec that it does not name" in caught.value.detail


def test_many_deletes_cost_one_look_at_each_row(catalog: Any, served: Path, source: DuckdbSource) -> None:
    table = make_table(catalog, served, parted=False)
    table.append(tell([(number, "a", "x") for number in range(20_000)]))
    values = pa.table({"id": pa.array(range(0, 20_000, 2), pa.int32())})
    for sequence in (2, 3, 4):
        delete_values(served / "t", name_ids(values, [1]), [1], sequence=sequence)
    plan = "\n".join(str(row) for row in source.ask("EXPLAIN SELECT id FROM t"))
    assert "NESTED_LOOP" not in plan
    assert "DELIM" not in plan
    assert source.ask("SELECT count(*), min(id) FROM t") == [(10_000, 1)]
