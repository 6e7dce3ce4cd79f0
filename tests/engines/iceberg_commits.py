"""Tables that PyIceberg writes, and what it does not write into them: deletes, as the specification has them."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from rowgate.engines.iceberg import find_metadata

_UNPARTITIONED = 0  # the spec that a table has at first


@contextmanager
def open_catalog(folder: Path) -> Iterator[Any]:
    """Give a catalog that is kept in a folder, with the namespace `n`."""
    from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415 - it warns as it is imported

    made = SqlCatalog("c", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/elsewhere")
    try:
        made.create_namespace("n")
        yield made
    finally:
        made.engine.dispose()


def rewrite_avro(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with path.open("rb") as file:
        reader: Any = fastavro.reader(file)
        records = list(reader)
        schema, metadata = reader.writer_schema, reader.metadata
    for record in records:
        change(record)
    kept = {key: value for key, value in metadata.items() if not key.startswith("avro.")}
    beside = io.BytesIO()
    fastavro.writer(beside, schema, records, metadata=kept)
    path.write_bytes(beside.getvalue())


def rewrite_metadata(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = find_metadata(folder)
    assert path is not None
    members = json.loads(path.read_text())
    change(members)
    path.write_text(json.dumps(members))


def find_sequence(folder: Path) -> int:
    """Give the number of the last commit."""
    return int(_read_metadata(folder)["last-sequence-number"])


def delete_positions(folder: Path, positions: Sequence[tuple[str, int]]) -> None:
    """Commit deletes by position: PyIceberg reads them."""
    rows = pa.table({"file_path": [path for path, _ in positions], "pos": [place for _, place in positions]})
    _commit(folder, rows, content=1)


def delete_values(
    folder: Path, rows: pa.Table, ids: Sequence[int], *, sequence: int | None = None, partition: str | None = None
) -> None:
    """Commit deletes of what has the same values in the columns of these ids, which the rows bear.

    Args:
        folder: The table's.
        rows: The values.
        ids: By which of their columns.
        sequence: Of their commit; None: the last one's.
        partition: Whose rows may be deleted; None: all, by a spec without fields.
    """
    _commit(folder, rows, content=2, equality_ids=list(ids), sequence=sequence, partition=partition)


def name_ids(rows: pa.Table, ids: Sequence[int]) -> pa.Table:
    """Give the rows with ids at their columns, as Parquet files have them."""
    fields = [
        pa.field(field.name, field.type, metadata={"PARQUET:field_id": str(number)})
        for field, number in zip(rows.schema, ids, strict=True)
    ]
    return rows.cast(pa.schema(fields))


def _read_metadata(folder: Path) -> dict[str, Any]:
    metadata = find_metadata(folder)
    assert metadata is not None
    members: dict[str, Any] = json.loads(metadata.read_text())
    return members


def _commit(
    folder: Path,
    rows: pa.Table,
    *,
    content: int,
    equality_ids: list[int] | None = None,
    sequence: int | None = None,
    partition: str | None = None,
) -> None:
    """Put a file of deletes into the current snapshot, by a manifest like the first of its files of rows."""
    members = _read_metadata(folder)
    snapshot = members["snapshots"][-1]
    manifest_list = Path(snapshot["manifest-list"].removeprefix("file://"))
    with manifest_list.open("rb") as file:
        reader: Any = fastavro.reader(file)
        manifests, list_schema = list(reader), reader.writer_schema
    name = f"deletes-{uuid4()}"  # PyIceberg remembers manifests by their names
    first = next(dict(manifest) for manifest in manifests if manifest["content"] == 0)
    with Path(first["manifest_path"].removeprefix("file://")).open("rb") as file:
        reader = fastavro.reader(file)
        entry, schema, kept = next(reader), reader.writer_schema, reader.metadata
    place = folder / "data" / f"{name}.parquet"
    pq.write_table(rows, place)
    sequence = members["last-sequence-number"] if sequence is None else sequence
    entry["status"], entry["sequence_number"], entry["file_sequence_number"] = 1, None, None
    entry["data_file"] = {
        **entry["data_file"], "content": content, "file_path": f"file://{place}", "record_count": len(rows),
        "file_size_in_bytes": place.stat().st_size, "lower_bounds": None, "upper_bounds": None,
        "equality_ids": equality_ids,
    }  # fmt: skip
    if partition is not None:
        entry["data_file"]["partition"] = {"part": partition}
    deletes = folder / "metadata" / f"{name}-m0.avro"
    told = {key: value for key, value in kept.items() if not key.startswith("avro.")} | {"content": "deletes"}
    with deletes.open("wb") as out:
        fastavro.writer(out, schema, [entry], metadata=told)
    manifests.append(
        {**first, "manifest_path": f"file://{deletes}", "content": 1, "manifest_length": deletes.stat().st_size,
         "sequence_number": sequence, "min_sequence_number": sequence, "added_snapshot_id": snapshot["snapshot-id"],
         **({} if content == 1 or partition is not None else {"partition_spec_id": _UNPARTITIONED})}
    )  # fmt: skip
    with manifest_list.open("wb") as out:
        fastavro.writer(out, list_schema, manifests)
    rewrite_metadata(folder, lambda members: members.update({"last-updated-ms": members["last-updated-ms"] + 1}))
