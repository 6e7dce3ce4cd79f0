"""Commands where the state is in PostgreSQL: faults are told in one line, and a record is called one of several."""

import subprocess
from pathlib import Path

import pytest

from cli.test_problems import refuse
from support.servers import ROWGATE


@pytest.mark.parametrize("command", [["tail"], ["search", "--json"], ["verify"]])
@pytest.mark.parametrize("state", ["", 'state = "postgresql://rowgate@127.0.0.1:1/rowgate"\n'])
def test_record_that_is_one_of_several_is_called_so(tmp_path: Path, command: list[str], state: str) -> None:
    """It is read from the home alone: PostgreSQL need not be there."""
    (tmp_path / "rowgate.toml").write_text(state, "utf-8")
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "segment.jsonl").touch()
    done = subprocess.run(
        [*ROWGATE, "audit", *command, "--home", str(tmp_path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert done.stdout == ""
    assert ("each replica keeps its own" in done.stderr) == bool(state)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("postgresql://rowgate@127.0.0.1:1/rowgate", "cannot be reached"),
        ("postgresql://rowgate:geheim@127.0.0.1:1/rowgate", "a password stands in it"),
        ("postgresql://rowgate@127.0.0.1:1/rowgate?password=geheim", "a password stands in it"),
        ("postgresql://[geheim", "not one of PostgreSQL"),
        ("mysql://rowgate:geheim@127.0.0.1/rowgate", "state is an address of PostgreSQL"),
    ],
)
def test_state_that_cannot_be_used_is_told_and_leaves_nothing_behind(tmp_path: Path, state: str, told: str) -> None:
    line = refuse("init", "--home", str(tmp_path / "new"), "--state", state)
    assert told in line
    assert "geheim" not in line
    assert not (tmp_path / "new").exists()


def test_init_in_a_folder_that_is_there_takes_its_new_key_back(tmp_path: Path) -> None:
    refuse("init", "--home", str(tmp_path), "--state", "postgresql://rowgate@127.0.0.1:1/rowgate")
    assert list(tmp_path.iterdir()) == []


def test_init_beside_a_master_key_that_was_copied_says_what_a_replica_needs(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("00" * 32)
    line = refuse("init", "--home", str(tmp_path), "--state", "postgresql://rowgate@127.0.0.1:1/rowgate")
    assert "rowgate.toml" in line
    assert (tmp_path / "master.key").read_text() == "00" * 32


def test_password_file_of_the_state_that_is_missing_is_told(tmp_path: Path) -> None:
    address = "postgresql://rowgate@127.0.0.1:1/rowgate"
    missing = str(tmp_path / "missing")
    line = refuse("init", "--home", str(tmp_path / "new"), "--state", address, "--state-password-file", missing)
    assert "state_password_file" in line
