"""Files that may be open: as many as the settings take, where the system lets us; told where it does not."""

import logging
import resource

import pytest

from rowgate.web.file_limit import FILES_OF_A_READ, OTHER_FILES, raise_file_limit

WANTED = 2000 + 32 * FILES_OF_A_READ + OTHER_FILES


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit of a system that is made up."""
    made_up = [1024, 1_048_576]

    def set_limit(_which: int, both: tuple[int, int]) -> None:
        assert both[1] == made_up[1], "the hard one cannot be raised again"
        made_up[0] = both[0]

    monkeypatch.setattr(resource, "getrlimit", lambda _which: tuple(made_up))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    return made_up


@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [
        (1024, 1_048_576, WANTED),
        (1024, resource.RLIM_INFINITY, WANTED),
        (65_536, 1_048_576, 65_536),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
        (256, 1024, 1024),
    ],
)
def test_the_limit_is_raised_as_far_as_is_needed_and_allowed(
    limits: list[int], caplog: pytest.LogCaptureFixture, soft: int, hard: int, then: int
) -> None:
    limits[:] = [soft, hard]
    with caplog.at_level(logging.WARNING):
        raise_file_limit(connections=2000, reads=32)
    assert limits == [then, hard]
    assert bool(caplog.records) is (then == 1024)
    if caplog.records:
        assert "LimitNOFILE=" in caplog.text
