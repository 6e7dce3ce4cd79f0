"""Whether others can reach what is its owner's alone, as a file's mode has it."""

import os
import stat


def is_exposed(status: os.stat_result) -> bool:
    """Tell whether somebody may read or write a file who should not.

    A group counts where the file is our own, or we may do everything. Of somebody else's it is how we read it at all:
    platforms that hand secrets to containers let a group read them.
    """
    is_own = os.geteuid() in (status.st_uid, 0)
    return bool(stat.S_IMODE(status.st_mode) & (stat.S_IRWXO | (stat.S_IRWXG if is_own else 0)))
