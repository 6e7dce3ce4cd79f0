"""Where DuckDB puts what it has no memory for while it sorts and groups: a folder of its user's alone, and bounded.

Rule: it holds rows, so nobody else may look into it. Files of a process that was killed are taken away by the next one
that needs the folder; DuckDB does that.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rowgate.engines.duckdb_texts import quote_text

MAX_SPILL_BYTES = 10_000_000_000  # 10 GB, of each process
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NOWHERE = ("SET temp_directory = ''",)  # then it says that it has no memory


def render_spill_settings(max_bytes: int = MAX_SPILL_BYTES) -> Sequence[str]:
    """Give the statements that tell DuckDB of the folder, or that there is none: then what needs it is refused.

    Left to itself it would take a folder of the directory that the server was started in, and nearly the whole disk.

    Args:
        max_bytes: What one process may put there; half of the room that is left, if that is less.
    """
    folder = Path(tempfile.gettempdir()) / f"rowgate-duckdb-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()  # the place is everybody's: somebody may have put a link there
        room = shutil.disk_usage(folder).free // 2
    except OSError:
        return _NOWHERE
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
        return _NOWHERE
    return (
        f"SET temp_directory = {quote_text(str(folder))}",
        f"SET max_temp_directory_size = '{min(max_bytes, room)}B'",
    )
