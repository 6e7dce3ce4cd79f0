"""Opens a file of SQLite for reading, and nothing else, whatever statement it gets."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
import msgspec

from rowgate.engines.sqlite_permissions import Authorizer
from rowgate.rows.dialects.sqlite import SQLITE, SqliteDialect
from rowgate.rows.fold import fold

BUSY_MILLISECONDS = 5000


_PARTS_BETWEEN_LOOKS = 64  # of a text, looked for one by one
_MOST_BYTES = 4  # of a character, whatever the encoding
_FOLDED_BETWEEN_LOOKS = 1_000_000  # characters of a text, some hundredths of a second
_CHARACTERS_BETWEEN_LOOKS = 4_000_000  # some milliseconds, at worst ten times that


def go_on() -> bool:
    """Tell that no statement must stop."""
    return False


class Stopping:
    """Tells the functions of a connection whether its statement must stop."""

    __slots__ = ("must_stop",)

    def __init__(self) -> None:
        self.must_stop: Callable[[], bool] = go_on

    def look(self) -> None:
        """Raises apsw.InterruptError if it must."""
        if self.must_stop():
            raise apsw.InterruptError


class ReadingConnection(apsw.Connection):
    """A connection whose functions end with its statement; that has it alone."""

    stopping = Stopping()


def connect(path: Path, authorizer: Authorizer, *, is_lent: bool = False) -> tuple[ReadingConnection, SqliteDialect]:
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
    connection = ReadingConnection(f"file:{quote(str(path))}?mode=ro", flags=flags)
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


def define_functions(connection: ReadingConnection, encoding: str) -> None:
    """Define what statements use (rows/dialects/sqlite.py)."""
    stopping = connection.stopping = Stopping()
    fold_bytes = _make_folder(encoding, stopping)
    connection.create_scalar_function("rowgate_fold", fold_bytes, 1, deterministic=True)
    for ending, fold_stored in (("", None), ("_folded", fold_bytes)):
        look_for = _make_finder(encoding, stopping, fold_stored)
        connection.create_scalar_function(f"rowgate_holds{ending}", look_for, 2, deterministic=True)
        for name, at_start in (("begins", True), ("ends", False)):
            compare = _make_edge_finder(encoding, stopping, folds=bool(fold_stored), at_start=at_start)
            connection.create_scalar_function(f"rowgate_{name}{ending}", compare, 2, deterministic=True)
    connection.create_scalar_function("rowgate_text", _make_reader(encoding), 1, deterministic=True)


def _make_folder(encoding: str, stopping: Stopping) -> Callable[..., str | None]:
    """Give what folds the bytes of a text; NULL stays.

    It keeps the last one: several filters have the same text folded, one after the other.
    """
    last, folded = b"", ""

    def fold_bytes(*values: Any) -> str | None:
        nonlocal last, folded
        value = values[0]
        if value is None:
            return None
        if value != last:
            stopping.look()
            folded = _fold_in_parts(value.decode(encoding, "replace"), stopping)
            last = value
        return folded

    return fold_bytes


def _fold_in_parts(text: str, stopping: Stopping) -> str:
    if len(text) <= _FOLDED_BETWEEN_LOOKS:
        return fold(text)
    parts = []
    for place in range(0, len(text), _FOLDED_BETWEEN_LOOKS):  # character by character, so that no part needs the next
        stopping.look()
        parts.append(fold(text[place : place + _FOLDED_BETWEEN_LOOKS]))
    return "".join(parts)


def _make_finder(
    encoding: str, stopping: Stopping, fold_bytes: Callable[..., str | None] | None
) -> Callable[..., bool | None]:
    """Give what tells whether the bytes of a text hold one of several parts, a JSON list; NULL holds nobody knows what.

    In one call: as many expressions as there are parts would each lower the text anew, and SQLite looks whether it
    must stop only when all are through. A thousand parts and texts of 1 MB took a minute a row.
    """
    last, parts = "", [""]

    def find(*values: Any) -> bool | None:
        nonlocal last, parts
        value, given = values
        text = value
        if value is not None:
            text = value.decode(encoding, "replace") if fold_bytes is None else fold_bytes(value)
        if text is None:
            return None
        if given != last:
            last, parts = given, msgspec.json.decode(given, type=list[str])
        step = max(1, min(_PARTS_BETWEEN_LOOKS, _CHARACTERS_BETWEEN_LOOKS // (len(text) + 1)))
        for place in range(0, len(parts), step):
            stopping.look()
            if any(part in text for part in parts[place : place + step]):
                return True
        return False

    return find


def _make_edge_finder(encoding: str, stopping: Stopping, *, folds: bool, at_start: bool) -> Callable[..., bool | None]:
    """Give what tells whether the bytes of a text begin, or end, with one of several parts; see `_make_finder`."""
    last, longest = "", 0
    parts: tuple[str, ...] = ()

    def find(*values: Any) -> bool | None:
        nonlocal last, parts, longest
        value, given = values
        if value is None:
            return None
        if given != last:
            last, parts = given, tuple(msgspec.json.decode(given, type=list[str]))
            longest = max(map(len, parts))
        stopping.look()
        edge = value[: _MOST_BYTES * longest] if at_start else value  # cut there, an end could be read otherwise
        text = edge.decode(encoding, "replace")
        if folds:
            text = fold(text if at_start else text[-longest:] if longest else "")
        return bool(text.startswith(parts) if at_start else text.endswith(parts))

    return find


def _make_reader(encoding: str) -> Callable[..., str]:
    """Give what makes bytes readable as text, with U+FFFD for what is not valid."""

    def read_bytes(*values: Any) -> str:
        return str(values[0], encoding, "replace")

    return read_bytes
