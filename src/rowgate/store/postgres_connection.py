"""Connections to the PostgreSQL database that holds the state, and what its errors mean to an administrator.

Rule: every wait has an end. A server that is gone without a word must hold up neither the following nor the writing
of a worker, and a replica that is gone must not hold the lock of the writers.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rowgate.store.following import BUSY_MILLISECONDS

ANSWER_SECONDS = 8.0  # that anything may take, the wait for other writers included
STATEMENT_MILLISECONDS = 7000  # what the server ends by itself
IDLE_MILLISECONDS = 10_000  # that a transaction may stand still before the server undoes it, with its lock
MAX_TOLD = 200  # characters of what the driver says
_CONNECTING = {
    "application_name": "rowgate",
    "client_encoding": "UTF8",
    "connect_timeout": "3",
    # A standby lags behind: a revocation would hold later there.
    "target_session_attrs": "read-write",
    # a host that is cut off is noticed after seconds, not hours
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# What a change looks at is as of its statement, so after it has the lock of the writers. Under the two higher levels,
# which a role or a database may have by default, it would be as of before the wait for that lock.
_AS_OF_NOW = "SET default_transaction_isolation = 'read committed'"
# What is undone or replayed must stay so after a crash: "off" would let the last half second be forgotten.
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Where a state is: a database, and a schema in it that holds nothing else."""

    address: str  # as libpq takes it; may hold a password, so it is shown nowhere
    schema: str  # a plain name: lower case letters, digits and _

    def __repr__(self) -> str:
        return self.told

    @property
    def told(self) -> str:
        """The place as people are told it."""
        parts = conninfo_to_dict(self.address)
        port = f":{parts['port']}" if "port" in parts else ""
        return f"the state at {parts.get('host', 'localhost')}{port}/{parts.get('dbname', '')}, schema {self.schema}"


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up after ANSWER_SECONDS, and is of no use from then on."""

    def wait(self, gen: Generator[Any, Any, _T], *arguments: Any, **more: Any) -> _T:
        """Run an operation to its end."""
        return super().wait(_bound(gen, self.pgconn), *arguments, **more)


def _bound(operation: Generator[Any, Any, _T], pgconn: psycopg.pq.abc.PGconn) -> Generator[Any, Any, _T]:
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        wanted = next(operation)
        while True:
            ready = yield wanted  # psycopg comes back several times a second, with or without news
            if time.monotonic() > deadline:
                pgconn.finish()
                raise psycopg.OperationalError("it does not answer")
            wanted = operation.send(ready)
    except StopIteration as end:
        result: _T = end.value
        return result


def connect(place: PostgresPlace, *, autocommit: bool) -> BoundedConnection:
    """Open a connection whose statements see the tables of the state, and no others.

    Raises:
        psycopg.Error: There is no connection; `explain_error` tells why.
    """
    given = conninfo_to_dict(place.address)
    address = make_conninfo(place.address, **{name: value for name, value in _CONNECTING.items() if name not in given})
    # Not prepared: a newer release may alter a table under a statement that was.
    connection = BoundedConnection.connect(address, autocommit=True, prepare_threshold=None)
    try:
        connection.execute(
            f"SET search_path = \"{place.schema}\"; SET timezone = 'UTC'; SET client_min_messages = error; "
            f"SET lock_timeout = {BUSY_MILLISECONDS}; SET statement_timeout = {STATEMENT_MILLISECONDS}; "
            f"SET idle_in_transaction_session_timeout = {IDLE_MILLISECONDS}; {_AS_OF_NOW}; {_DURABLE}"
        )
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


_ADVICE = {  # by SQLSTATE, the first that begins so
    "28": "it refuses the user or its password",
    "3D000": "there is no such database",
    "42501": "the user may not do that: it needs CREATE on the database, or a schema of its own",
    "3F000": "it holds no state: `rowgate init --state` makes one",
    "42P01": "it holds no state: `rowgate init --state` makes one",
    "42P07": "there are tables of something else: give the state a schema of its own",
    "55P03": "another process is writing to it for too long; try again",
    "57014": "it takes too long; try again",
    "25P03": "this process stood still in the middle of a change, which was undone; try again",
    "25006": "it takes no writes: name the primary, not a standby",
    "53": "it is out of connections, memory or room",
}


def explain_error(error: BaseException | None) -> str:
    """Give what an administrator can do about an error of the database; in one line, without values of statements."""
    code = (error.sqlstate if isinstance(error, psycopg.Error) else None) or ""
    for beginning, advice in _ADVICE.items():
        if code.startswith(beginning):
            return advice
    told = " ".join(str(error).split("\n", 1)[0].split())[:MAX_TOLD]
    if "session is read-only" in str(error):
        return _ADVICE["25006"]
    if isinstance(error, psycopg.OperationalError):
        return f"it cannot be reached at the moment ({told})"
    kind = type(error).__name__  # an error of data repeats the data in its text
    return f"it is damaged or no state of this release; restore it from a backup ({kind} {code})".replace(" )", ")")
