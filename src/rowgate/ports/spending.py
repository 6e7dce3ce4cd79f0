"""What a store keeps of the budgets of a day; see `rowgate.ports`."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Spent(NamedTuple):
    """What an application has read."""

    rows: int = 0
    bytes: int = 0  # as they were sent


class SpendingWriter(Protocol):
    """What applications have read, by day, inside a transaction; no follower hears of it."""

    def add(self, application_number: int, day: int, more: Spent) -> None:
        """Add to a day, in days since 1970; nothing happens for who is there no more.

        The days are forgotten but for this one and the one before, which it still is for a clock that is behind.
        """

    def list_all(self, day: int) -> Mapping[int, Spent]:
        """Give what was read on a day, by number of application."""
