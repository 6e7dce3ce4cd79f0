"""What quotas ask of whoever keeps their counts."""

from typing import Protocol


class Buckets(Protocol):
    """A bucket for each application, which fills evenly; new ones are full."""

    def take(self, application_number: int, *, size: int, per_minute: int, now: float) -> int:
        """Take one out of an application's bucket and give 0, or the seconds until there is one.

        Atomic for everybody who shares the counts. Never fails and never waits: a count that cannot be kept is one
        that this worker keeps for itself.
        """

    def look(self, application_number: int, *, size: int, per_minute: int, now: float) -> int:
        """Give what `take` would give at this moment, and take nothing."""
