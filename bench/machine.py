"""The machine and the versions that a result holds for, and whether it has the tools the benchmark needs."""

import platform
import shutil
import sqlite3
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import apsw
from peers.install import node_version, python_version
from report import Table
from serving import CORES

TOOLS = {"wrk": "wrk", "sqlite3": "sqlite3", "curl": "curl", "taskset": "util-linux", "node": "nodejs", "npm": "npm"}
PRODUCT_PACKAGES = ("uvicorn", "uvloop", "httptools", "msgspec", "cryptography")
PEER_PACKAGES = ("django-oauth-toolkit", "django", "gunicorn", "datasette", "roapi")


def missing() -> list[str]:
    """What keeps this machine from running the benchmark, one sentence each; empty when nothing does."""
    problems = [
        f"{tool} is missing: on Debian or Ubuntu, `apt-get install {package}`"
        for tool, package in TOOLS.items()
        if shutil.which(tool) is None
    ]
    if sys.platform != "linux":
        problems.append("it reads memory and pins processes the Linux way: run it on Linux")
    elif len(CORES) < 2:
        problems.append("it needs two cores, one for the server and one for the load")
    return problems


def describe() -> Table:
    """Machine and versions as a table; the peers must be installed."""
    facts = {
        "processor": f"{_processor()}, {len(CORES)} cores",
        "memory": f"{_memory_gib():.0f} GiB",
        "system": f"{_system()}, kernel {platform.release()}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "Rowgate": ", ".join([metadata.version("rowgate"), *_versions(), f"apsw {apsw.apsw_version()}"]),
        "npm oidc-provider": f"{node_version('oidc-provider')} on Node {_first_line('node', '--version').lstrip('v')}",
        "peers on PyPI": ", ".join(f"{name} {python_version(name)}" for name in PEER_PACKAGES),
        "sqlite3": _first_line("sqlite3", "--version").split()[0],
        "load": ", ".join(
            [_first_line("wrk", "--version").split(" [")[0], _first_line("curl", "--version").split(" (")[0]]
        ),
    }
    return Table(["", ""], [[name, value] for name, value in facts.items()])


def stolen_and_total_ticks() -> tuple[int, int]:
    """Ticks that the host of a virtual machine gave to others, and all ticks, since boot."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[7], sum(fields)


def _versions() -> list[str]:
    return [f"{name} {metadata.version(name)}" for name in PRODUCT_PACKAGES]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory_gib() -> float:
    return int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _first_line(*command: str) -> str:
    # wrk prints its version and ends with 1
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).split("\n", 1)[0]
