"""What the workers of a server have counted, and how each hears of the others'; see `rowgate.ports`."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from rowgate.audit.events import Event

Counts: TypeAlias = Mapping[
    tuple[str, ...], float
]  # by what is counted and under which words; all of them can be added


class RecordWatcher(Protocol):
    """Is told, on the event loop, of what goes on record; a group of events at once."""

    def count(self, events: Sequence[Event], *, is_durable: bool) -> None:
        """Count events; those that are not durable are of what did not happen, but for ends."""

    def count_flush(self, seconds: float, *, is_durable: bool) -> None:
        """Count one attempt to make a group durable."""


class SharedCounts(Protocol):
    """Where the workers of a server show each other what they have counted. Safe for use from one thread at a time."""

    def take_place(self) -> Counts:
        """Have a place of one's own; give what a worker that is gone had counted in it, to go on from there."""

    def publish(self, lasting: Counts, momentary: Counts) -> None:
        """Show one's own counts: those that only grow, and those of this moment, which end with the worker."""

    def gather_others(self) -> Sequence[tuple[Counts, Counts]]:
        """Give what the others have shown last."""

    def close(self) -> None:
        """Give the place up; what was shown there stays."""
