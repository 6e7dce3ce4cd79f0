"""What the demo stands on: a folder with a database and a home, the `rowgate` command, a running server."""

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rowgate.cli.main import main as run_command
from rowgate.sample import write_procedures

_START_SECONDS = 60  # of a machine that is busy with other things
_STOP_SECONDS = 10
_SERVES_AT = re.compile(r" at (https?://\S+) ")


class DemoError(Exception):
    """The demo cannot go on; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A registered application."""

    client_id: str
    client_secret: str
    objects: list[str]
    expires_at: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A home that serves a database."""

    home: Path
    database: str  # as `rowgate init` takes it
    is_own: bool  # the user's, not the sample
    is_new: bool  # the home was made just now

    @classmethod
    def prepare(cls, folder: Path, own_database: str) -> "Stage":
        """Give a home for the sample, or for the user's own database."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DemoError(f"cannot make {folder}: {error.strerror}") from None
        if own_database:
            database = _find_own(own_database)
            home = folder / f"own-{hashlib.sha256(database.encode()).hexdigest()[:12]}"
        else:
            database, home = str(_provide_sample(folder / "sample.sqlite")), folder / "home"
        is_new = not _is_usable(home, database)
        if is_new:
            _make_home(home, database)
        if not own_database:
            write_procedures(home / "procedures")
        return cls(home, database, bool(own_database), is_new)

    def rowgate(self, *arguments: str) -> str:
        """Run a command on the home; give what it wrote to standard output."""
        done = _run(*arguments, "--home", str(self.home))
        if done.returncode:
            raise DemoError(_last_line(done.stderr))
        return done.stdout

    def explain(self, application: str, object_name: str) -> str:
        """Run `rowgate explain`, whose exit code says no when the answer is no."""
        return _run("explain", application, object_name, "--home", str(self.home)).stdout

    def list_objects(self) -> list[tuple[str, str]]:
        """Give name and kind of every object."""
        return [(found["name"], found["kind"]) for found in json.loads(self.rowgate("object", "list", "--json"))]

    def list_warnings(self) -> list[str]:
        """Give what the command says besides of the objects: which files of a folder are left out, and why."""
        return _run("object", "list", "--json", "--home", str(self.home)).stderr.splitlines()

    def register(self, name: str, objects: str) -> Credentials:
        """Register an application anew; the secret of an earlier one was shown once and is gone."""
        _run("app", "remove", name, "--yes", "--home", str(self.home))
        made = json.loads(self.rowgate("app", "add", name, "--object", objects, "--json"))
        return Credentials(made["client_id"], made["client_secret"], made["objects"], made["client_secret_expires_at"])

    def read_record(self, client_id: str) -> list[dict[str, Any]]:
        """Give what is on record of an application, oldest first."""
        found = self.rowgate("audit", "search", "--app", client_id, "--json").splitlines()
        return sorted((json.loads(line) for line in found), key=lambda event: float(event["at"]))

    @contextlib.contextmanager
    def serving(self, port: int) -> Iterator["Server"]:
        """Run `rowgate serve` until the block ends; port 0 takes a free one."""
        log = self.home.parent / f"{self.home.name}-{port or 'demo'}.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [*_COMMAND, "serve", "--home", str(self.home), "--port", str(port)],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Server(process, _wait_until_ready(process, log), log)
        finally:
            _stop(process)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


_COMMAND = (sys.executable, "-m", "rowgate.cli.main")


def show_path(path: Path | str) -> str:
    """Give a path as it is typed from here."""
    with contextlib.suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return str(path)


def show_command() -> str:
    """Give the `rowgate` command as it is typed from here."""
    beside = Path(sys.executable).parent / "rowgate"
    found = shutil.which("rowgate")
    return "rowgate" if found and Path(found) == beside else shlex.quote(show_path(beside))


def forget_settings() -> None:
    """Take the settings for other homes out of the environment."""
    for name in [name for name in os.environ if name.startswith("ROWGATE_")]:
        del os.environ[name]


@dataclass(frozen=True, slots=True)
class _Done:
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str


def _run(*arguments: str) -> _Done:
    """Run a `rowgate` command, in this process: a process for each would cost the demo seconds."""
    output, errors = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            run_command(list(arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return _Done(code, output.getvalue(), errors.getvalue())


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("rowgate: ") if lines else "rowgate failed without a word"


def _find_own(given: str) -> str:
    """Give the database's address with its path made absolute."""
    scheme, separator, rest = given.partition("://")
    if separator and scheme != "sqlite":
        return given  # rowgate says what it can serve
    path = Path(rest.removeprefix("/") if separator else given).expanduser().absolute()
    if path.is_dir() and not separator:
        return f"duckdb:///{path}"  # of Parquet and CSV files
    if not path.is_file():
        raise DemoError(f"there is no database file at {path}")
    return f"sqlite:///{path}"


def _provide_sample(path: Path) -> Path:
    """Give the sample database, made anew unless it is there and whole."""
    if path.exists():
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(path)
            try:
                if connection.execute("SELECT count(*) FROM SA_ADInventory_ComputersView").fetchone()[0]:
                    return path
            finally:
                connection.close()
        path.unlink()
    done = _run("sample", str(path))
    if done.returncode:
        raise DemoError(_last_line(done.stderr))
    return path


def _is_usable(home: Path, database: str) -> bool:
    """Tell whether a home is whole and serves this database; a checkout that was moved has another."""
    try:
        settings = tomllib.loads((home / "rowgate.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    served = settings.get("database", "").removeprefix("sqlite:///") == database.removeprefix("sqlite:///")
    return served and _run("object", "list", "--home", str(home)).returncode == 0


def _make_home(home: Path, database: str) -> None:
    if home.exists():
        if any(home.iterdir()) and not ((home / "rowgate.toml").exists() or (home / "state.db").exists()):
            raise DemoError(f"{home} is in the way and is no home of Rowgate's")
        shutil.rmtree(home)
    done = _run("init", "--home", str(home), "--database", database)
    if done.returncode:
        raise DemoError(_last_line(done.stderr))


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        said = log.read_text("utf-8")
        if process.poll() is not None:
            raise DemoError(_last_line(said))
        found = _SERVES_AT.search(said)
        if found and _is_ready(found[1]):
            return found[1]
        time.sleep(0.02)
    raise DemoError(f"the server did not become ready within {_START_SECONDS} s; see {log}")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
