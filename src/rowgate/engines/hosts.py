"""Addresses that name several hosts of one database, as `mariadb://reader@a,b:3307,c/sales`: whichever answers is used.

A connection goes to the host that answered last; only when it does not answer are the others asked.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

_ADDRESS = re.compile(r"(?P<scheme>[\w+]+)://((?P<user>[^@/]*)@)?(?P<hosts>[^/?]*)(?P<rest>.*)", re.DOTALL)


def list_hosts(address: str) -> Sequence[str]:
    """Give one address for each host.

    >>> list_hosts("mariadb://me:secret@a,b:3307/sales?x=1")
    ['mariadb://me:secret@a/sales?x=1', 'mariadb://me:secret@b:3307/sales?x=1']
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or "," not in found["hosts"]:
        return [address]
    user = f"{found['user']}@" if found["user"] is not None else ""
    hosts = [host for host in found["hosts"].split(",") if host]
    return [f"{found['scheme']}://{user}{host}{found['rest']}" for host in hosts]


class Hosts:
    """Connects to one of several."""

    def __init__(self, connect: Sequence[Callable[[], Any]], failures: tuple[type[Exception], ...]) -> None:
        """Take what connects to each, and what it raises if that fails."""
        self._connect = connect
        self._failures = failures
        self._last_good = 0

    def open_connection(self) -> Any:
        """Give a connection to the first host that answers; raises what the last one raised when none does."""
        first = self._last_good
        places = [(first + step) % len(self._connect) for step in range(len(self._connect))]
        for place in places[:-1]:
            try:
                return self._open(place)
            except self._failures:
                continue
        return self._open(places[-1])

    def _open(self, place: int) -> Any:
        connection = self._connect[place]()
        self._last_good = place
        return connection
