"""Connections to a PostgreSQL database: opened when needed, kept while they are good, bounded in number.

Every session is read-only and says dates in UTC; when one is no longer good: postgres_session.py.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from rowgate.engines.postgres_errors import UNREADABLE
from rowgate.engines.postgres_session import Session, tell_fault
from rowgate.engines.postgres_settings import SessionSettings
from rowgate.rows.errors import EngineUnavailable

CONNECT_SECONDS = 5
BORROW_SECONDS = 10.0  # that a statement waits for a connection


class PostgresPool:
    """The connections of a worker. Safe for use from several threads."""

    def __init__(self, address: str, *, max_connections: int) -> None:
        """Take the address, and how many connections there may be at once."""
        self._address = address
        self._free = threading.BoundedSemaphore(max_connections)
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._is_closed = False
        self.lent = 0  # connections that work at this moment

    @contextmanager
    def borrowed(self) -> Iterator[Session]:
        """Lend a session for a few short statements."""
        session = self.borrow()
        try:
            yield session
        finally:
            self.give_back(session)

    def borrow(self) -> Session:
        """Lend a session; the caller must give it back.

        Raises:
            EngineUnavailable: The database cannot be reached, or all connections are in use.
        """
        if not self._free.acquire(timeout=BORROW_SECONDS):
            raise EngineUnavailable(UNREADABLE, detail="all connections are in use")
        try:
            session = self._find_idle() or self._open()
        except BaseException:
            self._free.release()
            raise
        with self._lock:
            self.lent += 1
        return session

    def renew(self, session: Session) -> Session:
        """Give another session for one that was found to be gone, and with it for all that are idle."""
        session.close()
        with self._lock:
            idle, self._idle = self._idle, []
        for other in idle:
            other.close()
        return self._open()

    def check_alive(self) -> None:
        """Make sure that the server answers at all: one more connection, refused or not, comes in time.

        Raises:
            EngineUnavailable: It says nothing.
        """
        try:
            psycopg.Connection.connect(self._address, connect_timeout=CONNECT_SECONDS).close()
        except psycopg.errors.ConnectionTimeout as error:
            raise EngineUnavailable(UNREADABLE, detail="the server says nothing") from error
        except psycopg.Error:
            return  # it speaks, or its connections end by themselves

    def give_back(self, session: Session) -> None:
        """Take back a session that was lent."""
        try:
            with self._lock:
                self.lent -= 1
            if session.is_good:
                with self._lock:
                    if not self._is_closed:
                        self._idle.append(session)
                        return
            session.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Close every connection that is idle, and the others when they are given back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def _find_idle(self) -> Session | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                session = self._idle.pop()
            if session.is_quiet:
                session.was_idle = True
                return session
            session.close()

    def _open(self) -> Session:
        try:
            connection = psycopg.Connection.connect(
                self._address,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                client_encoding="UTF8",
                application_name="rowgate",
            )
        except psycopg.Error as error:
            raise EngineUnavailable(UNREADABLE, detail=str(error)) from error
        connection.pgconn.nonblocking = 0  # what is sent is small, or waits until the server has taken it
        settings = SessionSettings(connection.pgconn)
        if not settings.apply():
            connection.close()
            raise EngineUnavailable(UNREADABLE, detail=tell_fault(connection.pgconn))
        return Session(connection, settings)
