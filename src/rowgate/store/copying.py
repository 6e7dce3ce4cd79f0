"""Copies a whole state from one database into the empty tables of another.

Rule: a number that was ever given to an application, secret, key or change is never given again in the copy either.
"""

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from rowgate.store.schema import metadata

_ROWS_AT_ONCE = 1000


def copy_tables(source: Connection, target: Connection) -> None:
    """Copy every row of an SQLite state, and how far its numbers have come.

    Args:
        source: Of a transaction that keeps other writers out.
        target: Of an open transaction on PostgreSQL; its tables are those of this release.
    """
    for table in metadata.sorted_tables:
        rows = source.execute(sa.select(table)).mappings()
        while some := rows.fetchmany(_ROWS_AT_ONCE):
            target.execute(sa.insert(table), [dict(row) for row in some])
    for name, newest in source.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all():
        if newest:
            _go_on_after(target, metadata.tables[name], newest)


def _go_on_after(target: Connection, table: Table, newest: int) -> None:
    (column,) = table.primary_key
    sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
    target.execute(sa.select(sa.func.setval(sequence, newest)))
