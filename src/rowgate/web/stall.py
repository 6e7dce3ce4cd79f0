"""Tells a client that takes nothing from one that takes little. No clock here: the time is given."""

import asyncio
import contextlib
import struct
import sys

if sys.platform != "win32":  # what the system holds for the client is not seen there
    import fcntl
    import termios

_COUNT = struct.Struct("i")


class StallWatch:
    """Watches one connection while more is to be sent than its client takes."""

    def __init__(self, most_seconds: float) -> None:
        """Take the time that a client may take nothing."""
        self._most_seconds = most_seconds
        self._since: float | None = None
        self._due_bytes = 0  # to the client, at the last look

    def begin(self, now: float) -> None:
        """There is more to be sent than is taken."""
        self._since = now
        self._due_bytes = 0

    def end(self) -> None:
        """What there was is taken."""
        self._since = None

    def lasts_too_long(self, now: float, transport: asyncio.Transport) -> bool:
        """Look whether the client has taken something since the last look; tell whether it took nothing for too long.

        The system holds megabytes for a client: one that reads 50 kB/s takes them for a minute, and meanwhile nothing
        leaves this process.
        """
        if self._since is None:
            return False
        before, self._due_bytes = self._due_bytes, _count_due(transport)
        if self._due_bytes < before:
            self._since = now
        return now - self._since > self._most_seconds


def _count_due(transport: asyncio.Transport) -> int:
    """Give how many bytes the client has not acknowledged, held here or by the system."""
    held = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    if sys.platform != "win32" and connection is not None:
        with contextlib.suppress(OSError):
            # SIOCOUTQ, as the same number is called where it is asked of a socket (tcp(7))
            held += _COUNT.unpack(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(_COUNT.size)))[0]
    return held
