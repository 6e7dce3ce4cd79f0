"""`.ci/run` on machines that are made up: which packages it takes, and what becomes of what cannot be had."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / ".ci" / "run"
EVERYWHERE = ("bash", "dirname", "cat", "mktemp", "rm")
# what a machine has before anything is installed, and what stands in for the rest: each writes down how it was called
_APT_CACHE = 'case " {packages} " in *" $2 "*) exit 0;; esac; exit 100'
_APT_GET = (
    'case "$1" in update) exit {update};; install) '
    'for last; do :; done; echo "$last" >> "$CALLS"; exit {install};; esac; exit 0'
)
OF_BOTH = "make curl nginx mariadb-server rsync galera-4 maven libnuma1"
DEBIAN_12 = f"{OF_BOTH} openjdk-17-jdk-headless libaio1"
DEBIAN_13 = f"{OF_BOTH} default-jdk-headless libaio1t64"


class Machine:
    """A checkout with `.ci/run`, and commands that do nothing but tell."""

    def __init__(
        self, folder: Path, *, packages: str, update: int = 0, install: int = 0, prefetch: str = "exit 0"
    ) -> None:
        self.calls = folder / "calls"
        self.calls.touch()
        self.bin = folder / "bin"
        for made in (self.bin, folder / ".ci", folder / "tests", folder / ".venv" / "bin"):
            made.mkdir(parents=True)
        shutil.copy(RUN, folder / ".ci" / "run")
        self.run_path = folder / ".ci" / "run"
        for name in EVERYWHERE:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self._write(self.bin / "id", "echo 0")
        self._write(self.bin / "ldconfig", "echo libc.so.6")
        self._write(self.bin / "apt-cache", _APT_CACHE.format(packages=packages))
        self._write(self.bin / "apt-get", _APT_GET.format(update=update, install=install))
        self._write(self.bin / "timeout", 'shift; exec "$@"')
        self._write(folder / ".venv" / "bin" / "python", f'echo "prefetch $3" >> "$CALLS"; {prefetch}')

    def give(self, *commands: str, fails: str = "") -> None:
        """Have these commands; one of them may fail."""
        for name in commands:
            self._write(
                self.bin / name,
                f'echo "{name} $*" >> "$CALLS"; echo "it said: {name} $*"; [ "{name} $*" != "{fails}" ]',
            )

    def run(self) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": str(self.bin), "CALLS": str(self.calls)}
        return subprocess.run([self.run_path], env=environment, capture_output=True, text=True, check=False, timeout=30)

    def list_calls(self) -> list[str]:
        return self.calls.read_text().splitlines()

    @staticmethod
    def _write(path: Path, script: str) -> None:
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)


HERE = ("make", "curl", "nginx", "python3", "mariadbd", "rsync")
pytestmark = pytest.mark.skipif(
    not Path("/usr/lib/galera/libgalera_smm.so").exists(), reason="the made-up machines have Galera where this one has"
)


@pytest.mark.parametrize(
    ("packages", "taken"),
    [
        (DEBIAN_12, ["openjdk-17-jdk-headless", "maven", "libaio1", "libnuma1"]),
        (DEBIAN_13, ["default-jdk-headless", "maven", "libaio1t64", "libnuma1"]),
    ],
    ids=["Debian 12", "Debian 13"],
)
def test_packages_are_called_as_this_debian_calls_them(tmp_path: Path, packages: str, taken: list[str]) -> None:
    machine = Machine(tmp_path, packages=packages)
    machine.give(*HERE)
    ended = machine.run()
    assert ended.returncode == 0, ended.stderr
    calls = machine.list_calls()
    assert [call for call in calls if " " not in call] == taken
    assert {"make lint", "make test", "make test-mysql", "make test-trino", "make test-clickhouse"} <= set(calls)
    assert "NOT RUN" not in ended.stderr


def test_without_a_network_the_fetched_engines_are_left_out_aloud(tmp_path: Path) -> None:
    machine = Machine(tmp_path, packages=DEBIAN_12, update=100, install=100, prefetch="exit 1")
    machine.give(*HERE)
    ended = machine.run()
    assert ended.returncode == 0, ended.stderr
    assert "make test-engines" in machine.list_calls()
    last = ended.stderr.splitlines()[-3:]
    assert [line.partition(":")[0] for line in last] == ["NOT RUN"] * 3
    assert sorted(line.split(" ")[2] for line in last) == ["clickhouse:", "mysql:", "trino:"]


def test_a_package_that_every_check_needs_ends_the_run(tmp_path: Path) -> None:
    machine = Machine(tmp_path, packages=DEBIAN_12, install=100)
    machine.give(*(name for name in HERE if name != "nginx"))
    ended = machine.run()
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "missing: nginx (Debian package nginx)"
    assert not any(call.startswith("make ") for call in machine.list_calls())


def test_a_server_that_is_not_fetched_keeps_no_other_from_being_tested(tmp_path: Path) -> None:
    machine = Machine(tmp_path, packages=DEBIAN_12, prefetch='[ "$3" != trino ]')
    machine.give(*HERE)
    ended = machine.run()
    assert ended.returncode == 0, ended.stderr
    assert {"make test-clickhouse", "make test-mysql"} <= set(machine.list_calls())
    assert "make test-trino" not in machine.list_calls()
    assert ended.stderr.splitlines()[-1] == "NOT RUN: trino: its server was not fetched"


def test_servers_are_fetched_while_others_are_tested(tmp_path: Path) -> None:
    machine = Machine(tmp_path, packages=DEBIAN_12, prefetch='until [[ "$(<"$CALLS")" == *"make fuzz"* ]]; do :; done')
    machine.give(*HERE)
    ended = machine.run()
    assert ended.returncode == 0, ended.stderr
    assert "NOT RUN" not in ended.stderr


@pytest.mark.parametrize("target", ["setup", "lint", "test", "test-clickhouse", "test-trino", "test-mysql"])
def test_tests_that_fail_fail_the_run_with_all_that_they_said(tmp_path: Path, target: str) -> None:
    machine = Machine(tmp_path, packages=DEBIAN_12)
    machine.give(*HERE, fails=f"make {target}")
    ended = machine.run()
    assert ended.returncode != 0
    assert f"it said: make {target}" in ended.stdout
    assert "all that was run has passed" not in ended.stderr


def test_it_can_be_run() -> None:
    assert os.access(RUN, os.X_OK)
