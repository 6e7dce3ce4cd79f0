"""The serving of an engine of which nothing is known: PostgreSQL by way of SQLAlchemy and psycopg; see servings.py."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from engines.servings_postgres import PostgresServing
from rowgate.engines.generic import GenericSource
from rowgate.engines.other import OtherManner
from rowgate.ports.rows import RowSource
from rowgate.rows.model import Statement

_NUMBERS = "SELECT {} FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c) t"
OF_OTHERS = frozenset(
    {
        "a_plan_of_hostile_values_tells_none_of_them",  # nobody knows where they stand in one
        "a_sum_beyond_64_bits_is_refused_and_an_average_is_not",  # it is what the engine makes of it
        "locked_database_is_unavailable_and_then_available",  # nobody knows how to tell it not to wait
        "plan_is_explained_in_lines",  # as above
    }
)


class OtherServing(PostgresServing):
    """See `Serving`."""

    runaway = Statement(_NUMBERS.format("max(n)"), ())
    endless = Statement(_NUMBERS.format("n"), ())

    def open_source(self) -> RowSource:
        url = sqlalchemy.make_url(self.server.address(self.name)).set(drivername="postgresql+psycopg")
        return GenericSource(OtherManner(url, accept_unproven=True, clock=self.clock), clock=self.clock)


@contextmanager
def serve_other(request: pytest.FixtureRequest, _: Path) -> Iterator[Any]:
    serving = OtherServing(request.getfixturevalue("postgres"))
    with closing(serving.source):
        yield serving
    serving.remove()
