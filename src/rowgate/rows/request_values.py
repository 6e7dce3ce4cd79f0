"""What the parts of a rows request have in common: scalars, lists, members by name, and the refusal of a wrong one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Scalar

MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)
ALL_RUNS = "all"  # as a run's key


def take_list(members: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    """Give the list, or nothing when it was not given."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong(name, "a list")
    if len(value) > most:
        raise wrong(name, f"at most {most} of them")
    return value


def take_scalar(value: Any, field: str) -> Scalar:
    """Give a text, number or truth value that can be bound."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise wrong(field, "text without lone surrogates") from None
        return value
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise wrong(field, "a number within 64 bits")
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if value is None:
        raise wrong(field, "text, a number, true or false (for null use is_null or is_not_null)")
    raise wrong(field, "text, a number, true or false")


def take_members(item: Mapping[Any, Any], field: str) -> dict[str, Any]:
    """Give the members by their names in lower case."""
    members = {str(name).lower(): value for name, value in item.items()}
    if len(members) != len(item):
        raise wrong(field, "each member once")
    return members


def wrong(field: str, expected: str) -> InvalidParameter:
    """Give the refusal of a parameter's value."""
    return InvalidParameter("The parameter has a wrong value.", field=field, expected=expected)
