"""Reads the settings that are tables of rowgate.toml; each has its own record and its own checks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Protocol, TypeVar


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Record = TypeVar("_Record", bound=_Named)


def read_tables(
    setting: str, value: Any, example: _Record, check: Callable[[Mapping[str, Any]], None]
) -> tuple[_Record, ...]:
    """Give the tables as records; the environment writes them as a JSON list of objects.

    Args:
        setting: Its name.
        value: Tables, records, or the environment's text.
        example: A record, whose members' types are those of every table.
        check: Refuses a table, whose members have their types, with a ValueError.

    Raises:
        ValueError: A member is missing, unknown or of another type, or two tables have one name.
    """
    if isinstance(value, str):
        value = _parse_tables(value)
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"write tables: [[{setting}]]")  # noqa: TRY004 - one kind of error for one setting
    kind = type(example)
    types = {item.name: type(getattr(example, item.name)) for item in fields(example)}  # type: ignore[arg-type]
    found: list[_Record] = []
    for entry in value:
        if not isinstance(entry, kind):
            table = _read_members(setting, entry, types)
            check(table)
            entry = kind(**table)  # noqa: PLW2901 - the same, read
        found.append(entry)
    if len({record.name for record in found}) != len(found):
        raise ValueError("two tables have the same name")
    return tuple(found)


def _parse_tables(text: str) -> Any:
    try:
        return json.loads(text) if text else []
    except ValueError as error:
        raise ValueError(f"a text is a JSON list of objects ({error})") from None


def _read_members(setting: str, table: Any, types: Mapping[str, type]) -> dict[str, Any]:
    """Give the members of a table, lists of texts as tuples.

    Raises:
        ValueError: It names the member, and where a setting must stand that was meant for the whole server: TOML takes
            every line below a table's head for a part of the table.
    """
    if not isinstance(table, dict):
        raise ValueError(f"write tables: [[{setting}]]")  # noqa: TRY004 - one kind of error for one setting
    unknown = sorted(set(table) - set(types))
    if unknown:
        raise ValueError(
            f"a table has no {unknown[0]}, it has {', '.join(types)}; what is no part of a table stands above the first"
        )
    members = {name: _take_list(given) for name, given in table.items()}
    for name, given in members.items():
        if type(given) is not types[name]:
            raise ValueError(f"{name} has another type")
    return members


def _take_list(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) and all(isinstance(text, str) for text in given) else given
