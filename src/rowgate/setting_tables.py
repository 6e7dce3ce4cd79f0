"""What the settings that are tables of rowgate.toml have in common; each has its own record and its own checks."""

import json
from collections.abc import Collection
from typing import Any


def parse_tables(setting: str, text: str) -> Any:
    """Give what the environment writes for tables: a JSON list of objects; an empty text is no table.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return json.loads(text) if text else []
    except ValueError as error:
        raise ValueError(f"ROWGATE_{setting.upper()} is a JSON list of objects ({error})") from None


def check_members(setting: str, table: Any, known: Collection[str]) -> None:
    """Refuse what is no table, or has a member that is not known.

    Raises:
        ValueError: It names the member, and where a setting must stand that was meant for the whole server: TOML takes
            every line below a table's head for a part of the table.
    """
    if not isinstance(table, dict):
        raise ValueError(f"write tables: [[{setting}]]")  # noqa: TRY004 - one kind of error for one setting
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ValueError(
            f"a table has no {unknown[0]}, it has {', '.join(known)}; what is no part of a table stands above the first"
        )
