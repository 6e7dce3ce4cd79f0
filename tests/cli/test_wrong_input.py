"""Input that nobody should give, and faults that look like others: one line, which says what is really wrong."""

import os
import sqlite3
from pathlib import Path

import pytest

from cli.test_problems import refuse
from cli.transcript import run
from rowgate.cli.problems import explain_problem
from rowgate.ports import StoreError
from rowgate.store.master_key import load_master_key

NOT_TEXT = "a\udcff"  # how Python has a byte that is no UTF-8


@pytest.mark.parametrize(
    "arguments",
    [
        ["app", "show", NOT_TEXT],
        ["app", "add", NOT_TEXT, "--object", "SA_Activity_Events"],
        ["object", "show", NOT_TEXT],
        ["audit", "search", "--object", NOT_TEXT],
        ["sample", NOT_TEXT],
        [NOT_TEXT],
    ],
)
def test_an_argument_that_is_no_text_is_bad_usage(home: Path, arguments: list[str]) -> None:
    assert home.is_dir()
    done = run(arguments)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert "not UTF-8" in line


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\u202eb", "a\rb"])
def test_a_complaint_is_one_line_that_moves_no_cursor(home: Path, name: str) -> None:
    assert home.is_dir()
    line = refuse("app", "show", name)
    assert line.isprintable()
    assert repr(name)[1:-1] in line


def test_a_complaint_is_not_as_long_as_what_it_is_about(home: Path) -> None:
    assert home.is_dir()
    line = refuse("object", "show", "a" * 70_000)
    assert len(line) < 2100
    assert line.endswith("`rowgate object list` shows them all")


@pytest.mark.parametrize("alias", ["", "   ", "a" * 201, "a/b", "a\nb"])
def test_an_alias_is_one_that_people_can_use(home: Path, alias: str) -> None:
    assert home.is_dir()
    assert "an alias has" in refuse("object", "alias", "SA_Activity_Events", alias)


@pytest.mark.parametrize("name", ["a" * 121, "a\nb", "a\x1b[2J"])
def test_a_secret_has_a_name_that_can_be_shown(home: Path, name: str) -> None:
    assert home.is_dir()
    assert run(["app", "add", "report", "--object", "SA_Activity_Events"]).exit_code == 0
    assert "name of a secret" in refuse("secret", "add", "report", "--name", name)


def test_a_state_that_was_emptied_is_not_taken_for_a_new_one(home: Path) -> None:
    (home / "state.db").write_bytes(b"")
    for arguments in (["app", "list"], ["object", "block", "SA_Activity_Events"], ["serve", "--port", "0"]):
        assert "restore it from a backup" in refuse(*arguments)
    assert (home / "state.db").stat().st_size == 0


def test_a_record_that_is_gone_does_not_hold_together(home: Path) -> None:
    for segment in (home / "audit").iterdir():
        segment.unlink()
    assert "holds no record" in refuse("audit", "verify")
    (home / "audit").rmdir()
    for arguments in (["audit", "verify"], ["audit", "tail"], ["audit", "search"]):
        assert "there is no record" in refuse(*arguments)


def test_a_record_that_cannot_be_written_says_why(home: Path) -> None:
    for segment in (home / "audit").iterdir():
        segment.unlink()
    (home / "audit").rmdir()
    (home / "audit").write_text("a file")
    line = refuse("object", "block", "SA_Activity_Events")
    assert "(Not a directory)" in line or "(File exists)" in line


def test_a_setting_is_told_with_where_it_was_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "rowgate.toml").write_text("port = 'many'")
    assert f"{home}/rowgate.toml: port must be" in refuse("app", "list")
    monkeypatch.setenv("ROWGATE_PORT", "few")
    assert "ROWGATE_PORT: port must be" in refuse("app", "list")


def test_a_served_database_that_is_away_says_what_to_look_at(home: Path, tmp_path: Path) -> None:
    (home / "rowgate.toml").write_text(f"database = 'sqlite:///{tmp_path}/none.sqlite'")
    assert refuse("object", "list").endswith("none.sqlite'): check its address, and that it is up")


def test_a_file_of_somebody_elses_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_to_read(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse_to_read)
    with pytest.raises(StoreError, match="check its owner and mode"):
        load_master_key(tmp_path / "master.key")
    told = explain_problem(PermissionError(13, "Permission denied", os.fspath(tmp_path)))
    assert told == f"{tmp_path}: Permission denied; check its owner and mode, or run as its owner"


def test_nothing_but_lines_are_counted(home: Path) -> None:
    assert home.is_dir()
    assert run(["audit", "tail", "-n", "-1"]).exit_code == 2
    assert run(["state", "copy", ""]).exit_code == 2


@pytest.mark.parametrize("database", ["exports", "sqlite:///data.sqlite", "duckdb:///exports"])
def test_a_path_that_was_given_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports").mkdir()
    sqlite3.connect(tmp_path / "data.sqlite").close()
    made = run(["init", "--home", str(tmp_path / "home"), "--database", database])
    assert made.exit_code == 0, made.stderr
    path = database.partition(":///")[2] or database
    assert f":///{tmp_path / path}" in (tmp_path / "home" / "rowgate.toml").read_text()
