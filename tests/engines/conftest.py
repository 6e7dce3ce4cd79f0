"""A serving of each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.servings import ENGINES, Serving
from support.mariadb import MariadbServer, run_mariadb

HEAVY = ("mariadb",)  # need a server that has to be installed: `make test-engines`

ENGINE_PARAMETERS = [pytest.param(name, marks=pytest.mark.engines if name in HEAVY else ()) for name in ENGINES]


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    """A MariaDB server, with databases for those who make them."""
    with run_mariadb(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


@pytest.fixture(params=ENGINE_PARAMETERS)
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serving]:
    with ENGINES[request.param](request, tmp_path) as opened:
        yield opened
