"""Two homes over one state in PostgreSQL, set up as docs/how-to/run-replicas.md says."""

import shutil
from itertools import count
from pathlib import Path
from typing import Any

from rowgate.config import CONFIG_NAME, Settings, load_settings
from support.homes import make_home
from support.postgres import STATE_OWNER, PostgresServer

PUBLIC_URL = "https://rowgate.test"  # the balancer's address, which every replica has
_number = count()


def make_replicas(
    folder: Path, database: Path, postgres: PostgresServer, state_database: str, **flags: Any
) -> tuple[Settings, Settings]:
    """Make a new state and two homes that share it; the second is a copy of two files of the first."""
    state = {
        "state": postgres.address(state_database, STATE_OWNER),
        "state_schema": f"replicas_{next(_number)}",
        "public_url": PUBLIC_URL,
    }
    first = make_home(folder / "one", database, **state, **flags)
    second = folder / "two"
    second.mkdir(mode=0o700)
    for name in (CONFIG_NAME, "master.key"):
        shutil.copy(first.home / name, second / name)
    return first, load_settings(second, {}, {})
