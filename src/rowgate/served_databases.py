"""How the settings name served databases: tables of rowgate.toml, beside the one plain `database`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rowgate.setting_tables import read_tables

# A namespace has no dot and no slash: an object's name is split at its first dot and stands in an address.
_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_NAMED_ADDRESS = re.compile(rf"({_NAMESPACE.pattern})=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """One `[[databases]]` table; without a name its objects have none in front, as those of `database`."""

    address: str
    name: str = ""
    password_file: str = ""  # read when the server starts; its first line is the password of `address`
    read_replicas: tuple[str, ...] = ()  # addresses of servers with the same rows, read before that of `address`
    accept_unproven: bool = False  # serve it although nobody can tell whether the account may write


def read_databases(value: Any) -> tuple[DatabaseSettings, ...]:
    """Give the tables as records; the environment writes them as a JSON list of objects.

    Raises:
        ValueError: A member is missing, unknown or of another type, or two tables have one name.
    """
    return read_tables("databases", value, _EXAMPLE, _check)


def _check(table: Mapping[str, Any]) -> None:
    if not all(table.get("read_replicas", ())):
        raise ValueError("read_replicas is a list of addresses")
    if not table.get("address"):
        raise ValueError("a table needs an address")
    name = table.get("name", "")
    if name and not _NAMESPACE.fullmatch(name):
        raise ValueError("a name has up to 63 letters, digits, _ and -, and begins with a letter")


def split_named_addresses(given: Iterable[str]) -> tuple[str, tuple[DatabaseSettings, ...]]:
    """Give the plain database's address, or nothing, and the tables of the others, as a command line writes them.

    >>> plain, named = split_named_addresses(["a.db", "sales=b.db"])
    >>> plain, [(database.name, database.address) for database in named]
    ('a.db', [('sales', 'b.db')])

    Raises:
        ValueError: Two of them have one name, or no name.
    """
    plain: list[str] = []
    tables: list[dict[str, str]] = []
    for text in given:
        named = _NAMED_ADDRESS.fullmatch(text)
        if named is None:
            plain.append(text)
        else:
            tables.append({"name": named[1], "address": named[2]})
    if len(plain) > 1:
        raise ValueError("one database is without a name; write NAME=URL for the others")
    return (plain[0] if plain else ""), read_databases(tables)


_EXAMPLE = DatabaseSettings(address="")
