"""A serving of each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.servings import ENGINES, Serving


@pytest.fixture(params=ENGINES)
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serving]:
    with ENGINES[request.param](request, tmp_path) as opened:
        yield opened
