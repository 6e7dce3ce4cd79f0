"""How large a block of rows may be, in rows and in weight: a table of documents must not fill the memory.

One row speaks for those taken with it: to weigh every one would cost more than it saves.
"""

from collections.abc import Sequence
from typing import Any

BLOCK_ROWS = 1500  # 200 cost a fifth of the speed, 20,000 as much (docs/explanation/speed.md)
BLOCK_BYTES = 1_048_576  # 1 MiB of text and binary, about
BATCH_ROWS = 100  # between looks at the weight, at most
VALUE_BYTES = 16  # that each value weighs beside its text: a row of two thousand numbers is heavy too


def weigh(row: Sequence[Any]) -> int:
    """Give about how many bytes a row takes."""
    return VALUE_BYTES * len(row) + sum([len(value) for value in row if isinstance(value, (str, bytes))])


def choose_batch(wanted_rows: int, weight: int, heavy: int) -> int:
    """Give how many rows to take next.

    Args:
        wanted_rows: That the block lacks.
        weight: What it weighs (bytes).
        heavy: What its last row weighs.
    """
    return min(BATCH_ROWS, wanted_rows, max(BLOCK_BYTES - weight, 0) // max(heavy, 1) + 1)
