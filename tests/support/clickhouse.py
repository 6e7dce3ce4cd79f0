"""A ClickHouse of the tests' own: the engine is the real one, chDB's; what speaks HTTP before it is clickhouse_http.py.

No package that can be had has the server itself: Debian's is of 2018, which the driver does not know any more.
"""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from support.engines_report import titles
from support.fetched import fetch, run_fetcher
from support.mariadb import find_free_port

READER, OWNER = "reader", "owner"
_REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "clickhouse.txt"
_PROGRAM = Path(__file__).with_name("clickhouse_http.py")
_numbers = count(1)


def _make_parts(folder: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install += ["--require-hashes", "--only-binary", ":all:", "--target", str(folder), "-r", str(_REQUIREMENTS)]
    run_fetcher("ClickHouse", install, folder)


class ClickhouseServer:
    """One server process."""

    def __init__(self, folder: Path) -> None:
        tag = f"{sys.implementation.cache_tag}-{_REQUIREMENTS.read_text('utf-8').split('chdb-core==')[1].split()[0]}"
        self.parts = fetch(f"clickhouse-{tag}", _make_parts)
        self.folder = folder
        self.port = find_free_port()
        self.version = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM), str(self.port), str(self.folder / "data")],
                env={**os.environ, "PYTHONPATH": str(self.parts), "TZ": "UTC"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self.version = self._process.stdout.readline().strip()
        assert self.version, (self.folder / "log").read_text("utf-8", "replace")[-2000:]
        titles["clickhouse"] = f"clickhouse {self.version} by chDB ({datetime.now(UTC):%Y-%m-%d})"

    def kill(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=10)
            self._process = None

    def execute(self, *statements: str, database: str = "default") -> str:
        """Run statements as the owner; give what the last said."""
        said = ""
        for statement in statements:
            asked = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/?database={database}",
                data=statement.encode(),
                headers={"Authorization": "Basic " + b64encode(f"{OWNER}:".encode()).decode()},
            )
            try:
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    said = answer.read().decode()
            except urllib.error.HTTPError as refused:
                with refused:
                    raise AssertionError(refused.read()[:600].decode("utf-8", "replace")) from None
        return said

    def create_database(self, name: str = "") -> str:
        """Make a database."""
        name = name or f"made_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def address(self, database: str, *, user: str = READER) -> str:
        """Give the address at which a user finds a database."""
        return f"clickhousedb://{user}@127.0.0.1:{self.port}/{database}"


@contextmanager
def run_clickhouse(folder: Path) -> Iterator[ClickhouseServer]:
    """Give a running server; its driver can be imported from then on."""
    server = ClickhouseServer(folder)
    try:
        server.start()
        sys.path.append(str(server.parts))
        yield server
    finally:
        server.kill()
