"""A state that another release wrote: every command says so in one line, with what to do, and leaves it alone."""

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.transcript import run
from rowgate.cli import doctor
from rowgate.config import load_settings

COMMANDS = (
    ["serve", "--port", "0"],
    ["app", "list"],
    ["object", "block", "anything"],
    ["secret", "list", "anything"],
    ["key", "list"],
    ["explain", "anything", "anything"],
)


def set_revision(home: Path, revision: str) -> None:
    with closing(sqlite3.connect(home / "state.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize(
    ("revision", "wanted"), [("0099", ["newer release", "0099", "or a later one"]), ("0000", ["0000", "a backup"])]
)
def test_a_command_says_that_another_release_wrote_the_state(
    home: Path, command: list[str], revision: str, wanted: Sequence[str]
) -> None:
    set_revision(home, revision)
    done = run(command)
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 1
    assert all(word in line for word in wanted), line
    with closing(sqlite3.connect(home / "state.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]


def test_doctor_says_so_too(home: Path) -> None:
    set_revision(home, "0099")
    findings = json.loads(run(["doctor", "--json"]).stdout)
    (finding,) = [one for one in findings if one["question"] == "the state and its keys can be read"]
    assert not finding["good"]
    assert "newer release" in finding["found"]


def test_doctor_does_not_advise_a_new_owner_where_nobody_may_write(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home, {}, {})
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "chown" in doctor._record(settings).advice
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert "chown" not in doctor._record(settings).advice
    assert "read-only" in doctor._record(settings).advice
