"""Tells applications what they may read: which objects there are for them, and what those hold."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec

from rowgate.access import Access
from rowgate.oauth.authorization_details import find_allowed_columns
from rowgate.oauth.errors import InsufficientScope
from rowgate.ports.spending import Spent
from rowgate.rows.conditions import list_functions
from rowgate.rows.errors import InvalidParameter, UnknownObject, UnusablePolicy
from rowgate.rows.holds import Holds
from rowgate.rows.masking import describe_masked
from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, Family, Format, RowsRequest
from rowgate.rows.parameters import require_callable
from rowgate.rows.plan import find_row_key, find_run_key
from rowgate.rows.policy import apply_policy, keep_allowed, plan_rule
from rowgate.rows.procedures import PROCEDURE, Parameter, Procedure, describe_type, render_default
from rowgate.service.budgets import Budgets
from rowgate.service.databases import Databases
from rowgate.service.object_access import ObjectAccess, refuse_policy
from rowgate.service.planning import make_planner
from rowgate.service.state import LiveState

_T = TypeVar("_T")
_NOTHING = ""
MAX_DESCRIBED = 1000  # objects at once


class DescribedColumn(msgspec.Struct, frozen=True):
    """A column that an application may read."""

    name: str
    type: str  # as the database declares it; empty: it says nothing
    compares_as: Family
    json_type: str  # what its values mostly are in JSON; empty: whatever was stored
    may_be_null: bool
    filters: tuple[str, ...]  # functions that filters may have; none where it is masked
    mask: Mask | None  # what stands in place of its values


class ListedObject(msgspec.Struct, frozen=True):
    """An object that an application may read."""

    name: str
    kind: str  # table, view, procedure
    aliases: tuple[str, ...]
    title: str
    href: str  # where it is described
    rows: str | None  # where its rows are; None: it is a procedure
    proc: str | None  # where it is called, if it is a procedure


class CountedObject(ListedObject, frozen=True):
    """The same, with about how many rows there are."""

    estimated_rows: int | None  # that `rows` would give by itself; None: the engine has no guess that may be told


class DescribedParameter(msgspec.Struct, frozen=True):
    """A parameter of a procedure."""

    name: str
    type: str
    required: bool
    default: str | int | float | None  # what stands for it when it is not given; the database may have its own
    has_default: bool
    columns: tuple[dict[str, str], ...] | None  # of a table: a list of rows, each an object of these
    description: str


class DescribedObject(ListedObject, frozen=True):
    """The same, with what it holds."""

    description: str
    columns: tuple[DescribedColumn, ...]
    run_key: str | None  # the column that tells runs apart; the newest run is read unless a request says otherwise
    runs: str | None  # where its runs are listed, if it keeps them apart
    key: tuple[str, ...] | None  # columns that tell rows apart, where the application may know of all of them
    pages_by_cursor: bool
    some_rows_only: bool  # a rule decides which rows there are for the application
    formats: tuple[str, ...]
    parameters: tuple[DescribedParameter, ...] | None  # None: it is no procedure


class DescriptionService:
    """Describes objects to an Access, by the same decision that rows are read by."""

    def __init__(
        self, state: LiveState, databases: Databases, objects: ObjectAccess, *, budgets: Budgets, data_url: str
    ) -> None:
        """Take what is described; `data_url` is the address of all objects."""
        self._state = state
        self._databases = databases
        self._objects = objects
        self._budgets = budgets
        self._data_url = data_url

    async def list_objects(self, access: Access, *, with_estimates: bool = False) -> Sequence[ListedObject]:
        """Give what the token may read, in order of name; with estimates each is a `CountedObject`.

        An estimate costs one row of the application's budget, as `count` does.

        Raises:
            InsufficientScope: It may read nothing at all, by its scope.
            RowsError: The database cannot be asked now, there are more than `MAX_DESCRIBED` to estimate, or they
                do not fit into the budget.
        """
        self._objects.decide_scope(access)
        if with_estimates:
            return await self._count_all(access)
        return await _in_thread(lambda: self._list(access))

    async def describe(self, access: Access, object_name: str) -> DescribedObject:
        """Give one object, by name or alias, with the columns that the token allows.

        Raises:
            InsufficientScope: The token, the grants or a block stand against it.
            RowsError: No such object, or the database cannot be asked now.
        """
        return await _in_thread(lambda: self._describe(access, object_name))

    async def describe_all(self, access: Access) -> Sequence[DescribedObject]:
        """Give all that the token may read, each described, in order of name.

        Raises:
            InsufficientScope: It may read nothing at all, by its scope.
            RowsError: The database cannot be asked now, or there are more than `MAX_DESCRIBED`.
        """
        self._objects.decide_scope(access)
        return await _in_thread(lambda: self._describe_all(access))

    async def _count_all(self, access: Access) -> Sequence[CountedObject]:
        number = access.application_number
        await self._budgets.check(number)
        counted = await _in_thread(lambda: [self._count(access, listed) for listed in self._list_few(access)])
        self._budgets.charge(number, Spent(rows=sum(one.estimated_rows is not None for one in counted)))
        return counted

    def _count(self, access: Access, listed: ListedObject) -> CountedObject:
        return CountedObject(**msgspec.structs.asdict(listed), estimated_rows=self._estimate(access, listed.name))

    def _estimate(self, access: Access, name: str) -> int | None:
        described = self._databases.find_object(name)
        if described is None or isinstance(described, Procedure):
            return None
        try:
            policy = self._objects.find_policy(access, name)
            plan = make_planner(access, described, policy, self._state)(RowsRequest())
        except (InsufficientScope, InvalidParameter):  # withdrawn meanwhile, or nothing of it can be read
            return None
        # what engines know is of all rows
        return None if plan.rule else self._databases.open_source(described).estimate_rows(plan)

    def _describe_all(self, access: Access) -> Sequence[DescribedObject]:
        described = []
        for item in self._list_few(access):
            found = self._databases.find_object(item.name)
            if isinstance(found, Procedure) and found.fault:
                continue  # declared wrongly: it cannot be called
            with contextlib.suppress(UnknownObject, InsufficientScope):  # it is gone, or withdrawn, meanwhile
                described.append(self._describe(access, item.name))
        return described

    def _list(self, access: Access) -> Sequence[ListedObject]:
        listed = self._databases.list_objects(self._state.list_granted(access.application_number))
        readable = [found for found in listed if self._objects.may_read(access, found.name)]
        return [ListedObject(*self._head(found.name, found.kind, found.title)) for found in readable]

    def _list_few(self, access: Access) -> Sequence[ListedObject]:
        """Give them where the database can be asked about each one: that takes milliseconds an object."""
        listed = self._list(access)
        if len(listed) > MAX_DESCRIBED:
            raise InvalidParameter(
                "The token may read more objects than one answer looks at.",
                field="authorization_details",
                expected=f"a token for at most {MAX_DESCRIBED} objects",
            )
        return listed

    def _describe(self, access: Access, object_name: str) -> DescribedObject:
        name = self._state.resolve_alias(object_name)
        complete = self._objects.decide(access, name, self._databases.find_object(name))
        procedure = complete if isinstance(complete, Procedure) else None
        if procedure is not None:
            require_callable(procedure)
        settings = self._state.find_settings(name)
        policy = self._objects.find_policy(access, name)
        try:
            granted = apply_policy(complete, policy)
            plan_rule(complete, policy.rule)
        except UnusablePolicy as error:
            raise refuse_policy() from error
        known = keep_allowed(granted, find_allowed_columns(access.allowed, name))
        run_key = find_run_key(complete, settings.run_key)
        key = find_row_key(granted, settings.details.key)
        is_known = bool(key) and all(column in known.columns for column in key)
        head = self._head(name, complete.kind, procedure.title if procedure else "")
        *_, href, _, _ = head
        shows_runs = run_key is not None and run_key in known.columns and procedure is None
        return DescribedObject(
            *head,
            description=settings.details.description or (procedure.description if procedure else ""),
            columns=tuple(_describe_column(column) for column in known.columns),
            run_key=run_key.name if run_key is not None and shows_runs else None,
            runs=f"{href}/runs" if shows_runs else None,
            key=tuple(column.name for column in key) if is_known else None,
            pages_by_cursor=bool(key),
            some_rows_only=bool(policy.rule),
            formats=tuple(Format),
            parameters=tuple(_describe_parameter(one) for one in procedure.parameters) if procedure else None,
        )

    def _head(
        self, name: str, kind: str, title: str
    ) -> tuple[str, str, tuple[str, ...], str, str, str | None, str | None]:
        settings = self._state.find_settings(name)
        href = f"{self._data_url}/{quote(name, safe=_NOTHING)}"
        rows, proc = (None, f"{href}/proc") if kind == PROCEDURE else (f"{href}/rows", None)
        return name, kind, settings.aliases, settings.details.title or title, href, rows, proc


def _describe_column(complete: Column) -> DescribedColumn:
    column = describe_masked(complete)
    return DescribedColumn(
        name=column.name,
        type=column.declared_type,
        compares_as=column.family,
        json_type=_find_json_type(column),
        may_be_null=not column.never_null,
        filters=tuple(function.value for function in list_functions(column)) if column.mask is None else (),
        mask=column.mask,
    )


def _describe_parameter(parameter: Parameter) -> DescribedParameter:
    kind = parameter.type
    return DescribedParameter(
        name=parameter.name,
        type=describe_type(kind),
        required=parameter.required,
        default=render_default(parameter),
        has_default=parameter.has_own_default or parameter.default is not None,
        columns=tuple({"name": c.name, "type": c.type.value} for c in kind) if isinstance(kind, tuple) else None,
        description=parameter.description,
    )


def _find_json_type(column: Column) -> str:
    match column.family:
        case Family.BOOLEAN if column.holds is Holds.BOOLEAN:
            return "boolean"
        case Family.NUMBER if column.may_be_real:
            return "number"
        case Family.NUMBER | Family.BOOLEAN:
            return "integer"
        case Family.ANY:
            return ""
        case _:
            return "string"


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Do it in a thread: the catalog may have to be read."""
    return await asyncio.to_thread(work)
