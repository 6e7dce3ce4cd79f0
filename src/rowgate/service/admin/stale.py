"""What was set for names of objects, held against the objects that there are now.

Rule: of a database that cannot be asked nothing is said.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from rowgate.records import StateSnapshot
from rowgate.rows.errors import RowsError
from rowgate.service.databases import Databases


def find_stale(state: StateSnapshot, databases: Databases) -> tuple[Sequence[str], Sequence[str]]:
    """Give in words the aliases that hide an object of their name, and what was set for objects that are gone."""
    listed, unreachable = databases.list_reachable()
    there = {found.name for found in listed}
    away = {missing.namespace for missing in unreachable}
    aliases = {alias: settings.name for settings in state.objects for alias in settings.aliases}
    hiding = [f"{alias} is {name}" for alias, name in sorted(aliases.items()) if alias in there]
    gone = [
        f"{name} ({', '.join(words)})"
        for name, words in _list_set(state).items()
        if name not in there and _is_gone(databases, name, away)
    ]
    return hiding, gone


def _list_set(state: StateSnapshot) -> Mapping[str, Sequence[str]]:
    """Give in words what is set for each object, in order of name."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for grants in sorted(state.grants, key=lambda grants: grants.application.name):
        for name in grants.objects:
            limited = " with limits" if name in grants.policies else ""
            found[name].append(f"granted to {grants.application.name}{limited}")
    for settings in state.objects:
        if settings.blocked:
            found[settings.name].append("blocked")
        if settings.aliases:
            found[settings.name].append(f"called {' and '.join(settings.aliases)}")
    return dict(sorted(found.items()))


def _is_gone(databases: Databases, name: str, away: Collection[str]) -> bool:
    home, _ = databases.find_database(name)
    if home is None:
        return True  # its [[databases]] table was taken out of the settings, or named otherwise
    try:
        # an engine may find what it does not list
        return home.namespace not in away and databases.find_object(name) is None
    except RowsError:
        return False
