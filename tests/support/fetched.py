"""Servers that the tests fetch: what they are made of is kept in the user's cache, each version in a folder of its own.

Where it cannot be had the tests fail, in one line: whoever asks for an engine is not told that it was skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

_FETCH_SECONDS = 600
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


def fetch(name: str, make: Callable[[Path], None]) -> Path:
    """Give the folder of a server's parts, made by `make` once; a folder that was left half made is made anew."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rowgate-tests" / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / "complete").touch()
    return folder


def require(*commands: str, packages: str) -> None:
    """Fail where a command is missing; `packages` are Debian's."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.fail(f"no {' and no '.join(missing)} here (Debian: {packages})", pytrace=False)


def run_fetcher(title: str, command: list[str], folder: Path) -> None:
    """Run a client of a package registry."""
    fetched = subprocess.run(
        command, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_FETCH_SECONDS
    )
    if fetched.returncode:
        said = next((line for line in fetched.stdout.decode("utf-8", "replace").splitlines() if "ERROR" in line), "")
        pytest.fail(f"{title} was not fetched by {command[0]}: {said[:300]}", pytrace=False)


def run_maven(title: str, goal: str, folder: Path, *options: str) -> None:
    """Have Maven copy what the options name into the folder; nothing stays in its own store."""
    store = folder / "store"
    run_fetcher(title, ["mvn", "-q", "-B", f"-Dmaven.repo.local={store}", f"{_PLUGIN}:{goal}", *options], folder)
    shutil.rmtree(store)
