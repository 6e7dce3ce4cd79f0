"""Installs the peers into `.bench/`, pinned: the Python ones with hashes, the npm one by its lock file."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

PEERS = Path(__file__).parent
WORK = PEERS.parents[1] / ".bench"
PYTHON = WORK / "python"
NODE = WORK / "oidc-provider"


def install_peers() -> None:
    """Installs what is missing or pinned differently than last time."""
    requirements = PEERS / "requirements.txt"
    _when_changed(PYTHON, [requirements], lambda: _install_python(requirements))
    _when_changed(NODE, sorted((PEERS / "oidc-provider").iterdir()), _install_node)


def python_version(package: str) -> str:
    """The version of a Python peer, as it is installed."""
    library = PYTHON / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for found in metadata.distributions(name=package, path=[str(library)]):
        return found.version
    raise LookupError(f"{package} is not installed in {PYTHON}")


def node_version(package: str) -> str:
    """The version of an npm peer, as it is installed."""
    version: str = json.loads((NODE / "node_modules" / package / "package.json").read_text())["version"]
    return version


def _when_changed(folder: Path, pins: list[Path], install: Callable[[], None]) -> None:
    wanted = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins) + sys.version.encode()).hexdigest()
    stamp = folder / ".stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    install()
    stamp.write_text(wanted)


def _install_python(requirements: Path) -> None:
    print("installing the Python peers into .bench/python …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", PYTHON], check=True)
    # fmt: off
    subprocess.run([PYTHON / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "--require-hashes", "--no-deps", "-r", requirements], check=True)
    # fmt: on


def _install_node() -> None:
    print("installing npm oidc-provider into .bench/oidc-provider …", flush=True)
    shutil.copytree(PEERS / "oidc-provider", NODE)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(command, cwd=NODE, check=True, stdout=subprocess.DEVNULL)
