"""The statement that reads an Iceberg table's files with DuckDB: columns by their ids, without deleted rows.

Rule: what the metadata names gets into the statement quoted only, and every file's own columns are looked at before.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowgate.engines.duckdb_texts import quote_text
from rowgate.engines.iceberg import DataFile, IcebergTable, UnreadableTable
from rowgate.engines.iceberg_deletes import FILE, ROW, may_be_deleted_from, render_kept
from rowgate.rows.dialects.duckdb import DUCKDB

_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}
_CONSTANT_TYPES = frozenset({"boolean", "int", "long", "date", "string"})  # whose values have one text everywhere
_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_FORMER = re.compile(r"rowgate column \d+")
_FIXED = re.compile(r"fixed\[\d+\]")

Ask = Callable[[str], Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class FileColumns:
    """What a file says of its columns: by the id of each, the ids and names of what is in it."""

    members: Mapping[int, Mapping[int, str]]
    without_id: Sequence[str]


def render_view(table: IcebergTable, columns: Mapping[Path, FileColumns]) -> str:
    """Give the statement; `columns` has every file of rows, and of values that are deleted.

    Raises:
        UnreadableTable: A type or a file is none that can be read rightly.
    """
    names = [field["name"].lower() for field in table.fields]
    if len(set(names)) < len(names) or {ROW, FILE} & set(names) or any(map(_FORMER.fullmatch, names)):
        raise UnreadableTable("its columns have names that DuckDB cannot tell apart, or are used here")
    if not table.fields:
        raise UnreadableTable("it has no columns")
    for file in table.equalities:
        _check_equalities(table, file, columns[file.path])
    groups: dict[tuple[bool, tuple[tuple[int, str | None], ...]], list[DataFile]] = {}
    for file in table.rows:
        constants = tuple(_check_columns(table, file, columns[file.path]))
        groups.setdefault((may_be_deleted_from(table, file), constants), []).append(file)
    parts = [_render_read(table, files, dict(constants), kept=kept) for (kept, constants), files in groups.items()]
    return " UNION ALL ".join(parts) or _render_empty(table)


def _render_empty(table: IcebergTable) -> str:
    nothing = ", ".join(
        f"CAST(NULL AS {render_type(field['type'])}) AS {DUCKDB.quote(field['name'])}" for field in table.fields
    )
    return f"SELECT {nothing} WHERE false"


def _render_read(
    table: IcebergTable, files: Sequence[DataFile], constants: Mapping[int, str | None], *, kept: bool
) -> str:
    """Give the statement for some files; `kept`: rows of theirs may be deleted."""
    names = {field["id"]: field["name"] for field in table.fields}
    shown = ", ".join(f"r.{DUCKDB.quote(name)}" for name in names.values())
    listed = ", ".join(quote_text(str(file.path)) for file in files)
    if not kept:
        schema = _render_schema(table.fields, names, constants)
        return f"SELECT {shown} FROM read_parquet([{listed}], {schema}, hive_partitioning => false) AS r"  # noqa: S608 - quoted
    names |= {field["id"]: f"rowgate column {int(field['id'])}" for field in table.former}
    fields = (*table.fields, *table.former)
    schema = _render_schema(fields, names, constants)
    read = (
        f"read_parquet([{listed}], {schema}, hive_partitioning => false, "
        f"filename => {quote_text(FILE)}, file_row_number => true)"
    )

    def render_keys(numbers: Iterable[int]) -> str:
        return _render_schema([field for field in fields if field["id"] in set(numbers)], names, {})

    return f"SELECT {shown} {render_kept(table, files, read, names, render_keys)}"


def _render_schema(
    fields: Sequence[Mapping[str, Any]], names: Mapping[int, str], constants: Mapping[int, str | None]
) -> str:
    members: list[str] = []
    for field in fields:
        number, kind = field["id"], quote_text(render_type(field["type"]))
        default = _render_constant(constants.get(number))
        members.append(f"{int(number)}: {{name: {quote_text(names[number])}, type: {kind}, default_value: {default}}}")
    return f"schema => MAP {{{', '.join(members)}}}"


def _check_equalities(table: IcebergTable, file: DataFile, columns: FileColumns) -> None:
    kinds = {field["id"]: field["type"] for field in (*table.fields, *table.former)}
    for number in file.equality_ids:
        if number not in columns.members:
            raise UnreadableTable(f"{file.path.name} lacks a column by which it deletes")
        if not isinstance(kinds[number], str):
            raise UnreadableTable(f"{file.path.name} deletes by a column that has members")


def _render_constant(value: str | None) -> str:
    return "NULL" if value is None else quote_text(value)


def render_type(kind: Any) -> str:
    """Give DuckDB's type for one of Iceberg's.

    Raises:
        UnreadableTable: It has none, or we know of none.
    """
    if isinstance(kind, str):
        if kind in _TYPES:
            return _TYPES[kind]
        if match := _DECIMAL.fullmatch(kind):
            return f"DECIMAL({int(match[1])}, {int(match[2])})"
        if _FIXED.fullmatch(kind):
            return "BLOB"
        raise UnreadableTable(f"it has a column of the type {kind[:80]}, which is not read here")
    match kind["type"]:
        case "struct":
            fields = (f"{DUCKDB.quote(field['name'])} {render_type(field['type'])}" for field in kind["fields"])
            return f"STRUCT({', '.join(fields)})"
        case "list":
            return f"{render_type(kind['element'])}[]"
        case "map":
            return f"MAP({render_type(kind['key'])}, {render_type(kind['value'])})"
    raise UnreadableTable(f"it has a column of the type {str(kind['type'])[:80]}, which is not read here")


def _check_columns(table: IcebergTable, file: DataFile, columns: FileColumns) -> Iterator[tuple[int, str | None]]:
    """Give the constants that stand for columns which a file does not hold.

    DuckDB finds columns by their ids but what is in them by its name, so that must be as the table has it now.
    """
    if columns.without_id:
        raise UnreadableTable(
            f"{file.path.name} has no ids for its columns {', '.join(columns.without_id[:5])}: have it rewritten"
        )
    for field in (*table.fields, *table.former):
        number, kind = field["id"], field["type"]
        if number in columns.members:
            expected, found = dict(_list_members(kind)), columns.members[number]
            names = {member: name for member, name in found.items() if expected.get(member) is not None}
            if found.keys() != expected.keys() or any(expected[member] != name for member, name in names.items()):
                raise UnreadableTable(
                    f"what is in the column {field['name']} was changed after {file.path.name} was written: "
                    "have its owner rewrite it"
                )
        elif number in file.constants:
            value = file.constants[number]
            if kind not in _CONSTANT_TYPES:
                raise UnreadableTable(f"{file.path.name} lacks the column {field['name']}, a partition of type {kind}")
            yield number, None if value is None else str(value)
        elif field.get("required"):
            raise UnreadableTable(f"{file.path.name} lacks the column {field['name']}, which is required")


def _list_members(kind: Any) -> Iterator[tuple[int, str | None]]:
    """Give the ids of what is in a column; None in the place of a name that says nothing, as of a list's element."""
    if isinstance(kind, str):
        return
    match kind["type"]:
        case "struct":
            for field in kind["fields"]:
                yield field["id"], field["name"]
                yield from _list_members(field["type"])
        case "list":
            yield kind["element-id"], None
            yield from _list_members(kind["element"])
        case "map":
            yield kind["key-id"], None
            yield kind["value-id"], None
            yield from _list_members(kind["key"])
            yield from _list_members(kind["value"])


def read_columns(ask: Ask, paths: Sequence[Path]) -> Mapping[Path, FileColumns]:
    """Give what each file says of its columns, which is at its end: no rows are read."""
    told: dict[str, list[tuple[Any, ...]]] = {str(path): [] for path in paths}
    if paths:
        listed = ", ".join(quote_text(str(path)) for path in paths)
        text = "SELECT file_name, name, field_id, num_children FROM parquet_schema"
        for place, *row in ask(f"{text}([{listed}])"):
            told[place].append(tuple(row))
    return {Path(place): _gather_columns(iter(rows)) for place, rows in told.items()}


def _gather_columns(rows: Iterator[tuple[Any, ...]]) -> FileColumns:
    """Give the columns of one file, whose rows are a tree, written in the order of its branches."""
    members: dict[int, Mapping[int, str]] = {}
    without: list[str] = []
    _, _, count = next(rows)
    for _ in range(count or 0):
        name, number, children = next(rows)
        inside = dict(_gather_members(rows, children))
        if number is None:
            without.append(name)
        else:
            members[number] = inside
    return FileColumns(members, without)


def _gather_members(rows: Iterator[tuple[Any, ...]], count: int | None) -> Iterator[tuple[int, str]]:
    for _ in range(count or 0):
        name, number, children = next(rows)
        if number is not None:
            yield number, name
        yield from _gather_members(rows, children)
