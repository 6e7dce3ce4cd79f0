"""Fixtures that several folders use."""

import gc
from collections.abc import Iterator
from pathlib import Path

import authlib.deprecate  # noqa: F401 - it sets a filter of its own, which must stand behind those of pyproject.toml
import pytest
from hypothesis import HealthCheck, settings

from rowgate.sample import build_sample
from rowgate.wiring.worker import GC_THRESHOLDS
from support.certificates import Authority
from support.clock import MovableClock
from support.homes import make_home
from support.postgres import PostgresServer, run_postgres
from support.servers import RunningServer, run_server

pytest_plugins = ["support.engines_report", "support.numbers", "support.soak"]
# A law holds on a busy machine too: how long an example takes to make or to try is no part of it.
# Each run of the suite tries fifty others of its examples; `make soak` tries as many as there is time for.
settings.register_profile("any machine", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Keep the collector from walking through thousands of tests, which stay: it took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@pytest.fixture(scope="session", autouse=True)
def _strange_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have clients trust one authority that signs nothing: to read the real ones costs each of them 24 ms."""
    trusted = Authority("nobody").write(tmp_path_factory.mktemp("trusted") / "nobody.pem")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(trusted))
        yield


@pytest.fixture(scope="session")
def sample_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample database, made once; read-only for every test."""
    path = tmp_path_factory.mktemp("sample") / "sample.sqlite"
    build_sample(path)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, with databases for those who make them."""
    with run_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def state_database(postgres: PostgresServer) -> str:
    """A database for states, each in a schema of its own; it belongs to `STATE_OWNER`."""
    return postgres.create_state_database()


@pytest.fixture(scope="module")
def server(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A real server on the sample database, one for each module of tests."""
    settings = make_home(tmp_path_factory.mktemp("server") / "home", sample_database)
    with run_server(settings) as running:
        yield running


@pytest.fixture(autouse=True)
def _real_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the module's server with real time after every test."""
    yield
    if "server" in request.fixturenames:
        clock: MovableClock = request.getfixturevalue("server").clock
        clock.reset()
