"""Sessions of MySQL and MariaDB: they read, say times in UTC, and quote values in one way.

Rule: a session is made anew before each statement. One before it may have read a view whose function sets something for
the whole session, such as its time zone.
"""

from contextlib import closing
from typing import Any

import pymysql
from pymysql.converters import escape_string

from rowgate.engines.manners import BUSY_SECONDS

_KILL_SECONDS = 2
_DATABASE = ("database", "db")


class SessionConnection(pymysql.Connection):  # type: ignore[misc]  # the driver has no types
    """A driver's connection."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        """Connect as the driver does."""
        self._positional, self._named = positional, named
        super().__init__(*positional, **named)

    def escape(self, obj: Any, mapping: Any = None) -> str:
        """Give a value as it is written in a statement.

        The driver asks what the server said last of its mode, and that may have been inside of a function, which has a
        mode of its own: then a backslash would end the text that it stands in. The session's mode is the one below.
        """
        if isinstance(obj, str):
            return f"'{escape_string(obj)}'"
        if isinstance(obj, (bytes, bytearray)):
            return f"X'{obj.hex()}'"
        written: str = super().escape(obj, mapping)
        return written

    def _force_close(self) -> None:
        # else a result that was being read would be read to its end when it is forgotten, from nothing
        result = self._result
        if result is not None:
            result.unbuffered_active = False
        super()._force_close()

    def kill(self) -> None:
        """Have the server end this connection and what runs on it; raises the driver's errors.

        As it was connected itself, but to no database, which may be gone; the number is that of the same host.
        """
        named = {name: value for name, value in self._named.items() if name not in _DATABASE}
        timeouts = {"connect_timeout": _KILL_SECONDS, "read_timeout": _KILL_SECONDS}
        with closing(pymysql.Connection(*self._positional, **{**named, **timeouts})) as other, other.cursor() as cursor:
            cursor.execute("KILL CONNECTION %s", (self.thread_id(),))

    def renew(self) -> None:
        """Make the session one that reads, in one statement, whatever has been set in it; the server answers, too."""
        # no ANSI_QUOTES, no NO_BACKSLASH_ESCAPES: values and names are written for the mode without them
        settings = f"sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00', lock_wait_timeout = {BUSY_SECONDS}"
        reading = "tx_read_only" if is_mariadb(self) else "transaction_read_only"
        with self.cursor() as cursor:
            cursor.execute(f"SET SESSION {settings}, {reading} = ON")


def is_mariadb(connection: Any) -> bool:
    """Tell which of the two it is, by what it said when it was connected to."""
    return "mariadb" in str(connection.get_server_info()).lower()


def renew(connection: Any) -> bool:
    """Do so for a pool that wants to know whether the connection is alive: the driver's error says that it is not."""
    connection.renew()
    return True
