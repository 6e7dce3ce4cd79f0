"""Seeded draws, from `random()` and `getrandbits()` alone: other methods of Python's draw differently as it changes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws for one table, so that a change to one table leaves the rows of the others as they were."""

    def __init__(self, seed: int, table: str) -> None:
        random = Random(f"{seed}/{table}")  # noqa: S311 - made-up rows that must come out the same again; nothing secret
        self.bits = random.getrandbits
        self.unit = random.random

    def below(self, limit: int) -> int:
        """Give a whole number from 0 to `limit` - 1."""
        return int(self.unit() * limit)

    def between(self, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`, both possible."""
        return low + self.below(high - low + 1)

    def pick(self, pool: Sequence[T]) -> T:
        """Give one element of a pool, each as likely as the others."""
        return pool[self.below(len(pool))]

    def chance(self, probability: float) -> bool:
        """Give True as often as `probability`, a number from 0 to 1, says."""
        return self.unit() < probability

    def time_before(self, end: datetime, *, days: int) -> str:
        """Give a time of the `days` days before `end`, to the second, as ISO text without a zone."""
        return (end - timedelta(seconds=1 + self.below(days * 86_400))).isoformat()
