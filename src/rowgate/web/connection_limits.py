"""How many connections a worker takes, of all and of one address."""

from enum import Enum, auto

from rowgate.web.forwarded import ForwardedHeaders

REFUSED_REQUEST_SECONDS = 1  # for a request to arrive that will be refused


class Admission(Enum):
    """What becomes of a connection."""

    SERVED = auto()
    REFUSED = auto()  # its first request is, and has little time to arrive
    DROPPED = auto()  # at once: its address is far beyond its share


class ConnectionLimits:
    """Counts by address; a trusted proxy, behind which many stand, is not counted."""

    def __init__(self, *, most: int, most_of_one: int, proxies: ForwardedHeaders | None) -> None:
        """Take the limits; `most_of_one` 0: one address may have all."""
        self._most = most
        self._most_of_one = most_of_one or most
        self._proxies = proxies
        self._counts: dict[str, int] = {}

    def enter(self, address: str) -> Admission:
        """Count a connection, and say what becomes of it."""
        if self._proxies is not None and self._proxies.trusts(address):
            return Admission.SERVED
        count = self._counts[address] = self._counts.get(address, 0) + 1
        if count <= self._most_of_one:
            return Admission.SERVED
        return Admission.REFUSED if count <= 2 * self._most_of_one else Admission.DROPPED

    def leave(self, address: str) -> None:
        """Count it no more."""
        left = self._counts.pop(address, 0) - 1
        if left > 0:
            self._counts[address] = left

    def find_refusal(self, connections: int, admission: Admission) -> str:
        """Give why a request is refused, or an empty text.

        Args:
            connections: Of the worker, all in all.
            admission: What was said of this one.
        """
        if connections > self._most:
            return "The server has too many connections."
        return "" if admission is Admission.SERVED else "Your address has too many connections."
