"""What a grant holds beyond its object: columns, masks, and a rule that says which rows there are.

A rule is written in the language of `filters`, with {"attribute": "name"} where the application's own value stands.
Whatever of it does not fit the object any more refuses: a policy never widens by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from rowgate.rows.conditions import plan_condition
from rowgate.rows.errors import InvalidParameter, UnusablePolicy
from rowgate.rows.masks import Mask
from rowgate.rows.model import AnyCondition, ObjectDescription, RequestedCondition
from rowgate.rows.request_filters import parse_filters
from rowgate.rows.request_json import decode_strict
from rowgate.rows.request_values import wrong

ATTRIBUTE = "attribute"
_RULE = "rows"  # what the language calls filters


@dataclass(frozen=True, slots=True)
class RowsPolicy:
    """A policy with the application's attributes filled in."""

    columns: frozenset[str] | None = None  # as the database spells them; None: every one
    masks: tuple[tuple[str, Mask], ...] = ()  # likewise
    rule: tuple[RequestedCondition, ...] = ()  # all of them must hold


WHOLE = RowsPolicy()


class MissingAttribute(Exception):
    """The rule speaks of an attribute that the application does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@lru_cache(maxsize=4096)
def read_policy(
    columns: tuple[str, ...], masks: tuple[tuple[str, str], ...], rule: str, attributes: tuple[tuple[str, str], ...]
) -> RowsPolicy:
    """Give a policy as it is kept, ready to be held against its object.

    Args:
        columns: The only ones; none: every one.
        masks: By name of column.
        rule: JSON, as `parse_rule` takes it; empty: every row.
        attributes: The application's own values by name.

    Raises:
        MissingAttribute: The application lacks one that the rule needs.
        InvalidParameter: It is none that `parse_rule` would have taken.
    """
    return RowsPolicy(
        frozenset(columns) if columns else None,
        tuple((name, Mask(mask)) for name, mask in masks),
        parse_rule(rule, dict(attributes)) if rule else (),
    )


def parse_rule(rule: str, attributes: Mapping[str, str]) -> tuple[RequestedCondition, ...]:
    """Give the conditions of a rule: a filter as requests have it, or a list of them.

    >>> parse_rule('{"column": "a", "function": "equals", "value": {"attribute": "b"}}', {"b": "c"})[0].value
    'c'

    Raises:
        MissingAttribute: It speaks of an attribute that is not there.
        InvalidParameter: It is not such a filter.
    """
    try:
        items = decode_strict(rule.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise wrong(_RULE, "JSON: a filter {column, function, value}, or a list of them") from None
    items = items if isinstance(items, list) else [items]
    if not items:
        raise wrong(_RULE, "at least one filter")
    return parse_filters({_RULE: _fill(items, attributes)}, _RULE)


def list_attributes(rule: str) -> tuple[str, ...]:
    """Give the attributes that a rule speaks of, in order of name."""
    found: set[str] = set()
    waiting = [msgspec.json.decode(rule)] if rule else []
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            if _is_attribute(item):
                found.add(item[ATTRIBUTE])
            waiting += item.values()
    return tuple(sorted(found))


def _is_attribute(item: Any) -> bool:
    return isinstance(item, dict) and item.keys() == {ATTRIBUTE} and isinstance(item[ATTRIBUTE], str)


def _fill(item: Any, attributes: Mapping[str, str]) -> Any:
    if isinstance(item, list):
        return [_fill(part, attributes) for part in item]
    if _is_attribute(item):
        name = item[ATTRIBUTE]
        if name not in attributes:
            raise MissingAttribute(name)
        return attributes[name]
    if isinstance(item, dict):
        return {name: _fill(part, attributes) for name, part in item.items()}
    return item


def apply_policy(described: ObjectDescription, policy: RowsPolicy) -> ObjectDescription:
    """Give the object as the grant shows it: without what is hidden, with the masks on their columns.

    A key that is not wholly in sight is none: pages stand in its order, and would tell of it.

    Raises:
        UnusablePolicy: A masked column is there no more: whatever took its place would be read bare.
    """
    if policy.columns is None and not policy.masks:
        return described
    masks = dict(policy.masks)
    if not masks.keys() <= described.by_name.keys():
        raise UnusablePolicy("A masked column does not exist any more.")
    columns = tuple(
        replace(column, mask=masks[column.name]) if column.name in masks else column
        for column in described.columns
        if policy.columns is None or column.name in policy.columns
    )
    # a row id that is no column holds nothing that could be hidden
    in_sight = all(column in columns or column.name not in described.by_name for column in described.row_key)
    return replace(described, columns=columns, row_key=described.row_key if in_sight else ())


def plan_rule(described: ObjectDescription, rule: Sequence[RequestedCondition]) -> tuple[AnyCondition, ...]:
    """Give the conditions that every row must meet; the rule may speak of columns that the reader does not see.

    Raises:
        UnusablePolicy: It does not fit the object as it is now.
    """
    try:
        return tuple([plan_condition(described, item) for item in rule])
    except InvalidParameter as refusal:
        raise UnusablePolicy("The row rule does not fit the object any more.", detail=refusal.description) from refusal


def keep_allowed(described: ObjectDescription, allowed_columns: Collection[str] | None) -> ObjectDescription:
    """Give the object as somebody may know it who is allowed these columns; None: all of them."""
    if allowed_columns is None:
        return described
    return replace(described, columns=tuple(c for c in described.columns if c.name in allowed_columns))
