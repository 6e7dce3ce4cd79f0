"""`tools/demo.py` works from nothing, again on what it left, on what is broken, and on a database of one's own."""

import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from support.postgres import PostgresServer

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"
MOST_SECONDS = 20
MOST_LINES = 90


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        [sys.executable, str(DEMO), "--folder", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def list_servers(folder: Path) -> list[psutil.Process]:
    """Give the processes that still serve something below a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or [])
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo keeps its things."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(folder: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """The demo's first run, and how long it took."""
    begun = time.monotonic()
    done = run_demo(folder)
    return done, time.monotonic() - begun


def test_demo_runs_from_nothing(first: tuple[subprocess.CompletedProcess[str], float]) -> None:
    """Token, rows, groups, refresh, refusal and its reason, in time and on two screens."""
    done, seconds = first
    assert done.returncode == 0, done.stderr
    assert seconds < MOST_SECONDS
    lines = done.stdout.splitlines()
    assert len(lines) <= MOST_LINES
    for told in (
        "TOKEN=rgat_",
        "401 Unauthorized",
        "insufficient_scope",
        "under review",
        "rows_refused",
        "curl -s",
        "/proc",
    ):
        assert told in done.stdout
    assert "\x1b" not in done.stdout, "colour where no terminal is"


def test_lines_to_paste_hold_secret_and_tokens_once(
    first: tuple[subprocess.CompletedProcess[str], float],
) -> None:
    """Each is set once and stands as a variable everywhere else."""
    lines = first[0].stdout.splitlines()
    for prefix in ("rgcs_", "rgat_", "rgrt_"):
        holding = [line.strip() for line in lines if prefix in line]
        assert holding, prefix
        assert all(line.startswith(("SECRET=", "TOKEN=", "REFRESH=")) for line in holding)


def test_demo_leaves_no_server(first: tuple[subprocess.CompletedProcess[str], float], folder: Path) -> None:
    """What it started is stopped."""
    assert first[0].returncode == 0
    assert not list_servers(folder)


@pytest.mark.slow
@pytest.mark.usefixtures("first")
def test_demo_runs_again_on_what_is_broken(folder: Path) -> None:
    """A lost key and a damaged sample are made anew."""
    (folder / "home" / "master.key").unlink()
    (folder / "sample.sqlite").write_text("no database")
    done = run_demo(folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_own_database_is_listed_and_read(tmp_path: Path) -> None:
    """Names with spaces, values that are NULL or long: the first object's rows are shown."""
    path = tmp_path / "my own.sqlite"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute('CREATE TABLE "my orders" (id INTEGER, customer TEXT, note TEXT)')
        connection.execute('INSERT INTO "my orders" VALUES (1, ?, NULL), (2, ?, ?)', ("Ada", "Bob", "x" * 200))
    connection.close()
    done = run_demo(tmp_path / "demo", "--database", str(path))
    assert done.returncode == 0, done.stderr
    assert "my%20orders" in done.stdout
    assert "Bob" in done.stdout


@pytest.mark.slow
def test_an_object_that_cannot_be_read_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.sqlite"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE gone (a)")
        connection.execute("CREATE VIEW a_view AS SELECT a FROM gone")
        connection.execute("CREATE TABLE there AS SELECT 'Ada' AS name")
        connection.execute("DROP TABLE gone")
    connection.close()
    done = run_demo(tmp_path / "demo", "--database", str(path))
    assert done.returncode == 0, done.stderr
    assert "the server gave no rows: 500" in done.stdout
    assert "Ada" in done.stdout


@pytest.mark.slow
def test_a_folder_of_files_is_served_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    folder.mkdir()
    (folder / "people.csv").write_text("name,age\nAda,36\n")
    (folder / "torn.parquet").write_bytes(b"PAR1")
    done = run_demo(tmp_path / "demo", "--database", str(folder))
    assert done.returncode == 0, done.stderr
    assert "Ada" in done.stdout
    assert "DuckDB cannot read torn.parquet" in done.stdout


@pytest.mark.parametrize(
    ("database", "told"),
    [
        ("missing.sqlite", "there is no database file at"),
        ("db2://host/name", "this release serves sqlite:///PATH"),
        (str(DEMO), "cannot be read"),
    ],
)
def test_wrong_database_is_one_line(tmp_path: Path, database: str, told: str) -> None:
    """What is wrong stands in one line on standard error; the exit code is 1."""
    done = run_demo(tmp_path / "demo", "--database", database)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr


@pytest.mark.usefixtures("first")
@pytest.mark.slow
def test_taken_port_says_by_whom(folder: Path) -> None:
    """The port of `--serve` is held by this very process."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        done = run_demo(folder, "--serve", "--port", str(held.getsockname()[1]))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "is held by" in done.stderr


@pytest.mark.slow
def test_serve_stays_until_it_is_ended(folder: Path, first: tuple[subprocess.CompletedProcess[str], float]) -> None:
    """It prints the credentials and lines for three clients, and stops its server when it is told to."""
    assert first[0].returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-u", str(DEMO), "--folder", str(folder), "--serve", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while "The server's log" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        for told in ("Client ID", "Client Secret", "curl", "Invoke-RestMethod", "import httpx", f":{port}"):
            assert told in said
        assert list_servers(folder)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert not list_servers(folder)


@pytest.mark.slow
def test_demo_serves_ones_own_postgresql(folder: Path, postgres: PostgresServer) -> None:
    """By its address; the account may only read."""
    name = postgres.create_database()
    with postgres.owner(name) as owner:
        owner.execute("CREATE TABLE customers AS SELECT n AS number, 'Zoë ' || n AS name FROM generate_series(1, 9) n")
    done = run_demo(folder, "--database", postgres.address(name))
    assert done.returncode == 0, done.stderr
    assert "Zoë 1" in done.stdout
