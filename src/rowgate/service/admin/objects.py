"""Objects of the served databases, procedures among them: blocks, aliases, run keys."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from rowgate.records import ObjectSettings
from rowgate.rows.columns import find_column
from rowgate.rows.model import ObjectDescription, ObjectListing
from rowgate.rows.plan import find_run_key
from rowgate.rows.procedures import Procedure
from rowgate.rows.sql import render_key_check
from rowgate.service.admin.desk import AdminError, Desk
from rowgate.service.databases import Unreachable

_CHECK_SECONDS = 600.0
_STEPS = (".", "..")  # RFC 3986 §5.2.4 takes them out of a path
_MAX_ALIAS = 200  # characters
_MAX_TITLE = 200
_MAX_DESCRIPTION = 4000


class ObjectDesk:
    """Says which objects there are, blocks them and names them."""

    def __init__(self, desk: Desk, list_faults: Callable[[], Sequence[tuple[str, str]]]) -> None:
        """Take the administrator's tools, and what tells which procedures cannot be called, and why."""
        self._desk = desk
        self.list_faults = list_faults

    def list_all(self) -> tuple[Sequence[tuple[ObjectListing, ObjectSettings]], Sequence[Unreachable]]:
        """Give the objects with what is set for them, and the databases that cannot be asked now."""
        with self._desk.store.reading() as look:
            settings = {found.name: found for found in look.list_object_settings()}
        listed, unreachable = self._desk.databases.list_reachable()
        return [(found, settings.get(found.name) or ObjectSettings(found.name)) for found in listed], unreachable

    def block(self, name: str, *, reason: str) -> ObjectSettings:
        """Keep everybody from an object."""
        return self._change_object(name, "object.block", lambda old: replace(old, blocked=True, block_reason=reason))

    def unblock(self, name: str) -> ObjectSettings:
        """Let those who are granted an object read it again."""
        return self._change_object(name, "object.unblock", lambda old: replace(old, blocked=False, block_reason=""))

    def add_alias(self, name: str, alias: str) -> ObjectSettings:
        """Give an object a second name (O-24).

        Raises:
            AdminError: The alias is the name of an object, or cannot stand in an address.
            NameTaken: The alias belongs to another object.
        """
        if not alias.strip() or len(alias) > _MAX_ALIAS or "/" in alias or not alias.isprintable():
            raise AdminError(f"an alias has 1 to {_MAX_ALIAS} printable characters, and no /")
        if alias in _STEPS:
            raise AdminError(f"{alias} cannot stand in an address: clients and proxies leave it out")
        if self._desk.databases.is_in_namespace(alias):
            raise AdminError(f"{alias} looks like an object of a [[databases]] table of that name")
        if self._desk.databases.find_object(alias) is not None:
            raise AdminError(f"{alias} is the name of an object already")
        return self._change_object(
            name, "object.alias", lambda old: replace(old, aliases=tuple(sorted({*old.aliases, alias})))
        )

    def remove_alias(self, name: str, alias: str) -> ObjectSettings:
        """Take a second name away.

        Raises:
            AdminError: It is no alias, or another object's.
        """
        if self._desk.resolve_object(alias) != self._desk.resolve_object(name):
            raise AdminError(f"{alias} is no alias of {name}")
        return self._change_object(
            alias,
            "object.unalias",
            lambda old: replace(old, aliases=tuple(a for a in old.aliases if a != alias)),
            only_alias=True,
        )

    def set_run_key(self, name: str, column: str) -> ObjectSettings:
        """Say which column tells the runs apart; empty: the one named JobRunTimeKey, if any (O-25).

        Raises:
            AdminError: The object has no such column, or is a procedure.
        """
        resolved = self._desk.resolve_object(name)
        described = _refuse_procedure(self._desk.databases.find_object(resolved))
        if column and (described is None or find_run_key(described, column) is None):
            raise AdminError(f"{resolved} has no column {column}")
        return self._change_object(name, "object.run_key", lambda old: replace(old, run_key=column))

    def set_key(self, name: str, columns: Sequence[str]) -> ObjectSettings:
        """Say which columns together tell all rows apart; none: what the database says of itself.

        Raises:
            AdminError: The object has no such column, or rows that they do not tell apart; or is a procedure.
            EngineUnavailable: The database cannot be read.
        """
        resolved = self._desk.resolve_object(name)
        described = _refuse_procedure(self._desk.databases.find_object(resolved))
        found = [find_column(described, column) if described else None for column in columns]
        for column, there in zip(columns, found, strict=True):
            if there is None:
                raise AdminError(f"{resolved} has no column {column}")
        key = tuple(dict.fromkeys(there.name for there in found if there))
        if key and described is not None:
            self._prove_key(described, key)
        return self._change_object(
            name, "object.key", lambda old: replace(old, details=msgspec.structs.replace(old.details, key=key))
        )

    def set_title(self, name: str, title: str, description: str) -> ObjectSettings:
        """Say what an object is, for the people who read it; empty texts say nothing.

        Raises:
            AdminError: A title of more than one line, or texts that are too long.
        """
        if len(title) > _MAX_TITLE or not title.isprintable() or len(description) > _MAX_DESCRIPTION:
            raise AdminError(
                f"a title has one line of up to {_MAX_TITLE} characters, a description up to {_MAX_DESCRIPTION}"
            )

        def edit(old: ObjectSettings) -> ObjectSettings:
            return replace(old, details=msgspec.structs.replace(old.details, title=title, description=description))

        return self._change_object(name, "object.title", edit)

    def _prove_key(self, described: ObjectDescription, key: tuple[str, ...]) -> None:
        source = self._desk.databases.open_source(described)
        blocks = source.open_rows(render_key_check(described, key, source.dialect), statement_seconds=_CHECK_SECONDS)
        try:
            counterexample = blocks.read_block()
        finally:
            blocks.close()
        if counterexample:
            raise AdminError(f"the rows of {described.name} are not told apart by {', '.join(key)}, or it holds NULL")

    def describe(self, name: str) -> tuple[ObjectDescription, ObjectSettings]:
        """Give an object with its columns and what is set for it.

        Raises:
            AdminError: It does not exist.
        """
        resolved = self._desk.resolve_object(name)
        described = self._desk.databases.find_object(resolved)
        if described is None:
            raise AdminError(f"{resolved} does not exist in the database any more")
        with self._desk.store.reading() as look:
            return described, look.find_object_settings(resolved)

    def _change_object(
        self, name: str, action: str, edit: Callable[[ObjectSettings], ObjectSettings], *, only_alias: bool = False
    ) -> ObjectSettings:
        resolved = self._desk.resolve_object(name)
        if only_alias and resolved == name:
            raise AdminError(f"{name} is no alias")
        with self._desk.store.changing() as change:
            changed = edit(change.find_object_settings(resolved))
            change.set_object_settings(changed)
            self._desk.tell(
                action,
                resolved,
                blocked=changed.blocked,
                reason=changed.block_reason,
                aliases=list(changed.aliases),
                run_key=changed.run_key,
                key=list(changed.details.key),
                title=changed.details.title,
            )
        return changed


def _refuse_procedure(described: ObjectDescription | None) -> ObjectDescription | None:
    if isinstance(described, Procedure):
        raise AdminError(f"{described.name} is a procedure: what it gives is given whole, without runs or pages")
    return described


def tell_settings(settings: ObjectSettings) -> dict[str, object]:
    """Give what is set for an object, member by member, for JSON."""
    return {
        "blocked": settings.blocked,
        "block_reason": settings.block_reason,
        "aliases": settings.aliases,
        "run_key": settings.run_key,
        **msgspec.structs.asdict(settings.details),
    }
