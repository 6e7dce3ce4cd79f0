"""How many files this process may have open: each connection is one, and one too many is dropped without a word."""

import logging
import sys

if sys.platform != "win32":
    import resource

_log = logging.getLogger("rowgate")

FILES_OF_A_READ = 4  # the database, its journal and their like
OTHER_FILES = 100  # state, record, libraries


def raise_file_limit(*, connections: int, reads: int) -> None:
    """Have room for as many connections and reads as the settings allow, as far as the system lets this process.

    Many systems let a process have 1024 files unless it asks for more. Workers inherit what is asked for here.
    """
    if sys.platform == "win32":
        return
    wanted = connections + reads * FILES_OF_A_READ + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS has a limit of its own below the one that it tells
        most = soft
    if most < wanted:
        _log.warning(
            "a worker may have %d files open, and max_connections = %d with max_reads = %d takes %d: connections "
            "beyond that are dropped; raise the limit (ulimit -n, or LimitNOFILE= of systemd), or lower the settings",
            most,
            connections,
            reads,
            wanted,
        )
