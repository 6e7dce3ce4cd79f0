"""The served databases: finds by an object's name which one it is in.

Rule: a name stands for one object, by exact look-up. What stands before its first dot is a namespace if there is one
so called; any other name belongs to the plain database.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from rowgate.ports.rows import RowSource
from rowgate.rows.errors import EngineUnavailable, NotReadOnly, RowsError
from rowgate.rows.model import ObjectDescription, ObjectListing

_log = logging.getLogger("rowgate.databases")

PLAIN = ""  # the namespace of the database whose objects have none
_DOT = "."
_KEPT_NAMES = 20_000


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A database that cannot be asked now."""

    namespace: str
    error: RowsError


class Database:
    """One served database. Nothing is asked of it before it has proven that it cannot be written."""

    def __init__(self, namespace: str, source: RowSource) -> None:
        """Take the source; nothing is opened yet."""
        self.namespace = namespace
        self._source = source
        self._is_proven = False
        self._proving = threading.Lock()
        self._failure_counts_until = float("-inf")
        self._named: dict[str, tuple[ObjectDescription, ObjectDescription]] = {}

    @property
    def engine(self) -> str:
        """Name the engine, for people."""
        return self._source.name

    @property
    def label(self) -> str:
        """Name the database, for people."""
        return f"database {self.namespace}" if self.namespace else "the database"

    def open_source(self) -> RowSource:
        """Give the source, proven read-only once by this process.

        Raises:
            EngineUnavailable: It cannot be reached now, or would let us write.
        """
        if not self._is_proven:
            with self._proving:
                if not self._is_proven:
                    self._prove_again()
        return self._source

    def _prove_again(self) -> None:
        begun = time.monotonic()
        if begun < self._failure_counts_until:
            raise EngineUnavailable("The database cannot be read at the moment.", detail="it did not answer just now")
        try:
            self.prove_read_only()
        except NotReadOnly as error:
            _log.error("%s is not served: it is not read-only: %s", self.label, error)
            raise EngineUnavailable("The database cannot be read at the moment.", detail=str(error)) from error
        except RowsError:
            # as long as it took to find out: readers must not queue up behind the time-outs of a database that is down
            failed_at = time.monotonic()
            self._failure_counts_until = failed_at + (failed_at - begun)
            raise

    def prove_read_only(self) -> None:
        """See `ports.RowSource`."""
        self._source.prove_read_only()
        self._is_proven = True

    def check_reachable(self) -> None:
        """See `ports.RowSource`; a database that was never proven is proven first."""
        self.open_source().check_reachable()

    def list_objects(self) -> Sequence[ObjectListing]:
        """See `ports.RowSource`; the names are those that clients use."""
        listed = self.open_source().list_objects()
        if not self.namespace:
            return listed
        return [replace(found, name=self.name_for_clients(found.name)) for found in listed]

    def find_object(self, own_name: str) -> ObjectDescription | None:
        """Give the object that this database calls so, under the name that clients use."""
        described = self.open_source().find_object(own_name)
        if described is None or not self.namespace:
            return described
        kept = self._named.get(own_name)
        if kept is not None and kept[0] is described:
            return kept[1]  # to name it anew would cost more than a small read's plan
        named = replace(described, name=self.name_for_clients(own_name))
        if len(self._named) >= _KEPT_NAMES:
            self._named.clear()
        self._named[own_name] = described, named
        return named

    def count_connections(self) -> int | None:
        """See `ports.RowSource`."""
        return self._source.count_connections()

    def name_for_clients(self, own_name: str) -> str:
        """Give the name that clients use for what this database calls so."""
        return f"{self.namespace}{_DOT}{own_name}" if self.namespace else own_name

    def close(self) -> None:
        """Let go of every connection."""
        self._source.close()


class Databases:
    """All of them, by namespace."""

    def __init__(self, databases: Iterable[Database]) -> None:
        """Take them; at most one has the plain namespace."""
        self._by_namespace = {database.namespace: database for database in databases}

    @property
    def all(self) -> Sequence[Database]:
        """Every database, the plain one first."""
        return sorted(self._by_namespace.values(), key=lambda database: database.namespace)

    def find_database(self, name: str) -> tuple[Database | None, str]:
        """Give where an object of that name would be, and what it is called there."""
        namespace, dot, rest = name.partition(_DOT)
        if dot and namespace and (found := self._by_namespace.get(namespace)) is not None:
            return found, rest
        return self._by_namespace.get(PLAIN), name

    def find_object(self, name: str) -> ObjectDescription | None:
        """Give the object of exactly this name, or None. Asks only the database that it would be in.

        Raises:
            EngineUnavailable: That database cannot be asked now.
        """
        database, own_name = self.find_database(name)
        return None if database is None else database.find_object(own_name)

    def open_source(self, described: ObjectDescription) -> RowSource:
        """Give the source of an object that was found here."""
        database, _ = self.find_database(described.name)
        assert database is not None, "internal error: an object without its database"
        return database.open_source()

    def list_objects(self, among: Iterable[str] | None = None) -> Sequence[ObjectListing]:
        """Give the tables and views in order of name.

        Args:
            among: Names that the asker cares for: only databases in which they would be are asked. None: all are.

        Raises:
            EngineUnavailable: One of these databases cannot be asked: a list that lacks objects must not look whole.
        """
        asked = self.all if among is None else self._list_homes(among)
        found, unreachable = self._collect(asked)
        if unreachable:
            raise unreachable[0].error
        return found

    def list_reachable(self) -> tuple[Sequence[ObjectListing], Sequence[Unreachable]]:
        """Give the tables and views of the databases that answer, and those that do not."""
        return self._collect(self.all)

    def find_clashes(self) -> Sequence[str]:
        """Give the plain database's objects whose names look as if they were in a namespace.

        They are not served: the namespace has the name, whenever the object was made.

        Raises:
            EngineUnavailable: The plain database cannot be asked now.
        """
        plain = self._by_namespace.get(PLAIN)
        if plain is None or len(self._by_namespace) == 1:
            return ()
        return [found.name for found in plain.list_objects() if self.find_database(found.name)[0] is not plain]

    def is_in_namespace(self, name: str) -> bool:
        """Tell whether a name is one that a namespace has."""
        database, _ = self.find_database(name)
        return database is not None and bool(database.namespace)

    def close(self) -> None:
        """Let go of every connection."""
        for database in self._by_namespace.values():
            database.close()

    def _list_homes(self, names: Iterable[str]) -> Sequence[Database]:
        homes = {home.namespace: home for name in names if (home := self.find_database(name)[0]) is not None}
        return list(homes.values())

    def _collect(self, databases: Iterable[Database]) -> tuple[Sequence[ObjectListing], Sequence[Unreachable]]:
        found: list[ObjectListing] = []
        unreachable: list[Unreachable] = []
        for database in databases:
            try:
                listed = database.list_objects()
            except RowsError as error:
                unreachable.append(Unreachable(database.namespace, error))
                continue
            is_alone = len(self._by_namespace) == 1
            found += listed if is_alone else [o for o in listed if self.find_database(o.name)[0] is database]
        return sorted(found, key=attrgetter("name")), unreachable
