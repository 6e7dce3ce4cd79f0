"""Which files an Iceberg table consists of at its current snapshot, by its own metadata.

Rule: what is not understood whole is refused, never read in part; and no file that the metadata names is opened unless
it lies under the served folder.

Source: Apache Iceberg table specification, versions 1 and 2.
"""

import gzip
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

NAMED_PLACE = re.compile(r"[?*\[\]]")  # what DuckDB's read_parquet takes for a pattern
_METADATA = re.compile(r"(?:v(?P<hadoop>\d+)|(?P<version>\d+)-[^/]*?)(?:\.gz)?\.metadata\.json(?:\.gz)?")
_SUFFIXES = (".metadata.json", ".gz.metadata.json", ".metadata.json.gz")
_UNDERSTOOD = (1, 2)
_EXISTING, _ADDED, _DELETED = 0, 1, 2  # an entry's status
_ROWS, _POSITIONS, _EQUALITY = 0, 1, 2  # an entry's content
_NO_SNAPSHOT = (None, -1)


class UnreadableTable(Exception):
    """The table cannot be read rightly; the text says why."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows, of positions of rows that are deleted, or of values of such rows."""

    path: Path  # as DuckDB is to open it
    named: str  # as the metadata, and files of positions, name it
    sequence: int  # of the commit that it came with
    constants: Mapping[int, Any]  # by the column's id: what a column has in all rows, by which the table is partitioned
    partition: str = ""  # equal for files of the same one; empty: it is in none
    equality_ids: Sequence[int] = ()  # of the columns whose values are those of deleted rows


@dataclass(frozen=True, slots=True)
class IcebergTable:
    """The current snapshot."""

    fields: Sequence[Mapping[str, Any]]  # of the current schema, as the metadata writes them
    rows: Sequence[DataFile]
    positions: Sequence[DataFile]
    equalities: Sequence[DataFile] = ()
    former: Sequence[Mapping[str, Any]] = ()  # fields that the current schema has no more, by which rows are deleted


def find_metadata(folder: Path) -> Path | None:
    """Give the current metadata file of a folder; None: the folder holds no Iceberg table.

    `version-hint.text` says where to begin, as Iceberg's own file system catalog does; without it, the highest version.

    Raises:
        UnreadableTable: Nobody can tell which is the current one.
    """
    place = folder / "metadata"
    try:
        with os.scandir(place) as entries:
            names = {entry.name for entry in entries}
    except OSError:
        return None
    versions: dict[int, list[str]] = {}
    for name in names:
        if match := _METADATA.fullmatch(name):
            versions.setdefault(int(match["hadoop"] or match["version"]), []).append(name)
    if not versions:
        return None
    if "version-hint.text" in names:
        return place / _follow_hint(place, names)
    highest = versions[max(versions)]
    if len(highest) > 1:
        raise UnreadableTable(
            f"{len(highest)} metadata files are of version {max(versions)}: write into metadata/version-hint.text "
            "which of them is the current one"
        )
    return place / highest[0]


def _follow_hint(place: Path, names: set[str]) -> str:
    try:
        hint = (place / "version-hint.text").read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise UnreadableTable(f"version-hint.text cannot be read: {error}") from error
    found = _find_hinted(hint, names)
    if found is None:
        raise UnreadableTable(f"version-hint.text names {hint[:80]!r}, and there is no such metadata file")
    if hint.isdigit():  # the hint may be late: a commit writes it last
        version = int(hint)
        while (later := _find_hinted(f"v{version + 1}", names)) is not None:
            found, version = later, version + 1
    return found


def _find_hinted(hint: str, names: set[str]) -> str | None:
    """Give the file that a hint means: a version, the file's name, or what of it is before the suffix."""
    candidates = [hint, *(start + suffix for start in (f"v{hint}", hint) for suffix in _SUFFIXES)]
    return next((name for name in candidates if name in names and name.endswith(_SUFFIXES)), None)


def read_table(metadata: Path, served: Path) -> IcebergTable:
    """Give the table of a metadata file, all of whose files lie under the served folder.

    Raises:
        UnreadableTable: It cannot be read rightly.
    """
    try:
        content = find_file(str(metadata), served).read_bytes()  # it may be a link itself
        members = json.loads(gzip.decompress(content) if ".gz" in metadata.name else content)
        return _read_members(members, metadata, served)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableTable(f"its metadata cannot be read: {type(error).__name__}: {error}") from error


def _read_members(members: Mapping[str, Any], metadata: Path, served: Path) -> IcebergTable:
    version = members["format-version"]
    if version not in _UNDERSTOOD:
        raise UnreadableTable(f"it is of Iceberg's format version {version}; versions 1 and 2 can be read")
    table = metadata.parent.parent
    if _find_local(members["location"]).resolve() != table.resolve():
        raise UnreadableTable(
            f"it says that it lies in {members['location']}: a table that was moved or copied names files elsewhere; "
            "serve it where it was written"
        )
    fields = _find_schema(members)
    current = members.get("current-snapshot-id")
    if current in _NO_SNAPSHOT:
        return IcebergTable(fields, (), ())
    snapshot = {one["snapshot-id"]: one for one in members["snapshots"]}[current]
    if "manifest-list" not in snapshot:
        raise UnreadableTable("its snapshot has no manifest list; a table that was written to since has one")
    specs = {spec["spec-id"]: spec["fields"] for spec in members.get("partition-specs", ())}
    found: dict[int, list[DataFile]] = {_ROWS: [], _POSITIONS: [], _EQUALITY: []}
    for content, file in _list_files(snapshot["manifest-list"], specs, served):
        found[content].append(file)
    former = _find_former(members, fields, {number for file in found[_EQUALITY] for number in file.equality_ids})
    return IcebergTable(fields, found[_ROWS], found[_POSITIONS], found[_EQUALITY], former)


def _find_schema(members: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    if "schemas" not in members:
        found: Sequence[Mapping[str, Any]] = members["schema"]["fields"]
        return found
    current = members["current-schema-id"]
    return {schema["schema-id"]: schema["fields"] for schema in members["schemas"]}[current]  # type: ignore[no-any-return]


def _find_former(
    members: Mapping[str, Any], fields: Sequence[Mapping[str, Any]], numbers: set[int]
) -> Sequence[Mapping[str, Any]]:
    """Give the fields of these ids that are no more, as they were last."""
    former: dict[int, Mapping[str, Any]] = {}
    missing = numbers - {field["id"] for field in fields}
    for schema in sorted(members.get("schemas", ()), key=lambda schema: schema["schema-id"]):
        former |= {field["id"]: field for field in schema["fields"] if field["id"] in missing}
    if former.keys() != missing:
        raise UnreadableTable("it has equality deletes by what is within a column, or was never one")
    return list(former.values())


def _list_files(manifest_list: str, specs: Mapping[int, Any], served: Path) -> Iterator[tuple[int, DataFile]]:
    for manifest in _read_records(manifest_list, served):
        fields = specs.get(manifest["partition_spec_id"], ())
        for entry in _read_records(manifest["manifest_path"], served):
            if entry["status"] == _DELETED:
                continue
            told = entry["data_file"]
            content = told.get("content") or _ROWS
            _refuse_unknown(content, told)
            sequence = entry.get("sequence_number")
            if sequence is None:
                if entry["status"] == _EXISTING and manifest.get("sequence_number"):
                    raise UnreadableTable("a file that was there before has no sequence number")
                sequence = manifest.get("sequence_number") or 0  # inherited; in version 1 all have 0
            named = told["file_path"]
            constants = {
                field["source-id"]: told["partition"][field["name"]]
                for field in fields
                if field["transform"] == "identity" and field["name"] in told["partition"]
            }
            if content == _EQUALITY and manifest["partition_spec_id"] not in specs:
                raise UnreadableTable("it has equality deletes of a partition spec that it does not name")
            is_parted = any(field["transform"] != "void" for field in fields)
            # every manifest of a spec has its values as the same types
            partition = f"{manifest['partition_spec_id']} {sorted(told['partition'].items())!r}" if is_parted else ""
            ids = tuple(told["equality_ids"]) if content == _EQUALITY else ()
            yield content, DataFile(find_file(named, served), named, sequence, constants, partition, ids)


def _refuse_unknown(content: int, told: Mapping[str, Any]) -> None:
    if content == _EQUALITY and not told.get("equality_ids"):
        raise UnreadableTable("it has equality deletes that do not say by which columns")
    if content not in (_ROWS, _POSITIONS, _EQUALITY):
        raise UnreadableTable(f"it has files of the unknown content {content}")
    if str(told["file_format"]).upper() != "PARQUET":
        raise UnreadableTable(f"it has files of the format {told['file_format']}; only Parquet is read")
    if told.get("key_metadata") is not None:
        raise UnreadableTable("it has encrypted files")


def _read_records(named: str, served: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import fastavro  # noqa: PLC0415 - only who serves such a table needs it
    except ImportError as error:
        raise UnreadableTable("to read Iceberg tables: pip install 'rowgate[iceberg]'") from error
    path = find_file(named, served)
    with path.open("rb") as file:
        for record in fastavro.reader(file):
            if not isinstance(record, dict):
                raise UnreadableTable(f"{path.name} holds other records than a manifest")
            yield record


def find_file(named: str, served: Path) -> Path:
    """Give the path of a file that metadata names, as one under the served folder.

    Raises:
        UnreadableTable: It is on another machine, or elsewhere on this one, links followed; or it is not there.
    """
    resolved, root = _find_local(named).resolve(), served.resolve()
    if not resolved.is_relative_to(root):
        raise UnreadableTable(f"{named} lies outside of the served folder {served}")
    if not resolved.is_file():  # to open a pipe would wait for who writes to it
        raise UnreadableTable(f"{named} is no file, or is not there")
    path = served / resolved.relative_to(root)  # DuckDB allows what begins as the folder is written
    if NAMED_PLACE.search(str(path)):
        raise UnreadableTable(f"{named} has a name that DuckDB takes for a pattern")
    return path


def _find_local(named: str) -> Path:
    """Give the path of an address; whether anything is there is not looked at.

    What is written as a path is one, to its last character; of `file:` Iceberg's writers do not escape what follows, so
    it is unescaped only where that names a file and the text itself does not.
    """
    scheme = re.match(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]*):", named)
    if scheme is None:
        path = named
    elif scheme["name"].lower() == "file":
        rest = named[len("file:") :]
        path = re.sub("^//(?:localhost)?(?=/)", "", rest)
        if "%" in path and not os.path.lexists(path):
            path = unquote(path)
    else:
        raise UnreadableTable(f"{named} is on another machine: only files of this one are read")
    if not path.startswith("/") or path.startswith("//") or "\0" in path:
        raise UnreadableTable(f"{named} is no absolute path")
    return Path(path)
