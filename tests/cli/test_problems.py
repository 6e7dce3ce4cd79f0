"""Whatever is wrong with a home is one line on standard error that says what to do, and exit code 1."""

import os
import shlex
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.transcript import Outcome, run
from rowgate.cli.main import COMMANDS

ON_A_HOME = (
    ("app", "list"),
    ("app", "add", "a", "--object", "SA_Activity_Events"),
    ("secret", "list", "a"),
    ("object", "list"),
    ("token", "inspect", "rgat_x"),
    ("explain", "a", "b"),
    ("serve",),
)


def refuse(*arguments: str) -> str:
    """Give the one line of complaint."""
    done = run(list(arguments))
    assert done.exit_code == 1, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("rowgate: ")
    return line


@pytest.mark.parametrize("arguments", [*ON_A_HOME, ("audit", "tail"), ("audit", "verify"), ("config",)])
def test_a_missing_home_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "rowgate init" in refuse("--home", str(tmp_path / "none"), *arguments)


def test_what_comes_next_can_be_pasted_whatever_the_folders_are_called(tmp_path: Path) -> None:
    """The sample's line makes the home, and the home's lines find it."""
    folder = tmp_path / "it's mine"
    folder.mkdir()
    said = run(["sample", str(folder / "a b.sqlite"), "--rows", "1"]).stderr
    _, _, after = said.partition("Next: rowgate ")
    home = folder / "a home"
    assert "--home" in refuse("--home", str(home), "app", "list")
    made = run(["--home", str(home), *shlex.split(after)])
    assert made.exit_code == 0, made
    _, _, steps = made.stderr.partition("Next: ")
    first = shlex.split(steps.split("; ")[0])
    assert first[0] == "rowgate"
    assert "SA_Activity_Events" in run(first[1:]).stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"port = = 1", "is not TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"databases = [{name = 'a', address = 'b'}]\n[[databases]]\nname = 'c'", "cannot go on in [[tables]]"),
        (b"prot = 1", "sets prot, which does not exist"),
        (b"[server]\nport = 1", "sets server, which does not exist"),
        (b"home = 'x'", "sets home, which does not exist"),
        (b"port = 'many'", "port must be a whole number"),
        (b"port = -1", "port must be a whole number"),
        (b"port = true", "port must be a whole number"),
        (b"insecure_http = 1", "insecure_http must be true or false"),
        (b"cors_origins = [1]", "cors_origins must be a list of texts"),
        (b"log_format = 'xml'", "log_format must be one of console, json"),
        (b"tls_cert = 'a'", "go together"),
    ],
)
def test_settings_that_cannot_be_used_are_told(home: Path, content: bytes, told: str) -> None:
    (home / "rowgate.toml").write_bytes(content)
    for arguments in (("app", "list"), ("config",), ("serve",), ("audit", "tail")):
        assert told in refuse(*arguments)
    done = run(["doctor"])
    assert done.exit_code == 1
    assert told in done.stdout


def test_an_environment_that_cannot_be_used_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.is_dir()
    monkeypatch.setenv("ROWGATE_PORT", "many")
    assert "port must be a whole number" in refuse("app", "list")


def _replace(name: str, content: bytes | None) -> Callable[[Path], object]:
    def damage(home: Path) -> None:
        if content is None:
            (home / name).unlink()
        else:
            (home / name).write_bytes(content)

    return damage


@pytest.mark.parametrize("arguments", ON_A_HOME, ids=" ".join)
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_replace("master.key", None), "put the home's master key back"),
        (_replace("master.key", b"damaged"), "restore it from a backup"),
        (_replace("state.db", None), "rowgate init"),
        (_replace("state.db", b"no database " * 999), "restore it from a backup"),
    ],
    ids=["no key", "bad key", "no state", "bad state"],
)
def test_a_damaged_home_is_told(
    home: Path, damage: Callable[[Path], object], told: str, arguments: tuple[str, ...]
) -> None:
    damage(home)
    assert told in refuse(*arguments)


@pytest.mark.parametrize("arguments", [("app", "add", "a", "--object", "X"), ("object", "list"), ("serve",)])
def test_a_served_database_that_cannot_be_read_is_told(home: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    config = home / "rowgate.toml"
    for database, told in (
        (f"sqlite:///{tmp_path}/none.sqlite", "cannot be read"),
        ("", "no database is set"),
        ("mysql://root:geheim@db/x", "a password stands in the address"),
        ("db2://root:geheim@db/x", "a password stands in the address"),
        ("db2://db/x", "for db2:// install its SQLAlchemy dialect"),
    ):
        config.write_text(f"database = '{database}'")
        line = refuse(*arguments)
        assert told in line
        assert "geheim" not in line


def test_a_file_that_is_no_sqlite_database_is_told_what_could_be_served(home: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n" * 100)
    line = refuse("init", "--home", str(tmp_path / "new"), "--database", str(table))
    assert "file is not a database" in line
    assert "duckdb:///PATH" in line
    (home / "rowgate.toml").write_text(f"database = '{table}'")
    assert "duckdb:///PATH" in refuse("serve")


def test_init_never_changes_a_home_and_leaves_nothing_behind_when_it_fails(home: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert "is a home already" in refuse("init", "--home", str(home))
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    for database in (f"{tmp_path}/none.sqlite", "mysql://x"):
        refuse("init", "--home", str(tmp_path / "new"), "--database", database)
        assert not (tmp_path / "new").exists()


def test_a_home_is_its_owners_only(home: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (home, *home.iterdir())}
    assert modes["home"] == modes["audit"] == 0o700
    assert modes["master.key"] == modes["state.db"] == 0o600


def test_a_record_that_cannot_be_written_stops_the_change(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        assert "nothing was changed" in refuse("app", "add", "a", "--object", "SA_Activity_Events")
    assert run(["app", "show", "a"]).exit_code == 1
    assert run(["audit", "search", "--app", "a"]).stdout == ""
    assert home.is_dir()


def test_a_damaged_record_is_told_and_the_rest_is_shown(home: Path) -> None:
    (segment,) = (home / "audit").iterdir()
    segment.write_bytes(b"damaged\n" + segment.read_bytes())
    done = run(["audit", "tail"])
    assert done.exit_code == 0
    assert "home.init" in done.stdout
    assert done.stderr.startswith(f"{segment.name}: line 1 is no event any more")
    verified = run(["audit", "verify"])
    assert verified.exit_code == 1
    assert verified.stdout == f"{segment.name}: line 1 does not continue the chain\n"


def doctor(*bad: str) -> Outcome:
    """Run doctor; exactly these questions must be answered with BAD."""
    done = run(["doctor"])
    found = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert len(found) == len(bad), done.stdout
    assert all(text in line for text, line in zip(bad, found, strict=True)), done.stdout
    assert done.exit_code == (1 if bad else 0)
    assert done.stderr == ""
    return done


def test_doctor_finds_what_is_wrong(home: Path, monkeypatch: pytest.MonkeyPatch, sample_database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        monkeypatch.setenv("ROWGATE_PORT", str(port))
        monkeypatch.setattr("rowgate.web.server.find_port_holder", lambda _port: "process 1 (other program)")
        doctor(f"port {port}")
        monkeypatch.setattr("rowgate.web.server.find_port_holder", lambda _port: "process 1 (rowgate serve)")
        doctor()
    doctor()
    (home / "master.key").chmod(0o644)
    assert f"chmod go-rwx {home}/master.key" in doctor("only its owner can read master.key").stdout
    (home / "master.key").chmod(0o600)
    key = (home / "master.key").read_text()
    (home / "master.key").write_text("00" * 32)
    doctor("the state and its keys can be read")
    (home / "master.key").unlink()
    doctor("master.key", "the state and its keys can be read")
    (home / "master.key").write_text(key)
    (home / "master.key").chmod(0o600)
    monkeypatch.setenv("ROWGATE_DATABASE", "sqlite:////none")
    assert "rowgate.toml" in doctor("the database can be read").stdout
    monkeypatch.setenv("ROWGATE_DATABASE", f"sqlite:///{sample_database}")
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: 1000.0)
        doctor("the clock is set")
    with monkeypatch.context() as patched:
        patched.setattr("rowgate.cli.doctor._MIN_FREE_BYTES", 1 << 80)
        doctor("there is room")
    shutil.copy(home / "master.key", home / "state.db")
    doctor("the state and its keys can be read")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_bad_usage_is_2(command: str) -> None:
    shown = run([command, "--help"])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Usage: rowgate")
    assert run([command, "--no-such-flag"]).exit_code == 2


def test_an_unknown_command_is_bad_usage() -> None:
    assert run(["nothing"]).exit_code == 2
    assert run(["--version"]).stdout.startswith("rowgate")


def test_the_sample_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "sample.sqlite"
    done = run(["sample", str(path), "--rows", "10", "--seed", "1"])
    assert done.exit_code == 0
    assert f"sqlite:///{path}" in done.stderr
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM SA_Activity_Events").fetchone() == (10,)
    connection.close()
    again = run(["sample", str(path)])
    assert again.exit_code == 1
    assert "nothing was changed" in again.stderr
    assert run(["sample", str(path), "--rows", "-1"]).exit_code == 2


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:hidden@h/d", "mysql://h/d?password=hidden&x=1", "host=h password=hidden", "db://:hidden@h"],
)
def test_a_password_that_somebody_wrote_into_an_address_is_not_shown(tmp_path: Path, address: str) -> None:
    (tmp_path / "rowgate.toml").write_text(f'database = "{address}"\n')
    done = run(["--home", str(tmp_path), "config"])
    assert done.exit_code == 0, done
    assert "hidden" not in done.stdout
    assert "***" in done.stdout


def test_a_signal_that_comes_while_the_server_starts_ends_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for the one that comes after a stop, so that a server waiting for its database went on."""

    def start(*_arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the server goes on")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("rowgate.wiring.serve", start)
    try:
        assert run(["--home", str(home), "serve"]).exit_code == 0
    finally:
        signal.signal(signal.SIGTERM, before)
