"""What every administrative act needs: the store, the catalog, and a way to put it on record.

The record is made durable inside the store's transaction, before it commits: what changed is always on
record; in the worst case a change is on record that a crash then undid.
"""

import difflib
import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rowgate.audit.events import AdministrativeChange, Event
from rowgate.oauth.lifetimes import NO_MAXIMA, Maxima
from rowgate.oauth.model import Application
from rowgate.ports import Clock, Entropy, Store, StoreWriter
from rowgate.rows.errors import RowsError
from rowgate.service.databases import Databases


class AdminError(Exception):
    """The change cannot be made; the text says why and what would work."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The administrator's tools."""

    store: Store
    databases: Databases
    record: Callable[[Event], None]  # returns when the event is durable
    actor: str
    clock: Clock
    entropy: Entropy
    maxima: Maxima = NO_MAXIMA

    def resolve_object(self, name: str) -> str:
        """Give the database's own name for a name or alias; an alias comes first, as in an address.

        So whoever blocks a name blocks what is read by it, whatever the database has made since of that name.

        Raises:
            AdminError: There is neither.
            RowsError: The database cannot be asked, and nothing is set or granted by that name.
        """
        with self.store.reading() as look:
            aliased = list_aliases(look).get(name)
        if aliased is not None:
            return aliased
        try:
            if self.databases.find_object(name) is not None:
                return name
            unreachable = None
        except RowsError as error:
            unreachable = error  # what was set or granted can still be changed: a block does not wait for a database
        with self.store.reading() as look:
            # the object is gone from the database; what was set for it can still be changed
            is_known = any(found.name == name for found in look.list_object_settings())
            is_known = is_known or (unreachable is not None and _is_granted(look, name))
        if not is_known and unreachable is not None:
            raise unreachable
        if not is_known:
            alike = find_alike(name, [found.name for found in self.databases.list_objects()])
            hint = f"did you mean {alike}?" if alike else "`rowgate object list` shows them all"
            raise AdminError(f"there is no object {name}; {hint}")
        return name

    def resolve_objects(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Give the database's own names for names, aliases and patterns such as `SA_*`.

        Raises:
            AdminError: One of them stands for nothing.
        """
        names = [found.name for found in self.databases.list_objects()]
        resolved: list[str] = []
        for item in wanted:
            if any(sign in item for sign in "*?[") and item not in names:
                matching = [name for name in names if fnmatch.fnmatchcase(name, item)]
                if not matching:
                    raise AdminError(f"no object matches {item}; `rowgate object list` shows them all")
                resolved += matching
            else:
                resolved.append(self.resolve_object(item))
        return tuple(dict.fromkeys(resolved))

    def tell(self, action: str, target: str, **details: Any) -> None:
        """Put a change on record; call it inside the transaction that makes the change."""
        event = AdministrativeChange(at=self.clock(), actor=self.actor, action=action, target=target, details=details)
        self.record(event)


def find_alike(name: str, names: Sequence[str]) -> str | None:
    """Give the one of the names that somebody who wrote another most likely meant; None: none is like it.

    >>> find_alike("reprot", ["reports", "gateway"]), find_alike("SALES", ["sales"]), find_alike("x", ["sales"])
    ('reports', 'sales', None)
    """
    folded = {each.lower(): each for each in reversed(names)}
    alike = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.75)
    return folded[alike[0]] if alike else None


def load_application(look: StoreWriter, name: str) -> tuple[Application, tuple[str, ...]]:
    """Give the application of a name or client id with its objects.

    Raises:
        AdminError: There is none.
    """
    found = look.find_application(name)
    if found is None:
        alike = find_alike(name, [application.name for application, _ in look.list_applications()])
        hint = f"did you mean {alike}?" if alike else "`rowgate app list` shows them all"
        raise AdminError(f"there is no application {name}; {hint}")
    return found


def _is_granted(look: StoreWriter, name: str) -> bool:
    return any(name in objects for _, objects in look.list_applications())


def list_aliases(look: StoreWriter) -> dict[str, str]:
    """Give the objects' names by their aliases."""
    return {alias: settings.name for settings in look.list_object_settings() for alias in settings.aliases}
