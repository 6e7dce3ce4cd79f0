"""What an SQLite database says of its own tables and views."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from rowgate.rows.model import Column, Family, ObjectDescription, ObjectListing

_KINDS = {"table": "table", "view": "view", "virtual": "table"}
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
    found = connection.execute(
        "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE BINARY", (name,)
    ).fetchone()
    if found is None or found[0] not in _KINDS or name.startswith("sqlite_"):
        return None
    try:
        columns = connection.execute("SELECT name, type, hidden FROM pragma_table_xinfo(?)", (name,))
    except apsw.AuthError:
        return None
    return ObjectDescription(
        name,
        _KINDS[found[0]],
        tuple(_column(column, declared or "") for column, declared, hidden in _readable(columns) if hidden != _HIDDEN),
    )


def _readable(cursor: apsw.Cursor) -> Iterator[Any]:
    """Give the rows; a name that is not UTF-8 cannot stand in a request, so its row is passed over."""
    while True:
        try:
            yield from cursor
        except UnicodeDecodeError:
            continue
        return


def _column(name: str, declared: str) -> Column:
    upper = declared.upper()
    family = next((family for pattern, family in _FAMILIES if pattern.search(upper)), Family.ANY)
    # INTEGER and TEXT columns turn most numbers into their own kind, but SQLite stores what it is given;
    # a column of an integer type can hold 1e999 only if it was meant to.
    may_be_real = family is Family.ANY or (family is Family.NUMBER and "INT" not in upper)
    return Column(name, declared, family, may_be_real)
