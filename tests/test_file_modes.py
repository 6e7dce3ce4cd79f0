"""Whether others can reach a private file, by its mode and by whose it is."""

import os

import pytest

from rowgate.file_modes import is_exposed

OWN, OTHERS = 1000, 0


@pytest.mark.parametrize(
    ("mode", "owner", "user", "expected"),
    [
        (0o600, OWN, OWN, False),
        (0o640, OWN, OWN, True),
        (0o604, OWN, OWN, True),
        (0o602, OWN, OWN, True),
        (0o440, OTHERS, OWN, False),  # how a platform hands a secret to a group
        (0o444, OTHERS, OWN, True),
        (0o640, OWN, 0, True),
        (0o600, OWN, 0, False),
    ],
)
def test_a_group_counts_where_the_file_is_our_own(
    monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, user: int, *, expected: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    status = os.stat_result((0o100_000 | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    assert is_exposed(status) is expected
