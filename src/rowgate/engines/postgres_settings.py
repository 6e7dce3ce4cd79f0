"""What holds in every session of PostgreSQL, and how it is set anew after code of the database's own has run there.

Rule: whatever a view's function sets, no other read has it. What shows in rows is told: what was read is then in doubt.
"""

from contextlib import suppress

import psycopg
from psycopg import pq

from rowgate.engines.postgres_values import SQL_ASCII

BUSY_MILLISECONDS = 5000
_SETTINGS = (
    "SET default_transaction_read_only = on; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; "
    "SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; SET extra_float_digits = 1; "
    "SET client_min_messages = 'error'; SET standard_conforming_strings = on; SET lock_timeout = {}"
)
# What the server tells of itself when it has changed. The first show in rows; moments are asked for in UTC.
_WRITING = (b"DateStyle", b"IntervalStyle", b"client_encoding")
_REPORTED = (*_WRITING, b"TimeZone", b"standard_conforming_strings", b"default_transaction_read_only")
# Shows in rows too, and the server does not tell. Binary values are read in either of their forms.
_DIGITS, _USUAL_DIGITS = "extra_float_digits", b"1"


class SessionSettings:
    """The settings of one connection, and whether they still hold."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        """Take a connection that was just opened."""
        self._pq = connection
        self._text = _SETTINGS.format(BUSY_MILLISECONDS)
        if connection.parameter_status(b"server_encoding") == SQL_ASCII:
            self._text += "; SET client_encoding = SQL_ASCII"  # the server knows no other, and would refuse some texts
        self._usual: tuple[bytes | None, ...] = ()

    def apply(self) -> bool:
        """Set them; tell whether they hold."""
        found = self._pq.exec_(self._text.encode())
        self._usual = self._read()
        return found.status == pq.ExecStatus.COMMAND_OK

    @property
    def hold(self) -> bool:
        """Whether the server has told of no change."""
        return self._read() == self._usual

    def list_changed(self) -> list[str]:
        """Give what a statement has set for the whole session of how values are written, as far as the server tells."""
        pairs = zip(_WRITING, self._read(), self._usual, strict=False)
        return [name.decode() for name, now, before in pairs if now != before]

    def apply_again(self) -> list[str] | None:
        """Undo all that was set since, with what outlives a transaction: statements and locks; None: it did not work.

        Gives what of it shows in rows and the server does not tell by itself.
        """
        text = (
            f"SELECT current_setting('{_DIGITS}'); RESET SESSION AUTHORIZATION; RESET ALL; {self._text}; "
            "DEALLOCATE ALL; SELECT pg_advisory_unlock_all()"
        )
        results: list[pq.abc.PGresult] = []
        with suppress(psycopg.Error):
            self._pq.send_query(text.encode())
            while (result := self._pq.get_result()) is not None:
                results.append(result)
        if not results or results[-1].status != pq.ExecStatus.TUPLES_OK:
            return None
        return [] if results[0].get_value(0, 0) == _USUAL_DIGITS else [_DIGITS]

    def _read(self) -> tuple[bytes | None, ...]:
        return tuple([self._pq.parameter_status(name) for name in _REPORTED])
