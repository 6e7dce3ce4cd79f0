"""By how many examples a law is shown: a part of them in each run of the suite, and in `make soak` again and again.

LAWS_PERCENT says how many of a hundred; `make test-engines` takes all.
"""

import os


def choose_examples(whole: int) -> int:
    """Give how many of a law's examples this run takes, at least two."""
    return max(2, whole * int(os.environ.get("LAWS_PERCENT", "25")) // 100)
