"""The statement that reads an Iceberg table's files with DuckDB: columns by their ids, without deleted rows.

Rule: what the metadata names gets into the statement quoted only, and every file's own columns are looked at before.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowgate.engines.iceberg import DataFile, IcebergTable, UnreadableTable
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
_FIXED = re.compile(r"fixed\[\d+\]")
_FILE, _ROW, _DELETES = "rowgate file", "file_row_number", "rowgate deletes"

Ask = Callable[[str], Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class FileColumns:
    """What a file says of its columns: by the id of each, the ids and names of what is in it."""

    members: Mapping[int, Mapping[int, str]]
    without_id: Sequence[str]


def render_view(table: IcebergTable, columns: Mapping[Path, FileColumns]) -> str:
    """Give the statement; `columns` has every file of rows.

    Raises:
        UnreadableTable: A type or a file is none that can be read rightly.
    """
    names = [field["name"].lower() for field in table.fields]
    if len(set(names)) < len(names) or {_ROW, _FILE} & set(names):
        raise UnreadableTable("its columns have names that DuckDB cannot tell apart, or uses itself")
    if not table.fields:
        raise UnreadableTable("it has no columns")
    groups: dict[tuple[tuple[int, str | None], ...], list[DataFile]] = {}
    for file in table.rows:
        groups.setdefault(tuple(_check_columns(table, file, columns[file.path])), []).append(file)
    last_delete = max((file.sequence for file in table.positions), default=-1)
    parts: list[str] = []
    for constants, files in groups.items():
        # a delete is of rows that came with its own commit or an earlier one (Scan Planning)
        later = [file for file in files if file.sequence > last_delete]
        earlier = [file for file in files if file.sequence <= last_delete]
        if later:
            parts.append(_render_read(table, later, dict(constants), positions=()))
        if earlier:
            parts.append(_render_read(table, earlier, dict(constants), positions=table.positions))
    return " UNION ALL ".join(parts) or _render_empty(table)


def _render_empty(table: IcebergTable) -> str:
    nothing = ", ".join(
        f"CAST(NULL AS {render_type(field['type'])}) AS {DUCKDB.quote(field['name'])}" for field in table.fields
    )
    return f"SELECT {nothing} WHERE false"


def _render_read(
    table: IcebergTable,
    files: Sequence[DataFile],
    constants: Mapping[int, str | None],
    *,
    positions: Sequence[DataFile],
) -> str:
    names = ", ".join(DUCKDB.quote(field["name"]) for field in table.fields)
    schema = ", ".join(
        f"{int(field['id'])}: {{name: {quote_text(field['name'])}, type: {quote_text(render_type(field['type']))}, "
        f"default_value: {_render_constant(constants.get(field['id']))}}}"
        for field in table.fields
    )
    options = f"schema => MAP {{{schema}}}, hive_partitioning => false"
    listed = _render_list(file.path for file in files)
    if not positions:
        return f"SELECT {names} FROM read_parquet({listed}, {options})"  # noqa: S608 - quoted
    deletes = _render_list(file.path for file in positions)
    read = f"read_parquet({listed}, {options}, filename => {quote_text(_FILE)}, file_row_number => true)"
    file, deleted = DUCKDB.quote(_FILE), DUCKDB.quote(_DELETES)
    return (
        f"SELECT {names} FROM {read} AS r WHERE NOT EXISTS ("  # noqa: S608 - quoted
        f"SELECT 1 FROM read_parquet({deletes}, filename => {quote_text(_DELETES)}, hive_partitioning => false) AS p "
        f"JOIN {_render_places(positions, named=False)} AS d(place, sequence) ON d.place = p.{deleted} "
        f"JOIN {_render_places(files, named=True)} AS f(place, sequence, named) "
        "ON f.named = p.file_path AND f.sequence <= d.sequence "
        f"WHERE f.place = r.{file} AND p.pos = r.{_ROW})"
    )


def _render_places(files: Sequence[DataFile], *, named: bool) -> str:
    rows = (
        f"({quote_text(str(file.path))}, {int(file.sequence)}{', ' + quote_text(file.named) if named else ''})"
        for file in files
    )
    return f"(VALUES {', '.join(rows)})"


def _render_list(paths: Iterator[Path]) -> str:
    return f"[{', '.join(quote_text(str(path)) for path in paths)}]"


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
    for field in table.fields:
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
        text = "SELECT file_name, name, field_id, num_children FROM parquet_schema"
        for place, *row in ask(f"{text}({_render_list(iter(paths))})"):
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


def quote_text(text: str) -> str:
    """Give a text as a literal."""
    return "'" + text.replace("'", "''") + "'"
