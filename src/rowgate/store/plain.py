"""Runs the plain statements of `loading` inside a transaction of SQLAlchemy's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult


def run_plain(connection: Connection, statement: str, values: Sequence[Any]) -> CursorResult[Any]:
    """Run a statement whose places are question marks, as the database's driver wants them written."""
    if connection.dialect.paramstyle != "qmark":
        statement = statement.replace("?", "%s")
    return connection.exec_driver_sql(statement, tuple(values))
