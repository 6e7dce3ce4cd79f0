"""Which of the engines without a module of their own is known by name: how it writes, and what it is told at first."""

from collections.abc import Callable

import sqlalchemy

from rowgate.engines.other import OtherManner
from rowgate.rows.dialects.oracle import ORACLE

# what Oracle compares and writes by depends on where the client stands, unless a session says so; and it reads only
_ORACLE_SESSION = (
    "SET TRANSACTION READ ONLY",
    "ALTER SESSION SET NLS_COMP = BINARY NLS_SORT = BINARY TIME_ZONE = '+00:00'",
)


def open_manner(url: sqlalchemy.URL, *, accept_unproven: bool) -> OtherManner:
    """Give the manner of an address; its driver is there."""
    known = _KNOWN.get(url.get_backend_name())
    return known(url, accept_unproven) if known else OtherManner(url, accept_unproven=accept_unproven)


def _open_trino(url: sqlalchemy.URL, accept_unproven: bool) -> OtherManner:  # noqa: FBT001 - the shape of them all
    from rowgate.engines.trino import TrinoManner  # noqa: PLC0415 - its driver may be missing

    return TrinoManner(url, accept_unproven=accept_unproven)


def _open_mssql(url: sqlalchemy.URL, accept_unproven: bool) -> OtherManner:  # noqa: FBT001
    from rowgate.engines.mssql import MssqlManner  # noqa: PLC0415 - most do without

    return MssqlManner(url, accept_unproven=accept_unproven)


def _open_oracle(url: sqlalchemy.URL, accept_unproven: bool) -> OtherManner:  # noqa: FBT001
    return OtherManner(url, accept_unproven=accept_unproven, dialect=ORACLE, title="Oracle", session=_ORACLE_SESSION)


def _open_clickhouse(url: sqlalchemy.URL, accept_unproven: bool) -> OtherManner:  # noqa: FBT001
    from rowgate.engines.clickhouse import ClickhouseManner  # noqa: PLC0415 - as above

    return ClickhouseManner(url, accept_unproven=accept_unproven)


_KNOWN: dict[str, Callable[[sqlalchemy.URL, bool], OtherManner]] = {
    "clickhousedb": _open_clickhouse,
    "trino": _open_trino,
    "mssql": _open_mssql,
    "oracle": _open_oracle,
}
