"""What an SQLite database says of its own tables and views."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import apsw

from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing
from rowgate.rows.procedures import TableColumn

_KINDS = {"table": "table", "view": "view", "virtual": "table"}
_ROW_IDS = ("rowid", "_rowid_", "oid")  # a column may take the name
_HIDDEN = 1  # of table_xinfo: a virtual table's hidden column; generated columns (2, 3) are read like others

# The declared type decides how values compare; the first that matches counts.
_FAMILIES = (
    (re.compile(r"BOOL"), Family.BOOLEAN),
    (re.compile(r"DATE|TIME"), Family.MOMENT),
    (re.compile(r"INT|SERIAL"), Family.NUMBER),
    (re.compile(r"CHAR|CLOB|TEXT|STRING|UUID|GUID|JSON|ENUM|XML"), Family.TEXT),
    (re.compile(r"BLOB|BINARY|BYTEA|IMAGE"), Family.BINARY),
    (re.compile(r"REAL|FLOA|DOUB|NUM|DEC|MONEY"), Family.NUMBER),
)


def list_catalog(connection: apsw.Connection) -> Sequence[ObjectListing]:
    """Give the tables and views in order of name, without SQLite's own."""
    rows = connection.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
    return [
        ObjectListing(name, _KINDS[kind])
        for name, kind in _readable(rows)
        if kind in _KINDS and not name.startswith("sqlite_")
    ]


def describe(connection: apsw.Connection, name: str) -> ObjectDescription | None:
    """Give the table or view of exactly this name, or None.

    None also for a virtual table that cannot even be opened without writing (rtree): there is no reading it here.
    """
    # the pragma is given the name: else it would look at every object there is, of which there may be thousands
    found = connection.execute(
        "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main' AND name = ? COLLATE BINARY", (name, name)
    ).fetchone()
    if found is None or found[0] not in _KINDS or name.startswith("sqlite_"):
        return None
    try:
        rows = connection.execute('SELECT name, type, hidden, pk, "notnull" FROM pragma_table_xinfo(?)', (name,))
    except apsw.AuthError:
        return None
    kind, without_row_id = found
    columns: list[Column] = []
    key: list[tuple[int, Column]] = []
    for column_name, declared, hidden, place_in_key, is_not_null in _readable(rows):
        if hidden == _HIDDEN:
            continue
        column = _column(column_name, declared or "", never_null=bool(is_not_null or (place_in_key and without_row_id)))
        if place_in_key:
            key.append((place_in_key, column))
        columns.append(column)
    declared_key = tuple(column for _, column in sorted(key, key=itemgetter(0)))
    if kind != "table" or without_row_id:
        return ObjectDescription(name, _KINDS[kind], tuple(columns), declared_key)
    columns, row_key = _find_row_id(connection, name, columns, declared_key)
    is_of_columns = bool(row_key) and row_key[0] in columns
    natural_key = () if is_of_columns else declared_key
    return ObjectDescription(name, _KINDS[kind], tuple(columns), row_key, natural_key=natural_key)


def describe_query(connection: apsw.Connection, text: str, places: int) -> Sequence[Column]:
    """Give the columns of a query with so many values, without running it."""
    columns: list[Column] = []

    def look(cursor: apsw.Cursor, _statement: str, _values: object) -> bool:
        columns.extend([_column(name, declared or "", never_null=False) for name, declared in cursor.get_description()])
        return False  # it does not run

    # what does not run does not notice that the tables have changed; this does
    connection.execute("SELECT 1 FROM sqlite_schema LIMIT 0").fetchall()
    cursor = connection.cursor()
    cursor.exec_trace = look
    try:
        cursor.execute(text, (None,) * places, can_cache=False)
    except apsw.ExecTraceAbort:
        return columns
    finally:
        cursor.close(force=True)
    return columns


def write_table(columns: Sequence[TableColumn]) -> tuple[str, str]:
    """Give what stands before and after a value so that it is a table; see `ports.QuerySource`."""
    names = [column.name.replace('"', '""') for column in columns]
    members = ", ".join(f"json_extract(value, '$[{place}]') AS \"{name}\"" for place, name in enumerate(names))
    return f"(SELECT {members} FROM json_each(", "))"  # noqa: S608 - quoted names


def _find_row_id(
    connection: apsw.Connection, table: str, columns: list[Column], key: Sequence[Column]
) -> tuple[list[Column], tuple[Column, ...]]:
    """Give the columns, and the row id as a key: other primary keys may hold NULL, and more than once.

    A column is the row id itself when it is the whole primary key, of type INTEGER and without an index of its own.

    Source: sqlite.org/lang_createtable.html, "ROWIDs and the INTEGER PRIMARY KEY", "The PRIMARY KEY"
    """
    if len(key) == 1 and key[0].declared_type.upper() == "INTEGER":
        indexed = connection.execute("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table,)).fetchone()
        if indexed is None:
            row_id = replace(key[0], never_null=True)
            return [row_id if column == key[0] else column for column in columns], (row_id,)
    taken = {column.name.lower() for column in columns}
    name = next((name for name in _ROW_IDS if name not in taken), None)
    if name is None:
        return columns, ()
    return columns, (Column(name, "INTEGER", Family.NUMBER, may_be_real=False, never_null=True),)


def _readable(cursor: apsw.Cursor) -> Iterator[Any]:
    """Give the rows; a name that is not UTF-8 cannot stand in a request, so its row is passed over."""
    while True:
        try:
            yield from cursor
        except UnicodeDecodeError:
            continue
        return


def _column(name: str, declared: str, *, never_null: bool) -> Column:
    upper = declared.upper()
    family = next((family for pattern, family in _FAMILIES if pattern.search(upper)), Family.ANY)
    # INTEGER and TEXT columns turn most numbers into their own kind, but SQLite stores what it is given;
    # a column of an integer type can hold 1e999 only if it was meant to.
    may_be_real = family is Family.ANY or (family is Family.NUMBER and "INT" not in upper)
    return Column(name, declared, family, may_be_real, never_null)
