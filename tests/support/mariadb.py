"""A MariaDB server of the tests' own: in a folder, on loopback, ended by the process that was started."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pymysql

from support.servers import wait_until

READER, PASSWORD = "reader", "geheim"
_numbers = count(1)


class MariadbServer:
    """One server process."""

    is_mariadb = True
    reading = "tx_read_only"  # the variable of a session that reads
    stoppable = ""  # what a procedure says, so that the server stops it when its seconds are over

    def __init__(self, folder: Path, *flags: str, port: int = 0) -> None:
        self.folder = folder
        self.port = port or find_free_port()
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        if not (folder / "data").exists():
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(self._install_command(), check=True, capture_output=True, timeout=60)

    def _install_command(self) -> list[str]:
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db"]
        return [*install, "--auth-root-authentication-method=normal", "--user=root"]

    def _program(self) -> list[str]:
        return [shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults"]

    def start(self, *flags: str) -> None:
        """Start the process, with more flags for this time, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._program(),
                    "--user=root",
                    f"--datadir={self.folder}/data",
                    f"--socket={self.folder}/s",
                    f"--pid-file={self.folder}/pid",
                    f"--port={self.port}",
                    "--bind-address=127.0.0.1",
                    "--innodb-buffer-pool-size=32M",
                    "--innodb-flush-log-at-trx-commit=0",
                    "--innodb-log-file-size=16M",
                    "--max-connections=200",
                    "--character-set-server=utf8mb4",
                    *self._flags,
                    *flags,
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, seconds=30)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text("utf-8", "replace")[-2000:]
        # by a socket first: the driver leaves its own open when it is refused
        with socket.socket() as probe, socket.socket(socket.AF_UNIX) as own_probe:
            if probe.connect_ex(("127.0.0.1", self.port)) or own_probe.connect_ex(f"{self.folder}/s"):
                return False
        try:
            self.execute("SELECT 1")
        except pymysql.Error:
            return False
        return True

    def stop(self) -> None:
        """End the process in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """End the process as a power failure does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def connect(self, database: str = "") -> Any:
        """Give a connection of the owner's."""
        return pymysql.connect(
            unix_socket=f"{self.folder}/s", user="root", database=database or None, charset="utf8mb4", autocommit=True
        )

    def execute(self, *statements: str, database: str = "") -> list[tuple[Any, ...]]:
        """Run statements as the owner; give the rows of the last."""
        with closing(self.connect(database)) as owner, owner.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def create_database(self, name: str = "") -> str:
        """Make a database that the reader may read."""
        name = name or f"made_{next(_numbers)}"
        self.execute(
            f"CREATE DATABASE {name}",
            f"CREATE USER IF NOT EXISTS {READER}@localhost IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT, SHOW VIEW ON {name}.* TO {READER}@localhost",
        )
        return name

    def address(self, database: str, *, user: str = READER) -> str:
        """Give the address at which the reader finds a database."""
        return f"mariadb://{user}@127.0.0.1:{self.port}/{database}"


def make_numbers(count: int) -> tuple[str, str]:
    """Give the statements that make the table `numbers`, with `seq` from 1: MySQL has no tables of sequences."""
    values = ", ".join(f"({number})" for number in range(1, count + 1))
    return "CREATE TABLE numbers (seq INT PRIMARY KEY)", f"INSERT INTO numbers VALUES {values}"


def find_free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def run_mariadb(folder: Path, *flags: str) -> Iterator[MariadbServer]:
    """Give a running server."""
    server = MariadbServer(folder, *flags)
    server.start()
    try:
        yield server
    finally:
        server.kill()
