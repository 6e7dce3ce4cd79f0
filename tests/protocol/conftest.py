"""One world for each module; its settings are the module's SETTINGS, if there are any."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.world import World, open_world


@pytest.fixture(scope="module")
def world(
    sample_database: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    settings = getattr(request.module, "SETTINGS", {})
    with open_world(tmp_path_factory.mktemp("world"), sample_database, **settings) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _world_in_real_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the module's server with real time after every test."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").server.clock.reset()


@pytest.fixture
def number(request: pytest.FixtureRequest) -> str:
    """Give the number of a test that is more than one request (`case.numbered`)."""
    return str(request.param)
