"""By how many examples a law is shown: a part of them in each run of the suite, and in `make soak` again and again.

LAWS_PERCENT says how many of a hundred; `make test-engines` takes all.
"""

import os
from collections.abc import Sequence
from typing import TypeVar


def choose_examples(whole: int) -> int:
    """Give how many of a law's examples this run takes, at least two."""
    return max(2, whole * int(os.environ.get("LAWS_PERCENT", "25")) // 100)


_Example = TypeVar("_Example")


def spread_examples(whole: Sequence[_Example]) -> Sequence[_Example]:
    """Give as many of a table's examples, from its beginning to its end."""
    return whole[:: len(whole) // choose_examples(len(whole))]
