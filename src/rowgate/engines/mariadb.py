"""MariaDB and MySQL behind the generic fetcher: read-only by the account's grants and by every session's transactions.

Several hosts may be named, as those of a Galera cluster. A host that is up but may not answer (outside the cluster's
majority) is passed over.
"""

import contextlib
import re
import socket
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import pymysql
import pymysql.cursors
import sqlalchemy
from pymysql.constants import CR, ER

from rowgate.engines.hosts import Hosts, list_hosts
from rowgate.engines.manners import BORROW_SECONDS, CONNECT_SECONDS, Ask
from rowgate.engines.mysql_catalog import describe, list_catalog
from rowgate.engines.mysql_procedures import describe_procedure, list_procedures
from rowgate.engines.mysql_session import SessionConnection, is_mariadb, renew
from rowgate.rows.dialects.mysql import MARIADB, MysqlDialect
from rowgate.rows.errors import (
    EngineFailure,
    EngineUnavailable,
    InvalidParameter,
    NotReadOnly,
    RowsError,
    StatementTimeout,
)
from rowgate.rows.model import ObjectDescription, ObjectListing, Statement

_STATUS = "SHOW STATUS LIKE 'wsrep_cluster_status'"
_OUTSIDE = "non-Primary"  # a node of a cluster that is not with its majority; it refuses whatever reads a table
_PRESENCE = "SELECT 1 FROM information_schema.schemata WHERE schema_name = DATABASE()"
# The server's own limit is only for what this process cannot stop any more, since it counts pauses of the reader too.
_NET_FACTOR, _NET_SECONDS = 2, 60
_HARMLESS = frozenset(
    {
        "USAGE",
        "SELECT",
        "SHOW VIEW",
        "SHOW DATABASES",
        "EXECUTE",
        "PROCESS",
        "REPLICATION CLIENT",
        "BINLOG MONITOR",
        "SLAVE MONITOR",
        "REPLICA MONITOR",
    }
)
_GRANT = re.compile(r"GRANT (?P<privileges>.+?) ON (?P<what>.+?) TO ", re.DOTALL)
_ROLE = re.compile(r"GRANT (?P<roles>(?:`[^`]+`(?:@`[^`]*`)?(?:,\s*)?)+|\S+) TO ")
_OF_NO_RIGHT = ("SET DEFAULT ROLE ", "REVOKE ")  # of MariaDB; of MySQL, what a grant on everything does not allow
_COLUMNS = re.compile(r"\([^)]*\)")
_MAY_PASS = frozenset(
    {
        CR.CR_CONNECTION_ERROR,
        CR.CR_CONN_HOST_ERROR,
        CR.CR_SERVER_GONE_ERROR,
        CR.CR_SERVER_LOST,
        CR.CR_SERVER_LOST_EXTENDED,
        0,  # what the driver says of a connection that is closed
        ER.CON_COUNT_ERROR,
        ER.UNKNOWN_COM_ERROR,  # 1047: a Galera node outside the majority
        ER.SERVER_SHUTDOWN,
        ER.USER_LIMIT_REACHED,
        ER.TOO_MANY_USER_CONNECTIONS,
        ER.LOCK_WAIT_TIMEOUT,
        ER.LOCK_DEADLOCK,
        ER.QUERY_INTERRUPTED,
        ER.ACCESS_DENIED_ERROR,
        ER.DBACCESS_DENIED_ERROR,
        ER.BAD_DB_ERROR,
        ER.PROCACCESS_DENIED_ERROR,
        1927,  # ER_CONNECTION_KILLED
        4031,  # MySQL: disconnected for being idle
    }
)
_TIMED_OUT = frozenset({1969, 3024})  # ER_STATEMENT_TIMEOUT of MariaDB, ER_QUERY_TIMEOUT of MySQL
_OF_CATALOG = frozenset(
    {ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR, ER.VIEW_INVALID, ER.SP_DOES_NOT_EXIST, ER.SP_WRONG_NO_OF_ARGS}
)
_OUT_OF_RANGE = 1690  # ER_DATA_OUT_OF_RANGE


class MariadbManner:
    """See `Manner`."""

    computes_here = False
    smallest = "SELECT 1"

    def __init__(self, address: str, *, password: str | None) -> None:
        """Take the address, with the name of one database; the password counts for every host."""
        self.name = "MariaDB"
        self.dialect: MysqlDialect = MARIADB
        self._urls = [_complete(sqlalchemy.make_url(one), password) for one in list_hosts(address)]
        self._is_mariadb = True

    def identify(self) -> Hashable:
        """See `Manner`."""
        return None

    def open_engine(self, *, max_connections: int) -> sqlalchemy.Engine:
        """See `Manner`."""
        dialect = self._urls[0].get_dialect()()
        hosts = Hosts([_Connector(dialect, url) for url in self._urls], (pymysql.Error, OSError))
        try:
            with contextlib.closing(hosts.open_connection()) as connection:
                self._learn(connection)
        except (pymysql.Error, OSError) as error:
            raise EngineUnavailable("The database cannot be read at the moment.", detail=str(error)) from error
        engine = sqlalchemy.create_engine(
            self._urls[0],
            isolation_level="AUTOCOMMIT",
            creator=hosts.open_connection,
            pool_size=max_connections,
            max_overflow=0,
            pool_timeout=BORROW_SECONDS,
            pool_pre_ping=True,
            skip_autocommit_rollback=True,
            hide_parameters=True,
        )
        assert engine.dialect.supports_server_side_cursors, "internal error: a driver that does not stream"
        # SQLAlchemy makes its own choice when it is asked the question above, and keeps it
        engine.dialect._sscursor = _Cursor  # type: ignore[attr-defined]  # noqa: SLF001
        engine.dialect.do_ping = renew  # type: ignore[assignment, method-assign]  # before each use, as the question was
        return engine

    def _learn(self, connection: Any) -> None:
        """Find out which of the two it is: their collations have different names."""
        self._is_mariadb = is_mariadb(connection)
        if not self._is_mariadb:
            self.name = "MySQL"
            self.dialect = replace(MARIADB, collation="utf8mb4_0900_bin")

    def check_presence(self, ask: Ask) -> None:
        """See `Manner`."""
        if any(status == _OUTSIDE for _, status in ask(_STATUS)):
            raise EngineUnavailable("The database cannot be read at the moment.", detail=_OUTSIDE)
        if not ask(_PRESENCE):
            raise EngineUnavailable("The database cannot be read at the moment.", detail="it was dropped")

    def prove_read_only(self, ask: Ask) -> None:
        """See `Manner`."""
        self.check_presence(ask)
        pending: list[str] = ["SHOW GRANTS"]
        asked: set[str] = set()
        while pending:
            question = pending.pop()
            if question in asked:
                continue
            asked.add(question)
            try:
                lines = ask(question)
            except RowsError as error:
                if question == "SHOW GRANTS":
                    raise
                raise NotReadOnly(
                    f"nobody can tell what a role of the account's allows ({question} fails): take it away"
                ) from error
            pending += [self._ask_of_role(role) for (line,) in lines for role in _judge(str(line))]

    def _ask_of_role(self, role: str) -> str:
        role = role.replace("%", "%%")  # a lone one is a place
        if self._is_mariadb:
            return f"SHOW GRANTS FOR {role}"
        # MySQL tells of a role itself only whom it lets read its own tables; this tells of the roles of the role too
        return f"SHOW GRANTS FOR CURRENT_USER() USING {role}"

    def list_objects(self, ask: Ask) -> Sequence[ObjectListing]:
        """See `Manner`."""
        listed = list_catalog(ask)
        names = {found.name for found in listed}
        procedures = [found for found in list_procedures(ask) if found.name not in names]
        return sorted([*listed, *procedures], key=lambda found: found.name) if procedures else listed

    def describe(self, ask: Ask, name: str) -> ObjectDescription | None:
        """See `Manner`."""
        return describe(ask, name, self.dialect.collation) or describe_procedure(ask, name)

    def explain(self, ask: Ask, statement: Statement) -> Sequence[str]:
        """See `Manner`."""
        rows = ask("EXPLAIN " + statement.text, *statement.parameters)
        return [" ".join(str(value) for value in row if value is not None) for row in rows]

    def check(self, connection: Any, text: str, *, seconds: float) -> None:  # noqa: ARG002
        """See `Manner`."""
        net = int(seconds * _NET_FACTOR + _NET_SECONDS)
        if getattr(connection, "rowgate_net", None) != net:
            setting = f"max_statement_time = {net}" if self._is_mariadb else f"max_execution_time = {net * 1000}"
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION {setting}")
            connection.rowgate_net = net

    def check_call(self, connection: Any, *, seconds: float) -> None:
        """Prepare a driver's connection for a call, which has these seconds by MariaDB's own limit.

        Nobody but its owner may stop what runs with the owner's rights, so `stop` cannot. MySQL's limit does not count
        within procedures: it stops those alone that have the account's rights.
        """
        if self._is_mariadb:
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION max_statement_time = {seconds:.3f}")

    def wake(self, connection: Any) -> None:
        """See `Manner`."""
        with contextlib.suppress(OSError, AttributeError):
            connection._sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - the driver has no other way

    def stop(self, connection: Any) -> None:
        """See `Manner`."""
        with contextlib.suppress(pymysql.Error, OSError):
            connection.kill()

    def translate(self, error: Exception) -> RowsError:
        """See `Manner`."""
        code = _find_code(error)
        detail = f"{code}: {error}"
        if code in _TIMED_OUT:
            return StatementTimeout("The statement took longer than the server allows.", detail=detail)
        if code in _MAY_PASS or isinstance(error, (OSError, pymysql.InterfaceError)):
            return EngineUnavailable("The database cannot be read at the moment.", detail=detail)
        if code == _OUT_OF_RANGE:
            return InvalidParameter(
                "A number is beyond what the database can compute.", field="aggregates", expected="avg"
            )
        return EngineFailure("The database could not answer.", detail=detail)

    def is_of_catalog(self, error: Exception) -> bool:
        """See `Manner`."""
        return _find_code(error) in _OF_CATALOG


class _Cursor(pymysql.cursors.SSCursor):  # type: ignore[misc]  # the driver has no types
    """Streams rows. Closed early it cuts the connection, where the driver's own would read all the rest first."""

    def close(self) -> None:
        """Let go of the result."""
        result = self._result
        if result is not None and result.unbuffered_active:
            result.unbuffered_active = False
            if self.connection is not None:
                self.connection._force_close()  # noqa: SLF001 - the driver has no other way
        super().close()

    __del__ = close


class _Connector:
    """Connects to one host, and makes the session one that reads."""

    def __init__(self, dialect: sqlalchemy.Dialect, url: sqlalchemy.URL) -> None:
        self._dialect = dialect
        self._url = url

    def __call__(self) -> Any:
        positional, named = self._dialect.create_connect_args(self._url)
        connection = SessionConnection(*positional, **named)
        try:
            connection.renew()
            with connection.cursor() as cursor:
                _require_majority(cursor)
        except BaseException:
            connection.close()
            raise
        return connection


def _require_majority(cursor: Any) -> None:
    cursor.execute(_STATUS)
    if any(status == _OUTSIDE for _, status in cursor.fetchall()):
        raise pymysql.OperationalError(ER.UNKNOWN_COM_ERROR, _OUTSIDE)


def _complete(url: sqlalchemy.URL, password: str | None) -> sqlalchemy.URL:
    url = url.set(drivername="mysql+pymysql")
    if password is not None:
        url = url.set(password=password)
    return url.update_query_dict({"charset": "utf8mb4", "connect_timeout": str(CONNECT_SECONDS)})


def _find_code(error: Exception) -> int | None:
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def _judge(line: str) -> list[str]:
    """Give the roles that a line of SHOW GRANTS names: their grants must be asked for too.

    Raises:
        NotReadOnly: The line lets the account write.
    """
    if line.startswith(_OF_NO_RIGHT):
        return []
    found = _GRANT.match(line)
    if found is None:
        role = _ROLE.match(line)
        if role is None:
            raise NotReadOnly(f"nobody can tell what the account's grant allows: {line.partition(' TO ')[0]}")
        return [name.strip() for name in role["roles"].split(",")]
    privileges = [name.strip().upper() for name in _COLUMNS.sub("", found["privileges"]).split(",")]
    harmful = [name for name in privileges if name not in _HARMLESS]
    if harmful or " WITH GRANT OPTION" in line:
        what = harmful[0] if harmful else "GRANT OPTION"
        raise NotReadOnly(
            f"the database lets the account do more than read: {what} on {found['what']}; "
            "grant it SELECT, SHOW VIEW and no more"
        )
    return []
