"""A Trino server of the tests' own: its parts by Maven, with the memory connector, on loopback.

The archive that Trino is given away in has a gigabyte of connectors; the server alone is a tenth of it.
"""

import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trino.dbapi

from support.engines_report import titles
from support.fetched import fetch, require, run_maven
from support.mariadb import find_free_port
from support.servers import wait_until

VERSION = "435"  # the last that runs on Java 17
CATALOG, SCHEMA = "served", "default"
READER, OWNER = "reader", "owner"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>rowgate</groupId><artifactId>trino-of-tests</artifactId><version>1</version>
<dependencies><dependency><groupId>io.trino</groupId><artifactId>trino-main</artifactId>
<version>{VERSION}</version></dependency></dependencies></project>"""
_LAUNCH = f"""public class Launch {{ public static void main(String[] arguments) {{
    new io.trino.server.Server() {{}}.start("{VERSION}"); }} }}"""
_RULES = (
    f'{{"catalogs": [{{"user": "{OWNER}", "allow": "all"}}, {{"user": "{READER}", "allow": "read-only"}}], '
    f'"queries": [{{"allow": ["execute", "kill", "view"]}}]}}'
)


def _make_parts(folder: Path) -> None:
    title, memory = f"Trino {VERSION}", f"io.trino:trino-memory:{VERSION}:zip"
    (folder / "pom.xml").write_text(_POM)
    libraries = f"-DoutputDirectory={folder}/lib"
    run_maven(title, "copy-dependencies", folder, "-DincludeScope=runtime", libraries)
    run_maven(title, "copy", folder, f"-Dartifact={memory}", f"-DoutputDirectory={folder}")
    with zipfile.ZipFile(folder / f"trino-memory-{VERSION}.zip") as archive:
        archive.extractall(folder)
    plugin = folder / "plugin"
    plugin.mkdir()
    (folder / f"trino-memory-{VERSION}").rename(plugin / "memory")
    (folder / "Launch.java").write_text(_LAUNCH)


class TrinoServer:
    """One server process."""

    def __init__(self, folder: Path) -> None:
        require("java", "mvn", packages="openjdk-17-jdk-headless, maven")
        self.parts = fetch(f"trino-{VERSION}", _make_parts)
        self.folder = folder
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers."""
        titles["trino"] = f"trino {VERSION} ({datetime.now(UTC):%Y-%m-%d})"
        settings = self.folder / "etc"
        (settings / "catalog").mkdir(parents=True)
        (self.folder / "plugin").symlink_to(self.parts / "plugin")
        (settings / "rules.json").write_text(_RULES)
        (settings / "catalog" / f"{CATALOG}.properties").write_text("connector.name=memory\n")
        (settings / "access-control.properties").write_text(
            f"access-control.name=file\nsecurity.config-file={settings}/rules.json\n"
        )
        (settings / "config.properties").write_text(
            f"coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port={self.port}\n"
            f"discovery.uri=http://127.0.0.1:{self.port}\nnode.environment=test\nnode.id=one\nnode.bind-ip=127.0.0.1\n"
            "node.internal-address=127.0.0.1\nquery.max-memory=512MB\nquery.max-memory-per-node=256MB\n"
            "memory.heap-headroom-per-node=64MB\n"
        )
        java = ["java", "-Xmx1G", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=256M"]
        java += ["-Djdk.attach.allowAttachSelf=true", "-Dconfig=etc/config.properties", "-cp", f"{self.parts}/lib/*"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*java, f"{self.parts}/Launch.java"], cwd=self.folder, stdout=log, stderr=log
            )
        wait_until(self._answers, seconds=400)

    def _answers(self) -> bool:
        assert self._process is not None
        log = self.folder / "log"
        assert self._process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        return "SERVER STARTED" in log.read_text("utf-8", "replace") and self._reads()

    def _reads(self) -> bool:
        """Tell whether a table can be read: nodes are found out a moment after the start."""
        try:
            self.execute(
                "CREATE TABLE IF NOT EXISTS ready (n INTEGER)", "SELECT count(*) FROM ready", "DROP TABLE ready"
            )
        except trino.exceptions.TrinoQueryError:
            return False
        return True

    def kill(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def execute(self, *statements: str) -> list[Any]:
        """Run statements as the owner; give the rows of the last."""
        with closing(
            trino.dbapi.connect(  # type: ignore[no-untyped-call]
                "127.0.0.1", self.port, OWNER, catalog=CATALOG, schema=SCHEMA
            )
        ) as owner:
            rows: list[Any] = []
            for statement in statements:
                cursor = owner.cursor()
                cursor.execute(statement)
                rows = cursor.fetchall()
            return rows

    def address(self, *, user: str = READER) -> str:
        """Give the address at which the reader finds the tables."""
        return f"trino://{user}@127.0.0.1:{self.port}/{CATALOG}/{SCHEMA}"


@contextmanager
def run_trino(folder: Path) -> Iterator[TrinoServer]:
    """Give a running server."""
    server = TrinoServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
