"""A serving of each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.heavy import HEAVY
from engines.roads import every_road, open_road, roads
from engines.servings import DOES_NOT_APPLY, ENGINES, Serving
from support.clickhouse import ClickhouseServer, run_clickhouse
from support.mariadb import MariadbServer, run_mariadb
from support.mysql import MysqlServer, run_mysql
from support.trino import TrinoServer, run_trino

__all__ = ["every_road", "open_road", "roads"]

ENGINE_PARAMETERS = [pytest.param(name, marks=HEAVY.get(name, ())) for name in ENGINES]


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    """A MariaDB server, with databases for those who make them."""
    with run_mariadb(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickhouseServer]:
    """ClickHouse, with databases for those who make them."""
    with run_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture(scope="session")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MysqlServer]:
    """A MySQL server, with databases for those who make them."""
    with run_mysql(tmp_path_factory.mktemp("mysql")) as running:
        yield running


@pytest.fixture(scope="session", params=["mariadb", pytest.param("mysql", marks=HEAVY["mysql"])])
def either(request: pytest.FixtureRequest) -> MariadbServer:
    """A MariaDB server, then a MySQL server, for what is the same on both."""
    server: MariadbServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def trino(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrinoServer]:
    """A Trino server with one catalog."""
    with run_trino(tmp_path_factory.mktemp("trino")) as running:
        yield running


@pytest.fixture(autouse=True)
def applies(request: pytest.FixtureRequest) -> None:
    """Skip what an engine does not have."""
    call = getattr(request.node, "callspec", None)
    params = call.params if call else {}
    named = ("serving", "unharmed", "served", "bench", "every_road", "roads")
    engine = next((str(params[name]) for name in named if name in params), "")
    if request.node.originalname.removeprefix("test_") in DOES_NOT_APPLY.get(engine, ()):
        pytest.skip(f"does not apply to {engine}")


@pytest.fixture(params=ENGINE_PARAMETERS)
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serving]:
    with ENGINES[request.param](request, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module", params=ENGINE_PARAMETERS)
def unharmed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A serving that is only read; three rows are in its table."""
    with ENGINES[request.param](request, tmp_path_factory.mktemp("unharmed")) as opened:
        opened.execute("INSERT INTO made VALUES (1), (2), (3)")
        yield opened
