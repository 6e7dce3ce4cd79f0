"""Says in words what a grant holds. No decision is made here."""

from collections.abc import Mapping
from typing import Any

import msgspec

from rowgate.records import GrantPolicy
from rowgate.rows.masks import Mask
from rowgate.rows.model import Connective, Function, ObjectDescription
from rowgate.rows.policy import ATTRIBUTE

_SIGNS = {
    Function.EQUALS: "=",
    Function.NOT_EQUALS: "<>",
    Function.GREATER: ">",
    Function.GREATER_EQUAL: ">=",
    Function.LESS: "<",
    Function.LESS_EQUAL: "<=",
}
_MASKED = {
    Mask.NULL: "masked",
    Mask.HASH: "masked by a keyed hash",
    Mask.LAST_FOUR: "masked but for the last four",
    Mask.YEAR: "masked but for the year",
}


def tell_count(number: int, thing: str, things: str = "") -> str:
    """Give so many of something, as "1 secret" and "2 secrets"; `things` where an s does not do."""
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"


def tell_policy(policy: GrantPolicy, described: ObjectDescription | None, attributes: Mapping[str, str]) -> str:
    """Give a sentence such as "reads 4 of 9 columns, Salary masked, rows where Department = finance"."""
    parts = ["reads every column"]
    if policy.columns and described is not None:
        there = sum(column.name in policy.columns for column in described.columns)
        parts = [f"reads {there} of {tell_count(len(described.columns), 'column')}"]
    elif policy.columns:
        parts = [f"reads {len(policy.columns)} of its columns"]
    parts += [f"{name} {_MASKED[Mask(mask)]}" for name, mask in policy.masks]
    if policy.rows:
        parts.append(f"rows where {tell_rule(policy.rows, attributes)}")
    return ", ".join(parts)


def tell_rule(rule: str, attributes: Mapping[str, str]) -> str:
    """Give a row rule as people write conditions; the rule has been taken by `parse_rule` before."""
    items = msgspec.json.decode(rule)
    return " and ".join(_tell(item, attributes) for item in (items if isinstance(items, list) else [items]))


def _tell(item: Mapping[str, Any], attributes: Mapping[str, str]) -> str:
    members = {str(name).lower(): value for name, value in item.items()}
    for connective in Connective:
        if connective in members:
            inner = members[connective]
            if connective is Connective.NOT:
                return f"not ({_tell(inner, attributes)})"
            return "(" + f" {connective} ".join(_tell(part, attributes) for part in inner) + ")"
    column, function, value = members["column"], Function(members["function"].lower()), members.get("value", "")
    if function in (Function.IS_NULL, Function.IS_NOT_NULL):
        return f"{column} {function.replace('_', ' ')}"
    if function is Function.BETWEEN:
        least, greatest = (_tell_value(part, attributes) for part in value)
        return f"{column} between {least} and {greatest}"
    if isinstance(value, list):
        told = "(" + ", ".join(_tell_value(part, attributes) for part in value) + ")"
        is_plain = function in (Function.EQUALS, Function.NOT_EQUALS)
        return (
            f"{column} {'in' if function is Function.EQUALS else 'not in'} {told}"
            if is_plain
            else (f"{column} {_name(function)} any of {told}")
        )
    return f"{column} {_name(function)} {_tell_value(value, attributes)}"


def _name(function: Function) -> str:
    return _SIGNS.get(function) or function.replace("_", " ")


def _tell_value(value: Any, attributes: Mapping[str, str]) -> str:
    if isinstance(value, dict):
        name = str(value.get(ATTRIBUTE))
        return f"{attributes[name]} (its {name})" if name in attributes else f"its {name}, which is not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
