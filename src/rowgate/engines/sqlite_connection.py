"""Opens a file of SQLite for reading, and nothing else, whatever statement it gets."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from rowgate.engines.sqlite_permissions import Authorizer
from rowgate.rows.dialects.sqlite import SQLITE, SqliteDialect
from rowgate.rows.fold import fold

BUSY_MILLISECONDS = 5000


def connect(path: Path, authorizer: Authorizer, *, is_lent: bool = False) -> tuple[apsw.Connection, SqliteDialect]:
    """Give a connection and how statements are written for the file.

    Args:
        path: The file.
        authorizer: What the connection may do.
        is_lent: Whoever has it has it alone, with every cursor on it, until it is given back: SQLite takes no lock for
            each value then, which is a quarter of a long read. Two threads at once would break the memory.

    Raises:
        apsw.Error: It cannot be opened, or is no database.
    """
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    flags |= apsw.SQLITE_OPEN_NOMUTEX if is_lent else apsw.SQLITE_OPEN_FULLMUTEX
    connection = apsw.Connection(f"file:{quote(str(path))}?mode=ro", flags=flags)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    # "name" is an identifier and nothing else; schemas are data here, not code
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    # plans do not hang on bound values, so a statement is prepared once (a fifth of a small read)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("query_only", 1)
    encoding = str(connection.pragma("encoding"))  # of the bytes that the functions get
    define_functions(connection, encoding)
    connection.set_authorizer(authorizer)
    # compared byte by byte, which in UTF-16 is not the order of the characters
    return connection, replace(SQLITE, orders_by_code_point=encoding == "UTF-8")


def define_functions(connection: apsw.Connection, encoding: str) -> None:
    """Define what statements use (rows/dialects/sqlite.py)."""
    connection.create_scalar_function("rowgate_fold", _make_folder(encoding), 1, deterministic=True)
    connection.create_scalar_function("rowgate_text", _make_reader(encoding), 1, deterministic=True)


def _make_folder(encoding: str) -> Callable[..., str | None]:
    """Give what folds the bytes of a text; NULL stays."""

    def fold_bytes(*values: Any) -> str | None:
        return None if values[0] is None else fold(values[0].decode(encoding, "replace"))

    return fold_bytes


def _make_reader(encoding: str) -> Callable[..., str]:
    """Give what makes bytes readable as text, with U+FFFD for what is not valid."""

    def read_bytes(*values: Any) -> str:
        return str(values[0], encoding, "replace")

    return read_bytes
