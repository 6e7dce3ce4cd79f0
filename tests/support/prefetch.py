"""Fetches an engine's server ahead of its tests: `python -m support.prefetch mysql`; exit 1 where it cannot be had."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.clickhouse import ClickhouseServer
from support.mysql import MysqlServer
from support.trino import TrinoServer

SERVERS = {"clickhouse": ClickhouseServer, "mysql": MysqlServer, "trino": TrinoServer}


def main(engine: str) -> int:
    """Fetch what the engine's tests would fetch, and say in a line why not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            SERVERS[engine](Path(folder))
        except (pytest.fail.Exception, subprocess.TimeoutExpired) as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
