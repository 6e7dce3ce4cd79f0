"""Where replicas share a state each keeps its own record, and the commands that read it say so."""

import subprocess
from pathlib import Path

import pytest

from support.servers import ROWGATE


@pytest.mark.parametrize("command", [["tail"], ["search", "--json"], ["verify"]])
@pytest.mark.parametrize("state", ["", 'state = "postgresql://rowgate@127.0.0.1:1/rowgate"\n'])
def test_record_that_is_one_of_several_is_called_so(tmp_path: Path, command: list[str], state: str) -> None:
    """It is read from the home alone: PostgreSQL need not be there."""
    (tmp_path / "rowgate.toml").write_text(state, "utf-8")
    (tmp_path / "audit").mkdir()
    done = subprocess.run(
        [*ROWGATE, "audit", *command, "--home", str(tmp_path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert done.stdout == ""
    assert ("each replica keeps its own" in done.stderr) == bool(state)
