"""What grants hold beyond their objects: columns, masks, row rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from rowgate.oauth.model import Application
from rowgate.records import WHOLE_OBJECT, GrantPolicy
from rowgate.rows.columns import find_column
from rowgate.rows.errors import InvalidParameter, RowsError, UnusablePolicy
from rowgate.rows.masking import suits
from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, ObjectDescription
from rowgate.rows.policy import MissingAttribute, apply_policy, list_attributes, parse_rule, plan_rule, read_policy
from rowgate.service.admin.desk import AdminError, Desk, load_application
from rowgate.service.admin.grant_words import tell_policy

ALL_COLUMNS = ("*",)
_STANDS_FOR_MISSING = "0"  # of any attribute that is not set yet: a text, and a number too


@dataclass(frozen=True, slots=True)
class GrantChange:
    """What is to be different in what a grant holds; what is not spoken of stays."""

    columns: tuple[str, ...] | None = None  # names, or ALL_COLUMNS
    masks: tuple[tuple[str, Mask | None], ...] = ()  # None: the column is masked no more
    rows: str | None = None  # a row rule, see rows.policy.parse_rule; empty: every row
    whole: bool = False  # forget what it held before


NO_CHANGE = GrantChange()


@dataclass(frozen=True, slots=True)
class ToldGrant:
    """A grant, for people and for scripts."""

    object: str
    policy: GrantPolicy
    words: str
    missing: tuple[str, ...]  # attributes that its rule needs and the application lacks: then it reads nothing


class GrantDesk:
    """Grants objects, and says what of them."""

    def __init__(self, desk: Desk) -> None:
        """Take the administrator's tools."""
        self._desk = desk

    def grant(self, name: str, objects: Sequence[str], wanted: GrantChange = NO_CHANGE) -> Sequence[ToldGrant]:
        """Allow objects to an application, or change what it is allowed of them; tell them as they are then.

        Args:
            name: The application, by name or client id.
            objects: Names, aliases or patterns.
            wanted: For every one of them.

        Raises:
            AdminError: There is no such application, object or column, a mask that does not suit its column, or a
                rule that is none or does not fit the object.
        """
        granted = self._desk.resolve_objects(objects)
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            change.grant(application.number, granted)
            policies = {}
            for found in granted:
                before = change.find_grant_policy(application.number, found)
                policies[found] = after = self._decide(found, before, wanted, application)
                if after != before:
                    change.set_grant_policy(application.number, found, after)
            limited = {
                found: msgspec.to_builtins(policy) for found, policy in policies.items() if policy != WHOLE_OBJECT
            }
            details = {"policies": limited} if limited or wanted.whole else {}
            self._desk.tell("application.grant", application.name, objects=list(granted), **details)
        return [self._tell(application, found, policy) for found, policy in policies.items()]

    def list_all(self, application: Application, objects: Sequence[str]) -> Sequence[ToldGrant]:
        """Tell the grants of an application."""
        with self._desk.store.reading() as look:
            policies = {name: look.find_grant_policy(application.number, name) for name in objects}
        return [self._tell(application, name, policy) for name, policy in policies.items()]

    def _tell(self, application: Application, name: str, policy: GrantPolicy) -> ToldGrant:
        if policy == WHOLE_OBJECT:
            return ToldGrant(name, policy, "", ())
        attributes = dict(application.policy.attributes)
        missing = tuple(item for item in list_attributes(policy.rows) if item not in attributes)
        try:
            described = self._desk.databases.find_object(name)
        except RowsError:  # a database that is down keeps nobody from seeing what is granted
            described = None
        return ToldGrant(name, policy, tell_policy(policy, described, attributes), missing)

    def _decide(self, name: str, before: GrantPolicy, wanted: GrantChange, application: Application) -> GrantPolicy:
        """Give the policy as it would be, held against the object as it is now."""
        if wanted == NO_CHANGE:
            return before
        start = WHOLE_OBJECT if wanted.whole else before
        if wanted == GrantChange(whole=True):
            return start
        described = self._desk.databases.find_object(name)
        if described is None:
            raise AdminError(f"{name} does not exist in the database any more")
        if not described.columns:
            raise AdminError(
                f"{name} tells its columns only with what it gives, so a grant cannot speak of them: "
                "have its comment in the database name them"
            )
        columns = start.columns
        if wanted.columns is not None:
            columns = (
                ()
                if wanted.columns == ALL_COLUMNS
                else tuple(dict.fromkeys(_find(described, column).name for column in wanted.columns))
            )
        masks = dict(start.masks)
        for column_name, mask in wanted.masks:
            column = _find(described, column_name)
            masks.pop(column.name, None)
            if mask is not None:
                masks[column.name] = _check_mask(column, mask)
        rows = start.rows if wanted.rows is None else wanted.rows.strip()
        decided = GrantPolicy(columns, tuple(sorted(masks.items())), rows)
        check_policy(decided, described, dict(application.policy.attributes))
        return decided


def check_policy(policy: GrantPolicy, described: ObjectDescription, attributes: Mapping[str, str]) -> None:
    """Hold a policy against its object; an attribute that is not set yet is no hindrance.

    Raises:
        AdminError: It does not fit.
    """
    try:
        needed = list_attributes(policy.rows)
        given = tuple((name, attributes.get(name, _STANDS_FOR_MISSING)) for name in needed)
        read = read_policy(policy.columns, policy.masks, policy.rows, given)
        plan_rule(described, parse_rule(policy.rows, dict(given)) if policy.rows else ())
        apply_policy(described, read)
    except msgspec.DecodeError:
        raise AdminError("a row rule is JSON: a filter {column, function, value}, or a list of them") from None
    except InvalidParameter as refusal:
        raise AdminError(f"the row rule, {refusal.field}: {refusal.description} Expected: {refusal.expected}") from None
    except UnusablePolicy as refusal:
        raise AdminError(f"{described.name}: {refusal.detail or refusal.description}") from None


def explain_policy(
    policy: GrantPolicy, described: ObjectDescription | None, attributes: Mapping[str, str]
) -> tuple[bool, str]:
    """Tell whether a policy can be applied now, and in words what it leaves, or why not."""
    words = tell_policy(policy, described, attributes)
    try:
        read = read_policy(policy.columns, policy.masks, policy.rows, tuple(attributes.items()))
        if described is not None:
            apply_policy(described, read)
            plan_rule(described, read.rule)
    except MissingAttribute as missing:
        return False, f"{words}; the attribute {missing.name} is not set"
    except UnusablePolicy as refusal:
        return False, f"{words}; {refusal.detail or refusal.description}"
    return True, words


def _find(described: ObjectDescription, name: str) -> Column:
    found = find_column(described, name)
    if found is None:
        names = ", ".join(column.name for column in described.columns)
        raise AdminError(f"{described.name} has no column {name}; it has {names}")
    return found


def _check_mask(column: Column, mask: Mask) -> str:
    if not suits(mask, column):
        raise AdminError(f"the mask {mask} leaves nothing of {column.name} ({column.declared_type or 'no type'})")
    return mask.value
