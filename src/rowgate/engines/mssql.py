"""SQL Server behind the generic fetcher: tables and views as any other engine's, its stored procedures, its errors.

Held against its documentation only: no server was at hand.
"""

from collections.abc import Sequence

import sqlalchemy

from rowgate.engines.manners import Ask
from rowgate.engines.mssql_calls import MISSING, find_number
from rowgate.engines.mssql_procedures import describe_procedure, list_procedures
from rowgate.engines.other import OtherManner
from rowgate.rows.dialects.mssql import MSSQL
from rowgate.rows.errors import EngineFailure, EngineUnavailable, RowsError
from rowgate.rows.model import ObjectDescription, ObjectListing

_MAY_PASS = frozenset(
    {
        *(1205, 1222, 3960),  # somebody's lock, or change
        *(701, 8645),  # no memory
        *(596, 6005, 17142),  # it is being stopped, or stopped this session
        *(921, 922, 927, 945, 976, 4060),  # the database is not open
        18456,  # it does not let us in
        *(10928, 10929, 40197, 40501, 40613, 49918),  # Azure has no room, or moves it
    }
)
_OTHER_TYPE = 206
_OF_CATALOG = frozenset({MISSING, _OTHER_TYPE, 207, 208, 2715, 2812, 8144, 8145})  # no such table, column, parameter …


class MssqlManner(OtherManner):
    """See `Manner`."""

    def __init__(self, url: sqlalchemy.URL, *, accept_unproven: bool) -> None:
        """Take the address."""
        super().__init__(url, accept_unproven=accept_unproven, dialect=MSSQL, title="SQL Server")

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """See `Manner`."""
        listed = [*super().list_objects(ask), *list_procedures(ask)]
        return sorted(listed, key=lambda found: found.name)

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """See `Manner`."""
        return super().describe(ask, name) or describe_procedure(ask, name, self.dialect)

    def translate(self, error: Exception) -> RowsError:
        """See `Manner`."""
        failed = super().translate(error)
        if isinstance(failed, EngineFailure) and find_number(error) in _MAY_PASS:
            return EngineUnavailable("The database cannot be read at the moment.", detail=failed.detail)
        return failed

    def is_away(self, error: Exception) -> bool:
        """See `OtherManner`. A call does not go through SQLAlchemy, which would have noted it."""
        lost = self._engine is not None and self._engine.dialect.is_disconnect(error, None, None)  # type: ignore[arg-type]
        return lost or super().is_away(error)

    def is_of_catalog(self, error: Exception) -> bool:
        """See `Manner`."""
        return find_number(error) in _OF_CATALOG
