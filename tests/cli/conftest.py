"""A home made by the command line itself."""

from pathlib import Path

import pytest

from cli.transcript import run
from support.homes import newest_tables


@pytest.fixture
def home(tmp_path: Path, sample_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home on the sample database, named by ROWGATE_HOME."""
    path = tmp_path / "home"
    monkeypatch.setenv("ROWGATE_HOME", str(path))
    with newest_tables():
        made = run(["init", "--database", f"sqlite:///{sample_database}"])
    assert made.exit_code == 0, made.stderr
    return path
