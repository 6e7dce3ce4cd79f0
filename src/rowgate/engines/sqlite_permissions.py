"""What statements on a connection to SQLite may do.

Rule: nothing here allows to write, attach, change a pragma or load an extension.
"""

from collections.abc import Callable

import apsw

Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]

# Pragmas that only tell: the full-text index asks for the first, the catalog for the others.
_DATA_PRAGMAS = frozenset({"data_version"})
_CATALOG_PRAGMAS = frozenset({"schema_version", "table_list", "table_xinfo", "index_list"})
_WITH_ARGUMENT = _CATALOG_PRAGMAS - {"schema_version"}  # which names a table; other pragmas are set by it
_READING = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


def allow_reading(action: int, first: str | None, second: str | None, _database: str | None, _via: str | None) -> int:
    """Allow a connection to read rows."""
    if action == apsw.SQLITE_PRAGMA and first in _DATA_PRAGMAS and second is None:
        return apsw.SQLITE_OK
    if action not in _READING or (action == apsw.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS):
        return apsw.SQLITE_DENY
    return apsw.SQLITE_OK


def allow_catalog(action: int, first: str | None, second: str | None, database: str | None, via: str | None) -> int:
    """Allow a connection to read the catalog too."""
    if action == apsw.SQLITE_PRAGMA:
        is_telling = first in _CATALOG_PRAGMAS and (second is None or first in _WITH_ARGUMENT)
        return apsw.SQLITE_OK if is_telling else apsw.SQLITE_DENY
    return allow_reading(action, first, second, database, via)


def allow_watching(action: int, first: str | None, second: str | None, database: str | None, via: str | None) -> int:
    """Allow a connection to ask whether something was committed, and for the catalog."""
    if action == apsw.SQLITE_PRAGMA and first in _DATA_PRAGMAS and second is None:
        return apsw.SQLITE_OK
    return allow_catalog(action, first, second, database, via)
