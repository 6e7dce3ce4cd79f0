"""Trino behind the generic fetcher: a schema of one of its catalogs, over HTTP.

A statement begins as a question does, and in Trino's grammar such a statement writes nothing; it takes one at a time.
What an account may do in another system's tables it cannot tell, so `other.py` decides on that.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy
from trino.exceptions import TrinoQueryError

from rowgate.engines import trino_catalog
from rowgate.engines.manners import CONNECT_SECONDS, Ask
from rowgate.engines.other import OtherManner
from rowgate.engines.trino_plan import TELLS_STEPS, TELLS_TABLES, tell_plan, write_values_in
from rowgate.rows.dialects.trino import TRINO
from rowgate.rows.errors import EngineUnavailable, InvalidParameter, RowsError
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement

ANSWER_SECONDS = 30  # that the coordinator may be silent; a statement under way gives a sign within a second
_OF_CATALOG = ("TABLE_NOT_FOUND", "COLUMN_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "VIEW_IS_STALE")
_AWAY = ("SERVER_SHUTTING_DOWN", "SERVER_STARTING_UP", "NO_NODES_AVAILABLE", "CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND")
_AWAY_TYPES = ("INSUFFICIENT_RESOURCES", "EXTERNAL")  # external: the system behind the catalog
_TOO_LARGE = "NUMERIC_VALUE_OUT_OF_RANGE"


class TrinoManner(OtherManner):
    """See `Manner`."""

    explains_by = TELLS_STEPS

    def __init__(self, url: sqlalchemy.URL, *, accept_unproven: bool) -> None:
        """Take the address, which names a catalog and a schema."""
        options = {
            "timezone": "UTC",
            "request_timeout": (CONNECT_SECONDS, ANSWER_SECONDS),
            "legacy_prepared_statements": False,  # or the driver would ask the server first whether it must
        }
        super().__init__(url, accept_unproven=accept_unproven, dialect=TRINO, title="Trino", options=options)
        self.catalog, _, self.schema = (url.database or "").partition("/")

    def check_presence(self, ask: Ask) -> None:
        """See `Manner`."""
        if not trino_catalog.has_schema(ask, self.schema):
            raise EngineUnavailable("The database cannot be read at the moment.", detail="the schema is not there")

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """See `Manner`."""
        return trino_catalog.list_catalog(ask, self.schema)

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """See `Manner`."""
        return trino_catalog.describe(ask, self.schema, name)

    def explain(self, ask: Ask, statement: Statement) -> Sequence[str]:
        """See `Manner`."""
        text = write_values_in(statement)
        ((steps,),), ((tables,),) = ask(TELLS_STEPS + text), ask(TELLS_TABLES + text)
        return tell_plan(steps, tables)

    def check(self, connection: Any, text: str, *, seconds: float) -> None:
        """See `Manner`."""
        super().check(connection, text.removeprefix(TELLS_TABLES), seconds=seconds)

    def wake(self, connection: Any) -> None:
        """See `Manner`. The server is told so, and ends its answer; who waits for others must not wait for that."""
        before = getattr(connection, "rowgate_cancelling", None)
        if before is None or not before.is_alive():
            connection.rowgate_cancelling = threading.Thread(target=self.stop, args=(connection,), daemon=True)
            connection.rowgate_cancelling.start()

    def stop(self, connection: Any) -> None:
        """See `Manner`."""
        with suppress(Exception):  # the server may be gone; whatever the driver stumbles over, it is not used again
            connection.rowgate_cursor.cancel()

    def translate(self, error: Exception) -> RowsError:
        """See `Manner`."""
        detail = f"{type(error).__name__}: {error}"
        if isinstance(error, TrinoQueryError):
            if error.error_name == _TOO_LARGE:
                return InvalidParameter(
                    "A number is beyond what the database can compute.", field="aggregates", expected="avg"
                )
            if error.error_type in _AWAY_TYPES or error.error_name in _AWAY:
                return EngineUnavailable("The database cannot be read at the moment.", detail=detail)
        return super().translate(error)

    def is_away(self, error: Exception) -> bool:
        """See `OtherManner`."""
        return type(error).__name__ in ("TrinoConnectionError", "TrinoAuthError") or "Http50" in type(error).__name__

    def is_of_catalog(self, error: Exception) -> bool:
        """See `Manner`."""
        return isinstance(error, TrinoQueryError) and error.error_name in _OF_CATALOG
